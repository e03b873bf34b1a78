#include "bench/result_json.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"

namespace sealkv::bench {

std::string Serialize(const Result& result) {
  nlohmann::json json = {{"engine", result.engine},
                         {"benchmark", result.benchmark},
                         {"threads", result.threads},
                         {"operations", result.operations},
                         {"seconds", result.seconds},
                         {"cpu_seconds", result.cpu_seconds},
                         {"bytes", result.bytes},
                         {"lines_flushed", result.persist.lines_flushed},
                         {"fences", result.persist.fences},
                         {"bytes_stored", result.persist.bytes_stored},
                         {"latency_ns", result.latency_ns.Buckets()},
                         {"latency_max_ns", result.latency_ns.max()},
                         {"rss_bytes", result.rss_bytes},
                         {"rss_anon_bytes", result.rss_anon_bytes},
                         {"note", result.note}};
  if (result.bytes_per_record.has_value()) json["bytes_per_record"] = *result.bytes_per_record;
  return json.dump();
}

absl::StatusOr<Result> Deserialize(const std::string& text) {
  Result result;
  try {
    const nlohmann::json json = nlohmann::json::parse(text);
    result.engine = json.at("engine");
    result.benchmark = json.at("benchmark");
    result.threads = json.at("threads");
    result.operations = json.at("operations");
    result.seconds = json.at("seconds");
    result.cpu_seconds = json.at("cpu_seconds");
    result.bytes = json.at("bytes");
    result.persist.lines_flushed = json.at("lines_flushed");
    result.persist.fences = json.at("fences");
    result.persist.bytes_stored = json.at("bytes_stored");
    result.latency_ns = Histogram(json.at("latency_ns"), json.at("latency_max_ns"));
    result.rss_bytes = json.at("rss_bytes");
    result.rss_anon_bytes = json.at("rss_anon_bytes");
    result.note = json.at("note");
    if (json.contains("bytes_per_record")) result.bytes_per_record = json.at("bytes_per_record").get<double>();
  } catch (const nlohmann::json::exception& error) {  // the library's way; it stays in here
    return absl::InternalError(absl::StrCat("a worker's result can't be read: ", error.what()));
  }
  return result;
}

}  // namespace sealkv::bench
