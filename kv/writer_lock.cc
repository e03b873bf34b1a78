#include "kv/writer_lock.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kv/wait.h"

namespace sealkv::internal {
namespace {

// Most writes take less than this: then a sleeper would have woken too late.
constexpr int kSpins = 256;

void Futex(std::atomic<uint32_t>& word, int operation, uint32_t value) {
  syscall(SYS_futex, reinterpret_cast<uint32_t*>(&word), operation | FUTEX_PRIVATE_FLAG, value, nullptr, nullptr, 0);
}

}  // namespace

void WriterLock::LockSlow() {
  while (WaitInTest()) {
    if (try_lock()) return;
  }
  for (int i = 0; i < kSpins; ++i) {
    __builtin_ia32_pause();
    if (try_lock()) return;
  }
  waiters_.fetch_add(1, std::memory_order_relaxed);
  HeavyFence();
  // The kernel compares before it puts us to sleep. Woken up or not (a signal, a lock that is free by now): try again.
  while (!try_lock()) Futex(state_, FUTEX_WAIT, kHeld);
  waiters_.fetch_sub(1, std::memory_order_relaxed);
}

void WriterLock::WakeOne() { Futex(state_, FUTEX_WAKE, 1); }

}  // namespace sealkv::internal
