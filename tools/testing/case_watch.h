// Says which case was running when a test dies or hangs: for tests of thousands of cases in one process.
#ifndef SEALKV_TOOLS_TESTING_CASE_WATCH_H_
#define SEALKV_TOOLS_TESTING_CASE_WATCH_H_

#include <signal.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>

namespace sealkv::testing {

class CaseWatch {
 public:
  // From now on signals that end the process name the case first.
  static void Install() {
    for (const int signal : {SIGALRM, SIGSEGV, SIGBUS, SIGFPE, SIGABRT, SIGILL}) ::signal(signal, Tell);
  }

  // While this lives the case runs. `sample` must stay.
  CaseWatch(const char* sample, uint64_t number) {
    constexpr unsigned kHangSeconds = 60;
    current_sample_ = sample;
    current_case_ = number;
    alarm(kHangSeconds);
  }
  ~CaseWatch() { alarm(0); }
  CaseWatch(const CaseWatch&) = delete;
  CaseWatch& operator=(const CaseWatch&) = delete;

 private:
  static void Tell(int signal) {
    char text[200];
    const int length = std::snprintf(text, sizeof(text), "\n*** signal %d in sample %s, case %llu\n", signal,
                                     current_sample_, static_cast<unsigned long long>(current_case_));
    if (write(STDERR_FILENO, text, static_cast<size_t>(length)) < 0) _exit(3);
    ::signal(signal, SIG_DFL);
    raise(signal == SIGALRM ? SIGABRT : signal);
  }

  inline static const char* volatile current_sample_ = "";
  inline static volatile uint64_t current_case_ = 0;
};

}  // namespace sealkv::testing

#endif  // SEALKV_TOOLS_TESTING_CASE_WATCH_H_
