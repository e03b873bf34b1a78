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
void Gate::WaitFor(absl::FunctionRef<bool(uint64_t first, uint64_t now)> is_over) noexcept {
  absl::InlinedVector<const Arena*, 16> arenas;
  heap_.ForEachArena([&](Arena& arena) { arenas.push_back(&arena); });
  for (const Arena* arena : arenas) {
    const uint64_t first = arena->activity.load(std::memory_order_acquire);
    for (int spins = 0; !is_over(first, arena->activity.load(std::memory_order_acquire)); ++spins) {
      if (WaitInTest()) continue;
      if (spins < kSpinsBeforeYield) {
        __builtin_ia32_pause();
      } else {
        sched_yield();
      }
    }
  }
}

// Who goes in again after this sees that it is closed, and leaves: so it doesn't matter that this may be another
// operation than at first. (While one lasts it changes what it says of itself.)
void Gate::Close() {
  closer_.lock();
  is_closed_.store(true, std::memory_order_release);
  HeavyFence();
  WaitFor([](uint64_t, uint64_t now) { return (now & Arena::kInOperation) == 0; });
}

void Gate::Open() {
  is_closed_.store(false, std::memory_order_release);
  closer_.unlock();
}

// What says something else than at first is another change, or none.
void Gate::WaitForChanges() {
  WaitFor([](uint64_t first, uint64_t now) { return (first & Arena::kInChange) == 0 || now != first; });
}

bool Gate::IsBusy() {
  bool is_busy = false;
  heap_.ForEachArena(
      [&](Arena& arena) { is_busy |= (arena.activity.load(std::memory_order_acquire) & Arena::kInOperation) != 0; });
  return is_busy;
}

}  // namespace sealkv::internal
