// Where each of a batch's nodes stands among those that it holds: a hash table of the plainest kind.
//
// Not of a library: those mix in an address, or a number of the process, and the tests that interrupt a thread at a
// chosen instruction (tests/crash/single_step.h) need each lookup to take the same ones every time.
#ifndef SEALKV_KV_NODE_INDEX_H_
#define SEALKV_KV_NODE_INDEX_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "kv/reference.h"

namespace sealkv::internal {

class NodeIndex {
 public:
  // A node that isn't in it yet.
  void Insert(Offset node, uint32_t index) {
    if (2 * (used_ + 1) > slots_.size()) Grow();
    SlotOf(node) = {node, index};
    ++used_;
  }

  // nullptr: it isn't in it. Good until the next Insert.
  const uint32_t* Find(Offset node) const {
    if (used_ == 0) return nullptr;
    const Slot& slot = const_cast<NodeIndex*>(this)->SlotOf(node);
    return slot.node == node ? &slot.index : nullptr;
  }

 private:
  struct Slot {
    Offset node = Offset::kNone;  // no node lies there
    uint32_t index = 0;
  };

  // Its own, or the free one where it belongs. Half of the slots at least are free.
  Slot& SlotOf(Offset node) {
    const size_t mask = slots_.size() - 1;
    size_t at = static_cast<size_t>(Raw(node) * 0x9e3779b97f4a7c15 >> shift_);
    while (slots_[at].node != node && slots_[at].node != Offset::kNone) at = (at + 1) & mask;
    return slots_[at];
  }

  void Grow() {
    constexpr size_t kFirstSlots = 64;
    const size_t count = slots_.empty() ? kFirstSlots : 2 * slots_.size();
    const std::vector<Slot> before = std::exchange(slots_, std::vector<Slot>(count));
    shift_ = static_cast<unsigned>(64 - std::countr_zero(count));
    for (const Slot& slot : before) {
      if (slot.node != Offset::kNone) SlotOf(slot.node) = slot;
    }
  }

  std::vector<Slot> slots_;
  size_t used_ = 0;
  unsigned shift_ = 0;
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_NODE_INDEX_H_
