#include "tools/text.h"

#include <cstdio>

namespace sealkv::tools {
namespace {

constexpr char kDigits[] = "0123456789abcdef";
constexpr size_t kLabelWidth = 24;

void AppendHex(std::string& text, char byte) {
  text.push_back(kDigits[static_cast<unsigned char>(byte) >> 4]);
  text.push_back(kDigits[static_cast<unsigned char>(byte) & 15]);
}

void AppendEscaped(std::string& text, char byte) {
  switch (byte) {
    case '\\':
      text.append("\\\\");
      return;
    case '\n':
      text.append("\\n");
      return;
    case '\t':
      text.append("\\t");
      return;
    case '\r':
      text.append("\\r");
      return;
    default:
      if (byte >= ' ' && byte <= '~') {
        text.push_back(byte);
      } else {
        text.append("\\x");
        AppendHex(text, byte);
      }
  }
}

}  // namespace

std::string Escape(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  for (const char byte : bytes) AppendEscaped(text, byte);
  return text;
}

std::string Quote(std::string_view bytes, size_t bytes_max) {
  std::string text = "\"";
  for (const char byte : bytes.substr(0, bytes_max)) {
    if (byte == '"') text.push_back('\\');
    AppendEscaped(text, byte);
  }
  text.push_back('"');
  if (bytes.size() > bytes_max) text.append("… (").append(WithCommas(bytes.size())).append(" bytes)");
  return text;
}

std::string ToHex(std::string_view bytes) {
  std::string text;
  text.reserve(2 * bytes.size());
  for (const char byte : bytes) AppendHex(text, byte);
  return text;
}

int HexDigit(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

std::optional<std::string> FromHex(std::string_view digits) {
  if (digits.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  bytes.reserve(digits.size() / 2);
  for (size_t i = 0; i < digits.size(); i += 2) {
    const int high = HexDigit(digits[i]);
    const int low = HexDigit(digits[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(high << 4 | low));
  }
  return bytes;
}

std::string HexNumber(uint64_t number) {
  char text[24];
  std::snprintf(text, sizeof(text), "0x%llx", static_cast<unsigned long long>(number));
  return text;
}

std::string WithCommas(uint64_t number) {
  std::string text = std::to_string(number);
  for (int at = static_cast<int>(text.size()) - 3; at > 0; at -= 3) text.insert(text.begin() + at, 1, ',');
  return text;
}

std::string Fixed(double number, int decimals) {
  char text[64];
  std::snprintf(text, sizeof(text), "%.*f", decimals, number);
  return text;
}

std::string HumanBytes(uint64_t bytes) {
  static constexpr const char* kUnits[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < 1024) return std::to_string(bytes) + (bytes == 1 ? " byte" : " bytes");
  double number = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  for (; number >= 1024 && unit + 1 < std::size(kUnits); number /= 1024) ++unit;
  return Fixed(number, number < 10 ? 2 : number < 100 ? 1 : 0) + " " + kUnits[unit];
}

std::string Percent(uint64_t part, uint64_t whole) {
  if (whole == 0) return "-";
  return Fixed(100.0 * static_cast<double>(part) / static_cast<double>(whole), 1) + " %";
}

std::string Row(std::string_view label, std::string_view value) {
  std::string line = "  ";
  line.append(label);
  line.append(label.size() < kLabelWidth ? kLabelWidth - label.size() : 1, ' ');
  return line.append(value).append("\n");
}

std::string WriterName(int pid) { return pid != 0 ? "process " + std::to_string(pid) : "another process"; }

std::string Heading(std::string_view text) { return std::string(text) + "\n"; }

}  // namespace sealkv::tools
