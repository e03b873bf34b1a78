// A writer is killed, somebody opens the store, and then the power fails. What the killed one had stored and not made
// durable was visible to who came next; so that must be durable before he shows it, or builds on it.
//
// The writer is killed before each of the stores, flushes and fences of a run. Whoever comes next looks, or looks and
// writes; then all is gone that he has not made durable, nor the killed one before.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daxfile/dax_file.h"
#include "gtest/gtest.h"
#include "kv/sealkv.h"
#include "tests/check_clean.h"
#include "tests/memory_store.h"
#include "tests/model.h"
#include "tests/status.h"

namespace sealkv::crash {
namespace {

using testing::ContentsOf;
using testing::Memory;
using testing::Model;
using testing::WordValue;

using Bytes = std::vector<std::byte>;
constexpr size_t kBytes = 132 << 10;
constexpr uint64_t kLineBytes = 64;

Bytes CopyOf(const Memory& memory) { return {memory.data(), memory.data() + memory.size()}; }

// What is durable of a memory: what was written back and fenced, and nothing else.
class DurableBytes : public daxfile::PersistObserver {
 public:
  DurableBytes(const Memory& memory, Bytes durable) : memory_(memory), durable_(std::move(durable)) {}

  const Bytes& bytes() const { return durable_; }
  // Before each action.
  std::function<void()> on_event = [] {};
  // Whether a flush or fence is as if it weren't there.
  std::function<bool(const daxfile::Site&)> is_left_out = [](const daxfile::Site&) { return false; };

  void OnStore(const uint64_t*, uint64_t, const daxfile::Site&) override { on_event(); }
  void OnCopy(const void* to, const void* from, size_t bytes, bool non_temporal, const daxfile::Site&) override {
    on_event();
    if (non_temporal) WriteBack(to, from, bytes);
  }
  void OnFlush(const void* address, size_t bytes, const daxfile::Site& site) override {
    on_event();
    if (is_left_out(site)) return;
    const auto begin = reinterpret_cast<uintptr_t>(address) / kLineBytes * kLineBytes;
    const auto end = (reinterpret_cast<uintptr_t>(address) + bytes + kLineBytes - 1) / kLineBytes * kLineBytes;
    WriteBack(reinterpret_cast<const void*>(begin), reinterpret_cast<const void*>(begin), end - begin);
  }
  void OnFence(const daxfile::Site& site) override {
    on_event();
    if (is_left_out(site)) return;
    for (const auto& [at, content] : written_back_) std::memcpy(&durable_[at], content.data(), content.size());
    written_back_.clear();
  }

 private:
  void WriteBack(const void* to, const void* from, size_t bytes) {
    const auto* const content = static_cast<const std::byte*>(from);
    written_back_.emplace_back(static_cast<const std::byte*>(to) - memory_.data(), Bytes(content, content + bytes));
  }

  const Memory& memory_;
  Bytes durable_;
  std::vector<std::pair<size_t, Bytes>> written_back_;
};

// A moment at which the writer is killed.
struct Kill {
  Bytes visible;
  Bytes durable;
};

using Script = std::function<void(Store&)>;

std::vector<Kill> KillsDuring(const Script& setup, const Script& script, uint64_t change_log_bytes) {
  std::vector<Kill> kills;
  const Memory memory(kBytes);
  DurableBytes durable(memory, CopyOf(memory));
  const auto store = Store::Format(daxfile::DaxFile::OverMemory(memory.span(), &durable), Background::kNone,
                                   {.change_log_bytes = change_log_bytes});
  EXPECT_OK(store);
  if (!store.ok()) return kills;
  setup(**store);
  durable.on_event = [&] { kills.push_back({CopyOf(memory), durable.bytes()}); };
  script(**store);
  return kills;
}

std::unique_ptr<Store> Open(const Memory& memory, daxfile::PersistObserver* observer = nullptr) {
  auto store = Store::Attach(daxfile::DaxFile::OverMemory(memory.span(), observer), Background::kNone);
  EXPECT_OK(store);
  return store.ok() ? *std::move(store) : nullptr;
}

std::unique_ptr<Memory> MemoryOf(const Bytes& bytes) {
  auto memory = std::make_unique<Memory>(bytes.size());
  std::memcpy(memory->data(), bytes.data(), bytes.size());
  return memory;
}

enum class Next : uint8_t { kScans, kGets, kWrites, kUsesSpace, kUsesSpaceBesideAReader, kPutsALargeValue };

// Returns what whoever comes next has been shown, or told that it is done.
Model ComeNext(Store& store, Next next, const Model& keys) {
  Model shown;
  absl::StatusOr<PinnedValue> reader;
  switch (next) {
    case Next::kScans:
      return ContentsOf(store);
    case Next::kGets:
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
  DurableBytes durable(*memory, kill.durable);
  if (is_left_out != nullptr) durable.is_left_out = is_left_out;
  const std::unique_ptr<Store> store = Open(*memory, &durable);
  if (store == nullptr) return ::testing::AssertionFailure() << "can't be opened after the kill";
  const Model shown = ComeNext(*store, next, keys);
  const std::unique_ptr<Memory> left = MemoryOf(durable.bytes());
  const std::unique_ptr<Store> after = Open(*left);
  if (after == nullptr) return ::testing::AssertionFailure() << "can't be opened after the power cut";
  Model found = ContentsOf(*after);
  if (next == Next::kGets) std::erase_if(found, [&](const auto& pair) { return !keys.contains(pair.first); });
  if (found != shown) return ::testing::AssertionFailure() << "the power cut took something back";
  return testing::IsClean(left->span());
}

// Of a run: who is killed in it, and all the keys that it may have.
struct KilledRun {
  std::vector<Kill> kills;
  Model keys;
};

KilledRun RunOf(const Script& setup, const Script& script, uint64_t change_log_bytes) {
  KilledRun run;
  const Memory memory(kBytes);
  const auto store = Store::Format(daxfile::DaxFile::OverMemory(memory.span()), Background::kNone,
                                   {.change_log_bytes = change_log_bytes});
  EXPECT_OK(store);
  if (!store.ok()) return run;
  setup(**store);
  run.keys = ContentsOf(**store);
  script(**store);
  run.keys.merge(ContentsOf(**store));
  run.kills = KillsDuring(setup, script, change_log_bytes);
  EXPECT_GT(run.kills.size(), 5u);
  return run;
}

constexpr Next kAllNext[] = {
    Next::kScans, Next::kGets, Next::kWrites, Next::kUsesSpace, Next::kUsesSpaceBesideAReader, Next::kPutsALargeValue};

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

void PutNumbers(Store& store, uint64_t first, uint64_t last) {
  for (uint64_t i = first; i < last; ++i) ASSERT_OK(store.Put(U64Key(i), WordValue(i)));
}

KilledRun Pairs() {
  return RunOf([](Store& store) { PutNumbers(store, 0, 10); },
               [](Store& store) {
                 PutNumbers(store, 10, 60);  // leaves are split, and the root
                 for (uint64_t i = 0; i < 10; ++i) ASSERT_OK(store.Put(U64Key(i), WordValue(i + 1)));
                 ASSERT_OK(store.Add(U64Key(3), 5));
                 for (uint64_t i = 20; i < 40; ++i) ASSERT_OK(store.Delete(U64Key(i)));
               },
               0);
}

KilledRun RecordsAndLayers() {
  return RunOf([](Store& store) { ASSERT_OK(store.Put("counter", WordValue(1))); },
               [](Store& store) {
                 for (int i = 0; i < 40; ++i) {
                   const std::string key = "a longer key, " + std::to_string(i * 37 % 40);
                   ASSERT_OK(store.Put(key, std::string(static_cast<size_t>(10 * i), 'v')));
                 }
                 ASSERT_OK(store.Add("counter", 2));
                 ASSERT_OK(store.CompareAndSwap("counter", 3, 7));
                 ASSERT_OK(store.Put("a longer key, 7", "another value"));
                 for (int i = 0; i < 30; ++i) ASSERT_OK(store.Delete("a longer key, " + std::to_string(i)));
               },
               0);
}

KilledRun Batches() {
  return RunOf([](Store& store) { PutNumbers(store, 0, 30); },
               [](Store& store) {
                 WriteBatch batch;
                 for (uint64_t i = 5; i < 40; i += 3) batch.Put(U64Key(i), WordValue(2 * i));
                 batch.Put("a record", "value");
                 batch.Delete(U64Key(1));
                 ASSERT_OK(store.Write(batch));
                 ASSERT_OK(store.DeleteRange({.lower = U64Key(10), .upper = U64Key(20)}));
                 ASSERT_OK(store.Transact([](Transaction& transaction) {
                   const absl::StatusOr<std::string> value = transaction.Get(U64Key(5));
                   return value.ok() ? transaction.Put(U64Key(6), *value) : value.status();
                 }));
               },
               0);
}

KilledRun WhereChangesAreKept() {
  return RunOf([](Store& store) { PutNumbers(store, 0, 5); },
               [](Store& store) {
                 PutNumbers(store, 5, 20);
                 ASSERT_OK(store.Put("a record", "value"));
                 ASSERT_OK(store.Delete(U64Key(2)));
               },
               16 << 10);
}

// Segments of nodes are taken, one after the other.
KilledRun ManyPairs() {
  return RunOf(
      [](Store& store) {
        ASSERT_OK(store.Put("a record", "its value"));
        PutNumbers(store, 0, 60);
      },
      [](Store& store) { PutNumbers(store, 60, 160); }, 0);
}

// A run of segments is given back, which a longer one comes to cover.
KilledRun LargeValues() {
  const auto put = [](Store& store, int i) { return store.Put("value " + std::to_string(i), std::string(3000, 'v')); };
  return RunOf(
      [&](Store& store) {
        for (int i = 0; i < 13; ++i) ASSERT_OK(put(store, i));
        ASSERT_OK(store.Put("two", std::string(7000, 't')));
        ASSERT_OK(store.Put("behind", std::string(3000, 'b')));
        for (int i = 5; i < 13; ++i) ASSERT_OK(store.Delete("value " + std::to_string(i)));
        ASSERT_OK(store.WaitUntilSpaceIsKnown());
      },
      [&](Store& store) {
        ASSERT_OK(store.Delete("two"));
        ASSERT_OK(store.WaitUntilSpaceIsKnown());
      },
      0);
}

TEST(CrashKilledTest, Pairs) { TryAllKills(Pairs()); }
TEST(CrashKilledTest, RecordsAndLayers) { TryAllKills(RecordsAndLayers()); }
TEST(CrashKilledTest, Batches) { TryAllKills(Batches()); }
TEST(CrashKilledTest, ManyPairs) { TryAllKills(ManyPairs()); }
TEST(CrashKilledTest, LargeValues) { TryAllKills(LargeValues()); }
TEST(CrashKilledTest, WhereChangesAreKept) { TryAllKills(WhereChangesAreKept()); }

// Each flush and fence of kv/settle.cc, but for two fences. What the superblock's keeps apart from the redo of a batch,
// and the table's from the word of a segment just taken, would only be seen by a power cut in the middle of that.
TEST(CrashKilledTest, NoneOfWhatIsWrittenBackCanBeLeftOut) {
  std::set<std::pair<std::string, uint32_t>> sites;
  const std::vector<KilledRun> runs = {Pairs(), RecordsAndLayers(), Batches(), ManyPairs(), LargeValues()};
  const auto is_seen = [&](const daxfile::Site& site) {
    if (std::string_view(site.file_name()).ends_with("settle.cc")) sites.emplace(site.function_name(), site.line());
    return false;
  };
  for (const KilledRun& run : runs) EXPECT_FALSE(IsMissed(run, is_seen));
  EXPECT_EQ(sites.size(), 7u);
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
  EXPECT_EQ(missed, 5u);
}

}  // namespace
}  // namespace sealkv::crash
