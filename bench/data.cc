#include "bench/data.h"

#include <algorithm>
#include <iterator>

namespace sealkv::bench {
namespace {

constexpr std::string_view kKindNames[] = {"u64", "string", "ycsb", "path"};  // in the order of KeyKind

}  // namespace

std::vector<std::string> KeyKindNames() { return {std::begin(kKindNames), std::end(kKindNames)}; }

std::optional<KeyKind> KeyKindFromName(std::string_view name) {
  const auto found = std::find(std::begin(kKindNames), std::end(kKindNames), name);
  if (found == std::end(kKindNames)) return std::nullopt;
  return static_cast<KeyKind>(found - std::begin(kKindNames));
}

std::string KeyKindName(KeyKind kind) { return std::string(kKindNames[static_cast<size_t>(kind)]); }

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
