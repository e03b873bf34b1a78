// What operations cost, in cache lines flushed and fences, counted at the seam: the table in docs/design.md, and what
// kv/sealkv.h says. An operation that splits or merges nodes, or takes or releases a segment, costs more; each test
// says how many of those it allows, and asserts the rest exactly.
#include <cstdint>
#include <functional>
#include <map>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>

#include "daxfile/persist.h"
#include "gtest/gtest.h"
#include "kv/record.h"
#include "tests/memory_store.h"
#include "tests/model.h"
#include "tests/random.h"
#include "tests/status.h"

namespace sealkv {
namespace {

using testing::MemoryStore;
using testing::Random;
using testing::WordValue;

struct Cost {
  uint64_t lines = 0;
  uint64_t fences = 0;
  friend auto operator<=>(const Cost&, const Cost&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Cost& cost) {
    return out << "(" << cost.lines << " lines, " << cost.fences << " fences)";
  }
};

Cost CostOf(const std::function<void()>& operation) {
  const daxfile::PersistCounters before = daxfile::ThreadPersistCounters();
  operation();
  const daxfile::PersistCounters spent = daxfile::ThreadPersistCounters() - before;
  return {spent.lines_flushed, spent.fences};
}

// The costs that were seen, and how often.
class Costs {
 public:
  void Add(Cost cost) { ++counts_[cost], ++total_; }
  // How many of a hundred operations cost at most `lines`, with exactly `fences`.
  double PercentWithin(uint64_t lines, uint64_t fences) const {
    uint64_t within = 0;
    for (const auto& [cost, count] : counts_) within += cost.lines <= lines && cost.fences == fences ? count : 0;
    return 100.0 * static_cast<double>(within) / static_cast<double>(total_);
  }
  Cost Least() const { return counts_.begin()->first; }
  double LinesPerOperation() const { return PerOperation(&Cost::lines); }
  double FencesPerOperation() const { return PerOperation(&Cost::fences); }
  friend std::ostream& operator<<(std::ostream& out, const Costs& costs) {
    for (const auto& [cost, count] : costs.counts_) out << count << " x " << cost << "; ";
    return out;
  }

 private:
  double PerOperation(uint64_t Cost::*part) const {
    uint64_t sum = 0;
    for (const auto& [cost, count] : counts_) sum += cost.*part * count;
    return static_cast<double>(sum) / static_cast<double>(total_);
  }

  std::map<Cost, uint64_t> counts_;
  uint64_t total_ = 0;
};

// Lines that a record of this size can touch at most, wherever it begins (records are 8-aligned).
uint64_t MostRecordLines(size_t key_bytes, size_t value_bytes) {
  return (internal::RecordBytes(key_bytes, value_bytes) + daxfile::kCacheLineBytes - 8 - 1) / daxfile::kCacheLineBytes +
         1;
}

class BudgetTest : public ::testing::Test {
 protected:
  static constexpr size_t kCapacityBytes = size_t{256} << 20;
  static constexpr uint64_t kKeys = 20'000;

  void SetUp() override { ASSERT_OK(store_.Format()); }

  static std::string NumberKey(uint64_t i) { return U64Key(Random(i).Next()); }
  // Keys of 20 to 40 bytes that share much: layers and ties.
  static std::string TextKey(uint64_t i) {
    return "/usr/share/" + std::to_string(i % 37) + "/some/file-" + std::to_string(i * 7919 % 1'000'003);
  }

  void Load(const std::function<std::string(uint64_t)>& key, size_t value_bytes) {
    for (uint64_t i = 0; i < kKeys; ++i) ASSERT_OK(store_->Put(key(i), std::string(value_bytes, 'v')));
  }

  MemoryStore store_{kCapacityBytes};
};

TEST_F(BudgetTest, AnEightByteValueIsReplacedInPlaceByOneLineAndOneFence) {
  for (const auto& key : {NumberKey, TextKey}) {  // inline values; and values inside of records
    Load(key, 8);
    for (uint64_t i = 0; i < kKeys; ++i) {
      ASSERT_EQ(CostOf([&] { ASSERT_OK(store_->Put(key(i), WordValue(i))); }), (Cost{1, 1}));
      ASSERT_EQ(CostOf([&] { ASSERT_OK(store_->Add(key(i), 5)); }), (Cost{1, 1}));
      ASSERT_EQ(CostOf([&] { ASSERT_EQ(*store_->CompareAndSwap(key(i), i + 5, 1), i + 5); }), (Cost{1, 1}));
    }
  }
}

TEST_F(BudgetTest, AWriteThatChangesNothingCostsNothing) {
  Load(NumberKey, 8);
  Load(TextKey, 20);
  for (uint64_t i = 0; i < kKeys; ++i) {
    const Cost cost = CostOf([&] {
      EXPECT_TRUE(absl::IsAlreadyExists(store_->PutIfAbsent(NumberKey(i), WordValue(i))));
      EXPECT_TRUE(absl::IsNotFound(store_->Delete(TextKey(i) + "?")));
      EXPECT_TRUE(absl::IsFailedPrecondition(store_->Add(TextKey(i), 1).status()));
      EXPECT_NE(*store_->CompareAndSwap(NumberKey(i), 17, 18), 17u);
    });
    ASSERT_EQ(cost, Cost{});
  }
}

TEST_F(BudgetTest, MostInsertsOfAnEightBytePairWriteOneLineAndOneFence) {
  Costs costs;
  for (uint64_t i = 0; i < kKeys; ++i) {
    costs.Add(CostOf([&] { ASSERT_OK(store_->Put(NumberKey(i), WordValue(i))); }));
  }
  // The entry lies in the line of the permutation; or it goes elsewhere, and makes room there for the next three.
  EXPECT_GE(costs.PercentWithin(1, 1), 70) << costs;
  // A leaf of 14 slots splits once in about ten random inserts.
  EXPECT_GE(costs.PercentWithin(1, 1) + costs.PercentWithin(3, 2), 87) << costs;
  EXPECT_LE(costs.LinesPerOperation(), 2.6) << costs;
  EXPECT_LE(costs.FencesPerOperation(), 1.3) << costs;
}

TEST_F(BudgetTest, AscendingInsertsSplitOnceInFourteen) {
  Costs costs;
  for (uint64_t i = 0; i < kKeys; ++i) costs.Add(CostOf([&] { ASSERT_OK(store_->Put(U64Key(i), WordValue(i))); }));
  EXPECT_GE(costs.PercentWithin(1, 1), 70) << costs;
  EXPECT_GE(costs.PercentWithin(1, 1) + costs.PercentWithin(3, 2), 92) << costs;
  EXPECT_LE(costs.LinesPerOperation(), 2.2) << costs;
  EXPECT_LE(costs.FencesPerOperation(), 1.4) << costs;
}

TEST_F(BudgetTest, InsertOfARecordWritesItsLinesAndThreeMoreAndTwoFences) {
  for (const size_t value_bytes : {0, 8, 100, 1000}) {
    Costs beyond_record;
    for (uint64_t i = 0; i < kKeys; ++i) {
      const std::string key = TextKey(i) + "/" + std::to_string(value_bytes);
      Cost cost = CostOf([&] { ASSERT_OK(store_->Put(key, std::string(value_bytes, 'v'))); });
      const uint64_t record_lines = internal::RecordBytes(key.size(), value_bytes) / daxfile::kCacheLineBytes;
      ASSERT_GE(cost.lines, record_lines);
      cost.lines -= std::min(cost.lines, MostRecordLines(key.size(), value_bytes));
      beyond_record.Add(cost);
    }
    // Besides the splits, a record of 1 KiB takes a new segment of 2 MiB once in 2,000.
    EXPECT_GE(beyond_record.PercentWithin(3, 2), 85) << value_bytes << " bytes: " << beyond_record;
  }
}

TEST_F(BudgetTest, UpdateByRecordWritesItsLinesAndOneMoreAndTwoFences) {
  Load(TextKey, 20);
  Costs beyond_record;
  for (uint64_t i = 0; i < kKeys; ++i) {
    const std::string key = TextKey(i);
    Cost cost = CostOf([&] { ASSERT_OK(store_->Put(key, std::string(i % 300 + 9, 'w'))); });
    cost.lines -= std::min(cost.lines, MostRecordLines(key.size(), i % 300 + 9));
    beyond_record.Add(cost);
  }
  // The reference is one store: no update splits a node. Segments are taken and released once in thousands.
  EXPECT_GE(beyond_record.PercentWithin(1, 2), 99) << beyond_record;
}

TEST_F(BudgetTest, AnInlineValueBecomesARecordByItsLinesAndThreeMore) {
  Load(NumberKey, 8);
  Costs beyond_record;
  for (uint64_t i = 0; i < kKeys; ++i) {
    Cost cost = CostOf([&] { ASSERT_OK(store_->Put(NumberKey(i), std::string(50, 'r'))); });
    cost.lines -= std::min(cost.lines, MostRecordLines(8, 50));
    beyond_record.Add(cost);
  }
  // In a full node the entry has no second slot to move to: that splits it.
  EXPECT_GE(beyond_record.PercentWithin(3, 2), 85) << beyond_record;
}

TEST_F(BudgetTest, DeleteWritesOneLineAndOneFence) {
  for (const auto& key : {NumberKey, TextKey}) {
    Load(key, 8);
    Costs costs;
    for (uint64_t i = 0; i < kKeys; ++i) costs.Add(CostOf([&] { ASSERT_OK(store_->Delete(key(i))); }));
    // A leaf that gets sparse is merged with a neighbour: about once in the five or six deletes that empty half of it.
    EXPECT_EQ(costs.Least(), (Cost{1, 1})) << costs;
    EXPECT_GE(costs.PercentWithin(1, 1), 80) << costs;
  }
}

// Where changes are kept every write is a batch, whose fences they are.
TEST_F(BudgetTest, AWriteThatIsKeptCostsFourFences) {
  MemoryStore store(kCapacityBytes, nullptr, Background::kNone, {.change_log_bytes = 1 << 20});
  ASSERT_OK(store.Format());
  Costs puts, replacements, deletions;
  for (uint64_t i = 0; i < kKeys; ++i) {
    puts.Add(CostOf([&] { ASSERT_OK(store->Put(NumberKey(i), WordValue(i))); }));
  }
  for (uint64_t i = 0; i < kKeys; ++i) {
    replacements.Add(CostOf([&] { ASSERT_OK(store->Put(NumberKey(i), WordValue(i + 1))); }));
  }
  for (uint64_t i = 0; i < kKeys; ++i) deletions.Add(CostOf([&] { ASSERT_OK(store->Delete(NumberKey(i))); }));
  // More where a segment is taken, or nodes are merged after it.
  EXPECT_GE(puts.PercentWithin(32, 4), 98) << puts;
  EXPECT_GE(replacements.PercentWithin(18, 4), 90) << replacements;
  EXPECT_GE(deletions.PercentWithin(32, 4), 50) << deletions;
}

TEST_F(BudgetTest, ReadsCostNothing) {
  Load(NumberKey, 8);
  Load(TextKey, 30);
  const Cost cost = CostOf([&] {
    std::string value;
    for (uint64_t i = 0; i < kKeys; ++i) {
      const std::string key = TextKey(i);
      const std::string_view keys[] = {key, "absent"};
      ASSERT_OK(store_->Get(NumberKey(i), &value));
      ASSERT_OK(store_->GetPinned(key));
      ASSERT_OK(store_->Exists("absent"));
      ASSERT_EQ(store_->MultiGet(keys).size(), 2u);
    }
    const std::unique_ptr<Iterator> iterator = store_->NewIterator();
    for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) value = iterator->value();
    for (iterator->SeekToLast(); iterator->Valid(); iterator->Prev()) value = iterator->value();
    iterator->SeekForPrev("/usr/");
    EXPECT_EQ(store_->GetStats().generation, 1u);
  });
  EXPECT_EQ(cost, Cost{});
}

// The superblock's lines (kv/settle.cc), and the new generation.
TEST_F(BudgetTest, OpenCostsTheSameAtAnySize) {
  const auto cost_of_open = [this] {
    store_.Close();
    return CostOf([this] { ASSERT_OK(store_.Open()); });
  };
  EXPECT_EQ(cost_of_open(), (Cost{33, 2})) << "an empty store";
  Load(NumberKey, 8);
  Load(TextKey, 100);
  EXPECT_EQ(cost_of_open(), (Cost{33, 2})) << "a full one";
  // The background pass writes the table of segments back, once; nothing else where nothing is to be given back.
  constexpr uint64_t kTableLines = 16;  // of 128 words
  EXPECT_EQ(CostOf([this] { ASSERT_OK(store_->WaitUntilSpaceIsKnown()); }), (Cost{kTableLines, 1}));
  EXPECT_EQ(CostOf([this] { ASSERT_OK(store_->WaitUntilSpaceIsKnown()); }), Cost{});
}

}  // namespace
}  // namespace sealkv
