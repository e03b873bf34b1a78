#include "bench/report/results.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace sealkv::bench {
namespace {

using Json = nlohmann::ordered_json;

// The fields of one object. The first that is wrong is kept; reading goes on with nothing in its place.
class Fields {
 public:
  Fields(const Json& object, std::string where, absl::Status& status)
      : object_(object), where_(std::move(where)), status_(status) {
    if (!object.is_object()) Fail("is missing, or not an object");
  }

  // null is what JSON has for a number that there isn't.
  const Json* Find(const char* name) const {
    if (!object_.is_object()) return nullptr;
    const auto found = object_.find(name);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
  }
  std::string Text(const char* name) {
    const Json* field = Find(name);
    if (field == nullptr) return "";
    if (field->is_string()) return field->get<std::string>();
    Fail(absl::StrCat("has a ", name, " that isn't text"));
    return "";
  }
  std::optional<double> Number(const char* name) {
    const Json* field = Find(name);
    if (field == nullptr) return std::nullopt;
    return AsNumber(*field, name);
  }
  // Nothing that is measured is beyond these, and charts needn't cope with more.
  std::optional<double> AsNumber(const Json& field, const std::string& name) {
    constexpr double kLeast = 1e-9, kGreatest = 1e30;
    const double number = field.is_number() ? field.get<double>() : -1;
    if (number == 0 || (number >= kLeast && number <= kGreatest)) return number;
    Fail(absl::StrCat("has a ", name, " that isn't a number, or not a sensible one"));
    return std::nullopt;
  }
  uint64_t Count(const char* name, uint64_t otherwise) {
    constexpr double kExactMax = 9007199254740992;  // 2^53
    const std::optional<double> number = Number(name);
    if (!number.has_value()) return otherwise;
    if (*number <= kExactMax && *number == std::floor(*number)) return static_cast<uint64_t>(*number);
    Fail(absl::StrCat("has a ", name, " that isn't a whole number"));
    return otherwise;
  }
  void Fail(const std::string& why) {
    if (status_.ok()) status_ = absl::InvalidArgumentError(absl::StrCat(where_, " ", why));
  }

 private:
  const Json& object_;
  const std::string where_;
  absl::Status& status_;
};

Shape ReadShape(Fields& fields, const Shape& otherwise) {
  Shape shape = otherwise;
  shape.key_bytes = fields.Number("key_bytes").value_or(otherwise.key_bytes);  // a mean, where keys differ in length
  shape.value_bytes = fields.Count("value_bytes", otherwise.value_bytes);
  shape.batch_size = fields.Count("batch_size", otherwise.batch_size);
  if (fields.Find("key_kind") != nullptr) shape.key_kind = fields.Text("key_kind");
  if (fields.Find("distribution") != nullptr) shape.distribution = fields.Text("distribution");
  // Files from before there were these fields go together with files that have them.
  if (shape.key_kind.empty()) shape.key_kind = shape.key_bytes == sizeof(uint64_t) ? "u64" : "string";
  if (shape.distribution == "uniform") shape.distribution.clear();
  return shape;
}

void ReadPercentiles(Fields& fields, Measurement& measurement) {
  std::array<double, kPercentileFields.size()> percentiles;
  for (size_t i = 0; i < percentiles.size(); ++i) {
    const std::optional<double> ns = fields.Number(kPercentileFields[i]);
    if (!ns.has_value()) return;
    percentiles[i] = *ns;
  }
  // An empty histogram says 0.
  if (percentiles.back() > 0) measurement.percentiles_ns = percentiles;
}

Measurement ReadMeasurement(Fields& fields, const Source& source) {
  Measurement measurement;
  const std::string name = fields.Text("name");
  const size_t slash = name.find('/');
  measurement.engine = fields.Text("engine");
  measurement.benchmark = fields.Text("benchmark");
  if (measurement.engine.empty() && slash != std::string::npos) measurement.engine = name.substr(0, slash);
  if (measurement.benchmark.empty() && slash != std::string::npos) measurement.benchmark = name.substr(slash + 1);
  if (measurement.engine.empty() || measurement.benchmark.empty())
    fields.Fail("has no name of the form engine/benchmark");
  if (fields.Find("time_unit") != nullptr && fields.Text("time_unit") != "ns") {
    fields.Fail("has times in another unit than ns");
  }
  measurement.shape = ReadShape(fields, source.shape);
  measurement.num = fields.Count("num", source.num);
  measurement.threads = fields.Count("threads", source.threads);
  measurement.ns = fields.Number("real_time").value_or(0);
  if (measurement.ns <= 0) fields.Fail("has no real_time above 0");
  if (const Json* runs = fields.Find("real_time_runs"); runs != nullptr && runs->is_array()) {
    for (const Json& run : *runs) {
      const double ns = fields.AsNumber(run, "real_time_runs").value_or(0);
      if (ns > 0) measurement.ns_runs.push_back(ns);
    }
  }
  ReadPercentiles(fields, measurement);
  measurement.cpu_ns = fields.Number("cpu_time");
  measurement.operations = fields.Number("iterations");
  measurement.bytes_per_second = fields.Number("bytes_per_second");
  measurement.flushes = fields.Number("flushes_per_op");
  measurement.fences = fields.Number("fences_per_op");
  measurement.pm_bytes = fields.Number("pm_bytes_per_op");
  measurement.bytes_per_record = fields.Number("bytes_per_record");
  measurement.rss_bytes = fields.Number("rss_bytes");
  measurement.rss_anon_bytes = fields.Number("rss_anon_bytes");
  return measurement;
}

template <typename T>
void AddOnce(std::vector<T>& list, const T& item) {
  if (std::find(list.begin(), list.end(), item) == list.end()) list.push_back(item);
}

EngineInfo& FindOrAddEngine(const std::string& name, Results& results) {
  for (EngineInfo& engine : results.engines) {
    if (engine.name == name) return engine;
  }
  // What is measured, before what it is measured against: it keeps its place and its colour from page to page.
  const auto place = name == "sealkv" ? results.engines.begin() : results.engines.end();
  return *results.engines.insert(place, EngineInfo{.name = name});
}

// Of several descriptions the least counts.
void AddDescription(const std::string& description, EngineInfo& engine) {
  AddOnce(engine.descriptions, description);
  engine.durability = Durability::kDurable;
  for (const std::string& each : engine.descriptions) {
    if (!absl::StrContains(each, "durable when a write returns") || absl::StrContains(each, "not durable")) {
      engine.durability = Durability::kNotDurable;
    }
  }
}

void ReadEngines(Fields& context, Results& results) {
  const Json* engines = context.Find("engines");
  if (engines == nullptr) return;
  if (!engines->is_object()) return context.Fail("has engines that aren't an object");
  for (const auto& [name, description] : engines->items()) {
    if (!description.is_string()) return context.Fail("has a description of an engine that isn't text");
    AddDescription(description.get<std::string>(), FindOrAddEngine(name, results));
  }
}

void ReadLimits(Fields& context, Results& results) {
  const Json* limits = context.Find("limits");
  if (limits == nullptr) return;
  if (!limits->is_object()) return context.Fail("has limits that aren't an object");
  for (const auto& [name, value] : limits->items()) {
    const double ns = context.AsNumber(value, "limit").value_or(0);
    if (ns <= 0) continue;
    const auto same = std::find_if(results.limits_ns.begin(), results.limits_ns.end(),
                                   [&name = name](const auto& limit) { return limit.first == name; });
    if (same == results.limits_ns.end()) {
      results.limits_ns.emplace_back(name, ns);
    } else {
      same->second = std::min(same->second, ns);
    }
  }
}

bool AreOfOneThing(const Measurement& a, const Measurement& b) {
  return a.engine == b.engine && a.benchmark == b.benchmark && a.shape == b.shape && a.num == b.num &&
         a.threads == b.threads;
}

// A list of benchmarks may have one twice (overwrite, overwrite): what it measures the second time is something else.
void AddMeasurement(Measurement measurement, size_t file_begin, Source& source, Results& results) {
  AddOnce(source.engines, measurement.engine);
  std::vector<Measurement>& all = results.measurements;
  const std::string name = measurement.benchmark;
  const auto is_same = [&](const Measurement& other) { return AreOfOneThing(other, measurement); };
  for (int time = 2; std::any_of(all.begin() + file_begin, all.end(), is_same); ++time) {
    measurement.benchmark = absl::StrCat(name, " #", time);
  }
  AddOnce(source.benchmarks, measurement.benchmark);
  AddOnce(results.benchmarks, measurement.benchmark);
  FindOrAddEngine(measurement.engine, results);
  all.push_back(std::move(measurement));
}

// What an earlier file has too is replaced.
void DropRepeated(size_t file_begin, const std::string& path, Results& results) {
  std::vector<Measurement>& all = results.measurements;
  size_t dropped = 0;
  for (size_t old = file_begin; old-- > 0;) {
    const auto is_same = [&](const Measurement& other) { return AreOfOneThing(other, all[old]); };
    if (!std::any_of(all.begin() + file_begin - dropped, all.end(), is_same)) continue;
    all.erase(all.begin() + old);
    ++dropped;
  }
  if (dropped == 0) return;
  results.remarks.push_back(absl::StrCat(path, " measured ", dropped, dropped == 1 ? " thing" : " things",
                                         " that an earlier file has too, with the same settings: the later is shown."));
}

}  // namespace

absl::Status AddResults(const std::string& path, std::string_view text, Results& results) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  const std::string advice = " (a result is what kvbench --json=FILE writes)";
  if (json.is_discarded()) return absl::InvalidArgumentError(absl::StrCat(path, ": not JSON", advice));
  absl::Status status;
  Results added = results;
  static const Json kNothing;
  Fields top(json, absl::StrCat(path, ": the whole"), status);
  const Json* context_json = top.Find("context");
  Fields context(context_json != nullptr ? *context_json : kNothing, absl::StrCat(path, ": context"), status);
  Source source{.path = path, .date = context.Text("date"), .host = context.Text("host_name")};
  source.cpus = context.Count("num_cpus", 0);
  source.shape = ReadShape(context, {});
  source.num = context.Count("num", 0);
  source.threads = context.Count("threads", 1);
  source.repetitions = context.Count("repetitions", 0);
  ReadEngines(context, added);
  ReadLimits(context, added);
  const size_t file_begin = added.measurements.size();
  const Json* benchmarks = top.Find("benchmarks");
  if (benchmarks == nullptr || !benchmarks->is_array() || benchmarks->empty()) top.Fail("has no benchmarks");
  for (size_t i = 0; status.ok() && i < benchmarks->size(); ++i) {
    Fields fields((*benchmarks)[i], absl::StrCat(path, ": benchmark ", i + 1), status);
    AddMeasurement(ReadMeasurement(fields, source), file_begin, source, added);
  }
  if (!status.ok()) return absl::InvalidArgumentError(absl::StrCat(std::string(status.message()), advice));
  DropRepeated(file_begin, path, added);
  added.sources.push_back(std::move(source));
  results = std::move(added);
  return absl::OkStatus();
}

}  // namespace sealkv::bench
