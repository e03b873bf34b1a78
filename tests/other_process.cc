#include "tests/other_process.h"

#include <poll.h>

#include <algorithm>
#include <cstdio>

namespace sealkv::testing {
namespace {

constexpr unsigned kHangSeconds = 240;

// What was open here isn't the other process's: it would share the locks.
void CloseAllBut(int a, int b) {
  const auto [low, high] = std::minmax(a, b);
  close_range(3, low - 1, 0);
  close_range(low + 1, high - 1, 0);
  close_range(high + 1, ~0u, 0);
}

}  // namespace

bool Line::HasSpoken() {
  pollfd poll_in = {.fd = in_, .events = POLLIN, .revents = 0};
  return poll(&poll_in, 1, 0) > 0;
}

OtherProcess::OtherProcess(const std::function<void(Line&)>& body) : OtherProcess(body, Pipes()) {}

OtherProcess::OtherProcess(const std::function<void(Line&)>& body, Pipes pipes)
    : line_(pipes.up[0], pipes.down[1]), pid_(fork()) {
  if (pid_ != 0) {
    close(pipes.down[0]);
    close(pipes.up[1]);
    return;
  }
  signal(SIGPIPE, SIG_DFL);
  alarm(kHangSeconds);
  CloseAllBut(pipes.down[0], pipes.up[1]);
  {
    Line line(pipes.down[0], pipes.up[1]);
    body(line);
  }
  _exit(0);
}

void Expect(bool is_so, const char* what) {
  if (is_so) return;
  std::fprintf(stderr, "process %d: not so: %s\n", getpid(), what);
  _exit(1);
}

}  // namespace sealkv::testing
