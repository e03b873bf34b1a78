// How kvdump makes stores: the durability asked for, progress while zeros are written, an end at Ctrl-C.
#ifndef SEALKV_TOOLS_NEW_STORE_H_
#define SEALKV_TOOLS_NEW_STORE_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kv/sealkv.h"
#include "tools/progress.h"

namespace sealkv::tools {

// Store::Create. Interrupted while it writes zeros, it removes the file and ends the program.
absl::StatusOr<std::unique_ptr<Store>> CreateStore(const std::string& path, Options options, Progress& progress);

// A store that appears under its name only when it is finished; until then it has another beside it.
class UnfinishedStore {
 public:
  // AlreadyExists if there is something of this name.
  static absl::StatusOr<UnfinishedStore> Create(const std::string& path, const Options& options, Progress& progress);
  UnfinishedStore(UnfinishedStore&& other) noexcept;
  UnfinishedStore& operator=(UnfinishedStore&&) = delete;
  ~UnfinishedStore();  // without Finish(): the store is dropped

  Store& store() { return *store_; }
  // Closes the store and gives it its name, durably. AlreadyExists: something has taken that meanwhile.
  absl::Status Finish();

 private:
  UnfinishedStore(std::string path, std::string temporary_path, std::unique_ptr<Store> store);

  std::string path_;
  std::string temporary_path_;  // empty: there is none
  std::unique_ptr<Store> store_;
};

}  // namespace sealkv::tools

#endif  // SEALKV_TOOLS_NEW_STORE_H_
