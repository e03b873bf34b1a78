// Reads of long keys go by a table of records (kv/record_table.h), which is believed. Whatever gives a record up, or
// puts another in its place, a read that follows sees it.
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gtest/gtest.h"
#include "kv/expiry.h"
#include "kv/node.h"
#include "kv/sealkv.h"
#include "kv/superblock.h"
#include "kv/wait.h"
#include "tests/memory_store.h"
#include "tests/model.h"
#include "tests/random.h"
#include "tests/status.h"

namespace sealkv {
namespace {

using testing::MemoryStore;
using testing::Model;
using testing::Random;
using testing::Scaled;
using testing::WordValue;

constexpr uint64_t kKeys = 200;

std::string KeyOf(uint64_t id) { return "a key of the table, number " + std::to_string(1000 + id); }

class TabledReadsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK(store_.Format());
    for (uint64_t id = 0; id < kKeys; ++id) Put(KeyOf(id), "the first value of " + std::to_string(id));
    ReadAll();
  }

  void Put(const std::string& key, const std::string& value) {
    ASSERT_OK(store_->Put(key, value));
    model_[key] = value;
  }
  // Twice: what isn't in the table at first is there then.
  void ReadAll() {
    for (int round = 0; round < 2; ++round) {
      for (uint64_t id = 0; id < kKeys; ++id) {
        const absl::StatusOr<std::string> value = store_->Get(KeyOf(id));
        const auto expected = model_.find(KeyOf(id));
        if (expected == model_.end()) {
          ASSERT_TRUE(absl::IsNotFound(value.status())) << id << ": " << value.value_or("another error");
        } else {
          ASSERT_OK(value) << id;
          ASSERT_EQ(*value, expected->second) << id;
        }
      }
      ReadAllTogether();
    }
  }
  void ReadAllTogether() {
    std::vector<std::string> keys;
    for (uint64_t id = 0; id < kKeys; ++id) keys.push_back(KeyOf(id));
    const auto values = store_->MultiGet(std::vector<std::string_view>(keys.begin(), keys.end()));
    for (uint64_t id = 0; id < kKeys; ++id) {
      const auto expected = model_.find(keys[id]);
      ASSERT_EQ(values[id].ok(), expected != model_.end()) << id << ": " << values[id].status();
      if (!values[id].ok()) continue;
      ASSERT_EQ(*values[id], expected->second) << id;
    }
  }

  MemoryStore store_{64 << 20};
  Model model_;
};

TEST_F(TabledReadsTest, SeeWhatWasPutOver) {
  for (uint64_t id = 0; id < kKeys; id += 2) Put(KeyOf(id), "the second value");
  ReadAll();
}

// A value of 8 bytes changes in place, and isn't in the table.
TEST_F(TabledReadsTest, SeeWordsAndWhatIsAddedToThem) {
  for (uint64_t id = 0; id < kKeys; ++id) Put(KeyOf(id), WordValue(id));
  ReadAll();
  for (uint64_t id = 0; id < kKeys; ++id) {
    ASSERT_OK(store_->Add(KeyOf(id), 1000));
    model_[KeyOf(id)] = WordValue(id + 1000);
  }
  ReadAll();
  for (uint64_t id = 0; id < kKeys; ++id) Put(KeyOf(id), "no word any more");
  ReadAll();
}

TEST_F(TabledReadsTest, MissWhatWasDeletedAndSeeWhatCameAfter) {
  for (uint64_t id = 0; id < kKeys; id += 3) {
    ASSERT_OK(store_->Delete(KeyOf(id)));
    model_.erase(KeyOf(id));
  }
  ReadAll();
  for (uint64_t id = 0; id < kKeys; id += 6) Put(KeyOf(id), "again");
  ReadAll();
  ASSERT_OK(store_->DeleteRange({.lower = KeyOf(20), .upper = KeyOf(150)}));
  model_.erase(model_.lower_bound(KeyOf(20)), model_.lower_bound(KeyOf(150)));
  ReadAll();
}

TEST_F(TabledReadsTest, SeeWhatABatchAndATransactionHaveDone) {
  WriteBatch batch;
  for (uint64_t id = 0; id < kKeys; id += 2) {
    batch.Put(KeyOf(id), "not to be seen: the batch puts it twice");
    batch.Put(KeyOf(id), "by a batch");
    model_[KeyOf(id)] = "by a batch";
  }
  batch.Delete(KeyOf(7));
  model_.erase(KeyOf(7));
  ASSERT_OK(store_->Write(batch));
  ReadAll();
  auto transaction = *store_->Begin();
  ASSERT_OK(transaction->Put(KeyOf(2), "by a transaction"));
  ASSERT_OK(transaction->Delete(KeyOf(3)));
  ReadAll();
  ASSERT_OK(transaction->Commit());
  model_[KeyOf(2)] = "by a transaction";
  model_.erase(KeyOf(3));
  ReadAll();
}

TEST_F(TabledReadsTest, SeeTheNewestWhileASnapshotKeepsWhatWas) {
  const auto snapshot = *store_->OpenSnapshot();
  for (uint64_t id = 0; id < kKeys; id += 2) Put(KeyOf(id), "after the snapshot");
  ReadAll();
  std::string value;
  ASSERT_OK(snapshot.Get(KeyOf(4), &value));
  EXPECT_EQ(value, "the first value of 4");
}

TEST_F(TabledReadsTest, MissWhatIsOver) {
  internal::seconds_for_tests = 1000;
  const std::chrono::sys_seconds over{std::chrono::seconds(1010)};
  ASSERT_OK(store_->PutUntil(KeyOf(5), "for ten seconds", over));
  model_[KeyOf(5)] = "for ten seconds";
  ReadAll();
  internal::seconds_for_tests = 1010;
  model_.erase(KeyOf(5));
  ReadAll();
  internal::seconds_for_tests = 0;
}

// Keys that get neighbours move to other leaves and layers; their records stay. Compaction moves these, too.
TEST_F(TabledReadsTest, SeeWhatHasMoved) {
  Random random(testing::TestSeed());
  for (uint64_t i = Scaled(30'000); i > 0; --i) {
    const uint64_t id = random.Below(kKeys);
    if (random.OneIn(3)) {
      Put(KeyOf(id), std::string(random.Between(9, 900), static_cast<char>('a' + i % 26)));
    } else {
      ASSERT_OK(store_->Put(KeyOf(id) + std::to_string(random.Below(1000)), std::string(200, 'n')));
    }
    if (i % 5000 == 0) {
      ASSERT_OK(store_->DeleteRange({.lower = KeyOf(id) + "0", .upper = KeyOf(id) + "9"}));
      ASSERT_OK(store_->Compact());
      ReadAll();
    }
  }
  ASSERT_OK(store_.Reopen());
  ReadAll();
}

// A reader claims a leaf for as long as it takes to add its record. A writer whom that has turned back until he went
// alone still gets there.
class ClaimedLeafTest : public ::testing::Test {
 protected:
  static constexpr int kWaits = 300;  // more than it takes to go alone

  void SetUp() override {
    ASSERT_OK(store_.Format());
    ASSERT_OK(store_->Put("a key in the root, and longer than a slice", "its value"));
    std::byte* const base = store_.memory().data();
    auto& superblock = *reinterpret_cast<internal::Superblock*>(base);
    leaf_ = reinterpret_cast<internal::Node*>(base + internal::RootWord(superblock, internal::RootId::kKeys));
    ASSERT_TRUE(leaf_->is_leaf());
    const internal::LockWord lock = leaf_->lock();
    leaf_->words[internal::Node::kLockWord] = lock.Claimed(static_cast<uint32_t>(lock.generation())).raw();
    waits_left_ = kWaits;
    internal::wait_in_test = [] {
      if (--waits_left_ == 0) {
        leaf_->words[internal::Node::kLockWord] = leaf_->lock().Unclaimed().raw();
      }
    };
  }
  void TearDown() override {
    internal::wait_in_test = nullptr;
    EXPECT_LE(waits_left_, 0) << "nobody has waited for the claim to end";
  }

  MemoryStore store_{8 << 20};
  static inline internal::Node* leaf_;
  static inline int waits_left_;
};

TEST_F(ClaimedLeafTest, APutGetsThere) {
  ASSERT_OK(store_->Put("another", "value of its own"));
  EXPECT_EQ(*store_->Get("another"), "value of its own");
}

TEST_F(ClaimedLeafTest, ABatchGetsThere) {
  WriteBatch batch;
  batch.Put("another", "value of its own");
  batch.Delete("a key in the root, and longer than a slice");
  ASSERT_OK(store_->Write(batch));
  EXPECT_EQ(*store_->Get("another"), "value of its own");
}

TEST_F(ClaimedLeafTest, DeleteRangeGetsThere) {
  ASSERT_OK(store_->DeleteRange({}));
  EXPECT_FALSE(*store_->Exists("a key in the root, and longer than a slice"));
}

}  // namespace
}  // namespace sealkv
