// What was measured, for people.
#ifndef SEALKV_BENCH_REPORT_H_
#define SEALKV_BENCH_REPORT_H_

#include <string>
#include <string_view>
#include <vector>

#include "bench/limits.h"
#include "bench/result.h"

namespace sealkv::bench {

// db_bench's line, with what the operation asked of persistent memory. `with_details`: a second line, of percentiles,
// CPU time and memory.
std::string Line(const Result& result, bool with_details);

// Engines by benchmarks: nanoseconds an operation, and times what the engine `against` took where that was measured.
// With limits: single reads and writes also as multiples of the least that they can take.
std::string Table(const std::vector<Result>& results, std::string_view against, const std::vector<Limit>& limits);

}  // namespace sealkv::bench

#endif  // SEALKV_BENCH_REPORT_H_
