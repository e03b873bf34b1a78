// What a thread does while it waits for another one, where a few cycles will usually do: look again. A test that
// decides which thread runs next is told here that this one can't go on (tests/crash/schedule.h).
#ifndef SEALKV_KV_WAIT_H_
#define SEALKV_KV_WAIT_H_

namespace sealkv::internal {

// Set by such a test, for threads of its own. Returns when it is worth looking again.
using WaitHook = void (*)();
inline constinit thread_local WaitHook wait_in_test = nullptr;

// False, at the cost of one load, but in such a test.
inline bool WaitInTest() {
  if (wait_in_test == nullptr) [[likely]]
    return false;
  wait_in_test();
  return true;
}

}  // namespace sealkv::internal

#endif  // SEALKV_KV_WAIT_H_
