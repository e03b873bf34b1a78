#include "kv/node_locks.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <ctime>

#include "kv/wait.h"

namespace sealkv::internal {
namespace {

// Most changes take less than this: then a sleeper would have woken too late.
constexpr int kSpins = 256;
// Somebody who was woken may go elsewhere, and not wake the next one.
constexpr timespec kLongestSleep{0, 10'000'000};

// The futex is the lower half of the lock word, which holds all that changes while a store is open.
uint32_t* FutexOf(const Node& node) {
  return reinterpret_cast<uint32_t*>(const_cast<uint64_t*>(&node.words[Node::kLockWord]));
}

}  // namespace

void NodeLocks::WaitUntilFree(const Node& node) {
  const auto is_over = [&] {
    const LockWord lock = node.lock();
    return lock.is_free(generation_) || lock.is_obsolete(generation_);
  };
  if (is_over() || WaitInTest()) return;
  for (int i = 0; i < kSpins; ++i) {
    __builtin_ia32_pause();
    if (is_over()) return;
  }
  waiters_.fetch_add(1, std::memory_order_relaxed);
  HeavyFence();
  const uint64_t seen = node.lock().raw();
  const LockWord lock(seen);
  // The kernel compares before it puts us to sleep.
  if (!lock.is_free(generation_) && !lock.is_obsolete(generation_)) {
    syscall(SYS_futex, FutexOf(node), FUTEX_WAIT_PRIVATE, static_cast<uint32_t>(seen), &kLongestSleep, nullptr, 0);
  }
  waiters_.fetch_sub(1, std::memory_order_relaxed);
}

void NodeLocks::Wake(Node& node, int count) {
  syscall(SYS_futex, FutexOf(node), FUTEX_WAKE_PRIVATE, count, nullptr, nullptr, 0);
}

}  // namespace sealkv::internal
