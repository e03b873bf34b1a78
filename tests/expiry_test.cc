// Values that expire: from their second on they aren't there, for anybody; until then they are as any other. Tests say
// what time it is.
#include "kv/expiry.h"

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "kv/record.h"
#include "kv/sealkv.h"
#include "kv/superblock.h"
#include "tests/check_clean.h"
#include "tests/memory_store.h"
#include "tests/model.h"
#include "tests/random.h"
#include "tests/status.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace sealkv {
namespace {

using std::chrono::seconds;
using std::chrono::sys_seconds;
using testing::IsError;
using testing::MemoryStore;
using testing::Model;
using testing::WordValue;

sys_seconds At(uint32_t second) { return sys_seconds(seconds(second)); }

Model ContentsOf(Iterator& all) {
  Model contents;
  for (all.SeekToFirst(); all.Valid(); all.Next()) contents.emplace(all.key(), all.value());
  EXPECT_OK(all.status());
  Model backwards;
  for (all.SeekToLast(); all.Valid(); all.Prev()) backwards.emplace(all.key(), all.value());
  EXPECT_EQ(contents, backwards);
  return contents;
}
Model ContentsOf(const Store& store) { return ContentsOf(*store.NewIterator()); }

class ExpiryTest : public ::testing::Test {
 protected:
  ExpiryTest() { TimeIs(1000); }
  ~ExpiryTest() override { TimeIs(0); }
  static void TimeIs(uint32_t second) { internal::seconds_for_tests = second; }

  void SetUp() override { ASSERT_OK(store_.Format()); }

  MemoryStore store_{8 << 20, nullptr, Background::kNone, {.change_log_bytes = 0}};
};

TEST_F(ExpiryTest, FromItsSecondOnTheKeyIsntThere) {
  const std::string long_key(40, 'k');
  for (const std::string& key : {U64Key(1), std::string("short"), long_key, std::string()}) {
    for (const std::string& value : {WordValue(7), std::string("a value"), std::string(100'000, 'v')}) {
      TimeIs(1000);
      ASSERT_OK(store_->PutUntil(key, value, At(1010)));
      EXPECT_EQ(*store_->GetExpiry(key), At(1010));
      TimeIs(1009);
      EXPECT_EQ(*store_->Get(key), value);
      EXPECT_EQ(store_->GetPinned(key)->view(), value);
      EXPECT_TRUE(*store_->Exists(key));
      EXPECT_EQ(ContentsOf(*store_), (Model{{key, value}}));
      TimeIs(1010);
      EXPECT_TRUE(absl::IsNotFound(store_->Get(key).status()));
      EXPECT_TRUE(absl::IsNotFound(store_->GetPinned(key).status()));
      EXPECT_TRUE(absl::IsNotFound(store_->GetExpiry(key).status()));
      EXPECT_FALSE(*store_->Exists(key));
      EXPECT_TRUE(ContentsOf(*store_).empty());
      EXPECT_TRUE(absl::IsNotFound(store_->Delete(key)));
      EXPECT_TRUE(absl::IsNotFound(store_->CompareAndSwap(key, 7, 8).status()));
      ASSERT_OK(store_->Put(key, "stays"));
      ASSERT_OK(store_->Delete(key));
      EXPECT_TRUE(testing::IsClean(store_.memory().span()));
    }
  }
}

TEST_F(ExpiryTest, WhatIsOverIsReplacedAsIfItWereNotThere) {
  const auto put = [&](const std::string& key) { ASSERT_OK(store_->PutUntil(key, WordValue(7), At(1010))); };
  for (const std::string& key : {U64Key(1), std::string("key"), std::string("8 bytes:and more")}) {
    TimeIs(1000);
    put(key);
    EXPECT_TRUE(IsError(store_->PutIfAbsent(key, "x"), absl::StatusCode::kAlreadyExists));
    TimeIs(1010);
    EXPECT_OK(store_->PutIfAbsent(key, "x"));
    EXPECT_EQ(*store_->Get(key), "x");
    EXPECT_EQ(*store_->GetExpiry(key), std::nullopt);
    put(key);
    EXPECT_EQ(*store_->Add(key, 5), 5u);
    EXPECT_EQ(*store_->GetExpiry(key), std::nullopt);
    put(key);
    EXPECT_OK(store_->Update(key, [](std::optional<std::string_view> before) {
      EXPECT_FALSE(before.has_value());
      return "updated";
    }));
    EXPECT_EQ(*store_->GetExpiry(key), std::nullopt);
    put(key);
    WriteBatch batch;
    batch.Add(key, 3);
    EXPECT_OK(store_->Write(batch));
    EXPECT_EQ(*store_->Get(key), WordValue(3));
    put(key);
    EXPECT_OK(store_->Transact([&](Transaction& transaction) {
      EXPECT_TRUE(absl::IsNotFound(transaction.Get(key).status()));
      return transaction.Put(key, "by a transaction");
    }));
    EXPECT_EQ(*store_->Get(key), "by a transaction");
  }
}

TEST_F(ExpiryTest, ChangesOfAValueKeepItAndPutDoesnt) {
  for (const std::string& key : {U64Key(1), std::string("key"), std::string("8 bytes:and more")}) {
    const auto expiry = [&] { return *store_->GetExpiry(key); };
    ASSERT_OK(store_->PutUntil(key, WordValue(7), At(1010)));
    EXPECT_EQ(*store_->Add(key, 1), 8u);
    EXPECT_EQ(expiry(), At(1010));
    EXPECT_EQ(*store_->CompareAndSwap(key, 8, 9), 8u);
    EXPECT_EQ(expiry(), At(1010));
    WriteBatch batch;
    batch.Add(key, 1);
    ASSERT_OK(store_->Write(batch));
    EXPECT_EQ(expiry(), At(1010));
    ASSERT_OK(store_->Transact([&](Transaction& transaction) { return transaction.Add(key, 1).status(); }));
    EXPECT_EQ(expiry(), At(1010));
    {
      const auto snapshot = store_->OpenSnapshot();
      EXPECT_EQ(*store_->Add(key, 1), 12u);
      EXPECT_EQ(expiry(), At(1010));
    }
    ASSERT_OK(store_->Update(key, [](std::optional<std::string_view>) { return "longer than a word"; }));
    EXPECT_EQ(expiry(), At(1010));
    ASSERT_OK(store_->PutUntil(key, WordValue(1), At(1020)));
    EXPECT_EQ(expiry(), At(1020));
    ASSERT_OK(store_->Put(key, WordValue(1)));
    EXPECT_EQ(expiry(), std::nullopt);
    // Of a batch the last word on a key is said.
    batch.Clear();
    batch.PutUntil(key, WordValue(1), At(1030));
    batch.Add(key, 1);
    ASSERT_OK(store_->Write(batch));
    EXPECT_EQ(expiry(), At(1030));
    EXPECT_EQ(*store_->Get(key), WordValue(2));
  }
}

TEST_F(ExpiryTest, IteratorsSkipWhatIsOver) {
  Model model;
  testing::Random random(testing::TestSeed());
  for (uint64_t i = 0; i < 3000; ++i) {
    const std::string key = random.OneIn(2) ? U64Key(i) : absl::StrCat("a common prefix/", i % 70, "/", i);
    const uint32_t expiry = static_cast<uint32_t>(random.Between(990, 1010));
    ASSERT_OK(store_->PutUntil(key, random.Bytes(random.Below(40)), At(expiry)));
    if (expiry > 1000) model[key] = *store_->Get(key);
  }
  EXPECT_EQ(ContentsOf(*store_), model) << "seed " << testing::TestSeed();
  const std::unique_ptr<Iterator> at = store_->NewIterator();
  for (int i = 0; i < 500; ++i) {
    const std::string key =
        random.OneIn(2) ? U64Key(random.Below(3000)) : absl::StrCat("a common prefix/", random.Below(70));
    at->Seek(key);
    const auto next = model.lower_bound(key);
    ASSERT_EQ(at->Valid(), next != model.end());
    if (at->Valid()) {
      EXPECT_EQ(at->key(), next->first);
      EXPECT_GT(*at->expiry(), At(1000));
    }
    at->SeekForPrev(key);
    const auto behind = model.upper_bound(key);
    ASSERT_EQ(at->Valid(), behind != model.begin());
    if (at->Valid()) {
      EXPECT_EQ(at->key(), std::prev(behind)->first);
    }
  }
}

TEST_F(ExpiryTest, ASnapshotIsAsOfWhenItWasOpened) {
  ASSERT_OK(store_->PutUntil("a", "1", At(1010)));
  const auto snapshot = store_->OpenSnapshot();
  const auto transaction = store_->Begin();
  const std::unique_ptr<Iterator> iterator = store_->NewIterator();
  TimeIs(1010);
  ASSERT_OK(store_->Put("b", "2"));
  ASSERT_OK(store_->Compact());
  EXPECT_EQ(*snapshot->Get("a"), "1");
  EXPECT_EQ(ContentsOf(*iterator), (Model{{"a", "1"}}));
  EXPECT_EQ(ContentsOf(*snapshot->NewIterator()), (Model{{"a", "1"}}));
  EXPECT_EQ(ContentsOf(*store_), (Model{{"b", "2"}}));
  // It has read what nobody but the time has changed.
  EXPECT_EQ(*(*transaction)->Get("a"), "1");
  EXPECT_EQ(ContentsOf(*(*transaction)->NewIterator({.upper = "b"})), (Model{{"a", "1"}}));
  ASSERT_OK((*transaction)->Put("c", "3"));
  EXPECT_OK((*transaction)->Commit());
}

TEST_F(ExpiryTest, ATransactionThatReadWhatWasOverAlreadyCommits) {
  ASSERT_OK(store_->PutUntil("a", "1", At(1010)));
  TimeIs(1010);
  ASSERT_OK(store_->Transact([&](Transaction& transaction) {
    EXPECT_TRUE(absl::IsNotFound(transaction.Get("a").status()));
    const std::unique_ptr<Iterator> at = transaction.NewIterator();
    at->SeekToFirst();
    EXPECT_FALSE(at->Valid());
    return transaction.PutUntil("b", "2", At(1020));
  }));
  EXPECT_EQ(*store_->GetExpiry("b"), At(1020));
}

// Fifty thousand pairs of 200 bytes don't fit in 8 MiB; those that aren't over do.
TEST_F(ExpiryTest, CompactionMakesRoomOfWhatIsOver) {
  for (uint32_t i = 0; i < 50'000; ++i) {
    TimeIs(1000 + i / 100);
    ASSERT_OK(store_->PutUntil(U64Key(i), std::string(200, 'v'), At(1000 + i / 100 + 50))) << i;
  }
  TimeIs(1000 + 500 + 50);
  EXPECT_GT(store_->GetStats().record_bytes_over, 0u);
  ASSERT_OK(store_->Compact());
  const Stats stats = store_->GetStats();
  EXPECT_TRUE(ContentsOf(*store_).empty());
  EXPECT_LT(stats.record_bytes_used, 2 * stats.segment_bytes);  // what threads append to stays
  EXPECT_TRUE(testing::IsClean(store_.memory().span()));
}

TEST_F(ExpiryTest, AfterAReopeningCompactionKnowsWhatIsOver) {
  for (uint64_t i = 0; i < 10'000; ++i) {
    ASSERT_OK(store_->PutUntil(U64Key(i), std::string(200, 'v'), At(i % 10 == 0 ? 2000 : 1010)));
  }
  ASSERT_OK(store_->PutUntil("large", std::string(1 << 20, 'v'), At(1010)));
  ASSERT_OK(store_.Reopen());
  ASSERT_OK(store_->WaitUntilSpaceIsKnown());
  TimeIs(1016);  // how much is over is known to a factor of two of the time
  const uint64_t before = store_->GetStats().record_bytes_used;
  ASSERT_OK(store_->Compact());
  EXPECT_LT(store_->GetStats().record_bytes_used, before / 4);
  EXPECT_EQ(ContentsOf(*store_).size(), 1000u);
  EXPECT_TRUE(testing::IsClean(store_.memory().span()));
}

TEST_F(ExpiryTest, CopiesAndChangesHaveIt) {
  std::string pattern = ::testing::TempDir() + "/expiry.XXXXXX";
  const std::string folder = mkdtemp(pattern.data());
  const std::string path = folder + "/copy";
  Options options;
  options.weakest_tier = daxfile::Tier::kVolatile;
  options.emulate_on_dram = true;
  MemoryStore source(4 << 20, nullptr, Background::kNone, {.change_log_bytes = 1 << 20});
  ASSERT_OK(source.Format());
  ASSERT_OK(source->PutUntil("a", "1", At(1010)));
  ASSERT_OK(source->PutUntil(U64Key(1), WordValue(1), At(1020)));
  ASSERT_OK(source->PutUntil("over", "1", At(900)));
  ASSERT_OK(source->Checkpoint(path, options));
  ASSERT_OK(source->PutUntil("b", "2", At(1030)));
  ASSERT_OK(source->Add(U64Key(1), 1).status());
  {
    const auto copy = Store::Open(path, options);
    ASSERT_OK(copy);
    EXPECT_EQ(*(*copy)->GetExpiry("a"), At(1010));
    EXPECT_EQ(*(*copy)->GetExpiry(U64Key(1)), At(1020));
    ASSERT_OK((*copy)->CatchUpWith(*source));
    EXPECT_EQ(*(*copy)->GetExpiry("b"), At(1030));
    EXPECT_EQ(*(*copy)->GetExpiry(U64Key(1)), At(1020));
    EXPECT_EQ(*(*copy)->Get(U64Key(1)), WordValue(2));
    EXPECT_EQ(ContentsOf(**copy), ContentsOf(*source));
  }
  std::filesystem::remove_all(folder);
}

// The copy comes by when what was deleted is over.
TEST_F(ExpiryTest, ACopyCatchesUpWithADeleteOfWhatIsOverByNow) {
  std::string pattern = ::testing::TempDir() + "/expiry.XXXXXX";
  const std::string folder = mkdtemp(pattern.data());
  const std::string path = folder + "/copy";
  Options options;
  options.weakest_tier = daxfile::Tier::kVolatile;
  options.emulate_on_dram = true;
  MemoryStore source(4 << 20, nullptr, Background::kNone, {.change_log_bytes = 1 << 20});
  ASSERT_OK(source.Format());
  ASSERT_OK(source->Checkpoint(path, options));
  ASSERT_OK(source->PutUntil("a", "1", At(1010)));
  ASSERT_OK(source->PutUntil("b", "1", At(1010)));
  ASSERT_OK(source->Delete("a"));
  WriteBatch batch;
  batch.Delete("b");
  batch.Put("c", "2");
  ASSERT_OK(source->Write(batch));
  ASSERT_OK(source->Put("d", "3"));
  TimeIs(1010);
  {
    const auto copy = Store::Open(path, options);
    ASSERT_OK(copy);
    ASSERT_OK((*copy)->CatchUpWith(*source));
    EXPECT_EQ(*(*copy)->LastChange(), 5u);
    ASSERT_OK(source->Put("e", "4"));
    ASSERT_OK((*copy)->CatchUpWith(*source));
    EXPECT_EQ(ContentsOf(**copy), (Model{{"c", "2"}, {"d", "3"}, {"e", "4"}}));
  }
  std::filesystem::remove_all(folder);
}

TEST_F(ExpiryTest, ATransactionNoticesThatSomebodyHasRenewedWhatItRead) {
  ASSERT_OK(store_->PutUntil("a", "1", At(1010)));
  const auto transaction = store_->Begin();
  EXPECT_EQ(*(*transaction)->Get("a"), "1");
  ASSERT_OK((*transaction)->Put("b", "2"));
  ASSERT_OK(store_->PutUntil("a", "1", At(1020)));
  EXPECT_TRUE(absl::IsAborted((*transaction)->Commit()));
}

TEST_F(ExpiryTest, ADamagedExpiryDoesntMakeAKeyAbsentForWriters) {
  ASSERT_OK(store_->Put("counter", WordValue(41)));
  store_.Close();
  bool is_damaged = false;
  for (uint64_t at = 0; at + 64 < store_.memory().size() && !is_damaged; at += 8) {
    auto* const header = reinterpret_cast<internal::RecordHeader*>(store_.memory().data() + at);
    if (header->key_bytes() != 7 || header->value_bytes != 8 || std::memcmp(header + 1, "counter", 7) != 0) continue;
    header->expiry = 5;
    is_damaged = true;
  }
  ASSERT_TRUE(is_damaged);
  ASSERT_OK(store_.Open());
  EXPECT_TRUE(absl::IsDataLoss(store_->Get("counter").status()));
  EXPECT_TRUE(IsError(store_->PutIfAbsent("counter", "x"), absl::StatusCode::kAlreadyExists));
  EXPECT_OK(store_->Add("counter", 1).status());
  EXPECT_TRUE(absl::IsDataLoss(store_->Get("counter").status()));
}

TEST_F(ExpiryTest, WhatIsNoSecondIsRefused) {
  for (const int64_t second : {int64_t{0}, int64_t{-5}, int64_t{1} << 32, INT64_MAX}) {
    const sys_seconds expiry{seconds(second)};
    EXPECT_TRUE(IsError(store_->PutUntil("a", "1", expiry), absl::StatusCode::kInvalidArgument));
    WriteBatch batch;
    batch.PutUntil("a", "1", expiry);
    EXPECT_TRUE(IsError(store_->Write(batch), absl::StatusCode::kInvalidArgument));
  }
  EXPECT_TRUE(ContentsOf(*store_).empty());
}

TEST_F(ExpiryTest, AStoreOfAnOlderFormatRefuses) {
  auto& superblock = *reinterpret_cast<internal::Superblock*>(store_.memory().data());
  store_.Close();
  superblock.features_incompatible = 0;
  superblock.format_minor = 0;
  superblock.checksum = XXH3_64bits(&superblock, internal::Superblock::kChecksummedBytes);
  ASSERT_OK(store_.Open());
  EXPECT_TRUE(IsError(store_->PutUntil("a", "1", At(2000)), absl::StatusCode::kFailedPrecondition));
  EXPECT_OK(store_->Put("a", "1"));
}

}  // namespace
}  // namespace sealkv
