// What this machine's memory can do: the least that a read or a durable write can take.
#ifndef SEALKV_BENCH_LIMITS_H_
#define SEALKV_BENCH_LIMITS_H_

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace sealkv::bench {

struct Limit {
  std::string name;  // "cold_persist_ns"
  std::string what;  // for people
  double ns;
};

// Some seconds. ResourceExhausted: no memory for it.
absl::StatusOr<std::vector<Limit>> MeasureLimits();

std::string LimitsTable(const std::vector<Limit>& limits);
nlohmann::ordered_json LimitsJson(const std::vector<Limit>& limits);

// The least that an operation of a benchmark can take, if it is a single read or write of a random record.
std::optional<double> FloorNs(std::string_view benchmark, const std::vector<Limit>& limits);

}  // namespace sealkv::bench

#endif  // SEALKV_BENCH_LIMITS_H_
