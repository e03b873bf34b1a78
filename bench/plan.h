// What the command line asks for.
#ifndef SEALKV_BENCH_PLAN_H_
#define SEALKV_BENCH_PLAN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/engine.h"
#include "bench/workload.h"
#include "bench/ycsb.h"

namespace sealkv::bench {

struct Plan {
  std::vector<std::string> benchmarks;
  std::vector<std::string> engines;
  WorkloadOptions workload;
  EngineOptions engine;  // without the path, which each engine derives from `db`
  std::string db;
  bool keep = false;
  uint32_t repetitions = 1;
  bool histogram = false;
  bool limits = false;
  std::string against;  // the engine that the others are compared with
  std::string csv, json, mark_operations;
  std::vector<std::string> remarks;  // what isn't quite as it was asked for

  // One engine that runs once needs no processes of its own: it runs in this one.
  bool is_single() const { return engines.size() == 1 && repetitions == 1; }
};

extern const char kUsage[];

// Takes YCSB's -P FILE and -p KEY=VALUE out of the command line, before its flags are parsed.
absl::StatusOr<PropertyMap> TakeProperties(int* argc, char** argv);

// From the flags. InvalidArgument: says what is wrong with which.
absl::StatusOr<Plan> MakePlan(const PropertyMap& properties);

}  // namespace sealkv::bench

#endif  // SEALKV_BENCH_PLAN_H_
