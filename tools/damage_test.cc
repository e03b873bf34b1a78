// No content of a file, however damaged, crashes or hangs the checker or a store opened over it; and what the checker
// calls sound reads as it was written. Thousands of seeded cases; a failure names its sample and case.
#include "tools/testing/damage.h"

#include <cstdio>

#include "gtest/gtest.h"
#include "kv/check.h"
#include "kv/recovery.h"
#include "tools/testing/case_watch.h"

namespace sealkv::testing {
namespace {

constexpr uint64_t kCasesPerSample = 2000;
class DamageTest : public ::testing::TestWithParam<int> {
 public:
  static void SetUpTestSuite() { CaseWatch::Install(); }

  using Act = std::function<void(daxfile::DaxFile file, const Sample& sample)>;

  // Runs `act` on damaged copies of the sample.
  void ForEachCase(uint64_t cases, const Act& act) {
    const char* only = std::getenv("SEALKV_TEST_CASE");
    if (only != nullptr) return RunCase(GetParam(), TestSeed(), std::strtoull(only, nullptr, 0), act);
    for (uint64_t i = 0; i < Scaled(cases) && !HasFailure(); ++i) RunCase(GetParam(), TestSeed(), i, act);
  }

  static void RunCase(int sample_index, uint64_t seed, uint64_t i, const Act& act) {
    static const std::vector<Sample> samples = MakeSamples();
    const Sample& sample = samples[sample_index];
    std::vector<std::byte> bytes = sample.bytes;
    const size_t left = Damage(sample, Random(seed).Next() + i).Apply(bytes);
    if (left == 0) return;
    const GuardedMemory memory(left);
    std::memcpy(memory.Last(left).data(), bytes.data(), left);
    {
      const CaseWatch watch(sample.name.c_str(), i);
      act(daxfile::DaxFile::OverMemory(memory.Last(left)), sample);
    }
    if (HasFailure()) FAIL() << "sample " << sample.name << ", SEALKV_TEST_CASE=" << i << ", seed " << seed;
  }

  static void WriteBatches(daxfile::DaxFile file, const Sample& sample);

  static void ExpectReadable(const absl::Status& status) {
    EXPECT_TRUE(status.ok() || absl::IsNotFound(status) || absl::IsDataLoss(status)) << status;
  }
};

// What is read of a store that the checker called sound. A word that nothing else repeats may have changed: an inline
// key or value, an 8-byte value; and an entry may have gone as if deleted.
void ExpectAsWritten(std::string_view key, std::string_view value, const Sample& sample) {
  if (value.size() == sizeof(uint64_t)) return;
  const auto found = sample.model.find(std::string(key));
  ASSERT_NE(found, sample.model.end());
  EXPECT_EQ(value, found->second);
}

TEST_P(DamageTest, TheCheckerEndsAndWhatItCallsSoundIsReadAsWritten) {
  uint64_t opened = 0, sound = 0;
  ForEachCase(kCasesPerSample, [&](daxfile::DaxFile file, const Sample& sample) {
    const absl::StatusOr<internal::Image> image = internal::OpenImage(file);
    if (!image.ok()) return;
    ++opened;
    const internal::CheckReport report = internal::Check(*image);
    if (!report.is_sound()) return;
    ++sound;
    const absl::StatusOr<std::unique_ptr<Store>> store = Store::Attach(std::move(file));
    ASSERT_OK(store);
    const std::unique_ptr<Iterator> at = (*store)->NewIterator();
    uint64_t count = 0;
    for (at->SeekToFirst(); at->Valid(); at->Next(), ++count) ExpectAsWritten(at->key(), at->value(), sample);
    EXPECT_OK(at->status());
    EXPECT_EQ(count, report.keys);
  });
  RecordProperty("opened", static_cast<int>(opened));
  RecordProperty("sound", static_cast<int>(sound));
  std::printf("sample %d: %lu opened, %lu of these sound\n", GetParam(), opened, sound);
}

TEST_P(DamageTest, ReadsOfADamagedStoreGiveOnlyStatusErrors) {
  ForEachCase(kCasesPerSample, [](daxfile::DaxFile file, const Sample& sample) {
    const absl::StatusOr<std::unique_ptr<Store>> store = Store::Attach(std::move(file));
    if (!store.ok()) return;
    size_t count = 0;
    for (const auto& [key, value] : sample.model) {
      if (++count % 16 == 0) ExpectReadable((*store)->Get(key).status());
    }
    const std::unique_ptr<Iterator> at = (*store)->NewIterator();
    for (at->SeekToFirst(); at->Valid(); at->Next()) continue;
    ExpectReadable(at->status());
    for (at->SeekToLast(); at->Valid(); at->Prev()) continue;
    ExpectReadable(at->status());
    for (const auto& [key, value] : sample.model) {
      if (++count % 32 != 0) continue;
      at->Seek(key + '\0');
      ExpectReadable(at->status());
      at->SeekForPrev(key);
      ExpectReadable(at->status());
    }
  });
}

// ---- at a snapshot

// Writes enough to change most of the sample's nodes.
void WriteSome(Store& store, const Sample& sample) {
  size_t count = 0;
  for (const auto& [key, value] : sample.model) {
    ++count;
    if (count % 4 == 0) (void)store.Put(key + "x", value);
    if (count % 4 == 1) (void)store.Put(key, value + "more");
    if (count % 4 == 2) (void)store.Delete(key);
  }
}

// What a snapshot sees is no less what was written when everything has changed since.
TEST_P(DamageTest, WhatTheCheckerCallsSoundIsReadAsWrittenAtASnapshot) {
  ForEachCase(kCasesPerSample / 2, [](daxfile::DaxFile file, const Sample& sample) {
    const absl::StatusOr<internal::Image> image = internal::OpenImage(file);
    if (!image.ok()) return;
    const internal::CheckReport report = internal::Check(*image);
    if (!report.is_sound()) return;
    const absl::StatusOr<std::unique_ptr<Store>> store = Store::Attach(std::move(file));
    ASSERT_OK(store);
    const absl::StatusOr<Snapshot> snapshot = (*store)->OpenSnapshot();
    ASSERT_OK(snapshot);
    WriteSome(**store, sample);
    const std::unique_ptr<Iterator> at = snapshot->NewIterator();
    uint64_t count = 0;
    for (at->SeekToFirst(); at->Valid(); at->Next(), ++count) {
      ExpectAsWritten(at->key(), at->value(), sample);
      const absl::StatusOr<std::string> value = snapshot->Get(at->key());
      ASSERT_OK(value);
      EXPECT_EQ(*value, at->value());
    }
    EXPECT_OK(at->status());
    EXPECT_EQ(count, report.keys);
  });
}

// Before writes and behind them, by nodes as they are and by copies of what they were.
TEST_P(DamageTest, ReadsAtASnapshotOfADamagedStoreGiveOnlyStatusErrors) {
  ForEachCase(kCasesPerSample / 2, [](daxfile::DaxFile file, const Sample& sample) {
    const absl::StatusOr<std::unique_ptr<Store>> store = Store::Attach(std::move(file));
    if (!store.ok()) return;
    const absl::StatusOr<Snapshot> snapshot = (*store)->OpenSnapshot();
    ASSERT_OK(snapshot);
    for (const bool are_written : {false, true}) {
      if (are_written) WriteSome(**store, sample);
      const std::unique_ptr<Iterator> at = snapshot->NewIterator();
      for (at->SeekToFirst(); at->Valid(); at->Next()) continue;
      ExpectReadable(at->status());
      for (at->SeekToLast(); at->Valid(); at->Prev()) continue;
      ExpectReadable(at->status());
      size_t count = 0;
      for (const auto& [key, value] : sample.model) {
        if (++count % 8 == 0) ExpectReadable(snapshot->Get(key).status());
        if (count % 32 != 0) continue;
        ExpectReadable(snapshot->Get(key + "x").status());
        at->Seek(key + '\0');
        ExpectReadable(at->status());
        at->SeekForPrev(key);
        ExpectReadable(at->status());
      }
    }
  });
}

// What a transaction has read is read again when it is committed, without the snapshot.
void DamageTest::WriteBatches(daxfile::DaxFile file, const Sample& sample) {
  const absl::StatusOr<std::unique_ptr<Store>> store = Store::Attach(std::move(file));
  if (!store.ok()) return;
  WriteBatch batch;
  size_t count = 0;
  for (const auto& [key, value] : sample.model) {
    if (++count % 5 == 0) batch.Put(key + "y", value);
    if (count % 5 == 1) batch.Put(key, value + "more");
    if (count % 5 == 2) batch.Delete(key);
    if (batch.size() < 40) continue;
    (void)(*store)->Write(batch);
    batch.Clear();
  }
  const absl::StatusOr<std::unique_ptr<Transaction>> transaction = (*store)->Begin();
  ASSERT_OK(transaction);
  const std::unique_ptr<Iterator> at = (*transaction)->NewIterator();
  for (at->SeekToFirst(); at->Valid() && count % 64 != 0; at->Next()) ++count;
  ExpectReadable(at->status());
  for (const auto& [key, value] : sample.model) {
    if (++count % 16 == 0) ExpectReadable((*transaction)->Get(key).status());
    if (count % 32 == 0) (void)(*transaction)->Put(key, "by the transaction");
  }
  (void)(*transaction)->Commit();
  (void)(*store)->DeleteRange({.lower = sample.model.begin()->first + "a"});
}

TEST_P(DamageTest, BatchesAndTransactionsOnADamagedStoreGiveOnlyStatusErrors) {
  ForEachCase(kCasesPerSample / 2, WriteBatches);
}

// Whatever a write answers: nothing crashes, nothing hangs, nothing outside the memory is touched.
void WriteAll(daxfile::DaxFile file, const Sample& sample) {
  const absl::StatusOr<std::unique_ptr<Store>> store = Store::Attach(std::move(file));
  if (!store.ok()) return;
  size_t count = 0;
  for (const auto& [key, value] : sample.model) {
    ++count;
    if (count % 8 == 0) (void)(*store)->Put(key + "x", value);
    if (count % 8 == 1) (void)(*store)->Put(key, value + "more");
    if (count % 8 == 2) (void)(*store)->Delete(key);
  }
  (void)(*store)->WaitUntilSpaceIsKnown();
  for (const auto& [key, value] : sample.model) {
    if (++count % 4 != 0) continue;
    (void)(*store)->Delete(key);
    (void)(*store)->Put(key.substr(0, key.size() / 2), value);
  }
}

TEST_P(DamageTest, WritesToADamagedStoreGiveOnlyStatusErrors) { ForEachCase(kCasesPerSample / 2, WriteAll); }

// Records with two references: freed under one of them, read as of any size when they were retired by the other.
TEST(DamageRegressionTest, ARetiredRecordIsNotReadAgain) {
  DamageTest::RunCase(1, 2, 84, WriteAll);
  DamageTest::RunCase(3, 4, 252, WriteAll);
  DamageTest::RunCase(4, 5, 317, WriteAll);
}

// A reference into a free place, where a batch then makes a node of its own, and comes by.
TEST(DamageRegressionTest, ABatchDoesntWaitForItself) {
  DamageTest::RunCase(0, 20240607, 683, DamageTest::WriteBatches);
}

// A key that leads back, met where the background pass goes on after a pause.
TEST(DamageRegressionTest, TheBackgroundPassEnds) { DamageTest::RunCase(1, 20240607, 169, WriteAll); }

INSTANTIATE_TEST_SUITE_P(Samples, DamageTest, ::testing::Range(0, 6));

}  // namespace
}  // namespace sealkv::testing
