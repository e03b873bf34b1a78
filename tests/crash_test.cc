// After any crash the store opens with exactly the acknowledged operations, and the one in flight whole or not at all:
// every kind of operation, crashed at every store and every fence, in every state that the cache could leave the memory
// in (or, where these are more than 4,096, a selection). See crash/durability.h for the model, crash/scenarios.cc for
// the operations, crash/oracle.cc for what is asked of each image, and docs/crash-testing.md for the whole.
#include <cctype>
#include <string>

#include "gtest/gtest.h"
#include "tests/crash/explorer.h"
#include "tests/crash/scenario.h"
#include "tests/crash/table.h"
#include "tests/random.h"

namespace sealkv::crash {
namespace {

constexpr ImageLimits kFewOfMany{.exhaustive_images = 64, .line_contents = 3, .random_images = 16};

class CrashTest : public ::testing::TestWithParam<Scenario> {
 protected:
  static void SetUpTestSuite() { table_ = new Table; }
  static void TearDownTestSuite() {
    table_->Print();
    delete table_;
  }

  void RecordIt() {
    recording_ = Record(GetParam());
    for (const std::string& problem : recording_.problems) ADD_FAILURE() << problem;
    EXPECT_GE(recording_.times_happened, GetParam().times) << "the scenario doesn't do what it is for";
  }

  // On another platform most images are those of the first, with the same allowed, which EveryImageRecovers judges.
  void ExpectOthersRecover(Platform platform) {
    RecordIt();
    const ImageSet known = ImagesOf(recording_, {.limits = LimitsOfAll(), .seed = testing::TestSeed()});
    // A platform may know fewer images, or the same: a sample will do.
    ExpectAllRecover({.platform = platform, .limits = {.exhaustive_images = 256}, .known_images = &known},
                     std::string("all kinds, ") + PlatformName(platform));
  }

  static ImageLimits LimitsOfAll() { return GetParam().is_large ? kFewOfMany : ImageLimits(); }

  // Returns what was found.
  Exploration ExpectAllRecover(ExploreOptions options, const std::string& row) {
    const Recording* const recording = &recording_;
    options.seed = testing::TestSeed();
    options.most_seconds_per_image = 60;  // a judgement takes some 20 microseconds; one that hangs should be seen to
    const Exploration found = Explore(*recording, options);
    table_->Add(row, found);
    for (const std::string& failure : found.first_failures) ADD_FAILURE() << failure;
    EXPECT_EQ(found.failures, 0u) << "SEALKV_TEST_SEED=" << testing::TestSeed();
    return found;
  }

 private:
  static inline Table* table_ = nullptr;
  ScenarioRecording recording_;
};

// One row for each kind. Recovery is crashed, and the recovery from that, for one in four images.
TEST_P(CrashTest, EveryImageRecovers) {
  RecordIt();
  const ExploreOptions options{
      .limits = LimitsOfAll(), .recovery_crashes = 2, .recovery_one_in = GetParam().is_large ? 2000u : 4u};
  const Exploration found = ExpectAllRecover(options, GetParam().kind);
  if (GetParam().redo == Scenario::Redo::kMayBe) return;
  EXPECT_EQ(found.redo_images > 0, GetParam().redo == Scenario::Redo::kIs) << found.redo_images << " images to redo";
}

TEST_P(CrashTest, WithPersistentCaches) { ExpectOthersRecover(Platform::kEadr); }

TEST_P(CrashTest, WithThePageCache) { ExpectOthersRecover(Platform::kPageCache); }

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
