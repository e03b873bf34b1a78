// db_bench's workloads, by its names.
#ifndef SEALKV_BENCH_WORKLOAD_H_
#define SEALKV_BENCH_WORKLOAD_H_

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "bench/engine.h"
#include "bench/histogram.h"
#include "bench/progress.h"
#include "daxfile/persist.h"

namespace sealkv::bench {

struct WorkloadOptions {
  DataOptions data;
  uint64_t num = 1000000;
  uint64_t reads = 0;  // 0: num
  unsigned threads = 1;
  uint64_t seek_nexts = 100;
  uint64_t batch_size = 1;     // puts that are made together, by fills and overwrites
  uint64_t sample_every = 64;  // operations of which one is timed: reading the clock waits for all that is under way
};

struct Result {
  std::string engine;
  std::string benchmark;
  uint64_t operations = 0;
  double seconds = 0;
  double cpu_seconds = 0;
  uint64_t bytes = 0;  // of keys and values that went in or out
  daxfile::PersistCounters persist;
  Histogram latency_ns;                    // of every sample_every-th operation
  std::optional<double> bytes_per_record;  // of persistent memory, after a fill
  std::string note;
};

// An engine on its way through the list of workloads.
struct Subject {
  std::string name;
  std::unique_ptr<Engine> engine;
  bool has_random_keys = true;  // what the last fill put
  uint8_t round = 0;            // of the last overwrite
};

// All workloads, in the order of db_bench's manual.
std::vector<std::string> WorkloadNames();
bool IsFill(std::string_view workload);
bool IsWrite(std::string_view workload);

// Runs one. DataLoss if a read gave something else than was written. Cancelled after Ctrl-C (`stop`).
absl::StatusOr<Result> RunWorkload(std::string_view workload, const WorkloadOptions& options, Subject& subject,
                                   Progress& progress, const std::atomic<bool>& stop);

}  // namespace sealkv::bench

#endif  // SEALKV_BENCH_WORKLOAD_H_
