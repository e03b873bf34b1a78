// Threads over one store, interleaved by a seed at every action that passes the seam, crashed at every one of them:
// after each crash what is there is what some order of the calls leaves (crash/linearizable.h). A value that a reader was
// given is there, or was replaced by a later one.
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
constexpr uint64_t kSchedules = 400;

void ExpectAllRecover(const ConcurrentScenario& scenario, Table& table, const std::string& row) {
  const ConcurrentRecording recording = Record(scenario);
  for (const std::string& problem : recording.problems) ADD_FAILURE() << problem;
  const Exploration found = Explore(recording, {.limits = kLimits, .most_seconds_per_image = 60});
  table.Add(row, found);
  for (const std::string& failure : found.first_failures) ADD_FAILURE() << failure;
  EXPECT_EQ(found.failures, 0u);
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
    for (uint64_t i = 0; i < testing::Scaled(20) && !HasFailure(); ++i) {
      scenario.seed = testing::TestSeed() + i;
      ExpectAllRecover(scenario, table, scenario.kind);
      if (HasFailure()) FAIL() << scenario.kind << ", SEALKV_TEST_SEED=" << scenario.seed;
    }
  }
  table.Print();
}

// The same seed, the same interleaving.
TEST(CrashConcurrentTest, ASeedReplays) {
  ConcurrentScenario scenario = RandomConcurrentScenario(7);
  scenario.switch_percent = 50;
  const ConcurrentRecording first = Record(scenario);
  const ConcurrentRecording second = Record(scenario);
  ASSERT_EQ(first.log.events.size(), second.log.events.size());
  bool has_interleaved = false;
  for (size_t i = 0; i < first.log.events.size(); ++i) {
    EXPECT_EQ(first.log.events[i].thread, second.log.events[i].thread) << i;
    EXPECT_EQ(first.log.events[i].first_word, second.log.events[i].first_word) << i;
    has_interleaved |= i > 0 && !first.log.events[i].is_mark() && !first.log.events[i - 1].is_mark() &&
                       first.log.events[i].thread != first.log.events[i - 1].thread;
  }
  EXPECT_TRUE(has_interleaved);
}

}  // namespace
}  // namespace sealkv::crash
