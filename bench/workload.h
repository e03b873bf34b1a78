// The benchmarks: db_bench's and YCSB's workloads, by their names.
#ifndef SEALKV_BENCH_WORKLOAD_H_
#define SEALKV_BENCH_WORKLOAD_H_

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bench/distribution.h"
#include "bench/progress.h"
#include "bench/result.h"
#include "bench/subject.h"
#include "bench/ycsb.h"

namespace sealkv::bench {

struct WorkloadOptions {
  DataOptions data;
  uint64_t num = 1000000;
  uint64_t reads = 0;  // 0: num
  unsigned threads = 1;
  uint64_t seek_nexts = 100;
  uint64_t batch_size = 1;     // puts, or gets of multireadrandom, that are made together
  uint64_t sample_every = 64;  // operations of which one is timed: reading the clock waits for all that is under way
  Distribution distribution = Distribution::kUniform;  // of single reads, overwrites, seeks and cold additions
  YcsbMix ycsb;                                        // of the benchmark `ycsb`
  uint64_t ycsb_operations = 0;                        // 0: as many as reads
};

// All of them, in the order of db_bench's manual, then YCSB's.
std::vector<std::string> WorkloadNames();
bool IsFill(std::string_view workload);
bool IsDeletion(std::string_view workload);
bool IsReadRandom(std::string_view workload);
// Whether it reads or changes records: a fill must have put them.
bool NeedsRecords(std::string_view workload);
// Of the benchmarks that are a mix of operations.
std::optional<YcsbMix> MixOf(std::string_view workload, const WorkloadOptions& options);
bool IsWrite(std::string_view workload, const WorkloadOptions& options);

// Runs one. DataLoss if a read gave something else than was written. Unimplemented: the engine can't do that. Cancelled
// after Ctrl-C (`stop`).
absl::StatusOr<Result> RunWorkload(std::string_view workload, const WorkloadOptions& options, Subject& subject,
                                   Progress& progress, const std::atomic<bool>& stop);

}  // namespace sealkv::bench

#endif  // SEALKV_BENCH_WORKLOAD_H_
