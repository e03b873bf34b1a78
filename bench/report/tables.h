// The page's tables, as HTML.
#ifndef SEALKV_BENCH_REPORT_TABLES_H_
#define SEALKV_BENCH_REPORT_TABLES_H_

#include <string>

#include "bench/report/comparison.h"
#include "bench/report/results.h"

namespace sealkv::bench {

// The engines: how they look in charts, and what their writes are worth.
std::string EngineTable(const Results& results);

// Engines by benchmarks: the baseline's time, and the others' as multiples of it. Empty if there is no other engine, or
// the baseline wasn't measured.
std::string RatioTable(const Results& results, const Comparison& comparison);

// Flushes, fences, bytes, CPU time and memory.
std::string CostTable(const Results& results, const Comparison& comparison);

// What the machine can do, and how often that goes into the baseline's times. Empty if the files don't say.
std::string LimitTable(const Results& results);
std::string LimitMultiples(const Results& results, const Comparison& comparison);

// All measurements.
std::string NumberTable(const Results& results);

}  // namespace sealkv::bench

#endif  // SEALKV_BENCH_REPORT_TABLES_H_
