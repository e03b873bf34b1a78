#include <algorithm>
#include <cmath>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bench/report/scale.h"
#include "bench/report/svg_chart.h"
#include "bench/report/svg_text.h"

namespace sealkv::bench {
namespace {

constexpr double kMargin = 8;
constexpr double kLeft = 64;
constexpr double kRight = kChartWidth - 14;
constexpr double kTop = 54;
constexpr double kBottom = kTop + 210;
constexpr double kInset = 16;  // from the frame to the first and the last point
constexpr double kLegendTop = kBottom + 52;
constexpr double kLegendRow = 19;
constexpr double kSampleWidth = 34;
constexpr size_t kLegendCharacters = 40;
constexpr int kYTicksMax = 9;
constexpr int kXTicksMax = 7;
constexpr double kTickLabelGap = 10;

struct Span {
  double low = 0, high = 0;
  void Include(double value) {
    low = low == 0 ? value : std::min(low, value);
    high = std::max(high, value);
  }
};

Scale YScale(const LineChart& chart) {
  Span span;
  for (const Line& line : chart.lines) {
    for (const auto& [x, y] : line.points) span.Include(y);
  }
  return NeedsLog(span.low, span.high) ? LogScale(span.low, span.high, kYTicksMax) : LinearScale(span.high, kYTicksMax);
}

// From the first point to the last, not from tick to tick: there is nothing beyond.
Scale XScale(const LineChart& chart) {
  if (!chart.x_categories.empty()) {
    Scale scale{.low = 0, .high = std::max(1.0, static_cast<double>(chart.x_categories.size()) - 1)};
    for (size_t i = 0; i < chart.x_categories.size(); ++i) scale.ticks.push_back(static_cast<double>(i));
    return scale;
  }
  Span span;
  std::set<double> xs;
  for (const Line& line : chart.lines) {
    for (const auto& [x, y] : line.points) {
      span.Include(x);
      xs.insert(x);
    }
  }
  Scale scale = LogScale(span.low, span.high, kXTicksMax);
  if (chart.has_ticks_at_points) scale.ticks.assign(xs.begin(), xs.end());
  scale.low = span.low;
  scale.high = span.high > span.low ? span.high : span.low * 2;
  std::erase_if(scale.ticks,
                [&](double tick) { return tick < scale.low * (1 - 1e-9) || tick > scale.high * (1 + 1e-9); });
  return scale;
}

class LineDrawing {
 public:
  explicit LineDrawing(const LineChart& chart) : chart_(chart), x_(XScale(chart)), y_(YScale(chart)) {}

  std::string Draw() const {
    std::string lines;
    for (const Line& line : chart_.lines) absl::StrAppend(&lines, Draw(line));
    const std::string subtitle = absl::StrCat(chart_.measure, y_.is_log ? " (log scale)" : "", " — ", chart_.better);
    double height = 0;
    const std::string legend = Legend(height);
    return SvgFrame(chart_.title, subtitle, height, absl::StrCat(Axes(), lines, legend));
  }

 private:
  double X(double x) const { return kLeft + kInset + x_.Position(x) * (kRight - kLeft - 2 * kInset); }
  double Y(double y) const { return kBottom - y_.Position(y) * (kBottom - kTop); }
  std::string XText(double x) const {
    return chart_.x_categories.empty() ? Format(Unit::kCount, x) : chart_.x_categories[static_cast<size_t>(x)];
  }

  std::string Axes() const {
    std::string axes;
    for (const double tick : y_.ticks) {
      absl::StrAppend(&axes, SvgLine(kLeft, Y(tick), kRight, Y(tick), "grid"),
                      SvgLabel(kLeft - 6, Y(tick) + 4, "tick end", Format(chart_.unit, tick)));
    }
    absl::StrAppend(&axes, SvgLine(kLeft, kTop, kLeft, kBottom, "axis"),
                    SvgLine(kLeft, kBottom, kRight, kBottom, "axis"));
    double free_from = 0;
    for (const double tick : x_.ticks) {
      absl::StrAppend(&axes, SvgLine(X(tick), kBottom, X(tick), kBottom + 4, "axis"));
      const std::string text = XText(tick);
      const double half_width = kCharacterWidth / 2 * static_cast<double>(CountCharacters(text));
      if (X(tick) - half_width < free_from) continue;
      free_from = X(tick) + half_width + kTickLabelGap;
      absl::StrAppend(&axes, SvgLabel(X(tick), kBottom + 17, "tick mid", text));
    }
    return absl::StrCat(axes, SvgLabel((kLeft + kRight) / 2, kBottom + 35, "quiet mid", chart_.x_measure));
  }

  std::string Draw(const Line& line) const {
    std::string path, markers;
    for (const auto& [x, y] : line.points) {
      absl::StrAppendFormat(&path, "%s%.1f %.1f", path.empty() ? "M" : "L", X(x), Y(y));
      const std::string tooltip = absl::StrCat(line.label, ", ", XText(x), ": ", Format(chart_.unit, y));
      absl::StrAppend(&markers, "<g>", SvgTitle(tooltip), SvgMarker(line.look, X(x), Y(y)), "</g>");
    }
    return SvgGroup(line.look, absl::StrCat(Stroke(line.look, path), markers));
  }

  static std::string Stroke(const Look& look, const std::string& path) {
    return absl::StrCat("<path class=\"", look.is_solid ? "line" : "line dashed", "\" d=\"", path, "\"/>");
  }

  // In as many columns as its longest entry allows.
  std::string Legend(double& height) const {
    size_t characters = 0;
    for (const Line& line : chart_.lines) characters = std::max(characters, CountCharacters(LegendText(line)));
    const double needed = kSampleWidth + 12 + kCharacterWidth * static_cast<double>(characters);
    const auto columns = static_cast<size_t>(std::max(1.0, (kChartWidth - 2 * kMargin) / needed));
    const double width = (kChartWidth - 2 * kMargin) / static_cast<double>(columns);
    std::string legend;
    for (size_t i = 0; i < chart_.lines.size(); ++i) {
      const Line& line = chart_.lines[i];
      const double x = kMargin + width * static_cast<double>(i % columns);
      const double y = kLegendTop + kLegendRow * static_cast<double>(i / columns);
      const std::string stroke = Stroke(line.look, absl::StrFormat("M%.1f %.1fH%.1f", x, y, x + kSampleWidth - 8));
      absl::StrAppend(&legend,
                      SvgGroup(line.look, absl::StrCat(stroke, SvgMarker(line.look, x + kSampleWidth / 2 - 4, y))),
                      SvgLabel(x + kSampleWidth, y + 4, "label", LegendText(line)));
    }
    height =
        kLegendTop + kLegendRow * std::ceil(static_cast<double>(chart_.lines.size()) / static_cast<double>(columns));
    return legend;
  }

  static std::string LegendText(const Line& line) {
    return Clip(line.note.empty() ? line.label : absl::StrCat(line.label, " (", line.note, ")"), kLegendCharacters);
  }

  const LineChart& chart_;
  const Scale x_, y_;
};

}  // namespace

std::string Svg(const LineChart& chart) { return LineDrawing(chart).Draw(); }

}  // namespace sealkv::bench
