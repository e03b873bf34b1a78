// How kvdump shows bytes, numbers and tables to people.
#ifndef SEALKV_TOOLS_TEXT_H_
#define SEALKV_TOOLS_TEXT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sealkv::tools {

// Printable ASCII as it is; the rest as in C: \\ \n \t \r, else \x and always two digits. One line, whatever the bytes.
std::string Escape(std::string_view bytes);
// Escaped and in quotes; of long ones the beginning, and how long they are.
std::string Quote(std::string_view bytes, size_t bytes_max = 64);

std::string ToHex(std::string_view bytes);
std::optional<std::string> FromHex(std::string_view digits);
int HexDigit(char digit);  // -1: not one

std::string HexNumber(uint64_t number);              // 0x1f00
std::string WithCommas(uint64_t number);             // 1,234,567
std::string HumanBytes(uint64_t bytes);              // 1.18 MiB
std::string Percent(uint64_t part, uint64_t whole);  // 72.4 %
std::string Fixed(double number, int decimals);

// A line "  label      value" of an aligned list, and a heading over such.
std::string Row(std::string_view label, std::string_view value);
// "process 17", or "another process" for 0.
std::string WriterName(int pid);
std::string Heading(std::string_view text);

}  // namespace sealkv::tools

#endif  // SEALKV_TOOLS_TEXT_H_
