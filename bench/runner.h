// Runs a plan: engines by benchmarks by repetitions, a process for each engine and repetition.
#ifndef SEALKV_BENCH_RUNNER_H_
#define SEALKV_BENCH_RUNNER_H_

#include <atomic>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/plan.h"
#include "bench/result.h"

namespace sealkv::bench {

struct Outcome {
  std::vector<std::pair<std::string, std::string>> engines;  // names, and how they describe themselves
  std::vector<Result> results;                               // medians of all repetitions
};

// Prints a line as soon as there is a result. Files are removed before it returns, however it ends.
absl::StatusOr<Outcome> RunPlan(const Plan& plan, const std::atomic<bool>& stop);

// Of several runs of the same list, each benchmark's run with the median time, and the times of all. Of an even number
// it is the faster of the middle two: so all that is told of a benchmark is of one run.
std::vector<Result> Medians(const std::vector<std::vector<Result>>& runs);

}  // namespace sealkv::bench

#endif  // SEALKV_BENCH_RUNNER_H_
