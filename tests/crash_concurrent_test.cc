// Threads over one store, interleaved by a seed at every action that passes the seam, crashed at every one of them:
// after each crash what is there is what some order of the calls leaves (crash/linearizable.h). A value that a reader
// was given is there, or was replaced by a later one.
#include <algorithm>
#include <string>

#include "gtest/gtest.h"
#include "tests/crash/concurrent.h"
#include "tests/crash/explorer.h"
#include "tests/crash/random_scenario.h"
#include "tests/crash/table.h"
#include "tests/random.h"

namespace sealkv::crash {
namespace {

constexpr ImageLimits kLimits{.exhaustive_images = 256, .line_contents = 8, .random_images = 16};
constexpr uint64_t kSchedules = 300;

// Returns what was found.
Exploration ExpectAllRecover(const ConcurrentScenario& scenario, Table& table, const std::string& row) {
  const ConcurrentRecording recording = Record(scenario);
  for (const std::string& problem : recording.problems) ADD_FAILURE() << problem;
  const Exploration found = Explore(recording, {.limits = kLimits, .most_seconds_per_image = 60});
  table.Add(row, found);
  for (const std::string& failure : found.first_failures) ADD_FAILURE() << failure;
  EXPECT_EQ(found.failures, 0u);
  return found;
}

TEST(CrashConcurrentTest, RandomThreads) {
  Table table;
  for (uint64_t i = 0; i < testing::Scaled(kSchedules) && !HasFailure(); ++i) {
    const uint64_t seed = testing::TestSeed() + i;
    ExpectAllRecover(RandomConcurrentScenario(seed), table, "random threads");
    if (HasFailure()) FAIL() << "alone: SEALKV_TEST_SEED=" << seed << " SEALKV_TEST_SCALE=0";
  }
  table.Print();
}

TEST(CrashConcurrentTest, Scripts) {
  Table table;
  for (ConcurrentScenario& scenario : ConcurrentScenarios()) {
    uint64_t most_lanes = 0;
    const uint64_t first_seed = scenario.seed + testing::TestSeed();
    for (uint64_t i = 0; i < testing::Scaled(12) && !HasFailure(); ++i) {
      scenario.seed = first_seed + i;
      scenario.stepped_thread =
          i % 6 == 0 ? static_cast<unsigned>(i / 6 % scenario.threads.size()) + 1 : 0;  // each in turn, or none
      most_lanes = std::max(most_lanes, ExpectAllRecover(scenario, table, scenario.kind).most_lanes);
      if (HasFailure()) FAIL() << scenario.kind << ", SEALKV_TEST_SEED=" << testing::TestSeed() + i;
    }
    if (testing::Scaled(12) >= 12) {
      EXPECT_GE(most_lanes, scenario.lanes) << scenario.kind << ": no crash with so many batches committed at once";
    }
  }
  table.Print();
}

// The same seed, the same interleaving.
TEST(CrashConcurrentTest, ASeedReplays) {
  ConcurrentScenario scenario = RandomConcurrentScenario(7);
  scenario.switch_percent = 50;
  scenario.stepped_thread = 1;
  Record(scenario);  // what happens once in a process is over
  const ConcurrentRecording first = Record(scenario);
  const ConcurrentRecording second = Record(scenario);
  ASSERT_EQ(first.log.events.size(), second.log.events.size());
  size_t in_flight = 0;
  size_t most_in_flight = 0;
  for (size_t i = 0; i < first.log.events.size(); ++i) {
    EXPECT_EQ(first.log.events[i].thread, second.log.events[i].thread) << i;
    EXPECT_EQ(first.log.events[i].first_word, second.log.events[i].first_word) << i;
    in_flight += first.log.events[i].kind == EventKind::kOperationBegin;
    in_flight -= first.log.events[i].kind == EventKind::kOperationEnd;
    most_in_flight = std::max(most_in_flight, in_flight);
  }
  EXPECT_EQ(most_in_flight, scenario.threads.size());
}

}  // namespace
}  // namespace sealkv::crash
