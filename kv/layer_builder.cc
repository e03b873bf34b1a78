#include "kv/layer_builder.h"

namespace sealkv::internal {

absl::Status LayerBuilder::Add(std::span<const Entry> entries, WriteNode write) {
  if (levels_.front().entries.size() + entries.size() > kSlots) {
    if (absl::Status status = Flush(0, entries.front().slice, write); !status.ok()) return status;
  }
  auto& leaf = levels_.front().entries;
  leaf.insert(leaf.end(), entries.begin(), entries.end());
  return absl::OkStatus();
}

// Room above is made first: so what fails leaves everything as it is, but that nodes above may have been written.
absl::Status LayerBuilder::Flush(size_t level, uint64_t bound, WriteNode write) {
  if (level + 1 == levels_.size()) levels_.emplace_back();
  if (levels_[level + 1].entries.size() == kSlots) {
    if (absl::Status status = Flush(level + 1, 0, write); !status.ok()) return status;
  }
  Level& here = levels_[level];
  const bool has_bound = is_top_ && level == 0;
  const absl::StatusOr<uint64_t> node =
      write(Tree::ContentOf(static_cast<unsigned>(level), here.entries, PrefixKind::kNone, has_bound ? bound : 0));
  if (!node.ok()) return node.status();
  levels_[level + 1].entries.push_back({here.entries.front().slice, Kind::kEndsWith0, *node});
  here.entries.clear();
  here.has_nodes = true;
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> LayerBuilder::Finish(PrefixKind prefix_kind, uint64_t prefix_word, WriteNode write) {
  for (size_t level = 0;; ++level) {
    Level& here = levels_[level];
    if (here.has_nodes) {
      if (here.entries.empty()) continue;  // all of it was written when this was tried before
      if (absl::Status status = Flush(level, kUnbounded, write); !status.ok()) return status;
      continue;
    }
    const bool has_bound = is_top_ && level == 0;
    return write(
        Tree::ContentOf(static_cast<unsigned>(level), here.entries, prefix_kind, has_bound ? kUnbounded : prefix_word));
  }
}

}  // namespace sealkv::internal
