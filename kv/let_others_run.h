// How whoever makes space waits for others: for those that look at what was moved, or that move something themselves.
#ifndef SEALKV_KV_LET_OTHERS_RUN_H_
#define SEALKV_KV_LET_OTHERS_RUN_H_

#include <sched.h>

#include <chrono>
#include <thread>

#include "kv/wait.h"

namespace sealkv::internal {

// A call ends within so many; a tenth of a second is enough for anything that ends soon.
inline constexpr int kYieldsPerStep = 64;
inline constexpr int kMostSleeps = 1000;
inline constexpr std::chrono::microseconds kSleep(100);

inline void LetOthersRun(bool for_longer) {
  if (WaitInTest()) return;
  if (for_longer) {
    std::this_thread::sleep_for(kSleep);
  } else {
    sched_yield();
  }
}

}  // namespace sealkv::internal

#endif  // SEALKV_KV_LET_OTHERS_RUN_H_
