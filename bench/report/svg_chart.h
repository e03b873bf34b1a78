// Charts as SVG, to stand inside of a page: it has the colours (classes e0, e1, …), the hatchings (#h0, #h1, …), and
// styles for text, axes and marks (report_style.h). Every mark says its value in a <title>, so that no script is
// needed.
#ifndef SEALKV_BENCH_REPORT_SVG_CHART_H_
#define SEALKV_BENCH_REPORT_SVG_CHART_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bench/report/text.h"

namespace sealkv::bench {

inline constexpr size_t kColors = 12;

// How an engine looks in every chart. When there are no more colours, they come again with other markers; that of the
// first engine stays its own.
struct Look {
  size_t number = 0;
  bool is_solid = true;  // else hatched bars, dashed lines, hollow markers: its writes aren't durable

  size_t color() const { return number == 0 ? 0 : 1 + (number - 1) % (kColors - 1); }
};

struct Bar {
  std::string label;
  Look look;
  double value = 0;
  std::optional<std::pair<double, double>> range;  // least and greatest of several runs
};

struct BarGroup {
  std::string caption;
  std::vector<Bar> bars;
};

// Bars from left to right, on a logarithmic scale if they differ too much for another. Each has its label beside it,
// and so there is no legend.
struct BarChart {
  std::string title;
  std::string measure;  // what a bar's length is; followed by the scale and `better`
  std::string better;   // "more is better"
  Unit unit = Unit::kCount;
  std::vector<BarGroup> groups;
};

struct Line {
  std::string label;
  std::string note;  // beside the label, in the legend
  Look look;
  std::vector<std::pair<double, double>> points;  // y > 0
};

// Lines over an axis of categories (x is the index of one) or a logarithmic one.
struct LineChart {
  std::string title;
  std::string measure;  // what y is
  std::string better;
  Unit unit = Unit::kNanoseconds;
  std::string x_measure;
  std::vector<std::string> x_categories;  // empty: x is a number above 0
  bool has_ticks_at_points = false;       // of x: for few round numbers that aren't of the series 1, 2, 5
  std::vector<Line> lines;
};

std::string Svg(const BarChart& chart);
std::string Svg(const LineChart& chart);

// A piece of bar, for legends outside of charts.
std::string BarSample(const Look& look);

}  // namespace sealkv::bench

#endif  // SEALKV_BENCH_REPORT_SVG_CHART_H_
