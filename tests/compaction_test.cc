// Space that is lost to what was replaced or deleted comes back, while the store is in use.
#include <atomic>
#include <map>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "kv/sealkv.h"
#include "tests/check_clean.h"
#include "tests/memory_store.h"
#include "tests/model.h"
#include "tests/random.h"
#include "tests/status.h"

namespace sealkv {
namespace {

using testing::MemoryStore;
using testing::Model;
using testing::Random;

Model ContentsOf(const Store& store) {
  Model contents;
  const std::unique_ptr<Iterator> all = store.NewIterator();
  for (all->SeekToFirst(); all->Valid(); all->Next()) contents.emplace(all->key(), all->value());
  EXPECT_OK(all->status());
  return contents;
}

class CompactionTest : public ::testing::Test {
 protected:
  static constexpr size_t kBytes = 4 << 20;

  explicit CompactionTest(Background background = Background::kCompacts) : store_(kBytes, nullptr, background) {}
  void SetUp() override { ASSERT_OK(store_.Format()); }

  std::string Value(size_t bytes = 100) { return random_.Bytes(bytes); }
  void Put(const std::string& key, const std::string& value) {
    ASSERT_OK(store_->Put(key, value));
    model_[key] = value;
  }
  // Puts new keys until there is no space; returns how many.
  uint64_t Fill(const std::string& prefix, size_t value_bytes = 100) {
    for (uint64_t i = 0;; ++i) {
      const std::string key = prefix + std::to_string(i);
      const std::string value = Value(value_bytes);
      const absl::Status status = store_->Put(key, value);
      if (absl::IsResourceExhausted(status)) return i;
      EXPECT_OK(status);
      if (!status.ok()) return 0;
      model_[key] = value;
    }
  }
  void ExpectAllThere() {
    EXPECT_TRUE(ContentsOf(*store_) == model_);
    store_.Close();
    EXPECT_TRUE(testing::IsClean(store_.memory().span()));
    ASSERT_OK(store_.Open());
    EXPECT_TRUE(ContentsOf(*store_) == model_);
  }

  Random random_{testing::TestSeed()};
  MemoryStore store_;
  Model model_;
};

TEST_F(CompactionTest, UpdatesAtRandomGoOnForEver) {
  const uint64_t keys = Fill("key ");
  ASSERT_GT(keys, 10'000u);
  // To four fifths.
  for (uint64_t i = 0; i < keys; ++i) {
    if (i % 5 != 0) continue;
    const std::string key = "key " + std::to_string(i);
    ASSERT_OK(store_->Delete(key));
    model_.erase(key);
  }
  for (uint64_t i = 0; i < 10 * keys && !HasFatalFailure(); ++i) {
    const uint64_t number = random_.Below(keys);
    if (number % 5 != 0) Put("key " + std::to_string(number), Value());
  }
  ExpectAllThere();
}

TEST_F(CompactionTest, WhatWasDeletedMakesRoomForOtherSizes) {
  const uint64_t keys = Fill("a", 60);
  for (uint64_t i = 0; i < keys; ++i) {
    if (i % 10 == 0) continue;
    const std::string key = "a" + std::to_string(i);
    ASSERT_OK(store_->Delete(key));
    model_.erase(key);
  }
  // A tenth is left, here and there; what nodes have taken is only in part to be had for records.
  const uint64_t more = Fill("b", 1000);
  EXPECT_GT(more * 1000, kBytes * 55 / 100);
  ExpectAllThere();
}

class QuietCompactionTest : public CompactionTest {
 protected:
  QuietCompactionTest() : CompactionTest(Background::kNone) {}
};

TEST_F(QuietCompactionTest, AFullStoreSaysSoAndTakesWhatIsDeleted) {
  const uint64_t keys = Fill("key ");
  const Model full = ContentsOf(*store_);
  EXPECT_TRUE(absl::IsResourceExhausted(store_->Put("key " + std::to_string(keys), Value())));
  EXPECT_TRUE(ContentsOf(*store_) == full);
  for (uint64_t i = 0; i < keys; i += 50) {
    ASSERT_OK(store_->Delete("key " + std::to_string(i)));
    model_.erase("key " + std::to_string(i));
  }
  EXPECT_GT(Fill("after "), keys / 100);
  ExpectAllThere();
}

TEST_F(CompactionTest, WhatASnapshotSeesStays) {
  const uint64_t keys = Fill("key ") / 4;
  for (uint64_t i = keys; model_.size() > keys; ++i) {
    ASSERT_OK(store_->Delete("key " + std::to_string(i)));
    model_.erase("key " + std::to_string(i));
  }
  const Model before = model_;
  {
    const absl::StatusOr<Snapshot> snapshot = store_->OpenSnapshot();
    ASSERT_OK(snapshot);
    absl::Status status;
    for (uint64_t i = 0; i < 4 * keys && status.ok(); ++i) {
      const std::string key = "key " + std::to_string(random_.Below(keys));
      const std::string value = Value();
      status = store_->Put(key, value);
      if (status.ok()) model_[key] = value;
    }
    EXPECT_TRUE(status.ok() || absl::IsResourceExhausted(status)) << status;
    Model seen;
    const std::unique_ptr<Iterator> all = snapshot->NewIterator();
    for (all->SeekToFirst(); all->Valid(); all->Next()) seen.emplace(all->key(), all->value());
    EXPECT_EQ(seen, before);
  }
  for (uint64_t i = 0; i < 20 * keys && !HasFatalFailure(); ++i) {
    Put("key " + std::to_string(random_.Below(keys)), Value());
  }
  ExpectAllThere();
}

// 8-byte values in records change in place: not one addition is lost when its record moves.
TEST_F(CompactionTest, AdditionsGoOnMeanwhile) {
  constexpr int kCounters = 200;
  constexpr uint64_t kAdditions = 200'000;
  const uint64_t keys = Fill("key ") * 3 / 4;
  for (uint64_t i = keys; store_->Delete("key " + std::to_string(i)).ok(); ++i)
    model_.erase("key " + std::to_string(i));
  std::atomic<bool> is_over{false};
  std::thread adder([&] {
    for (uint64_t i = 0; i < kAdditions; ++i) {
      ASSERT_OK(store_->Add("a longer counter " + std::to_string(i % kCounters), 1).status());
    }
    is_over = true;
  });
  std::thread reader([&] {
    Random random(testing::TestSeed() + 1);
    std::string value;
    while (!is_over) {
      const absl::Status status = store_->Get("key " + std::to_string(random.Below(keys)), &value);
      ASSERT_OK(status);
      ASSERT_EQ(value.size(), 100u);
    }
  });
  while (!is_over && !HasFatalFailure()) Put("key " + std::to_string(random_.Below(keys)), Value());
  adder.join();
  reader.join();
  for (int i = 0; i < kCounters; ++i) {
    model_["a longer counter " + std::to_string(i)] = testing::WordValue(kAdditions / kCounters);
  }
  ExpectAllThere();
}

// Nodes move together as well as records: after nine of ten were deleted a store takes little more than a new one with
// what is left.
TEST_F(QuietCompactionTest, WhatWasDeletedGivesItsSegmentsBack) {
  const uint64_t keys = Fill("key ");
  for (uint64_t i = 0; i < keys; ++i) {
    if (i % 10 == 0) continue;
    const std::string key = "key " + std::to_string(i);
    ASSERT_OK(store_->Delete(key));
    model_.erase(key);
  }
  ASSERT_OK(store_->Compact());
  const Stats after = store_->GetStats();
  MemoryStore fresh(kBytes);
  ASSERT_OK(fresh.Format());
  for (const auto& [key, value] : model_) ASSERT_OK(fresh->Put(key, value));
  const Stats loaded = fresh->GetStats();
  const auto in_use = [](const Stats& stats) { return stats.segments_total - stats.segments_free; };
  EXPECT_LE(in_use(after) * 10, in_use(loaded) * 13) << in_use(after) << " and " << in_use(loaded);
  EXPECT_GT(after.segments_emptied, 0u);
  EXPECT_GT(after.bytes_moved, 0u);
  EXPECT_EQ(after.segments_kept, 0u);
  ExpectAllThere();
}

TEST_F(QuietCompactionTest, SegmentsAreCountedByWhatOfThemIsAlive) {
  const uint64_t keys = Fill("key ");
  const auto of_tenths = [&](size_t from, size_t to) {
    const auto& counts = store_->GetStats().segments_by_liveness;
    return std::accumulate(counts.begin() + static_cast<ptrdiff_t>(from), counts.begin() + static_cast<ptrdiff_t>(to),
                           uint64_t{0});
  };
  const auto keep_one_of = [&](uint64_t part) {
    for (uint64_t i = 0; i < keys; ++i) {
      if (i % part != 0 && model_.erase("key " + std::to_string(i)) > 0) {
        ASSERT_OK(store_->Delete("key " + std::to_string(i)));
      }
    }
  };
  const Stats full = store_->GetStats();
  const uint64_t all = full.segments_total - full.segments_free;
  EXPECT_GE(of_tenths(9, 10), all * 8 / 10) << "full but for what is being filled, and nodes";
  ASSERT_NO_FATAL_FAILURE(keep_one_of(2));
  EXPECT_GE(of_tenths(4, 6), all * 7 / 10);
  ASSERT_NO_FATAL_FAILURE(keep_one_of(20));
  EXPECT_GE(of_tenths(0, 1), all * 7 / 10);
  EXPECT_EQ(of_tenths(9, 10), 0u);
  ExpectAllThere();
}

// A store that is emptied takes what a new one takes.
TEST_F(QuietCompactionTest, AnEmptiedStoreIsFree) {
  const uint64_t free_before = store_->GetStats().segments_free;
  const uint64_t keys = Fill("key ");
  for (uint64_t i = 0; i < keys; ++i) ASSERT_OK(store_->Delete("key " + std::to_string(i)));
  model_.clear();
  ASSERT_OK(store_->Compact());
  EXPECT_EQ(store_->GetStats().segments_free, free_before);
  ExpectAllThere();
}

TEST_F(QuietCompactionTest, WhatASnapshotNeedsIsGivenBackWhenItCloses) {
  const uint64_t keys = Fill("key ");
  {
    const absl::StatusOr<Snapshot> snapshot = store_->OpenSnapshot();
    ASSERT_OK(snapshot);
    for (uint64_t i = 0; i < keys; ++i) {
      if (i % 10 == 0) continue;
      ASSERT_OK(store_->Delete("key " + std::to_string(i)));
      model_.erase("key " + std::to_string(i));
    }
    const uint64_t free_before = store_->GetStats().segments_free;
    ASSERT_OK(store_->Compact());
    const Stats stats = store_->GetStats();
    EXPECT_LE(stats.segments_free, free_before);
    EXPECT_GT(stats.snapshot_bytes_retained, kBytes / 4);
    EXPECT_EQ(stats.snapshots_open, 1u);
  }
  ASSERT_OK(store_->Compact());
  const Stats stats = store_->GetStats();
  EXPECT_GT(stats.segments_free, stats.segments_total * 3 / 4);
  ExpectAllThere();
}

// What is counted while writers go on is what a count finds when nobody does.
TEST_F(CompactionTest, WhatIsInUseIsCountedRight) {
  const uint64_t keys = Fill("a longer key than eight bytes ", 40) / 2;
  const auto key_of = [](uint64_t i) { return "a longer key than eight bytes " + std::to_string(i); };
  for (uint64_t i = keys; store_->Delete(key_of(i)).ok(); ++i) continue;
  for (int round = 0; round < 4; ++round) {
    store_.Close();  // saves nothing: as after a SIGKILL
    ASSERT_OK(store_.Open());
    std::vector<std::thread> writers;
    for (uint64_t writer = 0; writer < 3; ++writer) {
      writers.emplace_back([&, writer] {
        Random random(testing::TestSeed() + 10 * round + writer);
        for (int i = 0; i < 20'000; ++i) {
          const std::string key = key_of(random.Below(keys));
          const absl::Status status =
              random.OneIn(2) ? store_->Delete(key) : store_->Put(key, random.Bytes(random.Below(100)));
          ASSERT_TRUE(status.ok() || absl::IsNotFound(status)) << status;
        }
      });
    }
    for (std::thread& writer : writers) writer.join();
    ASSERT_OK(store_->Compact());
    const Stats counted = store_->GetStats();
    EXPECT_EQ(counted.bytes_retired, 0u);
    store_.Close();
    ASSERT_OK(store_.Open());
    ASSERT_OK(store_->WaitUntilSpaceIsKnown());
    const Stats found = store_->GetStats();
    EXPECT_EQ(counted.node_bytes_used, found.node_bytes_used);
    EXPECT_EQ(counted.record_bytes_used, found.record_bytes_used);
  }
  store_.Close();
  EXPECT_TRUE(testing::IsClean(store_.memory().span()));
}

}  // namespace
}  // namespace sealkv
