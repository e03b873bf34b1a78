// The workload of many threads (history/generator.h) on a store that is right, and on the same store broken in each of
// several ways: the first must pass the checkers, whatever the threads do; the others must not.
//
//   bazel test --test_env=SEALKV_TEST_SEED=7 --test_env=SEALKV_TEST_SCALE=20 //tests:history_workload_test
#include <cstdint>
#include <cstdio>
#include <map>
#include <string>

#include "gtest/gtest.h"
#include "tests/history/adapter.h"
#include "tests/history/generator.h"
#include "tests/history/linearizable.h"
#include "tests/history/reference_store.h"
#include "tests/history/strict_serializability.h"
#include "tests/random.h"

namespace sealkv::history {
namespace {

using testing::Scaled;
using testing::TestSeed;

RecordedRun RunOnReference(Break fault, const Workload& workload) {
  ReferenceStore store(fault);
  Adapter<ReferenceStore, ReferenceBatch, ReferenceRange> adapter(store);
  RecordedRun run = RunWorkload(adapter, workload);
  EXPECT_TRUE(run.errors.empty()) << run.errors.front();
  return run;
}

// What the checkers say together.
Report Judge(const History& history) {
  Report report = CheckStrictSerializability(history);
  const LinearizabilityReport by_key = CheckLinearizability(history);
  EXPECT_NE(report.verdict, Verdict::kUndecided);
  EXPECT_NE(by_key.verdict, Verdict::kUndecided);
  // What is wrong with one key is wrong with the whole.
  EXPECT_TRUE(by_key.verdict == Verdict::kYes || report.verdict == Verdict::kNo) << by_key.text;
  return report;
}

void ExpectSound(const Workload& workload) {
  const RecordedRun run = RunOnReference(Break::kNothing, workload);
  const Report report = Judge(run.history);
  EXPECT_EQ(report.verdict, Verdict::kYes) << report.text;
  // Its transactions see a state that was even if they abort.
  EXPECT_EQ(CheckStrictSerializability(run.history, {.search = {}, .with_aborted = true}).verdict, Verdict::kYes);
  if (::testing::Test::HasFailure()) {
    ADD_FAILURE() << "SEALKV_TEST_SEED=" << workload.seed << " (the interleaving may differ)\n"
                  << Describe(run.history);
  }
}

TEST(HistoryWorkloadTest, ARightStorePasses) {
  for (uint64_t i = 0; i < Scaled(2000) && !HasFailure(); ++i) ExpectSound({.seed = TestSeed() + i});
}

TEST(HistoryWorkloadTest, ARightStorePassesWithManyThreads) {
  for (uint64_t i = 0; i < Scaled(20) && !HasFailure(); ++i) {
    ExpectSound({.seed = TestSeed() + i, .threads = 8, .operations = 400, .registers = 4, .words = 2, .counters = 2});
  }
}

TEST(HistoryWorkloadTest, EachBreakIsFound) {
  for (const Break fault : kBreaks) {
    constexpr uint64_t kMostRuns = 5000;
    std::map<std::string, unsigned> found;
    uint64_t runs = 0;
    for (unsigned failures = 0; failures < 5 && runs < kMostRuns; ++runs) {
      const RecordedRun run = RunOnReference(fault, {.seed = TestSeed() + runs, .threads = 4, .operations = 60});
      const Report report = Judge(run.history);
      if (report.verdict != Verdict::kNo) continue;
      ++failures;
      ++found[NameOf(report.anomalies.front().kind)];
    }
    EXPECT_LT(runs, kMostRuns) << NameOf(fault) << " wasn't found";
    std::printf("%-22s %4lu runs:", NameOf(fault), runs);
    for (const auto& [name, count] : found) std::printf(" %u %s,", count, name.c_str());
    std::printf("\n");
  }
}

}  // namespace
}  // namespace sealkv::history
