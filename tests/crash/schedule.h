// Runs several threads one at a time, and decides at each switch point, by a seed, which one goes on: the same seed,
// the same interleaving. Switch points are where the threads call Yield (the recorder does before each action that
// passes the persistence seam, single_step.h before each instruction), and where the store waits for another
// (kv/wait.h).
#ifndef SEALKV_TESTS_CRASH_SCHEDULE_H_
#define SEALKV_TESTS_CRASH_SCHEDULE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <semaphore>
#include <vector>

#include "tests/random.h"

namespace sealkv::crash {

class Schedule {
 public:
  // Of a hundred switch points at which a thread could go on, it doesn't at `switch_percent`.
  Schedule(uint64_t seed, unsigned switch_percent) : random_(seed), switch_percent_(switch_percent) {}

  // Runs the bodies, each in a thread of its own, until all have returned. Ends the process if none can go on.
  void Run(const std::vector<std::function<void()>>& bodies);

  // For the running thread: others may run now. It is interrupted once in `one_in` calls, if that is given.
  void Yield(uint64_t one_in = 0);
  // For the running thread: it can't go on until another one has done something.
  void Wait();

 private:
  enum class State : uint8_t { kReady, kWaiting, kDone };
  struct Thread {
    State state = State::kReady;
    std::binary_semaphore turn{0};
  };

  void HandOver(size_t next);
  // One that is ready, or else one that waits; not the running one if `not_this`. kNone: there is none.
  size_t Choose(bool not_this);

  static constexpr size_t kNone = ~size_t{0};
  testing::Random random_;
  const unsigned switch_percent_;
  std::vector<std::unique_ptr<Thread>> threads_;
  size_t running_ = kNone;
  std::binary_semaphore all_done_{0};
  uint64_t waits_in_a_row_ = 0;
};

}  // namespace sealkv::crash

#endif  // SEALKV_TESTS_CRASH_SCHEDULE_H_
