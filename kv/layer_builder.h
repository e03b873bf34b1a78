// Builds a layer's tree from entries that come in order, bottom up: each node is written once, full, when the first
// entry behind it is known.
#ifndef SEALKV_KV_LAYER_BUILDER_H_
#define SEALKV_KV_LAYER_BUILDER_H_

#include <cstdint>
#include <span>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kv/node.h"
#include "kv/tree.h"

namespace sealkv::internal {

class LayerBuilder {
 public:
  // Writes a node, and returns its reference.
  using WriteNode = absl::FunctionRef<absl::StatusOr<uint64_t>(const Node& content)>;

  explicit LayerBuilder(bool is_top) : is_top_(is_top) {}

  // All entries of one slice, which is greater than those before: 1 to 14 of them. Errors are those of `write`; then
  // nothing was taken, and the same may be tried again.
  absl::Status Add(std::span<const Entry> entries, WriteNode write);
  // The root, with the layer's prefix.
  absl::StatusOr<uint64_t> Finish(PrefixKind prefix_kind, uint64_t prefix_word, WriteNode write);

  // Of the leaf that isn't written yet.
  std::span<const Entry> pending() const { return levels_.front().entries; }

 private:
  struct Level {
    absl::InlinedVector<Entry, kSlots> entries;  // of the node that isn't written yet
    bool has_nodes = false;                      // others were
  };
  // Writes the node of a level, and adds it to the one above.
  absl::Status Flush(size_t level, uint64_t bound, WriteNode write);

  const bool is_top_;
  std::vector<Level> levels_{1};
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_LAYER_BUILDER_H_
