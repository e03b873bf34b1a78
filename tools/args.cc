#include "tools/args.h"

#include <algorithm>
#include <charconv>

#include "absl/strings/str_cat.h"

namespace sealkv::tools {
namespace {

const Flag* FindFlag(std::span<const Flag> flags, std::string_view name) {
  const auto found = std::find_if(flags.begin(), flags.end(), [name](const Flag& flag) {
    return name == flag.name || (name.size() == 1 && name[0] == flag.letter);
  });
  return found == flags.end() ? nullptr : &*found;
}

}  // namespace

absl::StatusOr<Args> Args::Parse(std::span<const char* const> words, std::span<const Flag> flags) {
  Args args;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string_view word = words[i];
    if (word == "--") {
      args.positionals_.insert(args.positionals_.end(), words.begin() + i + 1, words.end());
      break;
    }
    if (word.size() < 2 || word[0] != '-') {  // "-" alone is a name
      args.positionals_.emplace_back(word);
      continue;
    }
    const bool is_long = word[1] == '-';
    const size_t equals = is_long ? word.find('=') : std::string_view::npos;
    const std::string name(word.substr(is_long ? 2 : 1, equals == std::string_view::npos ? equals : equals - 2));
    const Flag* flag = is_long == (name.size() > 1) ? FindFlag(flags, name) : nullptr;
    if (flag == nullptr) return absl::InvalidArgumentError(absl::StrCat("unknown option ", std::string(word)));
    if (!flag->has_value && equals != std::string_view::npos) {
      return absl::InvalidArgumentError(absl::StrCat("--", flag->name, " takes no value"));
    }
    if (flag->has_value && equals == std::string_view::npos && i + 1 == words.size()) {
      return absl::InvalidArgumentError(absl::StrCat(std::string(word), " needs a value"));
    }
    std::string value;
    if (flag->has_value) value = equals != std::string_view::npos ? word.substr(equals + 1) : words[++i];
    if (!args.values_.emplace(flag->name, std::move(value)).second) {
      return absl::InvalidArgumentError(absl::StrCat("--", flag->name, " is given twice"));
    }
  }
  return args;
}

std::optional<std::string> Args::Value(std::string_view name) const {
  const auto found = values_.find(name);
  if (found == values_.end()) return std::nullopt;
  return found->second;
}

absl::StatusOr<std::optional<uint64_t>> Args::Number(std::string_view name) const {
  const std::optional<std::string> text = Value(name);
  if (!text.has_value()) return std::optional<uint64_t>();
  const std::optional<uint64_t> number = ParseNumber(*text);
  if (number.has_value()) return number;
  return absl::InvalidArgumentError(
      absl::StrCat("--", std::string(name), "=", *text, ": not a number (such as 4096, 0x1000, 64K, 2G)"));
}

std::optional<uint64_t> ParseNumber(std::string_view text) {
  unsigned shift = 0;
  if (!text.empty()) {
    static constexpr std::string_view kSuffixes = "KMGT";
    const size_t suffix = kSuffixes.find(text.back());
    if (suffix != std::string_view::npos) {
      shift = 10 * (static_cast<unsigned>(suffix) + 1);
      text.remove_suffix(1);
    }
  }
  int base = 10;
  if (text.substr(0, 2) == "0x" || text.substr(0, 2) == "0X") {
    base = 16;
    text.remove_prefix(2);
  }
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  if (number > ~uint64_t{0} >> shift) return std::nullopt;
  return number << shift;
}

}  // namespace sealkv::tools
