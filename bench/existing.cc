#include "bench/existing.h"

#include <algorithm>
#include <cstdlib>
#include <string>

namespace sealkv::bench {
namespace {

constexpr uint64_t kMostAsked = 500;  // keys of each order
constexpr int64_t kEnough = 4;        // that one order has found more than the other
constexpr uint64_t kKept = 10;        // deletemost leaves each so many-th

absl::StatusOr<int64_t> Found(Engine& engine, const Key& key) {
  std::string value;
  const absl::Status got = engine.Get(key, &value);
  if (got.ok()) return 1;
  if (absl::IsNotFound(got)) return 0;
  return got;
}

}  // namespace

// Of each ten the first at first, for that is what deletemost leaves.
absl::StatusOr<std::optional<bool>> HasRandomKeys(Engine& engine, const DataOptions& options, uint64_t num) {
  Data data(options);
  const uint64_t step = std::max<uint64_t>(1, num / kKept / kMostAsked) * kKept;
  int64_t more_random = 0;
  bool has_any = false;
  for (uint64_t offset = 0; offset < std::min(kKept, num) && std::abs(more_random) < kEnough; ++offset) {
    for (uint64_t index = offset; index < num && std::abs(more_random) < kEnough; index += step) {
      const uint64_t random = data.RandomKey(index);
      const absl::StatusOr<int64_t> found_random = Found(engine, {random, data.key()});
      if (!found_random.ok()) return found_random.status();
      const uint64_t sequential = data.SequentialKey(index);
      const absl::StatusOr<int64_t> found_sequential = Found(engine, {sequential, data.key()});
      if (!found_sequential.ok()) return found_sequential.status();
      has_any |= *found_random + *found_sequential > 0;
      more_random += *found_random - *found_sequential;
    }
  }
  return has_any ? std::optional(more_random >= 0) : std::nullopt;
}

}  // namespace sealkv::bench
