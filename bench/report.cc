#include "bench/report.h"

#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace sealkv::bench {
namespace {

double PerOperation(const Result& result, double amount) { return amount / static_cast<double>(result.operations); }
double NsPerOperation(const Result& result) { return PerOperation(result, result.seconds * 1e9); }

}  // namespace

std::string Line(const Result& result, bool with_percentiles) {
  std::string line =
      absl::StrFormat("%-12s : %10.3f micros/op %9.0f ops/sec; %7.1f MB/s  [%s]", result.benchmark,
                      NsPerOperation(result) / 1e3, static_cast<double>(result.operations) / result.seconds,
                      static_cast<double>(result.bytes) / result.seconds / 1e6, result.engine);
  if (result.persist.fences > 0 || result.persist.lines_flushed > 0) {
    absl::StrAppendFormat(&line, "  %.2f flushes/op %.2f fences/op %.1f pm_bytes/op",
                          PerOperation(result, static_cast<double>(result.persist.lines_flushed)),
                          PerOperation(result, static_cast<double>(result.persist.fences)),
                          PerOperation(result, static_cast<double>(result.persist.bytes_stored)));
  }
  if (result.bytes_per_record.has_value())
    absl::StrAppendFormat(&line, "  %.1f bytes/record", *result.bytes_per_record);
  if (!result.note.empty()) absl::StrAppend(&line, "  (", result.note, ")");
  if (with_percentiles && result.latency_ns.count() > 0) {
    absl::StrAppendFormat(&line, "\n%15sns: p50 %d  p90 %d  p99 %d  p99.9 %d  p99.99 %d  max %d", "",
                          result.latency_ns.Percentile(50), result.latency_ns.Percentile(90),
                          result.latency_ns.Percentile(99), result.latency_ns.Percentile(99.9),
                          result.latency_ns.Percentile(99.99), result.latency_ns.max());
  }
  return line;
}

std::string Table(const std::vector<Result>& results) {
  std::vector<std::string> engines, benchmarks;
  std::map<std::pair<std::string, std::string>, double> ns;
  for (const Result& result : results) {
    if (std::find(engines.begin(), engines.end(), result.engine) == engines.end()) engines.push_back(result.engine);
    if (std::find(benchmarks.begin(), benchmarks.end(), result.benchmark) == benchmarks.end()) {
      benchmarks.push_back(result.benchmark);
    }
    ns[{result.benchmark, result.engine}] = NsPerOperation(result);
  }
  std::string table = absl::StrFormat("%-12s", "ns/op");
  for (const std::string& engine : engines) absl::StrAppendFormat(&table, " %20s", engine);
  for (const std::string& benchmark : benchmarks) {
    absl::StrAppendFormat(&table, "\n%-12s", benchmark);
    const auto yardstick = ns.find({benchmark, "btree_map"});
    for (const std::string& engine : engines) {
      const auto found = ns.find({benchmark, engine});
      std::string cell = found == ns.end() ? "-" : absl::StrFormat("%.0f", found->second);
      if (found != ns.end() && yardstick != ns.end() && engine != "btree_map") {
        absl::StrAppendFormat(&cell, " (%.2fx btree)", found->second / yardstick->second);
      }
      absl::StrAppendFormat(&table, " %20s", cell);
    }
  }
  return table;
}

std::string Json(const std::vector<Result>& results, const WorkloadOptions& options) {
  char host[256] = "";
  gethostname(host, sizeof(host) - 1);
  const std::time_t now = std::time(nullptr);
  char date[64];
  std::strftime(date, sizeof(date), "%FT%T%z", std::localtime(&now));
  nlohmann::ordered_json json;
  json["context"] = {{"date", date},
                     {"host_name", host},
                     {"executable", "kvbench"},
                     {"num_cpus", std::thread::hardware_concurrency()},
                     {"num", options.num},
                     {"threads", options.threads},
                     {"key_bytes", Data(options.data).key().size()},
                     {"value_bytes", options.data.value_bytes}};
  json["benchmarks"] = nlohmann::ordered_json::array();
  for (const Result& result : results) {
    const auto ns = [&](double percent) { return result.latency_ns.Percentile(percent); };
    nlohmann::ordered_json entry = {
        {"name", absl::StrCat(result.engine, "/", result.benchmark)},
        {"run_name", absl::StrCat(result.engine, "/", result.benchmark)},
        {"run_type", "iteration"},
        {"repetitions", 1},
        {"repetition_index", 0},
        {"threads", options.threads},
        {"iterations", result.operations},
        {"real_time", NsPerOperation(result)},
        {"cpu_time", PerOperation(result, result.cpu_seconds * 1e9)},
        {"time_unit", "ns"},
        {"items_per_second", static_cast<double>(result.operations) / result.seconds},
        {"bytes_per_second", static_cast<double>(result.bytes) / result.seconds},
        {"flushes_per_op", PerOperation(result, static_cast<double>(result.persist.lines_flushed))},
        {"fences_per_op", PerOperation(result, static_cast<double>(result.persist.fences))},
        {"pm_bytes_per_op", PerOperation(result, static_cast<double>(result.persist.bytes_stored))},
        {"p50", ns(50)},
        {"p90", ns(90)},
        {"p99", ns(99)},
        {"p99_9", ns(99.9)},
        {"p99_99", ns(99.99)},
        {"max", result.latency_ns.max()}};
    if (result.bytes_per_record.has_value()) entry["bytes_per_record"] = *result.bytes_per_record;
    json["benchmarks"].push_back(entry);
  }
  return json.dump(2) + "\n";
}

std::vector<Result> Medians(const std::vector<std::vector<Result>>& runs) {
  std::vector<Result> medians;
  for (size_t i = 0; i < runs.front().size(); ++i) {
    std::vector<const Result*> same;
    for (const std::vector<Result>& run : runs) {
      if (i < run.size()) same.push_back(&run[i]);
    }
    std::nth_element(same.begin(), same.begin() + same.size() / 2, same.end(),
                     [](const Result* a, const Result* b) { return NsPerOperation(*a) < NsPerOperation(*b); });
    medians.push_back(*same[same.size() / 2]);
  }
  return medians;
}

}  // namespace sealkv::bench
