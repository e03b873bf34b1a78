// Interrupts a thread before each of its instructions, by the CPU's trap flag: so that a schedule can let others run
// between any two instructions of the store, as it is, without a hook in it.
//
// Only where that is safe: in the program's own code, not in libraries (which may hold locks of their own), and not
// within an Uninterrupted. About 2 to 20 microseconds an instruction.
#ifndef SEALKV_TESTS_CRASH_SINGLE_STEP_H_
#define SEALKV_TESTS_CRASH_SINGLE_STEP_H_

#include <functional>

namespace sealkv::crash {

// Steps while it lives; `before_instruction` is called in a signal handler, on the stepping thread.
class SingleStep {
 public:
  explicit SingleStep(std::function<void()> before_instruction);
  ~SingleStep();
  SingleStep(const SingleStep&) = delete;
  SingleStep& operator=(const SingleStep&) = delete;

  // False under a sanitizer that delays signals, or an emulator without the flag.
  static bool IsAvailable();

 private:
  std::function<void()> before_instruction_;
};

// Test code that a stepping thread runs through: not to be interrupted while one lives.
class Uninterrupted {
 public:
  Uninterrupted() { depth = depth + 1; }
  ~Uninterrupted() { depth = depth - 1; }
  Uninterrupted(const Uninterrupted&) = delete;
  Uninterrupted& operator=(const Uninterrupted&) = delete;

 private:
  friend class SingleStep;
  friend struct SingleStepHandler;
  static inline constinit thread_local volatile int depth = 0;
};

}  // namespace sealkv::crash

#endif  // SEALKV_TESTS_CRASH_SINGLE_STEP_H_
