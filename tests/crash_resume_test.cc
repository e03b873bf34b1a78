// A store that went on after a power cut, and meets the next one: whatever the first has left (free slots, nodes and
// records that were written and never became part of the tree, bounds that were lowered in vain, segments that nothing
// lives in), a run that begins there is as safe as one that begins with an empty store.
#include <cstring>
#include <memory>
#include <vector>

#include "daxfile/dax_file.h"
#include "gtest/gtest.h"
#include "kv/sealkv.h"
#include "tests/crash/durability.h"
#include "tests/crash/explorer.h"
#include "tests/crash/random_scenario.h"
#include "tests/crash/scenario.h"
#include "tests/memory_store.h"
#include "tests/random.h"

namespace sealkv::crash {
namespace {

using testing::Random;

constexpr ImageLimits kLimits{.exhaustive_images = 64, .line_contents = 6, .random_images = 8};
constexpr uint64_t kRuns = 6;
constexpr unsigned kCrashes = 4;  // one after the other

// What a crash at some point may have left.
std::vector<std::byte> AnyImageOf(const Log& log, Random& random) {
  DurabilityModel model(log.initial_words);
  size_t first = 0;  // the crash is behind the first acknowledgement: before it there may be no store
  while (log.events[first].kind != EventKind::kOperationEnd) ++first;
  const size_t last = random.Between(first, log.events.size() - 1);
  for (size_t i = 0; i <= last; ++i) model.Apply(log, log.events[i]);
  std::vector<std::byte> image(model.durable_words().size_bytes());
  std::memcpy(image.data(), model.durable_words().data(), image.size());
  for (const auto& [line, pending] : model.pending()) {
    const LineChoices choices = model.ChoicesOf(line, 64, random);
    const LineContent& content = choices.contents[random.Below(choices.contents.size())];
    std::memcpy(image.data() + line * kLineBytes, content.data(), kLineBytes);
  }
  return image;
}

// By way of a copy: opening writes.
testing::Model ContentsOf(const std::vector<std::byte>& image) {
  const testing::Memory memory(image.size());
  std::memcpy(memory.data(), image.data(), image.size());
  testing::Model contents;
  const auto store = Store::Attach(daxfile::DaxFile::OverMemory(memory.span()), Background::kNone);
  EXPECT_TRUE(store.ok()) << store.status();
  if (!store.ok()) return contents;
  const std::unique_ptr<Iterator> iterator = (*store)->NewIterator();
  for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) {
    contents.emplace(iterator->key(), iterator->value());
  }
  EXPECT_TRUE(iterator->status().ok()) << iterator->status();
  return contents;
}

TEST(CrashResumeTest, ARunThatGoesOnAfterACrashIsAsSafe) {
  for (uint64_t run = 0; run < testing::Scaled(kRuns) && !HasFailure(); ++run) {
    const uint64_t seed = testing::TestSeed() + 100 * run;
    Random random(seed);
    Scenario scenario = RandomScenario(seed);
    for (unsigned crash = 0; crash < kCrashes && !HasFailure(); ++crash) {
      const ScenarioRecording recording = Record(scenario);
      for (const std::string& problem : recording.problems) ADD_FAILURE() << problem;
      const Exploration found =
          Explore(recording, {.limits = kLimits, .most_seconds_per_image = 60, .seed = seed + crash});
      for (const std::string& failure : found.first_failures) ADD_FAILURE() << failure;
      EXPECT_EQ(found.failures, 0u) << "SEALKV_TEST_SEED=" << seed << ", after " << crash << " crashes";
      scenario = RandomScenario(seed + crash + 1);
      scenario.setup.clear();
      scenario.operations.insert(scenario.operations.begin(), random.OneIn(2) ? Reopen() : Recover());
      scenario.image = AnyImageOf(recording.log, random);
      scenario.image_contents = ContentsOf(scenario.image);
    }
  }
}

}  // namespace
}  // namespace sealkv::crash
