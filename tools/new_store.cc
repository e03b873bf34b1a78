#include "tools/new_store.h"

namespace sealkv::tools {

absl::StatusOr<std::unique_ptr<Store>> CreateStore(const std::string& path, Options options, Progress& progress) {
  options.progress = FillProgress(path, progress);
  return Store::Create(path, options);
}

}  // namespace sealkv::tools
