// A writer is killed, somebody opens the store, and then the power fails. What the killed one had stored and not made
// durable was visible to who came next; so that must be durable before he shows it, or builds on it.
//
// The writer is killed before each of the stores, flushes and fences of a run. Whoever comes next looks, or looks and
// writes; or only may read, and then has the store as a file, like any process. Then all is gone that he has not made
// durable, nor the killed one before.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daxfile/dax_file.h"
#include "gtest/gtest.h"
#include "kv/sealkv.h"
#include "tests/check_clean.h"
#include "tests/crash/killed.h"
#include "tests/memory_store.h"
#include "tests/model.h"
#include "tests/status.h"

namespace sealkv::crash {
namespace {

using testing::ContentsOf;
using testing::Memory;
using testing::Model;
using testing::WordValue;

enum class Next : uint8_t {
  kScans,
  kGets,
  kWrites,
  kUsesSpace,
  kUsesSpaceBesideAReader,
  kPutsALargeValue,
  // By a process that only reads, where a line is flushed by the CPU; and where all is synced.
  kScansOnly,
  kGetsOnly,
  kScansOnlyOnDisk,
  kGetsOnlyOnDisk,
  kScansOnDisk,  // by one that may write
};

// Returns what whoever comes next has been shown, or told that it is done.
Model ComeNext(Store& store, Next next, const Model& keys) {
  Model shown;
  absl::StatusOr<PinnedValue> reader;
  switch (next) {
    case Next::kScans:
    case Next::kScansOnly:
    case Next::kScansOnlyOnDisk:
    case Next::kScansOnDisk:
      return ContentsOf(store);
    case Next::kGets:
    case Next::kGetsOnly:
    case Next::kGetsOnlyOnDisk:
      for (const auto& [key, value] : keys) {
        const absl::StatusOr<std::string> got = store.Get(key);
        if (got.ok()) shown.emplace(key, *got);
      }
      return shown;
    case Next::kWrites:
      for (const auto& [key, value] : keys) EXPECT_OK(store.Put(key + "+", "written after the kill"));
      break;
    case Next::kPutsALargeValue:
      EXPECT_OK(store.WaitUntilSpaceIsKnown());
      EXPECT_OK(store.Put("large", std::string(9 * 4096 + 1000, 'l')));
      EXPECT_OK(store.Delete("large"));
      EXPECT_OK(store.WaitUntilSpaceIsKnown());
      for (int i = 0; i < 4; ++i) EXPECT_OK(store.Put("small " + std::to_string(i), std::string(900, 's')));
      break;
    case Next::kUsesSpaceBesideAReader:
      // Whoever reads holds back what could be given back.
      if (!keys.empty()) reader = store.GetPinned(keys.begin()->first);
      [[fallthrough]];
    case Next::kUsesSpace:
      EXPECT_OK(store.WaitUntilSpaceIsKnown());
      for (int i = 0; i < 30; ++i) EXPECT_OK(store.Put("new " + std::to_string(i), std::string(700, 'n')));
      for (uint64_t i = 0; i < 100; ++i) EXPECT_OK(store.Put(U64Key(1000 + i), WordValue(i)));
      break;
  }
  return ContentsOf(store);
}

using LeftOut = std::function<bool(const daxfile::Site&)>;

::testing::AssertionResult IsAllDurable(const Kill& kill, Next next, const Model& keys, const LeftOut& is_left_out) {
  const std::unique_ptr<Memory> memory = MemoryOf(kill.visible);
  std::optional<StoreFile> file;
  if (next >= Next::kScansOnly)
    file.emplace(next >= Next::kScansOnlyOnDisk ? PathOnDisk() : PathInMemory(), kill.visible);
  DurableBytes durable(file.has_value() ? file->span() : memory->span(), kill.durable);
  if (is_left_out != nullptr) durable.is_left_out = is_left_out;
  const std::unique_ptr<Store> store =
      file.has_value() ? file->Open(durable, next != Next::kScansOnDisk) : Open(*memory, &durable);
  if (store == nullptr) return ::testing::AssertionFailure() << "can't be opened after the kill";
  const Model shown = ComeNext(*store, next, keys);
  const std::unique_ptr<Memory> left = MemoryOf(durable.bytes());
  const std::unique_ptr<Store> after = Open(*left);
  if (after == nullptr) return ::testing::AssertionFailure() << "can't be opened after the power cut";
  Model found = ContentsOf(*after);
  const bool asked_for_keys = next == Next::kGets || next == Next::kGetsOnly || next == Next::kGetsOnlyOnDisk;
  if (asked_for_keys) std::erase_if(found, [&](const auto& pair) { return !keys.contains(pair.first); });
  if (found != shown) return ::testing::AssertionFailure() << "the power cut took something back";
  return testing::IsClean(left->span());
}

constexpr Next kAllNext[] = {
    Next::kScans,           Next::kGets,      Next::kWrites,   Next::kUsesSpace,       Next::kUsesSpaceBesideAReader,
    Next::kPutsALargeValue, Next::kScansOnly, Next::kGetsOnly, Next::kScansOnlyOnDisk, Next::kGetsOnlyOnDisk,
    Next::kScansOnDisk};

void TryAllKills(const KilledRun& run) {
  for (size_t i = 0; i < run.kills.size() && !::testing::Test::HasFailure(); ++i) {
    for (const Next next : kAllNext) {
      EXPECT_TRUE(IsAllDurable(run.kills[i], next, run.keys, nullptr))
          << "killed at action " << i << ", next " << static_cast<int>(next);
    }
  }
}

// Whether anybody misses what is left out.
bool IsMissed(const KilledRun& run, const LeftOut& is_left_out) {
  for (const Kill& kill : run.kills) {
    for (const Next next : kAllNext) {
      if (!IsAllDurable(kill, next, run.keys, is_left_out)) return true;
    }
  }
  return false;
}

TEST(CrashKilledTest, Pairs) { TryAllKills(Pairs()); }
TEST(CrashKilledTest, RecordsAndLayers) { TryAllKills(RecordsAndLayers()); }
TEST(CrashKilledTest, Batches) { TryAllKills(Batches()); }
TEST(CrashKilledTest, ABatchBesideAnotherWriter) { TryAllKills(ABatchBesideAnotherWriter()); }
TEST(CrashKilledTest, ManyPairs) { TryAllKills(ManyPairs()); }
TEST(CrashKilledTest, LargeValues) { TryAllKills(LargeValues()); }
TEST(CrashKilledTest, WhereChangesAreKept) { TryAllKills(WhereChangesAreKept()); }

// Each flush and fence of kv/settle.cc, but for three fences. What the superblock's keeps apart from the redo of a
// batch, and the table's from the word of a segment just taken, would only be seen by a power cut in the middle of
// that; and behind the pages' comes another one before anything of them is shown.
TEST(CrashKilledTest, NoneOfWhatIsWrittenBackCanBeLeftOut) {
  if (const daxfile::Tier tier = TierOnDisk(); tier != daxfile::Tier::kMsync) {
    GTEST_SKIP() << "the test's directory has another tier: " << daxfile::TierName(tier);
  }
  std::set<std::pair<std::string, uint32_t>> sites;
  const std::vector<KilledRun> runs = {Pairs(),     RecordsAndLayers(), Batches(), ABatchBesideAnotherWriter(),
                                       ManyPairs(), LargeValues()};
  const auto is_seen = [&](const daxfile::Site& site) {
    if (std::string_view(site.file_name()).ends_with("settle.cc")) sites.emplace(site.function_name(), site.line());
    return false;
  };
  for (const KilledRun& run : runs) EXPECT_FALSE(IsMissed(run, is_seen));
  EXPECT_EQ(sites.size(), 12u);
  size_t missed = 0;
  for (const auto& [function, line] : sites) {
    const auto is_this = [line = line](const daxfile::Site& site) {
      return site.line() == line && std::string_view(site.file_name()).ends_with("settle.cc");
    };
    const bool is_missed =
        std::any_of(runs.begin(), runs.end(), [&](const KilledRun& run) { return IsMissed(run, is_this); });
    std::printf("settle.cc:%u %s: %s\n", line, function.c_str(), is_missed ? "missed" : "not missed");
    missed += is_missed;
  }
  EXPECT_EQ(missed, 9u);
}

}  // namespace
}  // namespace sealkv::crash
