// How far it is, on standard error, if that is a terminal.
#ifndef SEALKV_BENCH_PROGRESS_H_
#define SEALKV_BENCH_PROGRESS_H_

#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

namespace sealkv::bench {

class Progress {
 public:
  void Begin(const std::string& what) {
    what_ = what;
    begin_ = last_ = std::chrono::steady_clock::now();
  }
  // Called every few thousand operations by one thread.
  void Show(uint64_t done, uint64_t total) {
    if (!is_terminal_) return;
    const auto now = std::chrono::steady_clock::now();
    if (now - last_ < std::chrono::milliseconds(200)) return;
    last_ = now;
    const double seconds = std::chrono::duration<double>(now - begin_).count();
    std::fprintf(stderr, "\r\033[K%s: %3.0f %%, %.0f ops/s, %.0f s left", what_.c_str(), 100.0 * done / total,
                 done / seconds, seconds / done * (total - done));
  }
  void End() {
    if (is_terminal_) std::fputs("\r\033[K", stderr);
  }

 private:
  const bool is_terminal_ = isatty(STDERR_FILENO) != 0;
  std::string what_;
  std::chrono::steady_clock::time_point begin_, last_;
};

}  // namespace sealkv::bench

#endif  // SEALKV_BENCH_PROGRESS_H_
