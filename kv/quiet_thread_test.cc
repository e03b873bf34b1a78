#include "kv/quiet_thread.h"

#include <signal.h>

#include <thread>

#include "gtest/gtest.h"
#include "tests/failing_memory.h"

namespace sealkv::internal {
namespace {

sigset_t Blocked() {
  sigset_t blocked;
  pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
  return blocked;
}

TEST(QuietThreadTest, BlocksSignalsInItselfAlone) {
  std::thread thread = StartQuietThread([] {
    const sigset_t blocked = Blocked();
    EXPECT_EQ(sigismember(&blocked, SIGUSR1), 1);
  });
  ASSERT_TRUE(thread.joinable());
  thread.join();
  const sigset_t blocked = Blocked();
  EXPECT_EQ(sigismember(&blocked, SIGUSR1), 0);
}

TEST(QuietThreadTest, WithoutMemoryThereIsNoneAndNothingIsBlocked) {
  testing::allocations_left = 0;
  const std::thread thread = StartQuietThread([] {});
  testing::allocations_left = -1;
  EXPECT_FALSE(thread.joinable());
  const sigset_t blocked = Blocked();
  EXPECT_EQ(sigismember(&blocked, SIGUSR1), 0);
}

}  // namespace
}  // namespace sealkv::internal
