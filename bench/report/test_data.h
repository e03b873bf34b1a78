// Result files for tests, as kvbench writes them.
#ifndef SEALKV_BENCH_REPORT_TEST_DATA_H_
#define SEALKV_BENCH_REPORT_TEST_DATA_H_

#include <nlohmann/json.hpp>
#include <string>

namespace sealkv::bench {

inline nlohmann::ordered_json TestEntry(const std::string& engine, const std::string& benchmark, double ns) {
  return {{"name", engine + "/" + benchmark},
          {"threads", 1},
          {"iterations", 1000},
          {"real_time", ns},
          {"cpu_time", ns},
          {"time_unit", "ns"},
          {"flushes_per_op", engine == "sealkv" ? 2.5 : 0},
          {"fences_per_op", engine == "sealkv" ? 1.25 : 0},
          {"pm_bytes_per_op", engine == "sealkv" ? 97 : 0},
          {"p50", ns},
          {"p90", 2 * ns},
          {"p99", 3 * ns},
          {"p99_9", 10 * ns},
          {"p99_99", 40 * ns},
          {"max", 900 * ns}};
}

// lmdb's writes take 50 times as long as sealkv's.
inline nlohmann::ordered_json TestFile(uint64_t num = 1000, unsigned threads = 1) {
  nlohmann::ordered_json json;
  json["context"] = {{"date", "2026-11-27T00:00:00+0000"},
                     {"host_name", "host"},
                     {"executable", "kvbench"},
                     {"num_cpus", 4},
                     {"num", num},
                     {"threads", threads},
                     {"key_bytes", 8},
                     {"value_bytes", 8}};
  json["benchmarks"] = {TestEntry("lmdb", "fillrandom", 20000), TestEntry("sealkv", "fillrandom", 400),
                        TestEntry("lmdb", "readrandom", 300), TestEntry("sealkv", "readrandom", 200)};
  for (auto& entry : json["benchmarks"]) entry["threads"] = threads;
  return json;
}

}  // namespace sealkv::bench

#endif  // SEALKV_BENCH_REPORT_TEST_DATA_H_
