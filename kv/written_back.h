// What a process that only reads has written back of what killed writers left (kv/settle.cc): it can't mark a node as
// done, and after a power cut a great part of all nodes may stand as locked, for lines go to memory in the middle of
// commits.
//
// A direct-mapped table of hashes: what comes to lie in another's place pushes it out, and what was pushed out is
// written back once more. Two pairs with one hash in the same place: one of 2^63.
//
// Thread safety: any.
#ifndef SEALKV_KV_WRITTEN_BACK_H_
#define SEALKV_KV_WRITTEN_BACK_H_

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "kv/lazy_memory.h"

namespace sealkv::internal {

class WrittenBack {
 public:
  // Entries for all of `places`, if they aren't more than a million; 8 bytes each, once anything is added.
  explicit WrittenBack(uint64_t places)
      : count_(std::clamp<uint64_t>(places, 1, uint64_t{1} << 20)), memory_(count_ * sizeof(uint64_t)) {}

  bool Contains(uint64_t place, uint64_t what) const {
    const auto* const entries = static_cast<std::atomic<uint64_t>*>(memory_.get());
    return entries != nullptr && entries[place % count_].load(std::memory_order_acquire) == Hash(place, what);
  }
  void Add(uint64_t place, uint64_t what) {
    auto* const entries = static_cast<std::atomic<uint64_t>*>(memory_.Map());
    if (entries != nullptr) entries[place % count_].store(Hash(place, what), std::memory_order_release);
  }

 private:
  static uint64_t Hash(uint64_t place, uint64_t what);  // not 0

  const uint64_t count_;
  LazyMemory memory_;
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_WRITTEN_BACK_H_
