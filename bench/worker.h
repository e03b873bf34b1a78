// A process of its own for what is measured: engines don't share a heap, a page cache's dirty pages of a mapping, nor
// threads, and one that dies takes no other with it. Between two requests it stands still.
#ifndef SEALKV_BENCH_WORKER_H_
#define SEALKV_BENCH_WORKER_H_

#include <sys/types.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace sealkv::bench {

class Worker {
 public:
  // Answers a request, in the worker's process.
  using Serve = std::function<absl::StatusOr<std::string>(const std::string& request)>;
  // Called in the worker's process. What it makes is destroyed there when the worker ends.
  using MakeServe = std::function<Serve()>;

  // Forks. `stop` is set by a signal's handler, in either process.
  static absl::StatusOr<std::unique_ptr<Worker>> Start(std::string name, const MakeServe& make,
                                                       const std::atomic<bool>& stop);
  // Ends it, and waits for that.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // What `serve` returned. Aborted: the worker is dead; the message says of what. Cancelled: `stop` was set.
  absl::StatusOr<std::string> Ask(const std::string& request);

 private:
  Worker(std::string name, int fd, pid_t pid, const std::atomic<bool>& stop)
      : name_(std::move(name)), fd_(fd), pid_(pid), stop_(stop) {}
  absl::Status HowItDied(const std::string& request);

  const std::string name_;
  const int fd_;
  pid_t pid_;  // -1 when it is gone
  const std::atomic<bool>& stop_;
};

}  // namespace sealkv::bench

#endif  // SEALKV_BENCH_WORKER_H_
