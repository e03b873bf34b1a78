#include "tools/new_store.h"

#include <optional>

namespace sealkv::tools {

absl::Status SizesFromArgs(const Args& args, Options* options) {
  const absl::StatusOr<std::optional<uint64_t>> capacity = args.Number("capacity");
  if (!capacity.ok()) return capacity.status();
  const absl::StatusOr<std::optional<uint64_t>> max_capacity = args.Number("max-capacity");
  if (!max_capacity.ok()) return max_capacity.status();
  const absl::StatusOr<std::optional<uint64_t>> change_log = args.Number("change-log");
  if (!change_log.ok()) return change_log.status();
  if (change_log->has_value()) options->change_log_bytes = **change_log;
  if (capacity->has_value()) options->capacity_bytes = **capacity;
  if (max_capacity->has_value()) options->max_bytes = **max_capacity;
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Store>> CreateStore(const std::string& path, Options options, Progress& progress) {
  options.progress = FillProgress(path, progress);
  return Store::Create(path, options);
}

}  // namespace sealkv::tools
