#include "kv/record_table.h"

#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace sealkv::internal {
namespace {

constexpr uint64_t kCapacityBytes = 1 << 30;

uint64_t HashOf(uint64_t id) { return RecordTable::Hash("a key longer than a slice " + std::to_string(id)); }
Offset RecordOf(uint64_t id) { return Offset{4096 + id * 160}; }

bool IsIn(const RecordTable& table, uint64_t id) {
  return table.Find(HashOf(id), [id](Offset record) { return record == RecordOf(id); });
}

uint64_t CountIn(const RecordTable& table, uint64_t first, uint64_t end) {
  uint64_t count = 0;
  for (uint64_t id = first; id < end; ++id) count += IsIn(table, id) ? 1 : 0;
  return count;
}

TEST(RecordTableTest, NothingIsKnownAtFirst) {
  const RecordTable table(kCapacityBytes);
  EXPECT_EQ(table.buckets_in_use(), 0u);
  EXPECT_FALSE(IsIn(table, 1));
}

TEST(RecordTableTest, GrowsWithItsRecordsAndLosesFew) {
  constexpr uint64_t kRecords = 300'000;
  RecordTable table(kCapacityBytes);
  for (uint64_t id = 0; id < kRecords; ++id) {
    table.Add(HashOf(id), RecordOf(id));
    table.MakeRoom();
  }
  EXPECT_GE(CountIn(table, 0, kRecords), kRecords * 92 / 100);
  const uint64_t bytes = table.buckets_in_use() * 64;
  EXPECT_LT(bytes, kRecords * 18);
  EXPECT_GT(bytes, kRecords * 8);
}

TEST(RecordTableTest, WhatWasTakenOutIsNeverFound) {
  constexpr uint64_t kRecords = 100'000;
  RecordTable table(kCapacityBytes);
  for (uint64_t id = 0; id < kRecords; ++id) {
    table.Add(HashOf(id), RecordOf(id));
    table.MakeRoom();
    if (id % 3 == 0) table.Add(HashOf(id / 3), RecordOf(id / 3));  // twice, or anew
    if (id % 2 == 1) table.Remove(HashOf(id / 2), RecordOf(id / 2));
  }
  for (uint64_t id = 0; id < kRecords; ++id) {
    table.Remove(HashOf(id), RecordOf(id));
    ASSERT_FALSE(IsIn(table, id)) << id;
  }
}

TEST(RecordTableTest, TheKeysOtherRecordStays) {
  RecordTable table(kCapacityBytes);
  table.Add(HashOf(1), RecordOf(1));
  table.Add(HashOf(1), RecordOf(2));
  table.Remove(HashOf(1), RecordOf(1));
  std::vector<Offset> found;
  table.Find(HashOf(1), [&](Offset record) {
    found.push_back(record);
    return false;
  });
  EXPECT_EQ(found, std::vector<Offset>{RecordOf(2)});
}

TEST(RecordTableTest, TakesASixteenthOfTheCapacityAtMost) {
  for (const uint64_t capacity : {uint64_t{1}, uint64_t{64} << 10, uint64_t{8} << 20}) {
    RecordTable table(capacity);
    for (uint64_t id = 0; id < 200'000; ++id) {
      table.Add(HashOf(id), Offset{8 + id * 8 % (capacity | 64)});
      table.MakeRoom();
    }
    EXPECT_EQ(table.buckets_in_use() * 64, std::max<uint64_t>(4096, capacity / 16)) << capacity;
  }
}

TEST(RecordTableTest, AStoreThatNobodyWritesHasNone) {
  RecordTable table(kCapacityBytes);
  table.Disable();
  table.Add(HashOf(1), RecordOf(1));
  EXPECT_FALSE(IsIn(table, 1));
  EXPECT_EQ(table.buckets_in_use(), 0u);
}

// Each thread adds and takes out records of its own, while what all of them add splits one bucket after another.
TEST(RecordTableTest, WhatWasTakenOutDuringASplitIsNeverFound) {
  constexpr uint64_t kThreads = 4;
  constexpr uint64_t kRecords = 200'000;
  RecordTable table(kCapacityBytes);
  std::vector<uint64_t> found_again(kThreads, 0);
  std::vector<std::thread> threads;
  for (uint64_t thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      const uint64_t first = thread * kRecords;
      for (uint64_t id = first; id < first + kRecords; ++id) {
        table.Add(HashOf(id), RecordOf(id));
        table.MakeRoom();
        if (id < first + 64) continue;
        table.Remove(HashOf(id - 64), RecordOf(id - 64));
        if (id % 2 == 0) table.Add(HashOf(id - 32), RecordOf(id - 32));
        if (IsIn(table, id - 64)) ++found_again[thread];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (uint64_t thread = 0; thread < kThreads; ++thread) {
    EXPECT_EQ(found_again[thread], 0u);
    EXPECT_EQ(CountIn(table, thread * kRecords, (thread + 1) * kRecords - 64), 0u);
  }
}

}  // namespace
}  // namespace sealkv::internal
