#include "bench/export.h"

#include <unistd.h>

#include <cmath>
#include <ctime>
#include <nlohmann/json.hpp>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace sealkv::bench {
namespace {

using nlohmann::ordered_json;

// Of a variable length to a tenth of a byte.
ordered_json KeyBytes(const DataOptions& data) {
  const double mean = MeanKeyBytes(data);
  if (mean == std::floor(mean)) return static_cast<uint64_t>(mean);
  return std::round(mean * 10) / 10;
}

ordered_json Context(const Plan& plan, const Outcome& outcome, const std::vector<Limit>& limits) {
  char host[256] = "";
  gethostname(host, sizeof(host) - 1);
  const std::time_t now = std::time(nullptr);
  char date[64];
  std::strftime(date, sizeof(date), "%FT%T%z", std::localtime(&now));
  const WorkloadOptions& workload = plan.workload;
  ordered_json context = {{"date", date},
                          {"host_name", host},
                          {"executable", "kvbench"},
                          {"num_cpus", std::thread::hardware_concurrency()},
                          {"num", workload.num},
                          {"threads", workload.threads},
                          {"key_kind", KeyKindName(workload.data.key_kind)},
                          {"key_bytes", KeyBytes(workload.data)},
                          {"value_bytes", workload.data.value_bytes},
                          {"batch_size", workload.batch_size},
                          {"distribution", DistributionNames()[static_cast<size_t>(workload.distribution)]},
                          {"repetitions", plan.repetitions}};
  context["engines"] = ordered_json::object();
  for (const auto& [name, description] : outcome.engines) context["engines"][name] = description;
  if (!limits.empty()) context["limits"] = LimitsJson(limits);
  return context;
}

// The fields of a result, in one order for both formats.
ordered_json Fields(const Plan& plan, const Result& result) {
  const auto ns = [&](double percent) { return result.latency_ns.Percentile(percent); };
  ordered_json fields = {{"engine", result.engine},
                         {"benchmark", result.benchmark},
                         {"num", plan.workload.num},
                         {"threads", result.threads},
                         {"key_kind", KeyKindName(plan.workload.data.key_kind)},
                         {"value_bytes", plan.workload.data.value_bytes},
                         {"repetitions", plan.repetitions},
                         {"iterations", result.operations},
                         {"real_time", result.NsPerOperation()},
                         {"cpu_time", result.PerOperation(result.cpu_seconds * 1e9)},
                         {"time_unit", "ns"},
                         {"items_per_second", static_cast<double>(result.operations) / result.seconds},
                         {"bytes_per_second", static_cast<double>(result.bytes) / result.seconds},
                         {"flushes_per_op", result.PerOperation(static_cast<double>(result.persist.lines_flushed))},
                         {"fences_per_op", result.PerOperation(static_cast<double>(result.persist.fences))},
                         {"pm_bytes_per_op", result.PerOperation(static_cast<double>(result.persist.bytes_stored))},
                         {"p50", ns(50)},
                         {"p90", ns(90)},
                         {"p99", ns(99)},
                         {"p99_9", ns(99.9)},
                         {"p99_99", ns(99.99)},
                         {"max", result.latency_ns.max()},
                         {"rss_bytes", result.rss_bytes},
                         {"rss_anon_bytes", result.rss_anon_bytes}};
  if (result.bytes_per_record.has_value()) fields["bytes_per_record"] = *result.bytes_per_record;
  return fields;
}

std::string CsvCell(const ordered_json& value) {
  if (!value.is_string()) return value.dump();
  const auto text = value.get<std::string>();
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\"", "\"\""}}), "\"");
}

}  // namespace

std::string Json(const Plan& plan, const Outcome& outcome, const std::vector<Limit>& limits) {
  ordered_json json;
  json["context"] = Context(plan, outcome, limits);
  json["benchmarks"] = ordered_json::array();
  for (const Result& result : outcome.results) {
    const std::string name = absl::StrCat(result.engine, "/", result.benchmark);
    ordered_json entry = {{"name", name}, {"run_name", name}, {"run_type", "iteration"}, {"repetition_index", 0}};
    entry.update(Fields(plan, result));
    entry["real_time_runs"] = result.runs_ns;
    if (!result.note.empty()) entry["label"] = result.note;
    json["benchmarks"].push_back(std::move(entry));
  }
  return json.dump(2) + "\n";
}

std::string Csv(const Plan& plan, const Outcome& outcome) {
  std::string text;
  for (const Result& result : outcome.results) {
    ordered_json fields = Fields(plan, result);
    if (!result.bytes_per_record.has_value()) fields["bytes_per_record"] = "";
    fields["note"] = result.note;
    std::string names, line;
    for (const auto& [name, value] : fields.items()) {
      absl::StrAppend(&names, names.empty() ? "" : ",", name);
      absl::StrAppend(&line, line.empty() ? "" : ",", CsvCell(value));
    }
    if (text.empty()) absl::StrAppend(&text, names, "\n");
    absl::StrAppend(&text, line, "\n");
  }
  return text;
}

}  // namespace sealkv::bench
