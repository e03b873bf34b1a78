#include "bench/data.h"

#include <algorithm>
#include <charconv>
#include <iterator>

namespace sealkv::bench {
namespace {

constexpr int kMostDigits = 20;                                               // of a 64-bit integer
constexpr std::string_view kKindNames[] = {"u64", "string", "ycsb", "path"};  // in the order of KeyKind

}  // namespace

std::vector<std::string> KeyKindNames() { return {std::begin(kKindNames), std::end(kKindNames)}; }

std::optional<KeyKind> KeyKindFromName(std::string_view name) {
  const auto found = std::find(std::begin(kKindNames), std::end(kKindNames), name);
  if (found == std::end(kKindNames)) return std::nullopt;
  return static_cast<KeyKind>(found - std::begin(kKindNames));
}

std::string KeyKindName(KeyKind kind) { return std::string(kKindNames[static_cast<size_t>(kind)]); }

uint64_t Data::OtherRandomKey(uint64_t index) {
  if (options_.key_kind == KeyKind::kPath) {
    return SetPath(index < options_.paths->size() ? (*path_order_)(index) : index);
  }
  const uint64_t number = Scatter(index ^ order_);
  return options_.key_kind == KeyKind::kYcsb ? SetYcsbKey(number, 1) : SetHexadecimal(number);
}

uint64_t Data::OtherSequentialKey(uint64_t index) {
  if (options_.key_kind == KeyKind::kPath) return SetPath(index);
  return options_.key_kind == KeyKind::kYcsb ? SetYcsbKey(index, kMostDigits) : SetHexadecimal(index);
}

// As db_bench makes them: decimal digits, then filler. Hexadecimal here, so that every number has the same length.
uint64_t Data::SetHexadecimal(uint64_t number) {
  static constexpr char kDigits[] = "0123456789abcdef";
  for (int i = 0; i < 16; ++i) key_[i] = kDigits[number >> (60 - 4 * i) & 15];
  return number;
}

// Of any number of digits, as YCSB has it; ascending ones are padded, as its orderedinserts are.
uint64_t Data::SetYcsbKey(uint64_t number, int least_digits) {
  char digits[kMostDigits];
  const auto count = std::to_chars(digits, digits + kMostDigits, number).ptr - digits;
  key_.assign("user");
  if (count < least_digits) key_.append(least_digits - count, '0');
  key_.append(digits, count);
  view_ = key_;
  return number;
}

// Beyond the paths that there are: made-up ones, which no package has.
uint64_t Data::SetPath(uint64_t number) {
  const Paths& paths = *options_.paths;
  if (number < paths.size()) [[likely]] {
    view_ = paths[number];
  } else {
    key_.assign(paths[number % paths.size()]).append("//").append(std::to_string(number / paths.size()));
    view_ = key_;
  }
  return number;
}

double MeanKeyBytes(const DataOptions& options) {
  constexpr uint64_t kSample = 4096;
  Data data(options);
  uint64_t bytes = 0;
  for (uint64_t i = 0; i < kSample; ++i) {
    data.RandomKey(i);
    bytes += data.key().size();
  }
  return static_cast<double>(bytes) / kSample;
}

}  // namespace sealkv::bench
