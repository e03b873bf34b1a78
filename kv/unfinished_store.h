// A store that appears under its name only when it is finished; until then it has another beside it. Whoever finds a
// file of that name finds all of it.
#ifndef SEALKV_KV_UNFINISHED_STORE_H_
#define SEALKV_KV_UNFINISHED_STORE_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kv/sealkv.h"

namespace sealkv::internal {

class UnfinishedStore {
 public:
  // Where it lies until it is finished.
  static std::string TemporaryPath(const std::string& path);
  // AlreadyExists if there is something of this name. Else as Store::Create.
  static absl::StatusOr<UnfinishedStore> Create(const std::string& path, const Options& options);
  UnfinishedStore(UnfinishedStore&& other) noexcept;
  UnfinishedStore& operator=(UnfinishedStore&&) = delete;
  ~UnfinishedStore();  // without Finish(): the store is dropped

  Store& store() { return *store_; }
  // Closes the store and gives it its name, durably. AlreadyExists: something has taken that meanwhile.
  absl::Status Finish();

 private:
  explicit UnfinishedStore(std::string path) : path_(std::move(path)) {}

  // noexcept: half of this can't be taken back, and who is told that there is no copy mustn't find one.
  absl::Status NameAll(uint64_t parts) noexcept;
  absl::Status SyncName() const noexcept;

  std::string path_;
  std::string temporary_path_;  // empty: there is none
  std::unique_ptr<Store> store_;
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_UNFINISHED_STORE_H_
