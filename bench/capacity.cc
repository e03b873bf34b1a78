#include "bench/capacity.h"

#include <algorithm>
#include <cmath>

namespace sealkv::bench {
namespace {

constexpr double kMostBytes = 0x1p50;  // more is never there; and so it stays a number

// Records that a benchmark leaves behind or adds, for each that the fill put.
double RecordsWritten(const std::string& benchmark, const WorkloadOptions& options) {
  if (benchmark == "overwrite") return 1;
  const auto mix = MixOf(benchmark, options);
  if (!mix.has_value()) return 0;
  const uint64_t operations = options.reads > 0 ? options.reads : options.num;
  const uint64_t done = benchmark == "ycsb" && options.ycsb_operations > 0 ? options.ycsb_operations : operations;
  return (mix->updates + mix->inserts + mix->read_modify_writes) * static_cast<double>(done) /
         static_cast<double>(options.num);
}

}  // namespace

uint64_t CapacityFor(const Plan& plan) {
  const DataOptions& data = plan.workload.data;
  const bool is_inline = data.key_kind == KeyKind::kU64 && data.value_bytes == sizeof(uint64_t);
  const auto key_bytes = static_cast<uint64_t>(std::ceil(MeanKeyBytes(data)));
  const uint64_t record_bytes = is_inline ? 0 : 24 + (key_bytes + 7) / 8 * 8 + (data.value_bytes + 7) / 8 * 8;
  double written = 1;
  double inserted = 0;
  for (const std::string& benchmark : plan.benchmarks) {
    if (const auto mix = MixOf(benchmark, plan.workload); mix.has_value() && mix->inserts > 0) inserted += mix->inserts;
    written += RecordsWritten(benchmark, plan.workload);
  }
  const uint64_t node_bytes = (data.key_kind == KeyKind::kU64 ? 80 : 160) * (1 + inserted);
  const double bytes_per_record = static_cast<double>(node_bytes) + static_cast<double>(record_bytes) * written;
  const double bytes = static_cast<double>(plan.workload.num) * bytes_per_record * 1.25;
  return (uint64_t{64} << 20) + static_cast<uint64_t>(std::min(bytes, kMostBytes));
}

}  // namespace sealkv::bench
