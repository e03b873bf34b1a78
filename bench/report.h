// What was measured, for people and for programs.
#ifndef SEALKV_BENCH_REPORT_H_
#define SEALKV_BENCH_REPORT_H_

#include <string>
#include <vector>

#include "bench/workload.h"

namespace sealkv::bench {

// db_bench's line, with what the operation asked of persistent memory. `with_percentiles`: a second line.
std::string Line(const Result& result, bool with_percentiles);

// Engines by benchmarks: nanoseconds an operation, and times what absl::btree_map took where that was measured.
std::string Table(const std::vector<Result>& results);

// Google Benchmark's JSON.
std::string Json(const std::vector<Result>& results, const WorkloadOptions& options);

// Of several runs of the same list, each benchmark's run with the median time.
std::vector<Result> Medians(const std::vector<std::vector<Result>>& runs);

}  // namespace sealkv::bench

#endif  // SEALKV_BENCH_REPORT_H_
