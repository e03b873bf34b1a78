// What a load is to do, worked out from the command line, the store and the input before anything is changed.
#ifndef SEALKV_TOOLS_LOAD_PLAN_H_
#define SEALKV_TOOLS_LOAD_PLAN_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "daxfile/tier.h"
#include "kv/sealkv.h"
#include "tools/args.h"
#include "tools/mdb_text.h"

namespace sealkv::tools {

// No line of a dump is longer: a value of which each byte is escaped.
inline constexpr size_t kLineBytesMax = 3 * kMaxValueBytes + 2;

struct LoadPlan {
  std::string store;
  bool creates_store = false;
  uint64_t capacity_bytes = 0;  // if it does
  uint64_t max_bytes = 0;
  uint64_t change_log_bytes = 0;
  daxfile::Tier weakest_tier = daxfile::Tier::kMsync;
  bool emulate_on_dram = false;
  bool keeps_existing = false;
  std::optional<std::string> database;
  uint64_t input_bytes = 0;  // 0: not known
};

// `input` is where the dump comes from; if it is a file, it is read through to learn how much space it needs.
absl::StatusOr<LoadPlan> PlanLoad(const Args& args, int input, const MdbTextReader::Header& header);

// The capacity that a store for so many bytes of records and so many keys gets: twice what they take.
uint64_t CapacityFor(uint64_t record_bytes, uint64_t keys);

}  // namespace sealkv::tools

#endif  // SEALKV_TOOLS_LOAD_PLAN_H_
