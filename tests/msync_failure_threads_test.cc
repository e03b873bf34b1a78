// Tier msync, several threads, and a disk that refuses at some moment: whatever each of them had been acknowledged is
// there after a power cut, what was under way is there as a whole or not at all, and nobody is acknowledged anything
// that isn't.
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "daxfile/dax_file.h"
#include "daxfile/sealing.h"
#include "daxfile/tier.h"
#include "gtest/gtest.h"
#include "kv/sealkv.h"
#include "tests/check_clean.h"
#include "tests/failing_disk.h"
#include "tests/memory_store.h"
#include "tests/model.h"
#include "tests/random.h"
#include "tests/status.h"

namespace sealkv {
namespace {

using testing::disk;
using testing::Memory;
using testing::Random;
using testing::WordOf;
using testing::WordValue;

constexpr size_t kBytes = 1 << 20;
constexpr uint64_t kThreads = 3;
constexpr uint64_t kKeys = 12;  // of a thread, of each kind
constexpr uint64_t kBatchKey = kKeys;
constexpr uint64_t kMostSyncs = 1500;  // until one fails
constexpr uint64_t kMostWrites = 2 * kMostSyncs;

// Keys of all threads lie side by side, in the same leaves.
std::string WordKey(uint64_t thread, uint64_t id) { return U64Key(id * kThreads + thread); }
std::string RecordKey(uint64_t thread, uint64_t id) {
  return "record " + std::to_string(id) + " " + std::to_string(thread);
}
std::string RecordOf(uint64_t version) { return WordValue(version) + std::string(50, 'r'); }

// What one thread writes: versions of its keys, 1, 2, 3, …; each is acknowledged or not.
class Writer {
 public:
  Writer(Store& store, uint64_t thread, uint64_t seed) : store_(store), thread_(thread), random_(seed) {}

  // Until the store takes no more; or, if it goes on after the sync that failed, until it is clear that it does.
  void Run() {
    for (uint64_t left = kMostWrites; left > 0 && status_.ok(); --left) {
      const uint64_t id = random_.Below(kKeys);
      switch (random_.Below(4)) {
        case 0:
          Write(kBatchKey, [&](uint64_t version) {
            WriteBatch batch;
            for (uint64_t i = 0; i < kKeys; i += 3) {
              batch.Put(WordKey(thread_, kBatchKey + i), WordValue(version));
              batch.Put(RecordKey(thread_, kBatchKey + i), RecordOf(version));
            }
            return store_.Write(batch);
          });
          break;
        case 1:
          Write(kBatchKey + 1 + id,
                [&](uint64_t version) { return store_.Put(RecordKey(thread_, id), RecordOf(version)); });
          break;
        default:
          Write(id, [&](uint64_t version) { return store_.Put(WordKey(thread_, id), WordValue(version)); });
      }
    }
  }

  // Of the store after the power cut.
  void Judge(const Store& found) {
    for (uint64_t id = 0; id < kKeys; ++id) {
      ExpectVersion(found, WordKey(thread_, id), id);
      ExpectVersion(found, RecordKey(thread_, id), kBatchKey + 1 + id);
    }
    const uint64_t version = ExpectVersion(found, WordKey(thread_, kBatchKey), kBatchKey);
    for (uint64_t i = 0; i < kKeys; i += 3) {
      EXPECT_EQ(VersionAt(found, WordKey(thread_, kBatchKey + i)), version);
      EXPECT_EQ(VersionAt(found, RecordKey(thread_, kBatchKey + i)), version);
    }
  }

  const absl::Status& status() const { return status_; }

 private:
  struct Versions {
    uint64_t acknowledged = 0;
    uint64_t tried = 0;
  };

  template <typename Change>
  void Write(uint64_t slot, const Change& change) {
    Versions& versions = versions_[slot];
    status_ = change(++versions.tried);
    if (status_.ok()) versions.acknowledged = versions.tried;
  }
  // 0: it isn't there.
  static uint64_t VersionAt(const Store& found, const std::string& key) {
    const absl::StatusOr<std::string> value = found.Get(key);
    EXPECT_TRUE(value.ok() || absl::IsNotFound(value.status())) << value.status();
    return value.ok() ? WordOf(value->substr(0, sizeof(uint64_t))) : 0;
  }
  uint64_t ExpectVersion(const Store& found, const std::string& key, uint64_t slot) {
    const uint64_t version = VersionAt(found, key);
    EXPECT_GE(version, versions_[slot].acknowledged) << testing::Printable(key);
    EXPECT_LE(version, versions_[slot].tried) << testing::Printable(key);
    return version;
  }

  Store& store_;
  const uint64_t thread_;
  Random random_;
  absl::Status status_;
  std::vector<Versions> versions_{2 * kKeys + 1};
};

class MsyncFailureThreadsTest : public ::testing::TestWithParam<bool> {
 protected:
  void TearDown() override { daxfile::RemoveFile(path_).IgnoreError(); }

  // False: this file system isn't one of which msync is needed.
  bool Make() {
    disk.Clear();
    absl::StatusOr<daxfile::DaxFile> file =
        daxfile::DaxFile::Create(path_, {.open = {.weakest_tier = daxfile::Tier::kVolatile}, .size_bytes = kBytes});
    EXPECT_OK(file);
    if (!file.ok() || file->tier() != daxfile::Tier::kMsync) return false;
    disk.bytes.resize(kBytes);
    disk.from = file->data();
    auto store = Store::Format(*std::move(file), Background::kNone);
    EXPECT_OK(store);
    store_ = *std::move(store);
    return true;
  }

  const std::string path_ = ::testing::TempDir() + "/msync_failure_threads_test." + std::to_string(getpid());
  std::unique_ptr<Store> store_;
};

TEST_P(MsyncFailureThreadsTest, WhatWasAcknowledgedIsThere) {
  Random random(testing::TestSeed());
  for (uint64_t run = 0; run < testing::Scaled(150); ++run) {
    if (!Make()) GTEST_SKIP() << path_ << " needs no msync";
    disk.fails_again = GetParam();
    disk.failing = disk.syncs + random.Below(run < 20 ? 20 : kMostSyncs);
    SCOPED_TRACE("run " + std::to_string(run) + ", sync " + std::to_string(disk.failing));
    std::vector<std::unique_ptr<Writer>> writers;
    std::vector<std::thread> threads;
    for (uint64_t i = 0; i < kThreads; ++i) writers.push_back(std::make_unique<Writer>(*store_, i, random.Next()));
    for (const auto& writer : writers) threads.emplace_back([&writer] { writer->Run(); });
    for (std::thread& thread : threads) thread.join();
    for (const auto& writer : writers) EXPECT_TRUE(absl::IsDataLoss(writer->status())) << writer->status();
    Memory memory(kBytes);
    std::memcpy(memory.data(), disk.bytes.data(), kBytes);
    store_.reset();
    TearDown();
    auto found = Store::Attach(daxfile::DaxFile::OverMemory(memory.span()), Background::kNone);
    ASSERT_OK(found);
    for (const auto& writer : writers) writer->Judge(**found);
    found->reset();
    ASSERT_TRUE(testing::IsClean(memory.span()));
    if (HasFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(, MsyncFailureThreadsTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "AgainAndAgain" : "Once"; });

}  // namespace
}  // namespace sealkv
