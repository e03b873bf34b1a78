#include "bench/plan_check.h"

#include <limits>
#include <string>

#include "gtest/gtest.h"

namespace sealkv::bench {
namespace {

constexpr uint64_t kHuge = std::numeric_limits<uint64_t>::max() - 5;

Plan GoodPlan() {
  Plan plan;
  plan.benchmarks = {"fillrandom", "readrandom"};
  plan.engines = {"sealkv"};
  plan.against = "btree_map";
  return plan;
}

void ExpectRefused(const Plan& plan, const std::string& part) {
  const absl::Status status = CheckPlan(plan);
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << part << ": " << status;
  EXPECT_NE(status.message().find(part), absl::string_view::npos) << status;
}

TEST(PlanCheck, AGoodOnePasses) { EXPECT_TRUE(CheckPlan(GoodPlan()).ok()) << CheckPlan(GoodPlan()); }

TEST(PlanCheck, NumbersThatWouldWrapAreRefused) {
  Plan plan = GoodPlan();
  plan.workload.batch_size = kHuge;
  ExpectRefused(plan, "--batch_size=18446744073709551610: must be 1 to");
  plan = GoodPlan();
  plan.workload.batch_size = 0;
  ExpectRefused(plan, "--batch_size=0");
  plan = GoodPlan();
  plan.workload.num = kHuge;
  ExpectRefused(plan, "--num=");
  plan.workload.num = 0;
  ExpectRefused(plan, "--num=0");
  plan = GoodPlan();
  plan.workload.reads = kHuge;
  ExpectRefused(plan, "--reads=");
  plan = GoodPlan();
  plan.workload.seek_nexts = kHuge;
  ExpectRefused(plan, "--seek_nexts=");
  plan = GoodPlan();
  plan.engine.capacity_bytes = kHuge;
  ExpectRefused(plan, "--capacity=");
  plan = GoodPlan();
  plan.workload.threads = 1025;
  ExpectRefused(plan, "--threads=1025: must be 1 to 1024");
}

TEST(PlanCheck, OfMemoryNothingIsKept) {
  Plan plan = GoodPlan();
  plan.db = "memory";
  plan.keep = true;
  ExpectRefused(plan, "--keep");
}

TEST(PlanCheck, ReadsNeedAFillBeforeThem) {
  for (const char* benchmark :
       {"readrandom", "readmissing", "readseq", "seekrandom", "overwrite", "deletemost", "deleterandom", "addcold",
        "readwhilewriting", "readseqwhilewriting", "ycsba", "ycsb"}) {
    Plan plan = GoodPlan();
    plan.benchmarks = {"addhot", benchmark, "fillrandom"};
    ExpectRefused(plan, std::string(benchmark) + " needs records");
    plan.benchmarks = {"fillseq", benchmark};
    EXPECT_TRUE(CheckPlan(plan).ok()) << benchmark;
    plan.benchmarks = {benchmark};
    plan.db = "store";
    plan.engine.use_existing = true;
    EXPECT_TRUE(CheckPlan(plan).ok()) << benchmark;
  }
  Plan plan = GoodPlan();
  plan.benchmarks = {"addhot", "snapshot", "open", "compact"};
  EXPECT_TRUE(CheckPlan(plan).ok());
}

TEST(PlanCheck, MemoryHasNoTierAndNothingThatExists) {
  Plan plan = GoodPlan();
  plan.db = "memory";
  EXPECT_TRUE(CheckPlan(plan).ok());
  plan.engine.weakest_tier = daxfile::Tier::kMapSync;
  ExpectRefused(plan, "--tier");
  plan = GoodPlan();
  plan.db = "memory";
  plan.engine.change_log_bytes = 1 << 20;
  ExpectRefused(plan, "--change_log");
  plan = GoodPlan();
  plan.db = "memory";
  plan.benchmarks = {"readrandom"};
  plan.engine.use_existing = true;
  ExpectRefused(plan, "of --db=memory nothing stays");
}

TEST(PlanCheck, TwoResultsInOneFileAreRefused) {
  Plan plan = GoodPlan();
  plan.csv = plan.json = "result";
  ExpectRefused(plan, "the same file");
  plan.csv = plan.json = "-";
  EXPECT_TRUE(CheckPlan(plan).ok());
}

}  // namespace
}  // namespace sealkv::bench
