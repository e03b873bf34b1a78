// YCSB's workloads: mixes of reads and writes (Cooper, Silberstein, Tam, Ramakrishnan, Sears, "Benchmarking cloud
// serving systems with YCSB", 2010), the core ones by name and others by its property files.
#ifndef SEALKV_BENCH_YCSB_H_
#define SEALKV_BENCH_YCSB_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/distribution.h"

namespace sealkv::bench {

struct YcsbMix {
  // Of the operations; together 1.
  double reads = 0.95;
  double updates = 0.05;
  double inserts = 0;
  double scans = 0;
  double read_modify_writes = 0;
  Distribution distribution = Distribution::kUniform;
  double zipfian_constant = 0.99;
  uint64_t most_scanned = 1000;  // records; a scan takes 1 to so many, uniformly

  bool writes() const { return updates > 0 || inserts > 0 || read_modify_writes > 0; }
};

// The core workloads, "ycsba" to "ycsbf"; nothing for other names.
std::optional<YcsbMix> CoreMix(std::string_view benchmark);

struct YcsbProperties {
  YcsbMix mix;
  std::optional<uint64_t> records;
  std::optional<uint64_t> operations;
  uint64_t value_bytes = 1000;
  std::vector<std::string> warnings;  // of what has no meaning here
};

using PropertyMap = std::map<std::string, std::string>;

// Adds the lines of a Java property file, KEY=VALUE; later ones win.
absl::Status ReadPropertyFile(const std::string& path, PropertyMap* properties);
// Adds one, as -p has it.
absl::Status AddProperty(std::string_view text, PropertyMap* properties);

// InvalidArgument: a property has a value that it can't have.
absl::StatusOr<YcsbProperties> Interpret(const PropertyMap& properties);

}  // namespace sealkv::bench

#endif  // SEALKV_BENCH_YCSB_H_
