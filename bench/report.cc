#include "bench/report.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace sealkv::bench {
namespace {

std::string Details(const Result& result) {
  std::string line = absl::StrFormat("\n%15s", "");
  if (const Histogram& ns = result.latency_ns; ns.count() > 0) {
    absl::StrAppendFormat(&line, "ns: p50 %d  p90 %d  p99 %d  p99.9 %d  p99.99 %d  max %d; ", ns.Percentile(50),
                          ns.Percentile(90), ns.Percentile(99), ns.Percentile(99.9), ns.Percentile(99.99), ns.max());
  }
  absl::StrAppendFormat(&line, "CPU %.3f micros/op; RSS %.0f MiB, %.0f anonymous",
                        result.PerOperation(result.cpu_seconds * 1e6), result.rss_bytes / 1048576.0,
                        result.rss_anon_bytes / 1048576.0);
  return line;
}

template <typename T>
void AddOnce(std::vector<T>& all, const T& one) {
  if (std::find(all.begin(), all.end(), one) == all.end()) all.push_back(one);
}

// Where the one asked for isn't among them: the first that isn't this store.
std::string YardstickOf(const std::vector<std::string>& engines, std::string_view against) {
  if (std::find(engines.begin(), engines.end(), against) != engines.end()) return std::string(against);
  const auto other =
      std::find_if(engines.begin(), engines.end(), [](const std::string& one) { return one != "sealkv"; });
  return other != engines.end() ? *other : std::string(against);
}

}  // namespace

std::string Line(const Result& result, bool with_details) {
  std::string line =
      absl::StrFormat("%-12s : %10.3f micros/op %9.0f ops/sec; %7.1f MB/s  [%s]", result.benchmark,
                      result.NsPerOperation() / 1e3, static_cast<double>(result.operations) / result.seconds,
                      static_cast<double>(result.bytes) / result.seconds / 1e6, result.engine);
  if (result.persist.fences > 0 || result.persist.lines_flushed > 0) {
    absl::StrAppendFormat(&line, "  %.2f flushes/op %.2f fences/op %.1f pm_bytes/op",
                          result.PerOperation(static_cast<double>(result.persist.lines_flushed)),
                          result.PerOperation(static_cast<double>(result.persist.fences)),
                          result.PerOperation(static_cast<double>(result.persist.bytes_stored)));
  }
  if (result.bytes_per_record.has_value())
    absl::StrAppendFormat(&line, "  %.1f bytes/record", *result.bytes_per_record);
  if (!result.note.empty()) absl::StrAppend(&line, "  (", result.note, ")");
  if (with_details) line += Details(result);
  return line;
}

std::string Table(const std::vector<Result>& results, std::string_view against, const std::vector<Limit>& limits) {
  std::vector<std::string> engines, benchmarks;
  int name_width = 12;
  std::map<std::pair<std::string, std::string>, double> ns;
  for (const Result& result : results) {
    AddOnce(engines, result.engine);
    std::string benchmark = result.benchmark;
    for (int time = 2; ns.contains({benchmark, result.engine}); ++time) {
      benchmark = absl::StrCat(result.benchmark, " #", time);
    }
    AddOnce(benchmarks, benchmark);
    name_width = std::max(name_width, static_cast<int>(benchmark.size()));
    ns[{benchmark, result.engine}] = result.NsPerOperation();
  }
  const std::string yardstick_name = YardstickOf(engines, against);
  const int width = limits.empty() ? 24 : 32;
  std::string table = absl::StrFormat("%-*s", name_width, "ns/op");
  for (const std::string& engine : engines) absl::StrAppendFormat(&table, " %*s", width, engine);
  for (const std::string& benchmark : benchmarks) {
    absl::StrAppendFormat(&table, "\n%-*s", name_width, benchmark);
    const auto yardstick = ns.find({benchmark, yardstick_name});
    const std::optional<double> floor_ns = FloorNs(benchmark.substr(0, benchmark.find(' ')), limits);
    for (const std::string& engine : engines) {
      const auto found = ns.find({benchmark, engine});
      std::string cell = found == ns.end() ? "-" : absl::StrFormat("%.0f", found->second);
      if (found != ns.end() && yardstick != ns.end() && engine != yardstick_name) {
        absl::StrAppendFormat(&cell, " (%.2fx %s)", found->second / yardstick->second,
                              yardstick_name == "btree_map" ? "btree" : yardstick_name);
      }
      if (found != ns.end() && !limits.empty()) {
        absl::StrAppend(&cell, floor_ns.has_value() ? absl::StrFormat(" %5.1f", found->second / *floor_ns) : "     -");
      }
      absl::StrAppendFormat(&table, " %*s", width, cell);
    }
  }
  if (!limits.empty()) {
    table +=
        "\nlast figure: multiples of the least that it can take. A read: one dependent read of a random line; a "
        "write that is durable: that, and making one cold line durable (addhot: a hot line, and no read)";
  }
  return table;
}

}  // namespace sealkv::bench
