// Fills an empty store from sorted input: nodes are built full, bottom up, and are no part of the tree before the one
// store of the root word that makes them all so.
//
// Of the keys that share their first 8 bytes all are remembered (8 bytes each) until the next ones come, for what their
// layer is to be like follows from all of them; else memory doesn't grow with the input, but for 8 bytes a node.
//
// Thread safety: one thread's, inside of the gate and in an epoch whenever it is called; but others may do anything
// meanwhile, and in between.
#ifndef SEALKV_KV_BULK_LOAD_H_
#define SEALKV_KV_BULK_LOAD_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kv/change.h"
#include "kv/layer_builder.h"

namespace sealkv::internal {

absl::Status StoreIsNotEmpty();

class BulkLoad {
 public:
  explicit BulkLoad(const ChangeContext& context) : context_(context) {}
  BulkLoad(const BulkLoad&) = delete;
  BulkLoad& operator=(const BulkLoad&) = delete;

  // The next key, which must be greater than the last one (InvalidArgument). ResourceExhausted: it wasn't taken, try
  // again when there is space.
  absl::Status Add(Arena& arena, std::string_view key, NewValue value);
  // Makes everything part of the tree. FailedPrecondition: the store isn't empty. ResourceExhausted, Restart(): again.
  absl::Status Commit(Arena& arena);
  // Gives back what was written.
  void Abort(Arena& arena);

 private:
  // The entries of one slice, as far as they have come.
  struct Group {
    bool is_open = false;
    uint64_t slice = 0;
    absl::InlinedVector<Entry, kSlots> ends;
    std::vector<Offset> going_on;  // records of the keys that go on behind the slice
  };

  std::string_view KeyOf(Offset record) const { return context_.image.RecordAt(record).key(); }
  // The group is complete: its entries go to the builder.
  absl::Status CloseGroup(Arena& arena, Group& group, size_t depth, LayerBuilder& builder);
  // What was written since there were so many nodes and prefixes.
  void Discard(Arena& arena, size_t first_node, size_t first_prefix);
  absl::StatusOr<uint64_t> BuildLayer(Arena& arena, std::span<const Offset> records, size_t depth);
  static void Append(Group& group, std::string_view key, Offset record, size_t depth);
  absl::StatusOr<uint64_t> WriteNode(Arena& arena, const Node& content);

  const ChangeContext& context_;
  LayerBuilder top_{/*is_top=*/true};
  Group group_;
  std::string last_key_;
  bool has_last_key_ = false;
  std::vector<Node*> nodes_;      // children before their parents
  std::vector<Offset> prefixes_;  // records
  uint64_t root_ = 0;
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_BULK_LOAD_H_
