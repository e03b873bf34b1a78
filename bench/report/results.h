// What kvbench wrote down: its JSON files read back, checked, and brought together.
#ifndef SEALKV_BENCH_REPORT_RESULTS_H_
#define SEALKV_BENCH_REPORT_RESULTS_H_

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"

namespace sealkv::bench {

// What a write is worth when it returns. An engine says it in its description, by the words "durable when a write
// returns"; one that says something else isn't.
enum class Durability { kDurable, kNotDurable, kNotStated };

struct EngineInfo {
  std::string name;
  std::vector<std::string> descriptions;  // more than one: the files differ
  Durability durability = Durability::kNotStated;
};

// What is stored, and how it is asked for. Times of different shapes aren't compared.
struct Shape {
  std::string key_kind;
  double key_bytes = 0;
  uint64_t value_bytes = 0;
  uint64_t batch_size = 1;
  std::string distribution;  // empty: uniform
  auto operator<=>(const Shape&) const = default;
};

inline constexpr std::array<const char*, 6> kPercentileFields = {"p50", "p90", "p99", "p99_9", "p99_99", "max"};
inline constexpr std::array<const char*, 6> kPercentileNames = {"p50", "p90", "p99", "p99.9", "p99.99", "max"};

struct Measurement {
  std::string engine;
  std::string benchmark;
  Shape shape;
  uint64_t num = 0;
  uint64_t threads = 1;
  double ns = 0;                // of one operation: the time of all of them, by their number, whatever the threads
  std::vector<double> ns_runs;  // of each repetition
  std::optional<std::array<double, 6>> percentiles_ns;
  std::optional<double> cpu_ns, operations, bytes_per_second;
  std::optional<double> flushes, fences, pm_bytes;  // of one operation
  std::optional<double> bytes_per_record, rss_bytes, rss_anon_bytes;
};

// One file.
struct Source {
  std::string path, date, host;
  uint64_t cpus = 0;  // 0: it doesn't say
  Shape shape;
  uint64_t num = 0;
  uint64_t threads = 1;
  uint64_t repetitions = 0;  // 0: it doesn't say
  std::vector<std::string> engines, benchmarks;
};

struct Results {
  std::vector<Source> sources;
  std::vector<EngineInfo> engines;      // sealkv first, the others as they came
  std::vector<std::string> benchmarks;  // as they came
  std::vector<Measurement> measurements;
  std::vector<std::pair<std::string, double>> limits_ns;  // the machine's; of several files the least
  std::vector<std::string> remarks;                       // what a reader must know about how files went together
};

// Adds the text of one file. InvalidArgument, which names it: it isn't a result of kvbench; `results` is as it was.
absl::Status AddResults(const std::string& path, std::string_view text, Results& results);

}  // namespace sealkv::bench

#endif  // SEALKV_BENCH_REPORT_RESULTS_H_
