// What was measured, for programs.
#ifndef SEALKV_BENCH_EXPORT_H_
#define SEALKV_BENCH_EXPORT_H_

#include <string>
#include <vector>

#include "bench/limits.h"
#include "bench/plan.h"
#include "bench/runner.h"

namespace sealkv::bench {

// Google Benchmark's JSON, and more fields.
std::string Json(const Plan& plan, const Outcome& outcome, const std::vector<Limit>& limits);

// A line of names, and one for each result (RFC 4180).
std::string Csv(const Plan& plan, const Outcome& outcome);

}  // namespace sealkv::bench

#endif  // SEALKV_BENCH_EXPORT_H_
