#include "tests/crash/single_step.h"

#include <signal.h>
#include <ucontext.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <utility>

// Where the program's own code begins and ends: the linker's.
extern const char __executable_start;
extern const char etext;

namespace sealkv::crash {
namespace {

constinit thread_local const std::function<void()>* handler_of_thread = nullptr;
constinit thread_local volatile bool was_called = false;

[[gnu::always_inline]] inline void SetTrapFlag() {
  asm volatile("pushfq; orq $0x100, (%%rsp); popfq" : : : "memory", "cc");
}
[[gnu::always_inline]] inline void ClearTrapFlag() {
  asm volatile("pushfq; andq $~0x100, (%%rsp); popfq" : : : "memory", "cc");
}

}  // namespace

struct SingleStepHandler {
  static void OnTrap(int, siginfo_t*, void* context) {
    was_called = true;
    const auto at = static_cast<uintptr_t>(static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP]);
    const bool is_ours =
        at >= reinterpret_cast<uintptr_t>(&__executable_start) && at < reinterpret_cast<uintptr_t>(&etext);
    if (!is_ours || handler_of_thread == nullptr || Uninterrupted::depth > 0) return;
    const int saved_errno = errno;
    (*handler_of_thread)();
    errno = saved_errno;
  }

  static void Install() {
    static const bool is_installed = [] {
      struct sigaction action {};
      action.sa_sigaction = OnTrap;
      action.sa_flags = SA_SIGINFO | SA_RESTART;
      return sigaction(SIGTRAP, &action, nullptr) == 0;
    }();
    if (!is_installed) std::abort();
  }
};

SingleStep::SingleStep(std::function<void()> before_instruction) : before_instruction_(std::move(before_instruction)) {
  SingleStepHandler::Install();
  handler_of_thread = &before_instruction_;
  SetTrapFlag();
}

SingleStep::~SingleStep() {
  ClearTrapFlag();
  handler_of_thread = nullptr;
}

bool SingleStep::IsAvailable() {
#if defined(__SANITIZE_THREAD__)
  return false;  // its signals wait for the next call into the run-time library
#endif
  static const bool is_available = [] {
    SingleStepHandler::Install();
    was_called = false;
    SetTrapFlag();
    asm volatile("nop; nop" : : : "memory");
    ClearTrapFlag();
    return was_called;
  }();
  return is_available;
}

}  // namespace sealkv::crash
