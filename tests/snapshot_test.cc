// Snapshots against a model: each sees the state that there was when it was opened, whatever is written after it; and
// what they needed goes with them.
#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "daxfile/persist.h"
#include "gtest/gtest.h"
#include "kv/sealkv.h"
#include "tests/check_clean.h"
#include "tests/key_shapes.h"
#include "tests/memory_store.h"
#include "tests/model.h"
#include "tests/random.h"
#include "tests/status.h"

namespace sealkv {
namespace {

using testing::MemoryStore;
using testing::Model;
using testing::WordValue;

testing::Random RandomForTest() { return testing::Random(testing::TestSeed()); }

// What a snapshot shows, forwards, backwards and by key.
void ExpectShows(const Snapshot& snapshot, const Model& model) {
  const auto at = snapshot.NewIterator();
  auto wanted = model.begin();
  for (at->SeekToFirst(); at->Valid(); at->Next(), ++wanted) {
    ASSERT_NE(wanted, model.end());
    ASSERT_EQ(at->key(), wanted->first);
    ASSERT_EQ(at->value(), wanted->second);
  }
  ASSERT_OK(at->status());
  ASSERT_EQ(wanted, model.end());
  auto from_behind = model.rbegin();
  for (at->SeekToLast(); at->Valid(); at->Prev(), ++from_behind) {
    ASSERT_NE(from_behind, model.rend());
    ASSERT_EQ(at->key(), from_behind->first);
  }
  ASSERT_EQ(from_behind, model.rend());
  for (const auto& [key, value] : model) {
    const absl::StatusOr<std::string> found = snapshot.Get(key);
    ASSERT_OK(found);
    ASSERT_EQ(*found, value);
  }
}

class SnapshotModelTest : public ::testing::TestWithParam<testing::KeyShape> {};

TEST_P(SnapshotModelTest, EachSeesTheStateOfItsOpening) {
  struct Taken {
    Snapshot snapshot;
    Model model;
  };
  MemoryStore store(1 << 30);
  ASSERT_OK(store.Format());
  const testing::KeyMaker make_key = GetParam().new_maker();
  testing::Random random = RandomForTest();
  Model model;
  std::vector<Taken> taken;
  const auto write = [&](unsigned delete_percent) {
    const std::string key = make_key(random);
    if (random.Percent(delete_percent)) {
      (void)store->Delete(key);
      model.erase(key);
      return;
    }
    const std::string value = random.OneIn(2) ? WordValue(random.Next()) : std::string(random.Below(60), 'v');
    if (random.OneIn(4)) {
      WriteBatch batch;
      batch.Put(key, value);
      const std::string second = make_key(random);
      batch.Put(second, value);
      ASSERT_OK(store->Write(batch));
      model[second] = value;
    } else {
      ASSERT_OK(store->Put(key, value));
    }
    model[key] = value;
  };
  for (int round = 0; round < 60; ++round) {
    const unsigned delete_percent = round / 15 % 2 == 0 ? 25 : 75;
    for (int i = 0; i < 150; ++i) ASSERT_NO_FATAL_FAILURE(write(delete_percent));
    if (taken.size() < 5 || random.OneIn(2)) {
      absl::StatusOr<Snapshot> snapshot = store->OpenSnapshot();
      ASSERT_OK(snapshot);
      taken.push_back({*std::move(snapshot), model});
    }
    const size_t index = random.Below(taken.size());
    ASSERT_NO_FATAL_FAILURE(ExpectShows(taken[index].snapshot, taken[index].model)) << "round " << round;
    // They are closed in any order.
    if (random.OneIn(2)) taken.erase(taken.begin() + static_cast<ptrdiff_t>(random.Below(taken.size())));
  }
  for (const Taken& each : taken) ASSERT_NO_FATAL_FAILURE(ExpectShows(each.snapshot, each.model));
  EXPECT_EQ(store->GetStats().snapshots_open, taken.size());
  taken.clear();
  ASSERT_OK(store->WaitUntilSpaceIsKnown());
  const Stats stats = store->GetStats();
  EXPECT_EQ(stats.snapshots_open, 0u);
  EXPECT_EQ(stats.snapshot_bytes_in_dram, 0u);
  EXPECT_EQ(stats.snapshot_bytes_retained, 0u);
  EXPECT_EQ(stats.bytes_retired, 0u);
  ASSERT_OK(store.Reopen());
  ASSERT_OK(store->WaitUntilSpaceIsKnown());
  EXPECT_EQ(store->GetStats().node_bytes_used, stats.node_bytes_used) << "nothing leaks";
  EXPECT_EQ(store->GetStats().record_bytes_used, stats.record_bytes_used);
  EXPECT_TRUE(testing::ScansAs(*store, model));
  EXPECT_TRUE(testing::IsClean(store.memory().span()));
}

// An iterator reads an inner node of its way when it comes back to it, by when that may have been split, or be gone.
TEST_P(SnapshotModelTest, AWalkGoesOnInItsStateWhateverIsWrittenMeanwhile) {
  MemoryStore store(1 << 30);
  ASSERT_OK(store.Format());
  const testing::KeyMaker make_key = GetParam().new_maker();
  testing::Random random = RandomForTest();
  Model model;
  const auto write_some = [&](int writes, unsigned delete_percent) {
    for (int i = 0; i < writes; ++i) {
      const std::string key = make_key(random);
      if (random.Percent(delete_percent)) {
        (void)store->Delete(key);
        model.erase(key);
      } else {
        model[key] = random.OneIn(2) ? WordValue(random.Next()) : std::string(random.Below(60), 'v');
        ASSERT_OK(store->Put(key, model[key]));
      }
    }
  };
  ASSERT_NO_FATAL_FAILURE(write_some(2000, 0));
  for (int round = 0; round < 20; ++round) {
    const std::unique_ptr<Iterator> at = store->NewIterator();
    const Model then = model;
    const std::string key = make_key(random);
    at->Seek(key);
    auto wanted = then.lower_bound(key);
    const auto stands_as_wanted = [&] {
      if (!at->Valid() || wanted == then.end()) return !at->Valid() && wanted == then.end() && at->status().ok();
      return at->key() == wanted->first && at->value() == wanted->second;
    };
    for (uint64_t steps = random.Below(20); at->Valid() && steps > 0; --steps, ++wanted) {
      ASSERT_TRUE(stands_as_wanted());
      at->Next();
    }
    ASSERT_TRUE(stands_as_wanted());
    ASSERT_NO_FATAL_FAILURE(write_some(500, round % 4 < 2 ? 10 : 80));
    const bool is_forward = round % 2 == 0;
    while (at->Valid()) {
      ASSERT_TRUE(stands_as_wanted()) << "round " << round;
      if (!is_forward && wanted == then.begin()) break;
      is_forward ? at->Next() : at->Prev();
      is_forward ? ++wanted : --wanted;
    }
    ASSERT_TRUE(stands_as_wanted()) << "round " << round;
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, SnapshotModelTest, ::testing::ValuesIn(testing::AllKeyShapes()),
                         [](const auto& info) { return std::string(info.param.name); });

// An old reader of one key must not make a store of ten megabytes hold each of a million versions.
TEST(SnapshotTest, WhatNoSnapshotSeesIsNotRetained) {
  MemoryStore store(8 << 20);
  ASSERT_OK(store.Format());
  ASSERT_OK(store->Put("hot", std::string(1000, '0')));
  const absl::StatusOr<Snapshot> old = store->OpenSnapshot();
  ASSERT_OK(old);
  for (int i = 0; i < 50'000; ++i) ASSERT_OK(store->Put("hot", std::string(1000, '1'))) << i;
  EXPECT_EQ(*old->Get("hot"), std::string(1000, '0'));
  const Stats stats = store->GetStats();
  EXPECT_EQ(stats.snapshots_open, 1u);
  EXPECT_GT(stats.snapshot_bytes_retained, 1000u);
  EXPECT_LT(stats.snapshot_bytes_retained, 2 * stats.segment_bytes);
  EXPECT_LE(stats.snapshot_bytes_in_dram, 512u);
}

// While none is open nothing is paid, whatever was open before.
TEST(SnapshotTest, WritesCostTheSameBeforeAndAfter) {
  MemoryStore store(8 << 20);
  ASSERT_OK(store.Format());
  ASSERT_OK(store->Put(U64Key(1), WordValue(1)));
  ASSERT_OK(store->Put("in a record", WordValue(1)));
  const auto cost_of = [&](const std::string& key) {
    const daxfile::PersistCounters before = daxfile::ThreadPersistCounters();
    EXPECT_OK(store->Put(key, WordValue(2)));
    return daxfile::ThreadPersistCounters() - before;
  };
  for (const std::string& key : {U64Key(1), std::string("in a record")}) {
    EXPECT_EQ(cost_of(key).lines_flushed, 1u);
    {
      const absl::StatusOr<Snapshot> snapshot = store->OpenSnapshot();
      ASSERT_OK(snapshot);
      const bool is_inline = key.size() == 8;
      EXPECT_EQ(cost_of(key).fences, is_inline ? 1u : 2u) << "a record that a snapshot sees is replaced";
      EXPECT_OK(snapshot->Get(key));
    }
    EXPECT_EQ(cost_of(key).lines_flushed, 1u);
    EXPECT_EQ(cost_of(key).fences, 1u);
  }
}

// What an older one alone needs goes with it, while a younger one is open.
TEST(SnapshotTest, EachKeepsWhatItSeesAndNothingElse) {
  constexpr uint64_t kKeys = 2000;
  MemoryStore store(8 << 20);
  ASSERT_OK(store.Format());
  const auto put_all = [&](char fill) {
    for (uint64_t i = 0; i < kKeys; ++i) ASSERT_OK(store->Put("key " + std::to_string(i), std::string(100, fill)));
  };
  ASSERT_NO_FATAL_FAILURE(put_all('1'));
  std::optional<Snapshot> older = *store->OpenSnapshot();
  EXPECT_EQ(store->GetStats().snapshot_bytes_retained, 0u);
  ASSERT_NO_FATAL_FAILURE(put_all('2'));
  const Stats with_one = store->GetStats();
  EXPECT_GT(with_one.snapshot_bytes_retained, kKeys * 100);
  std::optional<Snapshot> younger = *store->OpenSnapshot();
  ASSERT_NO_FATAL_FAILURE(put_all('3'));
  const Stats with_two = store->GetStats();
  EXPECT_GT(with_two.snapshot_bytes_retained, with_one.snapshot_bytes_retained + kKeys * 100);

  older.reset();
  const Stats after_older = store->GetStats();
  EXPECT_LT(after_older.snapshot_bytes_retained, with_two.snapshot_bytes_retained - kKeys * 100);
  EXPECT_GT(after_older.snapshot_bytes_retained, kKeys * 100);
  EXPECT_EQ(*younger->Get("key 7"), std::string(100, '2'));
  younger.reset();
  const Stats after_all = store->GetStats();
  EXPECT_EQ(after_all.snapshot_bytes_retained, 0u);
  EXPECT_EQ(after_all.snapshot_bytes_in_dram, 0u);
  EXPECT_EQ(after_all.oldest_snapshot_seconds, 0.0);
}

// Two writers, and two readers who compare what they saw: of any two snapshots one is the later in all keys. (A long
// fork, else: parallel snapshot isolation allows it; Sovran et al., SOSP 2011.)
TEST(SnapshotTest, NoTwoReadersSeeTwoOrders) {
  constexpr uint64_t kRounds = 3000;
  MemoryStore store(8 << 20);
  ASSERT_OK(store.Format());
  // Of several leaves, and of both kinds of values.
  for (uint64_t i = 0; i < 500; ++i) ASSERT_OK(store->Put(U64Key(i << 40), WordValue(0)));
  const std::array<std::string, 2> keys = {U64Key(uint64_t{3} << 40), "in a record"};
  for (const std::string& key : keys) ASSERT_OK(store->Put(key, WordValue(0)));
  std::atomic<bool> is_over{false};
  std::vector<std::thread> writers, readers;
  for (const std::string& key : keys) {
    writers.emplace_back([&] {
      for (uint64_t i = 1; !is_over; ++i) ASSERT_OK(store->Put(key, WordValue(i)));
    });
  }
  std::array<std::vector<std::pair<uint64_t, uint64_t>>, 2> seen;
  for (auto& pairs : seen) {
    readers.emplace_back([&] {
      for (uint64_t i = 0; i < kRounds; ++i) {
        const absl::StatusOr<Snapshot> snapshot = store->OpenSnapshot();
        ASSERT_OK(snapshot);
        pairs.emplace_back(testing::WordOf(*snapshot->Get(keys[0])), testing::WordOf(*snapshot->Get(keys[1])));
      }
    });
  }
  for (std::thread& reader : readers) reader.join();
  is_over = true;
  for (std::thread& writer : writers) writer.join();
  std::vector<std::pair<uint64_t, uint64_t>> all = seen[0];
  all.insert(all.end(), seen[1].begin(), seen[1].end());
  std::sort(all.begin(), all.end());
  for (size_t i = 1; i < all.size(); ++i) ASSERT_GE(all[i].second, all[i - 1].second) << "at " << all[i].first;
}

// An iterator outlives the snapshot that it was made of, and holds it open.
TEST(SnapshotTest, IteratorsHoldTheirSnapshot) {
  MemoryStore store(1 << 20);
  ASSERT_OK(store.Format());
  ASSERT_OK(store->Put("a", "1"));
  std::unique_ptr<Iterator> at;
  {
    const absl::StatusOr<Snapshot> snapshot = store->OpenSnapshot();
    ASSERT_OK(snapshot);
    at = snapshot->NewIterator();
  }
  ASSERT_OK(store->Put("a", "2"));
  ASSERT_OK(store->Put("b", "2"));
  at->SeekToFirst();
  ASSERT_TRUE(at->Valid());
  EXPECT_EQ(at->value(), "1");
  at->Next();
  EXPECT_FALSE(at->Valid());
  EXPECT_EQ(store->GetStats().snapshots_open, 1u);
  at.reset();
  EXPECT_EQ(store->GetStats().snapshots_open, 0u);
}

}  // namespace
}  // namespace sealkv
