// Space comes back: each of these left some of it unused, once.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <tuple>
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
using testing::Random;
using testing::WordValue;

// Puts records until the store is full; returns their keys.
std::vector<std::string> Fill(const MemoryStore& store, size_t value_bytes) {
  std::vector<std::string> keys;
  for (uint64_t i = 0;; ++i) {
    std::string key = "key " + std::to_string(1'000'000 + i);
    const absl::Status status = store->Put(key, std::string(value_bytes, 'v'));
    if (!status.ok()) {
      EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
      return keys;
    }
    keys.push_back(std::move(key));
  }
}

// Was: what a batch of deletes needs, the list of the words that it changes, had to be free space.
class FullStoreTest : public ::testing::TestWithParam<std::tuple<uint64_t, Background, bool>> {};

TEST_P(FullStoreTest, TakesDeletesThatAreMadeTogether) {
  const auto [bytes, background, are_pairs] = GetParam();
  MemoryStore store(bytes, nullptr, background);
  ASSERT_OK(store.Format());
  std::vector<std::string> keys;
  for (uint64_t i = 0;; ++i) {
    keys.push_back(are_pairs ? U64Key(i * 0x9e3779b97f4a7c15) : "key " + std::to_string(1'000'000 + i));
    const absl::Status status = store->Put(keys.back(), are_pairs ? WordValue(i) : std::string(100, 'v'));
    if (status.ok()) continue;
    ASSERT_TRUE(absl::IsResourceExhausted(status)) << status;
    keys.pop_back();
    break;
  }
  testing::Model left = testing::ContentsOf(*store);
  ASSERT_EQ(left.size(), keys.size());
  WriteBatch put;
  for (int i = 0; i < 100; ++i) put.Put("new " + std::to_string(i), std::string(100, 'n'));
  EXPECT_TRUE(absl::IsResourceExhausted(store->Write(put)));

  constexpr size_t kTogether = 50;
  WriteBatch batch;
  for (size_t i = 0; i < kTogether; ++i) {
    batch.Delete(keys[i]);
    left.erase(keys[i]);
  }
  ASSERT_OK(store->Write(batch));
  ASSERT_OK(store->Transact([&](Transaction& transaction) {
    for (size_t i = kTogether; i < 2 * kTogether; ++i) {
      if (absl::Status status = transaction.Delete(keys[i]); !status.ok()) return status;
    }
    return absl::OkStatus();
  }));
  for (size_t i = kTogether; i < 2 * kTogether; ++i) left.erase(keys[i]);
  EXPECT_TRUE(testing::ContentsOf(*store) == left);
  // The rest, a range of it after the other.
  while (!left.empty()) {
    const std::string from = left.begin()->first;
    auto end = left.begin();
    for (size_t i = 0; i < kTogether && end != left.end(); ++i) ++end;
    Range range{.lower = from};
    if (end != left.end()) range.upper = end->first;
    ASSERT_OK(store->DeleteRange(range)) << left.size() << " left";
    left.erase(left.begin(), end);
  }
  EXPECT_TRUE(testing::ContentsOf(*store).empty());
  ASSERT_OK(store->Write(put)) << "the space is there again";
  EXPECT_TRUE(testing::IsClean(store.memory().span()));
}

INSTANTIATE_TEST_SUITE_P(Stores, FullStoreTest,
                         ::testing::Combine(::testing::Values(256 << 10, 1 << 20, 16 << 20),
                                            ::testing::Values(Background::kNone, Background::kCompacts),
                                            ::testing::Bool()));

// Was: the leaves that a batch of deletes merges took the last free segment for good, so compaction had none to work
// with, and nothing that was deleted later made room.
TEST(SpaceTest, DeletesMadeTogetherLeaveCompactionItsSegment) {
  for (const size_t bytes : {256 << 10, 1 << 20, 4 << 20}) {
    MemoryStore store(bytes);
    ASSERT_OK(store.Format());
    ASSERT_OK(store->Put("pinned", "value of a record"));
    uint64_t made = 0;
    std::vector<std::string> pairs, records;
    const auto fill = [&](std::vector<std::string>& keys, bool are_pairs) {
      for (int failures = 0; failures < 20;) {
        const std::string key = (are_pairs ? "" : "key ") + U64Key(++made * 0x9e3779b97f4a7c15);
        if (store->Put(key, are_pairs ? WordValue(made) : std::string(100, 'v')).ok()) {
          keys.push_back(key);
        } else {
          ++failures;
        }
      }
    };
    while (store->Put("key " + U64Key(++made), std::string(100, 'v')).ok()) {
      pairs.push_back(U64Key(made * 0x9e3779b97f4a7c15));
      store->Put(pairs.back(), WordValue(made)).IgnoreError();
    }
    fill(records, false);
    fill(pairs, true);
    std::sort(pairs.begin(), pairs.end());
    {
      const absl::StatusOr<PinnedValue> pinned = store->GetPinned("pinned");  // what is retired isn't free yet
      WriteBatch batch;
      for (size_t i = 0; i < std::min<size_t>(pairs.size(), 60); ++i) {
        if (i % 4 != 3) batch.Delete(pairs[i]);
      }
      ASSERT_OK(store->Write(batch));
      fill(pairs, true);
    }
    fill(pairs, true);
    // A tenth of all records, single ones all over the store.
    std::vector<std::string> keys;
    for (const auto& [key, value] : testing::ContentsOf(*store)) {
      if (key.size() != sizeof(uint64_t)) keys.push_back(key);
    }
    size_t deleted = 0;
    for (size_t i = 0; i < keys.size(); i += 10, ++deleted) ASSERT_OK(store->Delete(keys[i]));
    records.clear();
    fill(records, false);
    EXPECT_GE(records.size(), deleted * 3 / 4) << "of " << deleted << " in " << bytes;
    EXPECT_TRUE(testing::IsClean(store.memory().span()));
  }
}

// Merges retire two nodes at a time: a count that was tried at multiples of 64 stepped over them all.
TEST(SpaceTest, WhatIsRetiredIsFreedHoweverManyComeAtATime) {
  MemoryStore store(16 << 20);
  ASSERT_OK(store.Format());
  constexpr uint64_t kKeys = 100'000;
  const uint64_t seed = testing::TestSeed();
  Random put(seed);
  for (uint64_t i = 0; i < kKeys; ++i) ASSERT_OK(store->Put(U64Key(put.Next()), WordValue(1)));
  uint64_t most = 0;
  Random deleted(seed);
  for (uint64_t i = 0; i < kKeys; ++i) {
    ASSERT_OK(store->Delete(U64Key(deleted.Next())));
    most = std::max(most, store->GetStats().bytes_retired);
  }
  EXPECT_LT(most, 256u << 10);
}

TEST(SpaceTest, NodesOfADeletedLoadMakeRoomForRecords) {
  MemoryStore store(2 << 20);
  ASSERT_OK(store.Format());
  uint64_t keys = 0;
  while (store->Put(U64Key(keys * 7919 % 10'000'019), WordValue(keys)).ok()) ++keys;
  for (uint64_t i = 0; i < keys; ++i) ASSERT_OK(store->Delete(U64Key(i * 7919 % 10'000'019)));
  // All of it but a few segments.
  const Stats stats = store->GetStats();
  uint64_t put = 0;
  while (store->Put("record " + std::to_string(put), std::string(1000, 'r')).ok()) ++put;
  EXPECT_GT(put * 1000, stats.capacity_bytes * 8 / 10);
  EXPECT_TRUE(testing::IsClean(store.memory().span()));
}

// A reader who stays keeps them: what he knows may lead there.
TEST(SpaceTest, NodeSegmentsStayWhileAReaderIsThere) {
  MemoryStore store(1 << 20);
  ASSERT_OK(store.Format());
  ASSERT_OK(store->Put("pinned", "a value of no 8 bytes"));
  uint64_t keys = 0;
  while (store->Put(U64Key(keys), WordValue(keys)).ok()) ++keys;
  absl::StatusOr<PinnedValue> pinned = store->GetPinned("pinned");
  ASSERT_OK(pinned);
  for (uint64_t i = 0; i < keys; ++i) ASSERT_OK(store->Delete(U64Key(i)));
  const std::string large(store->GetStats().segment_bytes, 'l');
  EXPECT_TRUE(absl::IsResourceExhausted(store->Put("large", large)));
  EXPECT_EQ(pinned->view(), "a value of no 8 bytes");
  { const PinnedValue gone = *std::move(pinned); }
  EXPECT_OK(store->Put("large", large));
}

TEST(SpaceTest, APutThatFailsLeavesTheRoomForSmallerOnes) {
  MemoryStore store(1 << 20);
  ASSERT_OK(store.Format());
  const std::vector<std::string> keys = Fill(store, 400);
  const uint64_t records_a_segment = store->GetStats().segment_bytes / (24 + 16 + 400);
  for (size_t i = 0; i < keys.size(); ++i) {
    if (i % records_a_segment * 10 < records_a_segment * 6) continue;
    ASSERT_OK(store->Delete(keys[i]));
  }
  ASSERT_OK(store.Reopen());
  ASSERT_OK(store->WaitUntilSpaceIsKnown());
  EXPECT_TRUE(absl::IsResourceExhausted(store->Put("too large for any of them", std::string(4000, 'l'))));
  EXPECT_GT(Fill(store, 399).size(), keys.size() / 10);
}

// The last segment was full of deleted records, which were freed, and then another one was looked for.
TEST(SpaceTest, WhatThePutItselfFreesItUses) {
  for (const size_t capacity : {size_t{64} << 10, size_t{256} << 10, size_t{1} << 20}) {
    MemoryStore store(capacity);
    ASSERT_OK(store.Format());
    const std::vector<std::string> keys = Fill(store, 400);
    const uint64_t records_a_segment = store->GetStats().segment_bytes / (24 + 16 + 400);
    for (uint64_t i = 0; i < records_a_segment; ++i) ASSERT_OK(store->Delete(keys[keys.size() - 1 - i]));
    EXPECT_OK(store->Put("new", std::string(400, 'v'))) << "capacity " << capacity;
  }
}

TEST(SpaceTest, AnIteratorAtTheEndOfItsRangeHoldsNothingBack) {
  MemoryStore store(1 << 20);
  ASSERT_OK(store.Format());
  for (int i = 0; i < 100; ++i) ASSERT_OK(store->Put("key " + std::to_string(i), "value"));
  const std::unique_ptr<Iterator> up = store->NewIterator({.upper = "key 5"});
  for (up->SeekToFirst(); up->Valid();) up->Next();
  const std::unique_ptr<Iterator> down = store->NewIterator({.lower = "key 5"});
  for (down->SeekToLast(); down->Valid();) down->Prev();
  for (int i = 0; i < 20'000; ++i) ASSERT_OK(store->Put("overwritten", std::string(400, 'x')));
}

}  // namespace
}  // namespace sealkv
