// Processes that write a store and are killed in the middle of it, for the benchmark `open`.
#ifndef SEALKV_BENCH_DOOMED_WRITER_H_
#define SEALKV_BENCH_DOOMED_WRITER_H_

#include <sys/types.h>

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bench/engine.h"

namespace sealkv::bench {

class DoomedWriter {
 public:
  // To be called before the engine is opened in this process: the writers are forked off by a process that never had
  // an engine, so none inherits threads that it doesn't have.
  static absl::StatusOr<std::unique_ptr<DoomedWriter>> Start(std::string_view engine, const EngineOptions& options);
  ~DoomedWriter();
  DoomedWriter(const DoomedWriter&) = delete;
  DoomedWriter& operator=(const DoomedWriter&) = delete;

  // A process opens the store, which nobody else has open, puts some thousand times, and kills itself without closing.
  absl::Status WriteAndDie();

  // What it puts, and where.
  static Key key() { return {~uint64_t{1}, "kvbench: open"}; }
  static std::string LastValue();

 private:
  DoomedWriter(int fd, pid_t pid, std::string path) : fd_(fd), pid_(pid), path_(std::move(path)) {}

  const int fd_;     // to the process that forks; it ends when this is shut
  const pid_t pid_;  // that process
  const std::string path_;
};

}  // namespace sealkv::bench

#endif  // SEALKV_BENCH_DOOMED_WRITER_H_
