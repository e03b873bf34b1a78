// One engine through the list of benchmarks, in the process that calls.
#ifndef SEALKV_BENCH_SESSION_H_
#define SEALKV_BENCH_SESSION_H_

#include <atomic>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bench/marks.h"
#include "bench/plan.h"
#include "bench/store_files.h"
#include "bench/subject.h"

namespace sealkv::bench {

class Session {
 public:
  // `marks`: nullptr if nobody asked for them. All outlive it.
  Session(const Plan& plan, const std::string& engine, const StoreFiles& files, Marks* marks,
          const std::atomic<bool>& stop);

  // Returns how the engine describes itself.
  absl::StatusOr<std::string> Open();
  absl::StatusOr<Result> Run(const std::string& benchmark);

 private:
  absl::Status OpenEngine();
  absl::Status TakeOver();

  const Plan& plan_;
  const StoreFiles& files_;
  Marks* const marks_;
  const std::atomic<bool>& stop_;
  Subject subject_;
  bool is_empty_;
  Progress progress_;
};

}  // namespace sealkv::bench

#endif  // SEALKV_BENCH_SESSION_H_
