// After any crash the store opens with exactly the acknowledged operations, and the one in flight whole or not at all:
// every kind of operation, crashed at every store and every fence, in every state that the cache could leave the memory
// in (or, where these are more than 4,096, a selection). See crash/crash_images.h for the model, crash/scenarios.cc for
// the operations, crash/oracle.cc for what is asked of each image.
#include <cstdio>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/crash/explorer.h"
#include "tests/crash/scenario.h"
#include "tests/random.h"

namespace sealkv::crash {
namespace {

// Printed when all is done: what was covered, and how much of it.
class Table : public ::testing::Environment {
 public:
  static void Add(const std::string& kind, const Exploration& found) {
    rows_.push_back({kind, found});
    total_.points += found.points;
    total_.images += found.images;
    total_.judgements += found.judgements;
    total_.failures += found.failures;
  }
  void TearDown() override {
    std::printf("%-44s %8s %9s %10s %9s\n", "kind", "points", "images", "judgements", "failures");
    for (const auto& [kind, found] : rows_) PrintRow(kind, found);
    PrintRow("all", total_);
  }

 private:
  static void PrintRow(const std::string& kind, const Exploration& found) {
    std::printf("%-44s %8lu %9lu %10lu %9lu\n", kind.c_str(), found.points, found.images, found.judgements,
                found.failures);
  }
  static inline std::vector<std::pair<std::string, Exploration>> rows_;
  static inline Exploration total_;
};

const ::testing::Environment* const kTable = ::testing::AddGlobalTestEnvironment(new Table);

class CrashTest : public ::testing::TestWithParam<Scenario> {};

TEST_P(CrashTest, EveryImageRecovers) {
  const Recording recording = Record(GetParam());
  for (const std::string& problem : recording.problems) ADD_FAILURE() << problem;
  EXPECT_GE(recording.times_happened, GetParam().times) << "the scenario doesn't do what it is for";

  ExploreOptions options;
  options.seed = testing::TestSeed();
  options.most_seconds_per_image = 60;  // a judgement takes 20 microseconds; one that hangs should be seen to
  const Exploration found = Explore(recording, options);
  Table::Add(GetParam().kind, found);
  for (const std::string& failure : found.first_failures) ADD_FAILURE() << failure;
  EXPECT_EQ(found.failures, 0u) << "SEALKV_TEST_SEED=" << testing::TestSeed();
}

std::string TestName(const std::string& kind) {
  std::string name;
  bool is_first = true;
  for (const char c : kind) {
    if (std::isalnum(static_cast<unsigned char>(c))) name += is_first ? static_cast<char>(std::toupper(c)) : c;
    is_first = c == ' ';
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(, CrashTest, ::testing::ValuesIn(AllScenarios()),
                         [](const auto& info) { return TestName(info.param.kind); });

}  // namespace
}  // namespace sealkv::crash
