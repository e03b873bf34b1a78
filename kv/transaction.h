// What stands behind Transaction: a snapshot that it reads at, the writes that it has in mind, and what it has read.
#ifndef SEALKV_KV_TRANSACTION_H_
#define SEALKV_KV_TRANSACTION_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "kv/read_set.h"
#include "kv/sealkv.h"
#include "kv/snapshot.h"
#include "kv/store_impl.h"

namespace sealkv::internal {

class TransactionImpl {
 public:
  // A value, or nothing: to be deleted.
  struct Written {
    std::optional<std::string> value;
    uint32_t expiry = kNeverOver;

    bool is_there(uint32_t now_seconds) const { return value.has_value() && !IsOver(expiry, now_seconds); }
  };
  using Writes = std::map<std::string, Written, std::less<>>;

  explicit TransactionImpl(std::shared_ptr<const OpenSnapshot> snapshot);

  absl::Status Get(std::string_view key, std::string* value, uint32_t* expiry = nullptr);
  absl::Status Put(std::string_view key, NewValue value);
  absl::Status Delete(std::string_view key);
  std::unique_ptr<Iterator> NewIterator(Range range);
  absl::Status Commit();
  void Abort();

  const Writes& writes() const { return writes_; }
  ReadSet& reads() { return *reads_; }

 private:
  absl::Status CheckIsOpen() const;

  std::shared_ptr<const OpenSnapshot> snapshot_;  // nullptr: it is over
  std::optional<ReadSet> reads_;
  Writes writes_;
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_TRANSACTION_H_
