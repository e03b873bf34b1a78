#include "bench/plan_check.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "kv/sealkv.h"

namespace sealkv::bench {
namespace {

// So much that nobody misses more, and so little that products with threads and batches don't wrap.
constexpr uint64_t kMostOperations = uint64_t{1} << 48;
constexpr uint64_t kMostBytes = uint64_t{1} << 50;  // of a store

absl::Status CheckNames(const Plan& plan) {
  for (const std::string& name : plan.benchmarks) {
    if (absl::Status status = CheckIsOneOf(WorkloadNames(), name, "benchmark"); !status.ok()) return status;
  }
  std::set<std::string> seen;
  for (const std::string& name : plan.engines) {
    if (absl::Status status = CheckIsOneOf(EngineNames(), name, "engine"); !status.ok()) return status;
    if (!seen.insert(name).second) return absl::InvalidArgumentError(absl::StrCat("--engines names ", name, " twice"));
  }
  if (plan.engines.empty() || plan.benchmarks.empty()) {
    return absl::InvalidArgumentError("--engines and --benchmarks must name at least one each");
  }
  return CheckIsOneOf(EngineNames(), plan.against, "engine");
}

absl::Status CheckRanges(const Plan& plan) {
  struct Range {
    const char* flag;
    uint64_t value, least, most;
  };
  const WorkloadOptions& workload = plan.workload;
  const bool has_key_size = workload.data.key_kind == KeyKind::kString;
  for (const Range& range : {
           Range{"--num", workload.num, 1, kMostOperations},
           Range{"--reads", workload.reads, 0, kMostOperations},
           Range{"--threads", workload.threads, 1, 1024},
           Range{"--repetitions", plan.repetitions, 1, 1000000},
           Range{"--key_size", has_key_size ? workload.data.key_bytes : 16, 16, kMaxKeyBytes},
           Range{"--value_size", workload.data.value_bytes, 0, kMaxValueBytes},
           Range{"--batch_size", workload.batch_size, 1, 1000000000},
           Range{"--seek_nexts", workload.seek_nexts, 0, kMostOperations},
           Range{"--capacity", plan.engine.capacity_bytes, 0, kMostBytes},
           Range{"--max_capacity", plan.engine.max_capacity_bytes, 0, kMostBytes},
           Range{"--change_log", plan.engine.change_log_bytes, 0, kMostBytes},
       }) {
    if (range.value >= range.least && range.value <= range.most) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(range.flag, "=", range.value, ": must be ", range.least, " to ", range.most));
  }
  if (workload.sample_every == 0 || 4096 % workload.sample_every != 0) {
    return absl::InvalidArgumentError("--sample_every must be a divisor of 4096");
  }
  return absl::OkStatus();
}

// Flags that contradict each other.
absl::Status CheckTogether(const Plan& plan) {
  if (!plan.mark_operations.empty() && plan.repetitions > 1) {
    return absl::InvalidArgumentError("--mark_operations numbers the operations of one run: --repetitions=1");
  }
  if (!plan.csv.empty() && plan.csv != "-" && plan.csv == plan.json) {
    return absl::InvalidArgumentError("--csv and --json name the same file");
  }
  if (plan.db == kInMemory && plan.engine.weakest_tier > daxfile::Tier::kVolatile) {
    return absl::InvalidArgumentError(
        "--tier asks how durable a file is, and --db=memory has none: name a file by --db, or leave out --tier");
  }
  if (plan.db == kInMemory && plan.keep) {
    return absl::InvalidArgumentError("--keep leaves a store for later runs, and of --db=memory nothing stays");
  }
  if (plan.db == kInMemory && (plan.engine.max_capacity_bytes > 0 || plan.engine.change_log_bytes > 0)) {
    return absl::InvalidArgumentError("--max_capacity and --change_log are of a store in a file: not --db=memory");
  }
  return absl::OkStatus();
}

absl::Status CheckExisting(const Plan& plan) {
  if (plan.db.empty()) return absl::InvalidArgumentError("--use_existing_db needs --db=PATH");
  if (plan.db == kInMemory) {
    return absl::InvalidArgumentError(
        "--use_existing_db needs a store that a run with --keep has left; of --db=memory nothing stays");
  }
  if (std::any_of(plan.benchmarks.begin(), plan.benchmarks.end(), IsFill)) {
    return absl::InvalidArgumentError("a fill begins with an empty store: it can't use an existing one");
  }
  return absl::OkStatus();
}

// What needs records comes after what puts them.
absl::Status CheckOrder(const Plan& plan) {
  const auto fill = std::find_if(plan.benchmarks.begin(), plan.benchmarks.end(), IsFill);
  const auto first = std::find_if(plan.benchmarks.begin(), fill, NeedsRecords);
  if (first == fill) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--benchmarks: ", *first, " needs records, and nothing before it puts any: put a fill first ",
                   "(fillrandom, fillseq, ycsbload), or use a store that has some (--db=PATH --use_existing_db)"));
}

}  // namespace

absl::Status CheckIsOneOf(const std::vector<std::string>& names, const std::string& name, const char* what) {
  if (std::find(names.begin(), names.end(), name) != names.end()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("no such ", what, ": '", name, "'. There are: ", absl::StrJoin(names, ", ")));
}

absl::Status CheckPlan(const Plan& plan) {
  for (const auto check : {CheckNames, CheckRanges, CheckTogether}) {
    if (absl::Status status = check(plan); !status.ok()) return status;
  }
  return plan.engine.use_existing ? CheckExisting(plan) : CheckOrder(plan);
}

}  // namespace sealkv::bench
