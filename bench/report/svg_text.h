// The words of SVG that charts are made of.
#ifndef SEALKV_BENCH_REPORT_SVG_TEXT_H_
#define SEALKV_BENCH_REPORT_SVG_TEXT_H_

#include <string>
#include <string_view>

#include "bench/report/svg_chart.h"

namespace sealkv::bench {

// All charts are as wide, and the page scales them: text has one size everywhere. In pixels.
inline constexpr double kChartWidth = 440;
// No font is wider on average: what is laid out by it doesn't overlap.
inline constexpr double kCharacterWidth = 7;

// A chart of this height around what was drawn: its frame, title and second line.
std::string SvgFrame(std::string_view title, std::string_view subtitle, double height, std::string_view drawn);

// `classes`: of report_style.h; "end" and "mid" say which part of the text stands at x.
std::string SvgLabel(double x, double y, std::string_view classes, std::string_view text);
std::string SvgLine(double x1, double y1, double x2, double y2, std::string_view classes);
std::string SvgTitle(std::string_view text);
// What an engine's marks stand in, so that they have its colour.
std::string SvgGroup(const Look& look, std::string_view inner);
std::string SvgBar(const Look& look, double x, double y, double width, double height);
std::string SvgMarker(const Look& look, double x, double y);

}  // namespace sealkv::bench

#endif  // SEALKV_BENCH_REPORT_SVG_TEXT_H_
