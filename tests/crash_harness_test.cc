// The harness around the crash tests: mutants are found where they should be, lists are made short, cases replay.
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "daxfile/dax_file.h"
#include "gtest/gtest.h"
#include "tests/crash/campaign.h"
#include "tests/crash/minimise.h"
#include "tests/crash/mutation.h"
#include "tests/crash/random_scenario.h"
#include "tests/crash/recorder.h"
#include "tests/crash/schedule.h"
#include "tests/crash/single_step.h"
#include "tests/memory_store.h"
#include "tests/random.h"

namespace sealkv::crash {
namespace {

// The first line holds the magic number, the only word that counts while this isn't a store.
class MutationTest : public ::testing::Test {
 protected:
  uint64_t* word(size_t i) { return reinterpret_cast<uint64_t*>(memory_.data()) + i; }
  daxfile::Persist& persist() { return file_.persist(); }

  // Without the numbers of the lines.
  std::set<std::string> Names() {
    std::set<std::string> names;
    for (auto [mutation, occurrences] : MutationsOf(recorder_.log())) {
      std::string name;
      switch (mutation.kind) {
        case Mutation::Kind::kLeaveOut:
          name = "no " + mutation.site.action;
          break;
        case Mutation::Kind::kLeaveOutFirst:
          name = "not the first";
          break;
        case Mutation::Kind::kLeaveOutLast:
          name = "not the last";
          break;
        case Mutation::Kind::kCached:
          name = "cached";
          break;
        case Mutation::Kind::kSwap:
          name = mutation.other.action + " before " + mutation.site.action;
          break;
      }
      names.insert(name);
    }
    return names;
  }

  testing::Memory memory_{4096};
  Recorder recorder_{memory_.span()};
  daxfile::DaxFile file_ = daxfile::DaxFile::OverMemory(memory_.span(), &recorder_);
};

TEST_F(MutationTest, ACommit) {
  persist().Store(word(0), 1);
  persist().Flush(word(0), 8);
  persist().Fence();
  EXPECT_EQ(Names(), (std::set<std::string>{"no flush", "no fence", "flush before store", "fence before flush"}));
}

TEST_F(MutationTest, AFenceAndTheCommitBehindIt) {
  persist().Fence();
  persist().Store(word(0), 1);
  EXPECT_EQ(Names(), (std::set<std::string>{"no fence", "store before fence"}));
}

TEST_F(MutationTest, NobodyLooksAtTheWordBehindTheFence) {
  persist().Fence();
  persist().Store(word(9), 1);
  EXPECT_EQ(Names(), (std::set<std::string>{"no fence"}));
}

TEST_F(MutationTest, DifferentLinesHaveNoOrder) {
  persist().Store(word(8), 1);
  persist().Store(word(0), 1);
  persist().Flush(word(8), 8);
  EXPECT_TRUE(Names().contains("no flush"));
  EXPECT_FALSE(Names().contains("store before store"));
  EXPECT_FALSE(Names().contains("flush before store"));
}

TEST_F(MutationTest, NonTemporalCopiesAndFlushesOfSeveralLines) {
  const uint64_t words[16] = {};
  persist().CopyNonTemporal(word(16), words, sizeof(words));
  persist().Fence();
  persist().Copy(word(16), words, sizeof(words));
  persist().Flush(word(16), sizeof(words));
  EXPECT_EQ(Names(), (std::set<std::string>{"no flush", "no fence", "cached", "not the first", "not the last",
                                            "fence before copy-nt", "flush before copy"}));
}

TEST_F(MutationTest, AMutantDiffersInThatOneThing) {
  persist().Store(word(0), 1);
  persist().Flush(word(0), 8);
  persist().Fence();
  for (const auto& [mutation, occurrences] : MutationsOf(recorder_.log())) {
    DurabilityModel model(recorder_.log().initial_words);
    const Log mutant = Mutate(recorder_.log(), mutation, occurrences);
    for (const Event& event : mutant.events) model.Apply(mutant, event);
    EXPECT_EQ(model.pending().size(), 1u) << mutation.Name();
    EXPECT_EQ(model.durable_words()[0], 0u) << mutation.Name();
  }
}

TEST(MinimiseTest, WhatIsNeededIsLeft) {
  std::vector<int> items;
  for (int i = 0; i < 100; ++i) items.push_back(i);
  size_t tries = 0;
  const auto fails = [&](const std::vector<int>& some) {
    ++tries;
    const std::set<int> set(some.begin(), some.end());
    return set.contains(3) && set.contains(41) && set.contains(97);
  };
  EXPECT_EQ(Minimise(items, fails), (std::vector<int>{3, 41, 97}));
  EXPECT_LT(tries, 100u);
  EXPECT_EQ(Minimise(items, [](const auto&) { return true; }), std::vector<int>());
}

TEST(CaseTest, NamesReplay) {
  for (uint64_t i = 0; i < 300; ++i) {
    const Case one = CaseOf(7, i);
    const std::optional<Case> parsed = Case::Parse(one.Name());
    ASSERT_TRUE(parsed.has_value()) << one.Name();
    EXPECT_EQ(parsed->kind, one.kind);
    EXPECT_EQ(parsed->seed, one.seed);
  }
  for (const char* name : {"", "threads", "threads:", "threads:x", "thread:1", "operations:-1", ":1"}) {
    EXPECT_FALSE(Case::Parse(name).has_value()) << name;
  }
}

TEST(CaseTest, TheSameCaseFindsTheSame) {
  for (const Case::Kind kind : {Case::Kind::kThreads, Case::Kind::kOperations}) {
    if (kind == Case::Kind::kOperations && testing::Scaled(10) < 10) continue;  // minutes under a sanitizer
    const Exploration first = crash::Run({kind, 11});
    const Exploration second = crash::Run({kind, 11});
    EXPECT_EQ(first.points, second.points);
    EXPECT_EQ(first.images, second.images);
    EXPECT_EQ(first.failures, 0u);
  }
}

TEST(ScheduleTest, AWaitLetsTheOthersRun) {
  Schedule schedule(1, /*switch_percent=*/0);
  bool is_set = false;
  std::vector<int> order;
  schedule.Run({[&] {
                  while (!is_set) schedule.Wait();
                  order.push_back(1);
                },
                [&] {
                  order.push_back(2);
                  is_set = true;
                }});
  EXPECT_EQ(order, (std::vector<int>{2, 1}));
}

TEST(SingleStepTest, EachInstructionIsSeen) {
  if (!SingleStep::IsAvailable()) GTEST_SKIP() << "no trap flag here";
  uint64_t instructions = 0;
  volatile int sum = 0;
  {
    const SingleStep step([&] { ++instructions; });
    for (int i = 0; i < 100; ++i) sum = sum + i;
  }
  const uint64_t seen = instructions;
  EXPECT_GT(seen, 300u);
  for (int i = 0; i < 100; ++i) sum = sum + i;
  EXPECT_EQ(instructions, seen) << "it goes on when it is over";
}

}  // namespace
}  // namespace sealkv::crash
