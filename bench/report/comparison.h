// Which measurements may stand beside each other.
#ifndef SEALKV_BENCH_REPORT_COMPARISON_H_
#define SEALKV_BENCH_REPORT_COMPARISON_H_

#include <string>
#include <vector>

#include "bench/report/results.h"

namespace sealkv::bench {

// Those of one shape, with as many records and threads.
struct Comparison {
  Shape shape;
  uint64_t num = 0;
  uint64_t threads = 1;
  std::vector<const Measurement*> measurements;

  const Measurement* Find(const std::string& engine, const std::string& benchmark) const;
};

// All of one shape; in front the one to look at first: it has the most measurements, of these the most records, of
// these the fewest threads. They point into `results`.
struct ShapeComparisons {
  Shape shape;
  std::vector<Comparison> comparisons;
};

std::vector<ShapeComparisons> Compare(const Results& results);

// "8-byte integer keys, 100-byte values"; "1 M records, 4 threads".
std::string Describe(const Shape& shape);
std::string Describe(const Comparison& comparison);
std::string CountThreads(uint64_t threads);

// What the others are divided by: sealkv, or whichever engine is the first.
inline const std::string& Baseline(const Results& results) { return results.engines.front().name; }

}  // namespace sealkv::bench

#endif  // SEALKV_BENCH_REPORT_COMPARISON_H_
