#include "bench/capacity.h"

#include <algorithm>
#include <cmath>

namespace sealkv::bench {
namespace {

constexpr double kMostBytes = 0x1p50;  // more is never there; and so it stays a number

// For each record that the fill put.
struct Written {
  double records = 0;   // that a benchmark leaves behind or adds
  double inserted = 0;  // of these: of new keys
};
Written WrittenBy(const std::string& benchmark, const WorkloadOptions& options) {
  if (benchmark == "overwrite" || benchmark == "addcold") return {1, 0};
  const auto mix = MixOf(benchmark, options);
  if (!mix.has_value()) return {};
  const uint64_t operations = options.reads > 0 ? options.reads : options.num;
  const uint64_t done = benchmark == "ycsb" && options.ycsb_operations > 0 ? options.ycsb_operations : operations;
  const double times = static_cast<double>(done) / static_cast<double>(options.num);
  return {(mix->updates + mix->inserts + mix->read_modify_writes) * times, mix->inserts * times};
}

}  // namespace

uint64_t CapacityFor(const Plan& plan) {
  const DataOptions& data = plan.workload.data;
  const bool is_inline = data.key_kind == KeyKind::kU64 && data.value_bytes == sizeof(uint64_t);
  const auto key_bytes = static_cast<uint64_t>(std::ceil(MeanKeyBytes(data)));
  const uint64_t record_bytes = is_inline ? 0 : 24 + (key_bytes + 7) / 8 * 8 + (data.value_bytes + 7) / 8 * 8;
  Written all{1, 1};
  for (const std::string& benchmark : plan.benchmarks) {
    const Written written = WrittenBy(benchmark, plan.workload);
    all.records += written.records;
    all.inserted += written.inserted;
  }
  const double node_bytes = data.key_kind == KeyKind::kU64 ? 80 : 160;
  const double bytes_per_record = node_bytes * all.inserted + static_cast<double>(record_bytes) * all.records;
  const double bytes = static_cast<double>(plan.workload.num) * bytes_per_record * 1.25;
  return (uint64_t{64} << 20) + static_cast<uint64_t>(std::min(bytes, kMostBytes));
}

}  // namespace sealkv::bench
