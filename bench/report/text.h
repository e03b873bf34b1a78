// The page's text: escaped, clipped, and numbers with units as people read them.
#ifndef SEALKV_BENCH_REPORT_TEXT_H_
#define SEALKV_BENCH_REPORT_TEXT_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace sealkv::bench {

// For HTML and XML, between tags and in quoted attributes. Control characters, which XML can't have, are replaced.
std::string EscapeXml(std::string_view text);

// How many characters UTF-8 text has; and its first ones, the last of them an ellipsis if it had more.
size_t CountCharacters(std::string_view text);
std::string Clip(std::string_view text, size_t characters_max);

// Three digits: "85.3 ns", "1.24 ms"; "980", "1.5 M"; "512 B", "1.5 MiB"; "0.25".
enum class Unit { kNanoseconds, kCount, kBytes, kPlain };
std::string Format(Unit unit, double value);

}  // namespace sealkv::bench

#endif  // SEALKV_BENCH_REPORT_TEXT_H_
