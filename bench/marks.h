// A line in a file at each operation's begin and end, for who watches the process from outside: a persistency checker
// or a tracer of instructions sees the write(2)s between the stores, and so learns which stores belong to which
// operation, of a binary that is not made for it.
//
//   begin 17 put 00000000000003e7
//   end 17 OK
#ifndef SEALKV_BENCH_MARKS_H_
#define SEALKV_BENCH_MARKS_H_

#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bench/engine.h"

namespace sealkv::bench {

// Where the lines go: one write(2) each, at once, so that lines of several threads stay whole. Any number of threads.
class Marks {
 public:
  // `path` as --mark_operations has it: a file, which is emptied, or "stderr".
  static absl::StatusOr<std::unique_ptr<Marks>> Open(const std::string& path);
  ~Marks();
  Marks(const Marks&) = delete;
  Marks& operator=(const Marks&) = delete;

  // Returns the operation's number, which its end needs; the first is 1.
  uint64_t Begin(std::string_view operation, std::string_view operand);
  void End(uint64_t number, absl::StatusCode result);

  // Why lines are missing, if any are.
  absl::Status status() const;

 private:
  Marks(std::string path, int fd) : path_(std::move(path)), fd_(fd), is_terminal_(isatty(fd) == 1) {}
  void WriteLine(const std::string& line);

  const std::string path_;
  const int fd_;
  const bool is_terminal_;
  std::atomic<uint64_t> last_number_{0};
  std::atomic<int> errno_{0};
};

// The same engine, each of its operations marked; `marks` outlives it.
std::unique_ptr<Engine> MarkOperations(std::unique_ptr<Engine> engine, Marks& marks);

}  // namespace sealkv::bench

#endif  // SEALKV_BENCH_MARKS_H_
