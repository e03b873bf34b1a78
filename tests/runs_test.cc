// A large value needs segments in one piece: where enough are free, but apart, what lies between them is moved.
#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "kv/sealkv.h"
#include "tests/check_clean.h"
#include "tests/memory_store.h"
#include "tests/status.h"

namespace sealkv {
namespace {

using testing::MemoryStore;

std::string KeyOf(uint64_t i) { return "key " + std::to_string(1'000'000 + i); }
std::string ValueOf(uint64_t i) { return std::string(900, static_cast<char>('a' + i % 26)); }

void ExpectEach(const MemoryStore& store, uint64_t keys, uint64_t step) {
  std::string value;
  for (uint64_t i = 0; i < keys; i += step) {
    ASSERT_OK(store->Get(KeyOf(i), &value)) << i;
    ASSERT_EQ(value, ValueOf(i)) << i;
  }
}

// Fills the store, and deletes all but each `step`th key.
uint64_t FillAndThin(const MemoryStore& store, uint64_t bytes, uint64_t step) {
  uint64_t keys = 0;
  for (; keys * 1000 < bytes; ++keys) EXPECT_OK(store->Put(KeyOf(keys), ValueOf(keys)));
  for (uint64_t i = 0; i < keys; ++i) {
    if (i % step == 0) continue;
    EXPECT_OK(store->Delete(KeyOf(i)));
  }
  return keys;
}

// So many eighths of what is free.
std::string Large(const MemoryStore& store, uint64_t eighths) {
  const Stats stats = store->GetStats();
  return std::string(stats.segments_free * stats.segment_bytes * eighths / 8, 'L');
}

TEST(RunsTest, OneIsMadeForALargeValue) {
  for (const uint64_t step : {10, 20, 40}) {
    MemoryStore store(4 << 20);
    ASSERT_OK(store.Format());
    const uint64_t keys = FillAndThin(store, 3'600'000, step);
    // Each is alone in its segment, or nearly so: nothing is gained by moving them anywhere.
    ASSERT_OK(store->Compact());
    const std::string large = Large(store, 6);
    ASSERT_OK(store->Put("large", large)) << step;
    EXPECT_EQ(*store->Get("large"), large);
    ExpectEach(store, keys, step);
    EXPECT_TRUE(testing::IsClean(store.memory().span()));
  }
}

TEST(RunsTest, ShrinkMakesOneForALargeValue) {
  for (const uint64_t step : {20, 50, 100}) {
    MemoryStore store(16 << 20, nullptr, Background::kNone, {.bytes = 1 << 20, .max_bytes = 16 << 20});
    ASSERT_OK(store.Format());
    uint64_t keys = 0;
    for (; keys < 8000; ++keys) ASSERT_OK(store->Put(KeyOf(keys), ValueOf(keys)));
    const std::string large(1 << 20, 'L');
    ASSERT_OK(store->Put("large", large));
    for (uint64_t i = 0; i < keys; ++i) {
      if (i % step == 0) continue;
      ASSERT_OK(store->Delete(KeyOf(i)));
    }
    ASSERT_OK(store->Shrink());
    // As much again as lives, at most.
    EXPECT_LT(store->GetStats().capacity_bytes, 2 * (large.size() + keys / step * 1000)) << step;
    EXPECT_EQ(*store->Get("large"), large);
    ExpectEach(store, keys, step);
    EXPECT_TRUE(testing::IsClean(store.memory().span()));
  }
}

// Each ends, and none ends another's for ever.
TEST(RunsTest, SeveralWantOneAtOnce) {
  MemoryStore store(4 << 20, nullptr, Background::kCompacts);
  ASSERT_OK(store.Format());
  const uint64_t keys = FillAndThin(store, 3'600'000, 20);
  std::atomic<unsigned> puts{0};
  std::vector<std::thread> writers;
  for (int writer = 0; writer < 3; ++writer) {
    writers.emplace_back([&, writer] {
      const std::string large(600'000, static_cast<char>('A' + writer));
      const std::string name = "large " + std::to_string(writer);
      for (uint64_t i = 0; i < 100; ++i) {
        const absl::Status status = store->Put(name, large);
        EXPECT_TRUE(status.ok() || absl::IsResourceExhausted(status)) << status;
        puts += status.ok();
        const absl::Status deleted = store->Delete(name);
        EXPECT_TRUE(status.ok() ? deleted.ok() : absl::IsNotFound(deleted)) << deleted;
        EXPECT_OK(store->Put(KeyOf(i * 20), ValueOf(i * 20)));
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_GT(puts, 0u);
  ExpectEach(store, keys, 20);
  EXPECT_TRUE(testing::IsClean(store.memory().span()));
}

// Together they need as much in one piece as one after the other.
TEST(RunsTest, OneIsMadeForSeveralValuesOfABatch) {
  MemoryStore store(4 << 20);
  ASSERT_OK(store.Format());
  const uint64_t keys = FillAndThin(store, 3'600'000, 20);
  ASSERT_OK(store->Compact());
  const std::string large = Large(store, 3);
  WriteBatch batch;
  for (const char* key : {"large 1", "large 2"}) batch.Put(key, large);
  batch.Put("small", "a value");
  ASSERT_OK(store->Write(batch));
  EXPECT_EQ(*store->Get("large 1"), large);
  EXPECT_EQ(*store->Get("large 2"), large);
  ExpectEach(store, keys, 20);
  EXPECT_TRUE(testing::IsClean(store.memory().span()));
}

// What was moved would be there twice, for as long as somebody may look at it: it isn't tried then.
TEST(RunsTest, NoneIsMadeUnderAReaderWhoStays) {
  MemoryStore store(4 << 20);
  ASSERT_OK(store.Format());
  const uint64_t keys = FillAndThin(store, 3'600'000, 20);
  ASSERT_OK(store->Compact());
  const Stats stats = store->GetStats();
  const std::string large = Large(store, 6);
  {
    const absl::StatusOr<PinnedValue> pinned = store->GetPinned(KeyOf(0));
    ASSERT_OK(pinned);
    EXPECT_TRUE(absl::IsResourceExhausted(store->Put("large", large)));
    EXPECT_GE(store->GetStats().segments_free + 3, stats.segments_free);
  }
  {
    const absl::StatusOr<Snapshot> snapshot = store->OpenSnapshot();
    ASSERT_OK(snapshot);
    EXPECT_TRUE(absl::IsResourceExhausted(store->Put("large", large)));
    EXPECT_GE(store->GetStats().segments_free + 3, stats.segments_free);
  }
  ASSERT_OK(store->Put("large", large));
  ExpectEach(store, keys, 20);
  EXPECT_TRUE(testing::IsClean(store.memory().span()));
}

// Then nothing has changed.
TEST(RunsTest, NotWhereThereIsntSpaceForIt) {
  MemoryStore store(2 << 20);
  ASSERT_OK(store.Format());
  const uint64_t keys = FillAndThin(store, 1'800'000, 2);
  const std::string large(1'500'000, 'L');
  EXPECT_TRUE(absl::IsResourceExhausted(store->Put("large", large)));
  ExpectEach(store, keys, 2);
  EXPECT_TRUE(testing::IsClean(store.memory().span()));
}

}  // namespace
}  // namespace sealkv
