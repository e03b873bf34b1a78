#include <algorithm>

#include "absl/strings/str_cat.h"
#include "bench/report/scale.h"
#include "bench/report/svg_chart.h"
#include "bench/report/svg_text.h"

namespace sealkv::bench {
namespace {

constexpr double kTop = 52;
constexpr double kCaptionHeight = 20;
constexpr double kRowHeight = 22;
constexpr double kBarHeight = 15;
constexpr double kGroupGap = 6;
constexpr double kValueWidth = 68;
constexpr double kMargin = 8;
constexpr size_t kLabelCharacters = 22;
constexpr int kTicksMax = 5;

Scale ScaleOf(const BarChart& chart) {
  double low = 0, high = 0;
  for (const BarGroup& group : chart.groups) {
    for (const Bar& bar : group.bars) {
      low = low == 0 ? bar.value : std::min(low, bar.value);
      high = std::max({high, bar.value, bar.range.has_value() ? bar.range->second : 0});
    }
  }
  // The shortest bar is to be seen: the axis begins below it.
  return NeedsLog(low, high) ? LogScale(low / 2, high, kTicksMax + 1) : LinearScale(high, kTicksMax);
}

class BarDrawing {
 public:
  explicit BarDrawing(const BarChart& chart) : chart_(chart), scale_(ScaleOf(chart)) {
    size_t characters = 0;
    for (const BarGroup& group : chart.groups) {
      for (const Bar& bar : group.bars) characters = std::max(characters, CountCharacters(bar.label));
    }
    left_ = kMargin + kCharacterWidth * static_cast<double>(std::min(characters, kLabelCharacters)) + 8;
  }

  std::string Draw() {
    double y = kTop;
    std::string rows, axis;
    for (const BarGroup& group : chart_.groups) {
      absl::StrAppend(&rows, SvgLabel(kMargin, y + 13, "caption", group.caption));
      y += kCaptionHeight;
      const double top = y;
      for (const Bar& bar : group.bars) {
        absl::StrAppend(&rows, Row(bar, y));
        y += kRowHeight;
      }
      absl::StrAppend(&axis, Grid(top - 2, y - 3));
      y += kGroupGap;
    }
    for (const double tick : scale_.ticks) {
      absl::StrAppend(&axis, SvgLabel(X(tick), y + 9, "tick mid", Format(chart_.unit, tick)));
    }
    const std::string subtitle =
        absl::StrCat(chart_.measure, scale_.is_log ? " (log scale)" : "", " — ", chart_.better);
    return SvgFrame(chart_.title, subtitle, y + 20, absl::StrCat(axis, rows));
  }

 private:
  double X(double value) const { return left_ + scale_.Position(value) * (kRight - left_); }

  // Of one group: a line through a caption would strike it out.
  std::string Grid(double top, double bottom) const {
    std::string grid;
    for (const double tick : scale_.ticks) absl::StrAppend(&grid, SvgLine(X(tick), top, X(tick), bottom, "grid"));
    return grid + SvgLine(left_, top, left_, bottom, "axis");
  }

  std::string Row(const Bar& bar, double y) const {
    const double middle = y + kBarHeight / 2;
    const std::string value = Format(chart_.unit, bar.value);
    std::string tooltip = absl::StrCat(bar.label, ": ", value);
    std::string whisker;
    if (bar.range.has_value()) {
      const auto& [least, greatest] = *bar.range;
      absl::StrAppend(&tooltip, "; runs from ", Format(chart_.unit, least), " to ", Format(chart_.unit, greatest));
      whisker = absl::StrCat(SvgLine(X(least), middle, X(greatest), middle, "whisker"),
                             SvgLine(X(least), middle - 4, X(least), middle + 4, "whisker"),
                             SvgLine(X(greatest), middle - 4, X(greatest), middle + 4, "whisker"));
    }
    const double width = std::max(1.0, X(bar.value) - left_);
    return absl::StrCat(
        SvgLabel(left_ - 6, middle + 4, "label end", Clip(bar.label, kLabelCharacters)),
        SvgGroup(bar.look, absl::StrCat(SvgTitle(tooltip), SvgBar(bar.look, left_, y, width, kBarHeight), whisker)),
        SvgLabel(kChartWidth - kMargin, middle + 4, "value end", value));
  }

  static constexpr double kRight = kChartWidth - kMargin - kValueWidth;

  const BarChart& chart_;
  const Scale scale_;
  double left_ = 0;
};

}  // namespace

std::string Svg(const BarChart& chart) { return BarDrawing(chart).Draw(); }

}  // namespace sealkv::bench
