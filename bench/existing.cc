#include "bench/existing.h"

#include <algorithm>
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

absl::StatusOr<bool> HasRandomKeys(Engine& engine, const DataOptions& options, uint64_t num) {
  Data data(options);
  const uint64_t step = std::max<uint64_t>(1, num / kKept / kMostAsked) * kKept;
  int64_t more_random = 0;
  for (uint64_t index = 0; index < num && more_random < kEnough && more_random > -kEnough; index += step) {
    const uint64_t random = data.RandomKey(index);
    const absl::StatusOr<int64_t> found_random = Found(engine, {random, data.key()});
    if (!found_random.ok()) return found_random.status();
    const uint64_t sequential = data.SequentialKey(index);
    const absl::StatusOr<int64_t> found_sequential = Found(engine, {sequential, data.key()});
    if (!found_sequential.ok()) return found_sequential.status();
    more_random += *found_random - *found_sequential;
  }
  return more_random >= 0;
}

}  // namespace sealkv::bench
