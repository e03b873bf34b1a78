#include "kv/gate.h"

#include <sched.h>

#include <mutex>

#include "absl/container/inlined_vector.h"
#include "kv/wait.h"

namespace sealkv::internal {
namespace {

constexpr int kSpinsBeforeYield = 1024;

}  // namespace

void Gate::WaitUntilOpen() { const std::lock_guard<WriterLock> lock(closer_); }

// Waits not under the heap's mutex, which who is inside may need. An arena that is made later is of a writer who comes
// later.
void Gate::WaitWhile(uint64_t flag) {
  absl::InlinedVector<const Arena*, 16> arenas;
  heap_.ForEachArena([&](Arena& arena) { arenas.push_back(&arena); });
  for (const Arena* arena : arenas) {
    const uint64_t activity = arena->activity.load(std::memory_order_acquire);
    if ((activity & flag) == 0) continue;
    for (int spins = 0; arena->activity.load(std::memory_order_acquire) == activity; ++spins) {
      if (WaitInTest()) continue;
      if (spins < kSpinsBeforeYield) {
        __builtin_ia32_pause();
      } else {
        sched_yield();
      }
    }
  }
}

// Who goes in again after this sees that it is closed.
void Gate::Close() {
  closer_.lock();
  is_closed_.store(true, std::memory_order_release);
  HeavyFence();
  WaitWhile(Arena::kInOperation);
}

void Gate::Open() {
  is_closed_.store(false, std::memory_order_release);
  closer_.unlock();
}

void Gate::WaitForChanges() { WaitWhile(Arena::kInChange); }

bool Gate::IsBusy() {
  bool is_busy = false;
  heap_.ForEachArena(
      [&](Arena& arena) { is_busy |= (arena.activity.load(std::memory_order_acquire) & Arena::kInOperation) != 0; });
  return is_busy;
}

}  // namespace sealkv::internal
