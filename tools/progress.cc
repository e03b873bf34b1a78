#include "tools/progress.h"

#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "tools/text.h"

namespace sealkv::tools {
namespace {

constexpr std::chrono::milliseconds kInterval(200);

volatile std::sig_atomic_t was_interrupted = 0;

void OnInterrupt(int) { was_interrupted = 1; }

}  // namespace

Progress::Progress() : is_terminal_(isatty(STDERR_FILENO) == 1), next_(std::chrono::steady_clock::now() + kInterval) {}

bool Progress::IsDue() {
  if (!is_terminal_) return false;
  const auto now = std::chrono::steady_clock::now();
  if (now < next_) return false;
  next_ = now + kInterval;
  return true;
}

void Progress::Show(const std::string& text) {
  if (!is_terminal_) return;
  std::fprintf(stderr, "\r\033[K%s", text.c_str());
  std::fflush(stderr);
  is_shown_ = true;
}

void Progress::Clear() {
  if (is_shown_) Show("");
  is_shown_ = false;
}

void CatchInterrupts() {
  struct sigaction action = {};
  action.sa_handler = OnInterrupt;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool WasInterrupted() { return was_interrupted != 0; }

std::function<void(uint64_t, uint64_t)> FillProgress(const std::string& path, Progress& progress) {
  return [path, &progress](uint64_t done, uint64_t all) {
    if (WasInterrupted()) {
      progress.Clear();
      unlink(path.c_str());
      _exit(kExitAsBySigint);
    }
    if (progress.IsDue()) progress.Show("writing zeros: " + Percent(done, all));
  };
}

}  // namespace sealkv::tools
