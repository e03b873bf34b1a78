#include "bench/capacity.h"

#include "gtest/gtest.h"

namespace sealkv::bench {
namespace {

constexpr uint64_t kLeastBytes = uint64_t{64} << 20;

Plan PlanOf(std::vector<std::string> benchmarks) {
  Plan plan;
  plan.workload.num = 1000;
  plan.benchmarks = std::move(benchmarks);
  return plan;
}

// A mix may insert many times as many records as there are at first.
TEST(Capacity, TakesWhatAMixInserts) {
  Plan plan = PlanOf({"fillrandom", "ycsbd"});
  plan.workload.reads = 40'000'000;
  EXPECT_GT(CapacityFor(plan) - kLeastBytes, 40'000'000 / 20 * 29) << "ycsbd: each twentieth is an insert";
}

TEST(Capacity, GrowsWithEachBenchmarkThatWritesRecords) {
  for (const char* benchmark : {"overwrite", "addcold", "ycsba", "ycsbf"}) {
    Plan once = PlanOf({"fillrandom"});
    once.workload.data.key_kind = KeyKind::kYcsb;
    once.workload.data.value_bytes = 100;
    Plan twice = once;
    twice.benchmarks.push_back(benchmark);
    EXPECT_GT(CapacityFor(twice), CapacityFor(once)) << benchmark;
  }
}

}  // namespace
}  // namespace sealkv::bench
