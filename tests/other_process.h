// Another process for a test: a fork that does as it is told, one byte at a time. Whoever waits waits on a pipe.
#ifndef SEALKV_TESTS_OTHER_PROCESS_H_
#define SEALKV_TESTS_OTHER_PROCESS_H_

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <functional>
#include <utility>

namespace sealkv::testing {

// One end of a line between two processes.
class Line {
 public:
  Line(int in, int out) : in_(in), out_(out) {}
  Line(Line&& other) noexcept : in_(std::exchange(other.in_, -1)), out_(std::exchange(other.out_, -1)) {}
  ~Line() {
    if (in_ >= 0) close(in_);
    if (out_ >= 0) close(out_);
  }

  void Say(char word) { static_cast<void>(!write(out_, &word, 1)); }
  // What the other one says; 0 when it is gone.
  char Await() {
    char word = 0;
    while (read(in_, &word, 1) < 0 && errno == EINTR) continue;
    return word;
  }
  // Whether Await() would return at once.
  bool HasSpoken();

 private:
  int in_;
  int out_;
};

class OtherProcess {
 public:
  // The process ends when `body` returns, with exit code 0; a failed Expect() ends it with another.
  explicit OtherProcess(const std::function<void(Line&)>& body);
  ~OtherProcess() { Kill(); }
  OtherProcess(const OtherProcess&) = delete;
  OtherProcess& operator=(const OtherProcess&) = delete;

  Line& line() { return line_; }
  pid_t pid() const { return pid_; }

  void Kill() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(std::exchange(pid_, 0), nullptr, 0);
  }
  // Returns when it stands still.
  void Stop() {
    kill(pid_, SIGSTOP);
    waitpid(pid_, nullptr, WUNTRACED);
  }
  void GoOn() { kill(pid_, SIGCONT); }
  // Until it has ended by itself; its exit code, or -1 if a signal ended it.
  int Join() {
    int status = 0;
    waitpid(std::exchange(pid_, 0), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  struct Pipes {
    Pipes() {
      if (pipe2(down, O_CLOEXEC) != 0 || pipe2(up, O_CLOEXEC) != 0) std::abort();
    }
    int down[2];
    int up[2];
  };
  OtherProcess(const std::function<void(Line&)>& body, Pipes pipes);

  Line line_;
  pid_t pid_;
};

// In the other process, where gtest can't be heard: ends it if this isn't so.
void Expect(bool is_so, const char* what);

}  // namespace sealkv::testing

#define EXPECT_IN_PROCESS(condition) ::sealkv::testing::Expect((condition), #condition)

#endif  // SEALKV_TESTS_OTHER_PROCESS_H_
