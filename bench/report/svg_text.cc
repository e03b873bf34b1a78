#include "bench/report/svg_text.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace sealkv::bench {
namespace {

constexpr size_t kTitleCharacters = 46;

// Around (0, 0). Shapes tell apart what colours don't, in print and for who sees them otherwise.
constexpr const char* kMarkers[] = {
    "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",       // disc
    "M-3.5 -3.5h7v7h-7z",                        // square
    "M0 -4.5L4.5 3.5H-4.5z",                     // triangle
    "M0 -5L5 0L0 5L-5 0z",                       // diamond
    "M0 4.5L4.5 -3.5H-4.5z",                     // triangle on its tip
    "M-1.5 -4.5h3v3h3v3h-3v3h-3v-3h-3v-3h3z",    // cross
    "M-2 -4.5h4l2.5 4.5l-2.5 4.5h-4l-2.5 -4.5z"  // hexagon
};

}  // namespace

std::string SvgFrame(std::string_view title, std::string_view subtitle, double height, std::string_view drawn) {
  const std::string label = EscapeXml(absl::StrCat(std::string(title), ": ", std::string(subtitle)));
  return absl::StrFormat(
      "<svg class=\"chart\" viewBox=\"0 0 %g %g\" xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-label=\"%s\">"
      "%s%s%s</svg>\n",
      kChartWidth, height, label, SvgLabel(8, 20, "title", Clip(title, kTitleCharacters)),
      SvgLabel(8, 38, "quiet", subtitle), std::string(drawn));
}

std::string SvgLabel(double x, double y, std::string_view classes, std::string_view text) {
  return absl::StrFormat("<text x=\"%.1f\" y=\"%.1f\" class=\"%s\">%s</text>", x, y, std::string(classes),
                         EscapeXml(text));
}

std::string SvgLine(double x1, double y1, double x2, double y2, std::string_view classes) {
  return absl::StrFormat("<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=\"%s\"/>", x1, y1, x2, y2,
                         std::string(classes));
}

std::string SvgTitle(std::string_view text) { return absl::StrCat("<title>", EscapeXml(text), "</title>"); }

std::string SvgGroup(const Look& look, std::string_view inner) {
  return absl::StrCat("<g class=\"e", look.color(), "\">", std::string(inner), "</g>");
}

std::string SvgBar(const Look& look, double x, double y, double width, double height) {
  const std::string fill = look.is_solid ? "currentColor" : absl::StrCat("url(#h", look.color(), ")");
  return absl::StrFormat("<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" class=\"bar\" fill=\"%s\"/>", x, y,
                         width, height, fill);
}

std::string SvgMarker(const Look& look, double x, double y) {
  return absl::StrFormat("<path transform=\"translate(%.1f %.1f)\" class=\"%s\" d=\"%s\"/>", x, y,
                         look.is_solid ? "mark" : "mark hollow", kMarkers[look.number % std::size(kMarkers)]);
}

std::string BarSample(const Look& look) {
  return absl::StrCat("<svg class=\"sample\" viewBox=\"0 0 26 16\" aria-hidden=\"true\">",
                      SvgGroup(look, SvgBar(look, 1, 1, 24, 14)), "</svg>");
}

}  // namespace sealkv::bench
