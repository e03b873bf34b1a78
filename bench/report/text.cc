#include "bench/report/text.h"

#include <span>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace sealkv::bench {
namespace {

constexpr const char* kTimes[] = {" ns", " µs", " ms", " s"};
constexpr const char* kCounts[] = {"", " K", " M", " G", " T"};
constexpr const char* kBytes[] = {" B", " KiB", " MiB", " GiB", " TiB"};

bool BeginsCharacter(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) != 0x80; }

// In the unit in which it has at most three digits before the point, as far as there are units.
std::string InUnits(double value, double step, std::span<const char* const> units) {
  constexpr double kRoundsToFourDigits = 999.5;
  size_t i = 0;
  for (; value >= kRoundsToFourDigits && i + 1 < units.size(); ++i) value /= step;
  return absl::StrCat(
      value >= kRoundsToFourDigits && value < 1e6 ? absl::StrFormat("%.0f", value) : absl::StrFormat("%.3g", value),
      units[i]);
}

}  // namespace

std::string EscapeXml(std::string_view text) {
  std::string escaped;
  for (const char byte : text) {
    switch (byte) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        if ((byte >= 0 && byte < ' ') || byte == 0x7f) {
          escaped += "\uFFFD";
        } else {
          escaped += byte;
        }
    }
  }
  return escaped;
}

size_t CountCharacters(std::string_view text) {
  size_t count = 0;
  for (const char byte : text) count += BeginsCharacter(byte);
  return count;
}

std::string Clip(std::string_view text, size_t characters_max) {
  if (CountCharacters(text) <= characters_max) return std::string(text);
  size_t count = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (BeginsCharacter(text[i]) && ++count == characters_max) return std::string(text.substr(0, i)) + "…";
  }
  return std::string(text);
}

std::string Format(Unit unit, double value) {
  switch (unit) {
    case Unit::kNanoseconds:
      return InUnits(value, 1000, kTimes);
    case Unit::kCount:
      return InUnits(value, 1000, kCounts);
    case Unit::kBytes:
      return InUnits(value, 1024, kBytes);
    case Unit::kPlain:
      break;
  }
  return value >= 100 ? absl::StrFormat("%.0f", value) : absl::StrFormat("%.3g", value);
}

}  // namespace sealkv::bench
