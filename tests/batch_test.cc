// Batches: all or nothing, in their order, whatever they do to the tree.
#include <map>
#include <string>
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
using testing::WordValue;

TEST(BatchTest, MakesItsChangesInTheirOrder) {
  MemoryStore store(1 << 20);
  ASSERT_OK(store.Format());
  ASSERT_OK(store->Put("stays", "as it is"));
  ASSERT_OK(store->Put("goes", "away"));
  ASSERT_OK(store->Put("counter", WordValue(5)));
  WriteBatch batch;
  batch.Put("new", "first");
  batch.Put("new", "second");
  batch.Delete("goes");
  batch.Delete("never was");
  batch.Add("counter", 1);
  batch.Add("counter", 2);
  batch.Add("fresh counter", 7);
  batch.Put("reset", WordValue(10));
  batch.Add("reset", 1);
  batch.Put("back and forth", "x");
  batch.Delete("back and forth");
  batch.Delete("again");
  batch.Add("again", 3);
  EXPECT_EQ(batch.size(), 13u);
  ASSERT_OK(store->Write(batch));
  EXPECT_EQ(*store->Get("stays"), "as it is");
  EXPECT_EQ(*store->Get("new"), "second");
  EXPECT_EQ(store->Get("goes").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(*store->Get("counter"), WordValue(8));
  EXPECT_EQ(*store->Get("fresh counter"), WordValue(7));
  EXPECT_EQ(*store->Get("reset"), WordValue(11));
  EXPECT_EQ(store->Get("back and forth").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(*store->Get("again"), WordValue(3));
  EXPECT_TRUE(testing::IsClean(store.memory().span()));
}

TEST(BatchTest, ABatchThatCannotBeDoneChangesNothing) {
  MemoryStore store(1 << 20);
  ASSERT_OK(store.Format());
  ASSERT_OK(store->Put("text", "not a number"));
  WriteBatch batch;
  batch.Put("a", "1");
  batch.Add("text", 1);
  batch.Put("z", "2");
  EXPECT_EQ(store->Write(batch).code(), absl::StatusCode::kFailedPrecondition);
  batch.Clear();
  batch.Put("a", "1");
  batch.Put(std::string(kMaxKeyBytes + 1, 'k'), "2");
  EXPECT_EQ(store->Write(batch).code(), absl::StatusCode::kInvalidArgument);
  batch.Clear();
  batch.Put("a", "1");
  batch.Put("b", std::string(2 << 20, 'v'));
  EXPECT_EQ(store->Write(batch).code(), absl::StatusCode::kResourceExhausted);
  batch.Clear();
  ASSERT_OK(store->Write(batch)) << "nothing to do";
  EXPECT_EQ(*store->Exists("a"), false);
  EXPECT_EQ(*store->Exists("z"), false);
  // What is void needn't be possible.
  batch.Add("text", 1);
  batch.Put("text", "five!");
  batch.Add("text", 1);
  EXPECT_EQ(store->Write(batch).code(), absl::StatusCode::kFailedPrecondition);
  batch.Delete("text");
  ASSERT_OK(store->Write(batch));
  EXPECT_EQ(*store->Exists("text"), false);
  ASSERT_OK(store->WaitUntilSpaceIsKnown());
  EXPECT_TRUE(testing::IsClean(store.memory().span()));
  ASSERT_OK(store->Put("b", "there is space for this"));
}

// Was: what room a blob had taken was lost until its segment was empty, so that batches of deletes in a full store took
// the room that compaction needs. Now that is there for the next blob, and thousands take no segment.
TEST(BatchTest, ABlobLeavesItsRoom) {
  MemoryStore store(1 << 20);
  ASSERT_OK(store.Format());
  constexpr uint64_t kKeys = 100;
  for (uint64_t i = 0; i < kKeys; ++i) ASSERT_OK(store->Put(U64Key(i), WordValue(0)));
  ASSERT_OK(store->Put("in the segment of the blobs", "alive"));
  constexpr uint64_t kBatches = 5000;
  const auto before = daxfile::ThreadPersistCounters();
  for (uint64_t i = 0; i < kBatches; ++i) {
    WriteBatch batch;
    batch.Put(U64Key(0), WordValue(i));
    batch.Put(U64Key(kKeys - 1), WordValue(i));
    ASSERT_OK(store->Write(batch));
  }
  EXPECT_EQ((daxfile::ThreadPersistCounters() - before).fences, 4 * kBatches);
}

// Four fences, whatever is in it: a hundred puts all over a tree, with splits.
TEST(BatchTest, HasFourFences) {
  MemoryStore store(64 << 20);
  ASSERT_OK(store.Format());
  testing::Random random(1);
  for (int i = 0; i < 20'000; ++i) ASSERT_OK(store->Put(U64Key(random.Next()), WordValue(i)));
  for (const size_t size : {2, 100, 3000}) {
    WriteBatch batch;
    for (size_t i = 0; i < size; ++i) batch.Put(U64Key(random.Next()), WordValue(i));
    ASSERT_OK(store->Put("takes the record segment that the blob goes to", "x"));
    const daxfile::PersistCounters before = daxfile::ThreadPersistCounters();
    ASSERT_OK(store->Write(batch));
    const daxfile::PersistCounters cost = daxfile::ThreadPersistCounters() - before;
    EXPECT_LE(cost.fences, 4 + size / 2000) << size;
    EXPECT_LE(cost.lines_flushed, size * 5 + 20) << size;
  }
  EXPECT_TRUE(testing::IsClean(store.memory().span()));
}

// Batches of all sizes against a model, on keys of all shapes.
class BatchModelTest : public ::testing::TestWithParam<testing::KeyShape> {};

TEST_P(BatchModelTest, DoesWhatTheModelDoes) {
  MemoryStore store(1 << 30);
  ASSERT_OK(store.Format());
  const testing::KeyMaker make_key = GetParam().new_maker();
  testing::Model model;
  const uint64_t seed = 17;
  testing::Random random(seed);
  for (int round = 0; round < 300; ++round) {
    WriteBatch batch;
    const size_t size = random.OneIn(10) ? random.Below(2000) : random.Below(60);
    const unsigned delete_percent = round / 60 % 2 == 0 ? 20 : 70;
    for (size_t i = 0; i < size; ++i) {
      const std::string key = make_key(random);
      if (random.Below(100) < delete_percent) {
        batch.Delete(key);
        model.erase(key);
      } else {
        const std::string value = random.OneIn(3) ? WordValue(random.Next()) : std::string(random.Below(200), 'v');
        batch.Put(key, value);
        model[key] = value;
      }
    }
    ASSERT_OK(store->Write(batch)) << "seed " << seed << " round " << round;
    if (round % 30 != 29) continue;
    ASSERT_TRUE(testing::ScansAs(*store, model)) << "seed " << seed << " round " << round;
    ASSERT_TRUE(testing::GetsAs(*store, model)) << "seed " << seed << " round " << round;
    ASSERT_OK(store->WaitUntilSpaceIsKnown());
    const Stats before = store->GetStats();
    ASSERT_OK(store.Reopen());
    ASSERT_OK(store->WaitUntilSpaceIsKnown());
    const Stats after = store->GetStats();
    ASSERT_EQ(before.node_bytes_used, after.node_bytes_used);
    ASSERT_EQ(before.record_bytes_used, after.record_bytes_used);
    ASSERT_TRUE(testing::IsClean(store.memory().span())) << "seed " << seed << " round " << round;
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, BatchModelTest, ::testing::ValuesIn(testing::AllKeyShapes()),
                         [](const auto& info) { return std::string(info.param.name); });

// Nodes are merged when a batch is through with them, not with each key: what is left lies in three times as many as it
// needs, at most.
TEST(BatchTest, DeletesLeaveATreeAsSmallAsWhatIsLeft) {
  const auto put = [](Store& store, uint64_t number) { return store.Put(U64Key(number), WordValue(number)); };
  constexpr uint64_t kCount = 5000;
  constexpr uint64_t kKeptEach = 25;
  MemoryStore store(4 << 20);
  MemoryStore fresh(4 << 20);
  ASSERT_OK(store.Format());
  ASSERT_OK(fresh.Format());
  for (uint64_t number = 0; number < kCount; ++number) ASSERT_OK(put(*store, number));
  WriteBatch few_stay;
  for (uint64_t number = 0; number < kCount; ++number) {
    if (number % kKeptEach != 0) few_stay.Delete(U64Key(number));
  }
  ASSERT_OK(store->Write(few_stay));
  ASSERT_OK(store->DeleteRange({.lower = U64Key(1000), .upper = U64Key(4000)}));
  size_t left = 0;
  for (uint64_t number = 0; number < kCount; number += kKeptEach) {
    const bool is_left = number < 1000 || number >= 4000;
    EXPECT_EQ(*store->Exists(U64Key(number)), is_left) << number;
    if (!is_left) continue;
    ASSERT_OK(put(*fresh, number));
    ++left;
  }
  for (Store* each : {&*store, &*fresh}) ASSERT_OK(each->WaitUntilSpaceIsKnown());
  EXPECT_TRUE(testing::IsClean(store.memory().span()));
  EXPECT_LE(store->GetStats().node_bytes_used, 3 * fresh->GetStats().node_bytes_used) << left << " keys";
}

}  // namespace
}  // namespace sealkv
