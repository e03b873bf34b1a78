// A copy of the store is of one moment, whole or not there, and compact.
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
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

using testing::ContentsOf;
using testing::IsError;
using testing::MemoryStore;
using testing::Model;
using testing::Random;

Options Volatile(uint64_t capacity_bytes = 0, uint64_t max_bytes = 0) {
  Options options;
  options.capacity_bytes = capacity_bytes;
  options.max_bytes = max_bytes;
  options.weakest_tier = daxfile::Tier::kVolatile;
  options.emulate_on_dram = true;
  return options;
}

class CheckpointTest : public ::testing::Test {
 protected:
  CheckpointTest() {
    std::string pattern = ::testing::TempDir() + "/checkpoint.XXXXXX";
    folder_ = mkdtemp(pattern.data());
    path_ = folder_ + "/copy";
  }
  ~CheckpointTest() override { std::filesystem::remove_all(folder_); }

  std::vector<std::string> Files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      names.push_back(entry.path().filename());
    }
    return names;
  }

  std::string folder_;
  std::string path_;
  MemoryStore store_{8 << 20};
};

TEST_F(CheckpointTest, HoldsWhatTheStoreHeld) {
  ASSERT_OK(store_.Format());
  Random random(testing::TestSeed());
  for (int i = 0; i < 20'000; ++i) {
    const std::string key = random.OneIn(2) ? U64Key(random.Below(5000)) : random.Bytes(random.Below(40));
    if (random.OneIn(3)) {
      store_->Delete(key).IgnoreError();
    } else {
      ASSERT_OK(store_->Put(key, random.OneIn(2) ? testing::WordValue(random.Next()) : random.Bytes(60)));
    }
  }
  const Model contents = ContentsOf(*store_);
  uint64_t last = 0;
  ASSERT_OK(store_->Checkpoint(path_, Volatile(), [&](uint64_t keys) {
    last = keys;
    return true;
  }));
  EXPECT_EQ(last, contents.size());
  EXPECT_EQ(ContentsOf(*store_), contents);
  {
    const absl::StatusOr<std::unique_ptr<Store>> copy = Store::Open(path_, Volatile());
    ASSERT_OK(copy);
    EXPECT_EQ(ContentsOf(**copy), contents);
    ASSERT_OK((*copy)->WaitUntilSpaceIsKnown());
    ASSERT_OK(store_->WaitUntilSpaceIsKnown());
    const Stats of_copy = (*copy)->GetStats();
    const Stats stats = store_->GetStats();
    EXPECT_EQ(of_copy.capacity_bytes, stats.capacity_bytes);
    EXPECT_LT(of_copy.node_bytes_used, stats.node_bytes_used);
    ASSERT_OK((*copy)->Put("it is", "a store like others"));
  }
  EXPECT_TRUE(testing::IsCleanFile(path_));
  EXPECT_EQ(Files(), std::vector<std::string>{"copy"});
}

// Writers move units between accounts: at any moment the sum is the same.
TEST_F(CheckpointTest, IsOfOneMomentWhileOthersWrite) {
  constexpr uint64_t kAccounts = 3000;
  constexpr uint64_t kEach = 1000;
  ASSERT_OK(store_.Format());
  for (uint64_t i = 0; i < kAccounts; ++i) ASSERT_OK(store_->Put(U64Key(i), testing::WordValue(kEach)));
  std::atomic<bool> is_over{false};
  std::atomic<bool> has_failed{false};
  std::atomic<uint64_t> moves{0};
  std::thread writer([&] {
    Random random(testing::TestSeed());
    while (!is_over && !has_failed) {
      WriteBatch batch;
      batch.Add(U64Key(random.Below(kAccounts)), 1);
      batch.Add(U64Key(random.Below(kAccounts)), ~uint64_t{0});
      has_failed = !store_->Write(batch).ok();
      ++moves;
    }
  });
  const uint64_t before = moves;
  const absl::Status status = store_->Checkpoint(path_, Volatile(), [&](uint64_t) {
    const uint64_t now = moves;
    while (moves < now + 10 && !has_failed) std::this_thread::yield();  // so that there are some in the middle of it
    return true;
  });
  is_over = true;
  writer.join();
  ASSERT_FALSE(has_failed) << "a write";
  ASSERT_OK(status);
  EXPECT_GE(moves, before + 20);
  uint64_t sum = 0;
  const absl::StatusOr<std::unique_ptr<Store>> copy = Store::Open(path_, Volatile());
  ASSERT_OK(copy);
  for (const auto& [key, value] : ContentsOf(**copy)) sum += testing::WordOf(value);
  EXPECT_EQ(sum, kAccounts * kEach);
  EXPECT_EQ(store_->GetStats().snapshots_open, 0u);
}

TEST_F(CheckpointTest, OfAnEmptyStore) {
  ASSERT_OK(store_.Format());
  ASSERT_OK(store_->Checkpoint(path_, Volatile()));
  const absl::StatusOr<std::unique_ptr<Store>> copy = Store::Open(path_, Volatile());
  ASSERT_OK(copy);
  EXPECT_TRUE(ContentsOf(**copy).empty());
}

TEST_F(CheckpointTest, WhatGoesWrongLeavesNothing) {
  ASSERT_OK(store_.Format());
  for (uint64_t i = 0; i < 3000; ++i) ASSERT_OK(store_->Put(U64Key(i), std::string(100, 'x')));
  EXPECT_TRUE(IsError(store_->Checkpoint(path_, Volatile(kMinCapacityBytes, kMinCapacityBytes)),
                      absl::StatusCode::kResourceExhausted, {"doesn't fit into 65536 bytes", "capacity"}));
  EXPECT_TRUE(absl::IsCancelled(store_->Checkpoint(path_, Volatile(), [](uint64_t) { return false; })));
  EXPECT_TRUE(absl::IsInvalidArgument(store_->Checkpoint(path_, Volatile(1))));
  const auto throws = [](uint64_t) -> bool { throw std::runtime_error("of the caller"); };
  EXPECT_THROW(store_->Checkpoint(path_, Volatile(), throws).IgnoreError(), std::runtime_error);
  EXPECT_EQ(Files(), std::vector<std::string>{});
  EXPECT_EQ(store_->GetStats().snapshots_open, 0u);

  ASSERT_OK(store_->Checkpoint(path_, Volatile()));
  EXPECT_TRUE(IsError(store_->Checkpoint(path_, Volatile()), absl::StatusCode::kAlreadyExists, {path_}));
  EXPECT_EQ(Files(), std::vector<std::string>{"copy"});
  EXPECT_TRUE(testing::IsCleanFile(path_));
}

// A reader beside a writer sees each leaf as it is at another moment.
TEST_F(CheckpointTest, IsRefusedToWhoSeesNoOneMoment) {
  const std::string path = folder_ + "/store";
  ASSERT_OK(Store::Create(path, Volatile(1 << 20)));
  Options reading = Volatile();
  reading.read_only = true;
  const absl::StatusOr<std::unique_ptr<Store>> reader = Store::Open(path, reading);
  ASSERT_OK(reader);
  EXPECT_TRUE(IsError((*reader)->Checkpoint(path_, Volatile()), absl::StatusCode::kFailedPrecondition, {"one moment"}));
  EXPECT_EQ(Files(), std::vector<std::string>{"store"});
}

}  // namespace
}  // namespace sealkv
