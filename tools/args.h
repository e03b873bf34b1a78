// A subcommand's words, sorted into flags and the rest.
#ifndef SEALKV_TOOLS_ARGS_H_
#define SEALKV_TOOLS_ARGS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace sealkv::tools {

struct Flag {
  const char* name;  // without the dashes
  char letter = 0;   // -x, or 0
  bool has_value = false;
};

class Args {
 public:
  // Flags may stand anywhere before "--", as --name=value, --name value, -x value. InvalidArgument: an unknown flag, a
  // value missing or too many.
  static absl::StatusOr<Args> Parse(std::span<const char* const> words, std::span<const Flag> flags);

  const std::vector<std::string>& positionals() const { return positionals_; }
  const std::string& store() const { return positionals_[0]; }

  bool Has(std::string_view name) const { return values_.find(name) != values_.end(); }
  std::optional<std::string> Value(std::string_view name) const;
  // With a suffix K, M, G or T: times 1024, ….
  absl::StatusOr<std::optional<uint64_t>> Number(std::string_view name) const;

 private:
  std::vector<std::string> positionals_;
  std::map<std::string, std::string, std::less<>> values_;
};

// "4096", "0x1000", "4K". Nothing for anything else, or what doesn't fit.
std::optional<uint64_t> ParseNumber(std::string_view text);

}  // namespace sealkv::tools

#endif  // SEALKV_TOOLS_ARGS_H_
