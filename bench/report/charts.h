// What is charted of the results, one chart for each benchmark.
#ifndef SEALKV_BENCH_REPORT_CHARTS_H_
#define SEALKV_BENCH_REPORT_CHARTS_H_

#include <string>
#include <vector>

#include "bench/report/comparison.h"
#include "bench/report/results.h"
#include "bench/report/svg_chart.h"

namespace sealkv::bench {

// "durable when a write returns", "not durable …".
const char* DurabilityText(Durability durability);
Look LookOf(const Results& results, const std::string& engine);

std::vector<BarChart> ThroughputCharts(const Results& results, const Comparison& comparison);
std::vector<LineChart> LatencyCharts(const Results& results, const Comparison& comparison);

// Nothing if all have as many threads, or records.
std::vector<LineChart> ThreadCharts(const Results& results, const ShapeComparisons& shape);
std::vector<LineChart> SizeCharts(const Results& results, const ShapeComparisons& shape);

}  // namespace sealkv::bench

#endif  // SEALKV_BENCH_REPORT_CHARTS_H_
