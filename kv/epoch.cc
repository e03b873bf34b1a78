#include "kv/epoch.h"

#include <algorithm>

namespace sealkv::internal {
namespace {

// Threads start looking at different slots, so that they seldom meet.
size_t ThreadHint() {
  static std::atomic<size_t> next{0};
  thread_local const size_t hint = next.fetch_add(1, std::memory_order_relaxed);
  return hint;
}

}  // namespace

Epochs::~Epochs() {
  for (Chunk* chunk = first_.next.load(); chunk != nullptr;) delete std::exchange(chunk, chunk->next.load());
}

EpochSlot* Epochs::Enter() {
  const size_t hint = ThreadHint();
  for (Chunk* chunk = &first_;;) {
    for (size_t i = 0; i < kSlotsPerChunk; ++i) {
      EpochSlot& slot = chunk->slots[(hint + i) % kSlotsPerChunk];
      uint64_t unused = 0;
      // An epoch that is out of date by the time it is announced only holds back more than it must.
      if (slot.epoch_.load(std::memory_order_relaxed) == 0 &&
          slot.epoch_.compare_exchange_strong(unused, current(), std::memory_order_seq_cst)) {
        return &slot;
      }
    }
    Chunk* next = chunk->next.load(std::memory_order_acquire);
    if (next == nullptr) {
      auto* fresh = new Chunk;
      if (chunk->next.compare_exchange_strong(next, fresh)) {
        next = fresh;
      } else {
        delete fresh;
      }
    }
    chunk = next;
  }
}

uint64_t Epochs::Oldest() const {
  // A reader that isn't seen below announced itself after this read-modify-write, so it sees what was unlinked before it.
  uint64_t oldest = const_cast<std::atomic<uint64_t>&>(current_).fetch_add(0, std::memory_order_seq_cst);
  for (const Chunk* chunk = &first_; chunk != nullptr; chunk = chunk->next.load(std::memory_order_acquire)) {
    for (const EpochSlot& slot : chunk->slots) {
      const uint64_t epoch = slot.epoch_.load(std::memory_order_seq_cst);
      if (epoch != 0) oldest = std::min(oldest, epoch);
    }
  }
  return oldest;
}

}  // namespace sealkv::internal
