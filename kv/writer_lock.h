// The mutex that writers queue behind. Its unlock is a plain store: a locked instruction there (as in std::mutex) would
// wait for the fence of the commit before it, and the next operation couldn't begin to read in the meantime. Who wants
// to sleep pays instead, with a heavy fence (kv/asymmetric_fence.h).
//
// A BasicLockable, for std::unique_lock and std::condition_variable_any. Not recursive, not fair.
#ifndef SEALKV_KV_WRITER_LOCK_H_
#define SEALKV_KV_WRITER_LOCK_H_

#include <atomic>
#include <cstdint>

#include "kv/asymmetric_fence.h"

namespace sealkv::internal {

class WriterLock {
 public:
  bool try_lock() {
    uint32_t free = kFree;
    return state_.load(std::memory_order_relaxed) == kFree &&
           state_.compare_exchange_strong(free, kHeld, std::memory_order_acquire, std::memory_order_relaxed);
  }
  void lock() {
    if (!try_lock()) LockSlow();
  }
  void unlock() {
    state_.store(kFree, std::memory_order_release);
    LightFence();  // with the heavy fence of a waiter: one of us sees what the other stored
    if (waiters_.load(std::memory_order_relaxed) != 0) [[unlikely]]
      WakeOne();
  }

  // Whether others wait, as of some moment.
  bool is_contended() const { return waiters_.load(std::memory_order_relaxed) != 0; }

 private:
  static constexpr uint32_t kFree = 0;
  static constexpr uint32_t kHeld = 1;

  void LockSlow();
  void WakeOne();

  std::atomic<uint32_t> state_{kFree};
  std::atomic<uint32_t> waiters_{0};
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_WRITER_LOCK_H_
