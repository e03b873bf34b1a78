#include "bench/report/charts.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include "absl/strings/str_cat.h"

namespace sealkv::bench {
namespace {

constexpr double kNsPerSecond = 1e9;

Bar ThroughputBar(const Results& results, const Measurement& measurement) {
  Bar bar{.label = measurement.engine, .look = LookOf(results, measurement.engine)};
  bar.value = kNsPerSecond / measurement.ns;
  if (measurement.ns_runs.size() > 1) {
    const auto [least, greatest] = std::minmax_element(measurement.ns_runs.begin(), measurement.ns_runs.end());
    bar.range = {kNsPerSecond / *greatest, kNsPerSecond / *least};
  }
  return bar;
}

// What a comparison has of a variable (records or threads), and of another, which is kept the same.
using Setting = std::function<uint64_t(const Comparison&)>;

// The value of `fixed` at which there are the most comparisons, that is, values of the other; of these the one that
// comes first. Ascending in the other.
std::vector<const Comparison*> LongestSeries(const ShapeComparisons& shape, const Setting& variable,
                                             const Setting& fixed) {
  std::map<uint64_t, std::vector<const Comparison*>> series;
  for (const Comparison& comparison : shape.comparisons) series[fixed(comparison)].push_back(&comparison);
  std::vector<const Comparison*> longest;
  for (const Comparison& comparison : shape.comparisons) {
    const auto& candidate = series[fixed(comparison)];
    if (candidate.size() > longest.size()) longest = candidate;
  }
  std::sort(longest.begin(), longest.end(),
            [&](const Comparison* a, const Comparison* b) { return variable(*a) < variable(*b); });
  return longest;
}

using Points = std::vector<std::pair<double, double>>;

Points PointsOf(const std::vector<const Comparison*>& series, const std::string& engine, const std::string& benchmark,
                const Setting& variable, bool as_rate) {
  Points points;
  for (const Comparison* comparison : series) {
    const Measurement* measurement = comparison->Find(engine, benchmark);
    const uint64_t x = variable(*comparison);
    if (measurement == nullptr || x == 0) continue;
    points.emplace_back(static_cast<double>(x), as_rate ? kNsPerSecond / measurement->ns : measurement->ns);
  }
  return points;
}

// The slope of the straight line that fits best, over the logarithm of x.
std::string PerFactorTen(const Points& points) {
  if (points.size() < 2) return "";
  double mean_x = 0, mean_y = 0, xx = 0, xy = 0;
  for (const auto& [x, y] : points) {
    mean_x += std::log10(x) / static_cast<double>(points.size());
    mean_y += y / static_cast<double>(points.size());
  }
  for (const auto& [x, y] : points) {
    xx += (std::log10(x) - mean_x) * (std::log10(x) - mean_x);
    xy += (std::log10(x) - mean_x) * (y - mean_y);
  }
  const double slope = xy / xx;
  return absl::StrCat(slope < 0 ? "−" : "+", Format(Unit::kNanoseconds, std::abs(slope)), " per ×10");
}

std::vector<LineChart> ScalingCharts(const Results& results, const std::vector<const Comparison*>& series,
                                     const Setting& variable, bool as_rate, const LineChart& form) {
  std::vector<LineChart> charts;
  for (const std::string& benchmark : results.benchmarks) {
    LineChart chart = form;
    chart.title = benchmark;
    size_t points_max = 0;
    for (const EngineInfo& engine : results.engines) {
      Line line{.label = engine.name, .look = LookOf(results, engine.name)};
      line.points = PointsOf(series, engine.name, benchmark, variable, as_rate);
      if (line.points.empty()) continue;
      if (!as_rate) line.note = PerFactorTen(line.points);
      points_max = std::max(points_max, line.points.size());
      chart.lines.push_back(std::move(line));
    }
    if (points_max > 1) charts.push_back(std::move(chart));
  }
  return charts;
}

uint64_t NumOf(const Comparison& comparison) { return comparison.num; }
uint64_t ThreadsOf(const Comparison& comparison) { return comparison.threads; }

}  // namespace

const char* DurabilityText(Durability durability) {
  switch (durability) {
    case Durability::kDurable:
      return "durable when a write returns";
    case Durability::kNotDurable:
      return "not durable when a write returns";
    case Durability::kNotStated:
      break;
  }
  return "durability not stated";
}

Look LookOf(const Results& results, const std::string& engine) {
  for (size_t i = 0; i < results.engines.size(); ++i) {
    const EngineInfo& info = results.engines[i];
    if (info.name == engine) return {.number = i, .is_solid = info.durability == Durability::kDurable};
  }
  return {};
}

std::vector<BarChart> ThroughputCharts(const Results& results, const Comparison& comparison) {
  std::vector<BarChart> charts;
  for (const std::string& benchmark : results.benchmarks) {
    BarChart chart{.title = benchmark, .measure = "operations per second", .better = "more is better"};
    for (const auto durability : {Durability::kDurable, Durability::kNotDurable, Durability::kNotStated}) {
      BarGroup group{.caption = DurabilityText(durability)};
      for (const EngineInfo& engine : results.engines) {
        const Measurement* measurement = comparison.Find(engine.name, benchmark);
        if (engine.durability != durability || measurement == nullptr) continue;
        group.bars.push_back(ThroughputBar(results, *measurement));
      }
      if (!group.bars.empty()) chart.groups.push_back(std::move(group));
    }
    if (!chart.groups.empty()) charts.push_back(std::move(chart));
  }
  return charts;
}

std::vector<LineChart> LatencyCharts(const Results& results, const Comparison& comparison) {
  std::vector<LineChart> charts;
  for (const std::string& benchmark : results.benchmarks) {
    LineChart chart{.title = benchmark, .measure = "time of one operation", .better = "less is better"};
    chart.x_measure = "percentile of the operations";
    chart.x_categories.assign(kPercentileNames.begin(), kPercentileNames.end());
    for (const EngineInfo& engine : results.engines) {
      const Measurement* measurement = comparison.Find(engine.name, benchmark);
      if (measurement == nullptr || !measurement->percentiles_ns.has_value()) continue;
      Line line{.label = engine.name, .look = LookOf(results, engine.name)};
      for (size_t i = 0; i < kPercentileNames.size(); ++i) {
        const double ns = (*measurement->percentiles_ns)[i];
        if (ns > 0) line.points.emplace_back(static_cast<double>(i), ns);
      }
      chart.lines.push_back(std::move(line));
    }
    if (!chart.lines.empty()) charts.push_back(std::move(chart));
  }
  return charts;
}

std::vector<LineChart> ThreadCharts(const Results& results, const ShapeComparisons& shape) {
  const std::vector<const Comparison*> series = LongestSeries(shape, ThreadsOf, NumOf);
  LineChart form{.measure = "operations per second, of all threads", .better = "more is better", .unit = Unit::kCount};
  form.x_measure =
      absl::StrCat("threads (log scale), over ", Format(Unit::kCount, static_cast<double>(series[0]->num)), " records");
  form.has_ticks_at_points = true;
  return ScalingCharts(results, series, ThreadsOf, /*as_rate=*/true, form);
}

std::vector<LineChart> SizeCharts(const Results& results, const ShapeComparisons& shape) {
  const std::vector<const Comparison*> series = LongestSeries(shape, NumOf, ThreadsOf);
  LineChart form{.measure = "time of one operation", .better = "less is better", .unit = Unit::kNanoseconds};
  form.x_measure = absl::StrCat("records (log scale), ", CountThreads(series[0]->threads));
  return ScalingCharts(results, series, NumOf, /*as_rate=*/false, form);
}

}  // namespace sealkv::bench
