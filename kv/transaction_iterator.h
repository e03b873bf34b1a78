// Walks what a transaction sees: its snapshot, and its own writes laid over that. Whatever it walks over the
// transaction has read: each walk, from where it was sought to as far as it got, is a range of the read set, and grows
// with it.
#ifndef SEALKV_KV_TRANSACTION_ITERATOR_H_
#define SEALKV_KV_TRANSACTION_ITERATOR_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "kv/iterator.h"
#include "kv/transaction.h"

namespace sealkv::internal {

class TransactionIterator : public Iterator {
 public:
  TransactionIterator(TransactionImpl& transaction, Range range, std::shared_ptr<const OpenSnapshot> snapshot);

  void SeekToFirst() override;
  void SeekToLast() override;
  void Seek(std::string_view key) override;
  void SeekForPrev(std::string_view key) override;
  void Next() override;
  void Prev() override;
  std::optional<std::chrono::sys_seconds> expiry() const override { return expiry_; }
  absl::Status status() const override { return base_->status(); }

 private:
  using Writes = TransactionImpl::Writes;

  // From here on, as far as it goes up or down. It stands on nothing, and does until what it will stand on is covered,
  // for what throws leaves it so.
  void SettleUp(Writes::const_iterator write);
  void SettleDown(Writes::const_iterator write);
  bool IsOverwritten() const { return transaction_.writes().contains(base_->key()); }
  bool IsInRange(std::string_view key) const { return key >= lower_ && (!upper_.has_value() || key < *upper_); }
  void Copy(std::string_view key, std::string_view value, std::optional<std::chrono::sys_seconds> expiry);
  void CopyBase() { Copy(base_->key(), base_->value(), base_->expiry()); }
  void CopyWrite(Writes::const_iterator write) {
    Copy(write->first, *write->second.value, ExpiryFrom(write->second.expiry));
  }
  void CoverTo(std::optional<std::string> end);
  void CoverFrom(std::string begin);

  TransactionImpl& transaction_;
  const uint32_t snapshot_seconds_;
  const std::unique_ptr<Iterator> base_;
  std::string lower_;
  std::optional<std::string> upper_;
  KeyRange* covered_ = nullptr;
  // Then base_ stands on the next key of the snapshot that isn't before key(); else on one that isn't behind it.
  bool goes_up_ = true;
  std::string own_key_;
  std::string own_value_;
  std::optional<std::chrono::sys_seconds> expiry_;
};

// One that has nothing to show but why.
std::unique_ptr<Iterator> NewFailedIterator(absl::Status status);

}  // namespace sealkv::internal

#endif  // SEALKV_KV_TRANSACTION_ITERATOR_H_
