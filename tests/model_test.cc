// The store does what std::map does: random operations of every kind, over every shape of key, while it grows, stays,
// shrinks, becomes empty and is reopened.
#include "tests/model.h"

#include <algorithm>
#include <iostream>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "kv/node.h"
#include "kv/sealkv.h"
#include "tests/check_clean.h"
#include "tests/key_shapes.h"
#include "tests/memory_store.h"
#include "tests/random.h"
#include "tests/status.h"

namespace sealkv {
namespace {

using testing::KeyMaker;
using testing::KeyShape;
using testing::MemoryStore;
using testing::Model;
using testing::ModelIterator;
using testing::Printable;
using testing::Random;
using testing::Scaled;
using testing::WordOf;
using testing::WordValue;

struct Phase {
  unsigned put_percent;  // of the writes; the others are deletes
  uint64_t operations;
};

class ModelRun {
 public:
  ModelRun(const KeyShape& shape, uint64_t seed, size_t capacity_bytes)
      : random_(seed), new_key_(shape.new_maker()), store_(capacity_bytes) {}

  // In a store that may fill up, a write may return ResourceExhausted, and must then have changed nothing.
  void Run(std::span<const Phase> phases, unsigned largest_value_log2, bool may_fill_up = false) {
    largest_value_log2_ = largest_value_log2;
    may_fill_up_ = may_fill_up;
    ASSERT_OK(store_.Format());
    for (const Phase& phase : phases) {
      for (uint64_t i = 0; i < phase.operations; ++i, ++operations_done_) {
        ASSERT_NO_FATAL_FAILURE(DoOne(phase.put_percent)) << "operation " << operations_done_;
        if (::testing::Test::HasNonfatalFailure()) FAIL() << "operation " << operations_done_;
        if (!random_.OneIn(20'000)) continue;
        ASSERT_NO_FATAL_FAILURE(CompareAll()) << "operation " << operations_done_;
      }
      ASSERT_NO_FATAL_FAILURE(CompareAll()) << "operation " << operations_done_;
    }
    ASSERT_NO_FATAL_FAILURE(Drain());
  }

  uint64_t writes_without_space() const { return writes_without_space_; }

 private:
  void DoOne(unsigned put_percent) {
    const uint64_t choice = random_.Below(1000);
    if (choice < 450) return random_.Percent(put_percent) ? Put() : Delete();
    if (choice < 500) return random_.Percent(put_percent) ? Add() : Delete();
    if (choice < 540) return CompareAndSwap();
    if (choice < 560) return PutIfAbsent();
    if (choice < 800) return Get();
    if (choice < 860) return Exists();
    if (choice < 900) return Pin();
    if (choice < 910) return MultiGet();
    if (choice < 995) return Walk();
    if (choice < 999) return WalkWhileWriting();
    if (random_.OneIn(20)) Reopen();
  }

  std::string NewKey() { return new_key_(random_); }

  // Half the time one that is there, or next to one.
  std::string Key() {
    std::string key = NewKey();
    if (random_.OneIn(2)) return key;
    const auto near = model_.lower_bound(key);
    if (near == model_.end()) return key;
    if (random_.OneIn(20) && near->first.size() < kMaxKeyBytes) return near->first + '\0';
    if (random_.OneIn(20)) return near->first.substr(0, random_.Below(near->first.size() + 1));
    return near->first;
  }

  std::string Value() {
    if (random_.OneIn(2)) return WordValue(random_.Next());
    if (random_.OneIn(20)) return "";
    if (random_.OneIn(300)) return random_.Bytes(random_.Below(size_t{1} << random_.Between(8, largest_value_log2_)));
    return random_.Bytes(random_.Between(1, 200));
  }

  void Put() {
    const std::string key = Key();
    const std::string value = Value();
    const absl::Status status = store_->Put(key, value);
    if (IsFull(status)) return;
    ASSERT_OK(status) << Printable(key);
    model_.insert_or_assign(key, value);
  }

  bool IsFull(const absl::Status& status) {
    if (!may_fill_up_ || !absl::IsResourceExhausted(status)) return false;
    ++writes_without_space_;
    pins_.clear();
    const bool look = writes_without_space_ % 16 == 1;
    EXPECT_TRUE(!look || testing::ScansAs(*store_, model_)) << "after " << status.ToString();
    return true;
  }

  void PutIfAbsent() {
    const std::string key = Key();
    const std::string value = Value();
    const absl::Status status = store_->PutIfAbsent(key, value);
    if (IsFull(status)) return;
    if (model_.emplace(key, value).second) {
      ASSERT_OK(status) << Printable(key);
    } else {
      ASSERT_TRUE(absl::IsAlreadyExists(status)) << status.ToString() << Printable(key);
    }
  }

  void Delete() {
    const std::string key = Key();
    const absl::Status status = store_->Delete(key);
    if (model_.erase(key) > 0) {
      ASSERT_OK(status) << Printable(key);
    } else {
      ASSERT_TRUE(absl::IsNotFound(status)) << status.ToString() << Printable(key);
    }
  }

  void Add() {
    const std::string key = Key();
    const uint64_t delta = random_.Next();
    const absl::StatusOr<uint64_t> sum = store_->Add(key, delta);
    if (IsFull(sum.status())) return;
    const auto [entry, is_new] = model_.emplace(key, WordValue(0));
    if (entry->second.size() != 8) {
      ASSERT_TRUE(absl::IsFailedPrecondition(sum.status())) << sum.status().ToString() << Printable(key);
      return;
    }
    ASSERT_OK(sum) << Printable(key);
    ASSERT_EQ(*sum, WordOf(entry->second) + delta) << Printable(key);
    entry->second = WordValue(*sum);
  }

  void CompareAndSwap() {
    const std::string key = Key();
    const auto entry = model_.find(key);
    const bool is_word = entry != model_.end() && entry->second.size() == 8;
    const uint64_t expected = is_word && random_.OneIn(2) ? WordOf(entry->second) : random_.Next();
    const uint64_t desired = random_.Next();
    const absl::StatusOr<uint64_t> before = store_->CompareAndSwap(key, expected, desired);
    if (entry == model_.end()) {
      ASSERT_TRUE(absl::IsNotFound(before.status())) << before.status().ToString() << Printable(key);
    } else if (!is_word) {
      ASSERT_TRUE(absl::IsFailedPrecondition(before.status())) << before.status().ToString() << Printable(key);
    } else {
      ASSERT_OK(before) << Printable(key);
      ASSERT_EQ(*before, WordOf(entry->second)) << Printable(key);
      if (*before == expected) entry->second = WordValue(desired);
    }
  }

  void Get() {
    const std::string key = Key();
    ExpectAnswer(key, store_->Get(key));
  }

  void ExpectAnswer(const std::string& key, const absl::StatusOr<std::string>& value) {
    const auto entry = model_.find(key);
    if (entry == model_.end()) {
      ASSERT_TRUE(absl::IsNotFound(value.status())) << value.status().ToString() << Printable(key);
    } else {
      ASSERT_OK(value) << Printable(key);
      ASSERT_TRUE(*value == entry->second)
          << Printable(key) << ": wanted " << Printable(entry->second) << ", got " << Printable(*value);
    }
  }

  void Exists() {
    const std::string key = Key();
    const absl::StatusOr<bool> exists = store_->Exists(key);
    ASSERT_OK(exists);
    ASSERT_EQ(*exists, model_.contains(key)) << Printable(key);
  }

  void MultiGet() {
    std::vector<std::string> keys;
    for (uint64_t i = random_.Below(40); i > 0; --i) keys.push_back(Key());
    const auto values = store_->MultiGet(std::vector<std::string_view>(keys.begin(), keys.end()));
    ASSERT_EQ(values.size(), keys.size());
    for (size_t i = 0; i < keys.size(); ++i) ExpectAnswer(keys[i], values[i]);
  }

  // Pins a value, and looks at one pinned earlier: it must be as it was, whatever happened to its key since.
  void Pin() {
    const std::string key = Key();
    absl::StatusOr<PinnedValue> pinned = store_->GetPinned(key);
    const auto entry = model_.find(key);
    if (entry == model_.end()) {
      ASSERT_TRUE(absl::IsNotFound(pinned.status())) << pinned.status().ToString();
    } else {
      ASSERT_OK(pinned);
      ASSERT_TRUE(pinned->view() == entry->second) << Printable(key);
      pins_.emplace_back(*std::move(pinned), entry->second);
    }
    if (pins_.empty()) return;
    const size_t which = random_.Below(pins_.size());
    ASSERT_TRUE(pins_[which].first.view() == pins_[which].second) << "a pinned value changed";
    if (pins_.size() > 4 || random_.OneIn(3)) {
      std::swap(pins_[which], pins_.back());
      pins_.pop_back();
    }
    if (random_.OneIn(10)) pins_.clear();
  }

  Range SomeRange() {
    Range range;
    if (random_.OneIn(3)) range.lower = Key();
    if (random_.OneIn(3)) range.upper = Key();
    if (random_.OneIn(4)) {
      range.prefix = Key();
      range.prefix.resize(random_.Below(std::min<size_t>(range.prefix.size(), 30) + 1));
    }
    return range;
  }

  // Seeks and steps in both directions, beside the model's iterator.
  void Walk() {
    const Range range = SomeRange();
    const std::unique_ptr<Iterator> iterator = store_->NewIterator(range);
    ModelIterator expected(model_, range);
    ASSERT_FALSE(iterator->Valid());
    for (uint64_t seeks = random_.Between(1, 3); seeks > 0; --seeks) {
      const std::string key = Key();
      switch (random_.Below(6)) {
        case 0:
          iterator->SeekToFirst(), expected.SeekToFirst();
          break;
        case 1:
          iterator->SeekToLast(), expected.SeekToLast();
          break;
        case 2:
        case 3:
          iterator->Seek(key), expected.Seek(key);
          break;
        default:
          iterator->SeekForPrev(key), expected.SeekForPrev(key);
          break;
      }
      const unsigned forward_percent = random_.OneIn(3) ? 50 : 100 * random_.Below(2);
      for (uint64_t steps = random_.Below(random_.OneIn(10) ? 100 : 10);; --steps) {
        ASSERT_OK(iterator->status());
        ASSERT_EQ(iterator->Valid(), expected.Valid()) << "after a seek of " << Printable(key);
        if (!iterator->Valid()) break;
        ASSERT_TRUE(iterator->key() == expected.key())
            << "after a seek of " << Printable(key) << ": wanted " << Printable(expected.key()) << ", got "
            << Printable(iterator->key());
        ASSERT_TRUE(iterator->value() == expected.value()) << Printable(expected.key());
        if (steps == 0) break;
        if (random_.Percent(forward_percent)) {
          iterator->Next(), expected.Next();
        } else {
          iterator->Prev(), expected.Prev();
        }
      }
    }
  }

  // Writes while an iterator walks: each key that wasn't touched meanwhile is seen exactly once, in order.
  void WalkWhileWriting() {
    const bool is_forward = random_.OneIn(2);
    std::set<std::string> touched;
    std::vector<std::string> seen;
    const std::unique_ptr<Iterator> iterator = store_->NewIterator();
    const std::string from = Key();
    is_forward ? iterator->Seek(from) : iterator->SeekForPrev(from);
    while (iterator->Valid() && seen.size() < 200) {
      seen.emplace_back(iterator->key());
      if (random_.OneIn(8)) {
        // Near the iterator, where it hurts.
        std::string key = random_.OneIn(2) ? std::string(iterator->key()) : Key();
        if (random_.OneIn(4)) key = key.substr(0, key.size() / 2);
        touched.insert(key);
        if (random_.OneIn(2)) {
          const absl::Status status = store_->Put(key, "while walking");
          if (!IsFull(status)) {
            ASSERT_OK(status);
            model_.insert_or_assign(key, "while walking");
          }
        } else {
          ASSERT_EQ(store_->Delete(key).ok(), model_.erase(key) > 0);
        }
      }
      is_forward ? iterator->Next() : iterator->Prev();
    }
    ASSERT_OK(iterator->status());
    const auto is_out_of_order = [&](const std::string& a, const std::string& b) {
      return is_forward ? a >= b : a <= b;
    };
    ASSERT_EQ(std::adjacent_find(seen.begin(), seen.end(), is_out_of_order), seen.end());
    std::erase_if(seen, [&](const std::string& key) { return touched.contains(key); });
    ModelIterator expected(model_, {});
    is_forward ? expected.Seek(from) : expected.SeekForPrev(from);
    for (const std::string& key : seen) {
      while (expected.Valid() && touched.contains(expected.key())) is_forward ? expected.Next() : expected.Prev();
      ASSERT_TRUE(expected.Valid()) << "saw " << Printable(key) << " after the last";
      ASSERT_EQ(Printable(key), Printable(expected.key()));
      is_forward ? expected.Next() : expected.Prev();
    }
  }

  void Reopen() {
    pins_.clear();
    ASSERT_OK(store_.Reopen());
    if (random_.OneIn(2)) return;
    ASSERT_OK(store_->WaitUntilSpaceIsKnown());
  }

  void CompareAll() {
    ASSERT_TRUE(testing::ScansAs(*store_, model_));
    ASSERT_TRUE(testing::GetsAs(*store_, model_));
    pins_.clear();
    // What the store believes to be in use is what a fresh look finds: nothing leaks.
    ASSERT_OK(store_->WaitUntilSpaceIsKnown());
    const Stats before = store_->GetStats();
    ASSERT_NO_FATAL_FAILURE(Reopen());
    ASSERT_OK(store_->WaitUntilSpaceIsKnown());
    const Stats after = store_->GetStats();
    ASSERT_EQ(before.node_bytes_used, after.node_bytes_used);
    ASSERT_EQ(before.record_bytes_used, after.record_bytes_used);
    ASSERT_EQ(before.bytes_retired, 0u);
    ASSERT_TRUE(testing::IsClean(store_.memory().span()));
  }

  // Deletes all keys, in order, against it, or at random.
  void Drain() {
    pins_.clear();
    const uint64_t order = random_.Below(3);
    while (!model_.empty()) {
      auto entry = order == 0 ? model_.begin() : order == 1 ? std::prev(model_.end()) : model_.lower_bound(NewKey());
      if (entry == model_.end()) entry = model_.begin();
      ASSERT_OK(store_->Delete(entry->first)) << Printable(entry->first);
      model_.erase(entry);
    }
    ASSERT_NO_FATAL_FAILURE(CompareAll());
    const Stats stats = store_->GetStats();
    EXPECT_EQ(stats.node_bytes_used, internal::kNodeBytes) << "an empty store is one empty leaf";
    EXPECT_EQ(stats.record_bytes_used, 0u);
    EXPECT_EQ(stats.segments_free, stats.segments_total - stats.segments_header - 1);
  }

  Random random_;
  KeyMaker new_key_;
  MemoryStore store_;
  Model model_;
  std::vector<std::pair<PinnedValue, std::string>> pins_;
  unsigned largest_value_log2_ = 8;
  bool may_fill_up_ = false;
  uint64_t writes_without_space_ = 0;
  uint64_t operations_done_ = 0;
};

class ModelTest : public ::testing::TestWithParam<KeyShape> {
 protected:
  void SetUp() override {
    seed_ = testing::TestSeed();
    std::cout << "SEALKV_TEST_SEED=" << seed_ << "\n";
  }
  bool HasLongKeys() const { return std::string_view(GetParam().name) == "LongKeys"; }

  uint64_t seed_ = 0;
};

// A large store, with room for everything, that grows and shrinks in long phases.
TEST_P(ModelTest, GrowsAndShrinks) {
  const uint64_t operations = Scaled(HasLongKeys() ? 15'000 : 300'000);
  const Phase phases[] = {{75, operations}, {50, operations}, {15, operations}, {60, operations / 2}};
  ModelRun run(GetParam(), seed_, size_t{4} << 30);
  run.Run(phases, /*largest_value_log2=*/22);
}

// Few keys at a time: the smallest trees, with their roots and layers made and dropped over and over.
TEST_P(ModelTest, StaysSmall) {
  const uint64_t runs = Scaled(HasLongKeys() ? 20 : 200);
  for (uint64_t i = 0; i < runs; ++i) {
    const uint64_t seed = seed_ + 1000 + i;
    const uint64_t operations = HasLongKeys() ? 200 : 1500;
    const Phase phases[] = {{70, operations / 5}, {10, operations / 2}, {50, operations}, {5, operations / 2}};
    ModelRun run(GetParam(), seed, size_t{64} << 20);
    run.Run(phases, /*largest_value_log2=*/12);
    ASSERT_FALSE(HasFailure()) << "seed " << seed;
  }
}

// The smallest stores, mostly full: what can't be written changes nothing, deletes always work, and what they free can
// be used again.
TEST_P(ModelTest, FillsUp) {
  const uint64_t runs = Scaled(HasLongKeys() ? 10 : 40);
  uint64_t writes_without_space = 0;
  for (uint64_t i = 0; i < runs; ++i) {
    const uint64_t seed = seed_ + 2000 + i;
    const Phase phases[] = {{90, 2000}, {50, 2000}, {20, 2000}, {80, 2000}};
    ModelRun run(GetParam(), seed, (size_t{64} << 10) << i % 4);
    run.Run(phases, /*largest_value_log2=*/14, /*may_fill_up=*/true);
    ASSERT_FALSE(HasFailure()) << "seed " << seed;
    writes_without_space += run.writes_without_space();
  }
  EXPECT_GT(writes_without_space, 0u) << "the stores were too large for this test";
}

INSTANTIATE_TEST_SUITE_P(, ModelTest, ::testing::ValuesIn(testing::AllKeyShapes()),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace sealkv
