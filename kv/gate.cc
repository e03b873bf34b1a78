#include "kv/gate.h"

#include <sched.h>

#include <mutex>

#include "absl/container/inlined_vector.h"
#include "kv/wait.h"

namespace sealkv::internal {
namespace {

constexpr int kSpinsBeforeYield = 1024;

bool IsInside(const Arena& arena) { return (arena.activity.load(std::memory_order_acquire) & Arena::kInOperation) != 0; }

}  // namespace

void Gate::WaitUntilOpen() { const std::lock_guard<WriterLock> lock(closer_); }

void Gate::Close() {
  closer_.lock();
  is_closed_.store(true, std::memory_order_release);
  HeavyFence();
  // Not under the heap's mutex, which who is inside may need. An arena that is made later is of a writer who sees that
  // the gate is closed.
  absl::InlinedVector<Arena*, 16> arenas;
  heap_.ForEachArena([&](Arena& arena) { arenas.push_back(&arena); });
  for (const Arena* arena : arenas) {
    for (int spins = 0; IsInside(*arena); ++spins) {
      if (WaitInTest()) continue;
      if (spins < kSpinsBeforeYield) {
        __builtin_ia32_pause();
      } else {
        sched_yield();
      }
    }
  }
}

void Gate::Open() {
  is_closed_.store(false, std::memory_order_release);
  closer_.unlock();
}

bool Gate::IsBusy() {
  bool is_busy = false;
  heap_.ForEachArena([&](Arena& arena) { is_busy |= IsInside(arena); });
  return is_busy;
}

}  // namespace sealkv::internal
