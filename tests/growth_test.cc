// A store becomes larger by itself, while others read and write; and after a crash at any moment of it is as large as
// it was, or as it was to be.
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_format.h"
#include "daxfile/part.h"
#include "gtest/gtest.h"
#include "kv/sealkv.h"
#include "tests/check_clean.h"
#include "tests/memory_store.h"
#include "tests/random.h"
#include "tests/status.h"

namespace sealkv {
namespace {

using absl::StatusCode;
using testing::IsError;
using testing::Memory;
using testing::Random;

Options Growing(uint64_t capacity_bytes, uint64_t max_bytes) {
  return {.capacity_bytes = capacity_bytes,
          .max_bytes = max_bytes,
          .weakest_tier = daxfile::Tier::kVolatile,
          .emulate_on_dram = true};
}

Options Reading() { return {.weakest_tier = daxfile::Tier::kVolatile, .emulate_on_dram = true, .read_only = true}; }

std::string KeyOf(uint64_t i) { return "key " + std::to_string(i * 7919 % 1000003); }
std::string ValueOf(uint64_t i, size_t bytes) { return std::string(bytes, static_cast<char>('a' + i % 26)); }

// The keys [first, last) with values of so many bytes.
void PutAll(Store& store, uint64_t first, uint64_t last, size_t bytes) {
  for (uint64_t i = first; i < last; ++i) ASSERT_OK(store.Put(KeyOf(i), ValueOf(i, bytes))) << i;
}
void ExpectAll(const Store& store, uint64_t first, uint64_t last, size_t bytes) {
  std::string value;
  for (uint64_t i = first; i < last; ++i) {
    ASSERT_OK(store.Get(KeyOf(i), &value)) << i;
    ASSERT_EQ(value, ValueOf(i, bytes)) << i;
  }
}

class GrowthTest : public ::testing::Test {
 protected:
  static constexpr uint64_t kBytes = 1 << 20;
  static constexpr uint64_t kMostBytes = 16 << 20;

  GrowthTest() {
    std::string pattern = ::testing::TempDir() + "/growth.XXXXXX";
    folder_ = std::filesystem::canonical(mkdtemp(pattern.data()));
    path_ = folder_ + "/store";
  }
  ~GrowthTest() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<Store> Create(uint64_t capacity_bytes = kBytes, uint64_t max_bytes = kMostBytes) {
    auto store = Store::Create(path_, Growing(capacity_bytes, max_bytes));
    EXPECT_OK(store);
    return store.ok() ? *std::move(store) : nullptr;
  }
  std::unique_ptr<Store> Open(const Options& options = Growing(0, 0)) {
    auto store = Store::Open(path_, options);
    EXPECT_OK(store);
    return store.ok() ? *std::move(store) : nullptr;
  }
  std::string PartName(uint64_t number) const { return daxfile::PartPath(path_, number); }
  size_t CountFiles() const {
    const auto files = std::filesystem::directory_iterator(folder_);
    return static_cast<size_t>(std::distance(begin(files), end(files)));
  }

  std::string folder_;
  std::string path_;
};

TEST_F(GrowthTest, HoldsManyTimesWhatItBeganWith) {
  constexpr uint64_t kKeys = 10'000;
  {
    const std::unique_ptr<Store> store = Create();
    PutAll(*store, 0, kKeys, 1000);
    ExpectAll(*store, 0, kKeys, 1000);
    const Stats stats = store->GetStats();
    EXPECT_GT(stats.parts, 3u);
    EXPECT_GT(stats.capacity_bytes, 10 * kBytes);
    EXPECT_EQ(stats.max_bytes, kMostBytes);
    EXPECT_EQ(stats.growth_error, "");
  }
  // Closed, for it may grow at any time.
  EXPECT_EQ(CountFiles(), 1 + (*Store::Open(path_, Reading()))->GetStats().parts);
  EXPECT_TRUE(testing::IsCleanFile(path_));
  const std::unique_ptr<Store> store = Open();
  ExpectAll(*store, 0, kKeys, 1000);
  PutAll(*store, kKeys, kKeys + 1000, 1000);
  ExpectAll(*store, 0, kKeys + 1000, 1000);
}

TEST_F(GrowthTest, GoesAsFarAsItMayAndNoFurther) {
  const std::unique_ptr<Store> store = Create();
  absl::Status status;
  uint64_t keys = 0;
  for (; status.ok() && keys < 100'000; ++keys) status = store->Put(KeyOf(keys), ValueOf(keys, 1000));
  --keys;
  EXPECT_TRUE(IsError(status, StatusCode::kResourceExhausted));
  EXPECT_EQ(store->GetStats().capacity_bytes, kMostBytes);
  EXPECT_GT(keys * 1000, kMostBytes * 8 / 10);
  ExpectAll(*store, 0, keys, 1000);
  for (uint64_t i = 0; i < keys / 2; ++i) ASSERT_OK(store->Delete(KeyOf(i)));
  PutAll(*store, 0, keys / 4, 1000);
}

TEST_F(GrowthTest, NotIfItIsToldNotTo) {
  const std::unique_ptr<Store> store = Create(kBytes, kBytes);
  absl::Status status;
  for (uint64_t i = 0; status.ok() && i < 10'000; ++i) status = store->Put(KeyOf(i), ValueOf(i, 1000));
  EXPECT_TRUE(IsError(status, StatusCode::kResourceExhausted));
  EXPECT_EQ(store->GetStats().parts, 0u);
  EXPECT_EQ(store->GetStats().max_bytes, kBytes);
}

TEST_F(GrowthTest, ByDefaultTo64Times) {
  const std::unique_ptr<Store> store = Create(4 << 20, 0);
  EXPECT_EQ(store->GetStats().max_bytes, 256u << 20);
}

TEST_F(GrowthTest, MaxBytesOutOfReachAreRefused) {
  EXPECT_TRUE(IsError(Store::Create(path_, Growing(kBytes, kBytes - 1)).status(), StatusCode::kInvalidArgument,
                      {"max_bytes is 1048575", "1048576"}));
  EXPECT_TRUE(IsError(Store::Create(path_, Growing(kBytes, uint64_t{1} << 50)).status(), StatusCode::kInvalidArgument,
                      {"max_bytes"}));
  EXPECT_EQ(CountFiles(), 0u);
}

TEST_F(GrowthTest, ForARecordLargerThanTheStoreWas) {
  const std::unique_ptr<Store> store = Create();
  PutAll(*store, 0, 100, 100);
  const std::string large(3 * kBytes, 'L');
  ASSERT_OK(store->Put("large", large));
  EXPECT_EQ(*store->Get("large"), large);
  EXPECT_LE(store->GetStats().parts, 2u);
  EXPECT_TRUE(IsError(store->Put("too large", std::string(2 * kMostBytes, 'L')), StatusCode::kResourceExhausted));
}

TEST_F(GrowthTest, ForABatchAndABulkLoadLargerThanTheStoreWas) {
  {
    const std::unique_ptr<Store> store = Create();
    WriteBatch batch;
    for (uint64_t i = 0; i < 3000; ++i) batch.Put(KeyOf(i), ValueOf(i, 1000));
    ASSERT_OK(store->Write(batch));
    ExpectAll(*store, 0, 3000, 1000);
  }
  ASSERT_OK(Store::Remove(path_));
  const std::unique_ptr<Store> store = Create();
  uint64_t next = 0;
  std::string key, value;
  ASSERT_OK(store->BulkLoad([&](std::string_view* to_key, std::string_view* to_value) {
    if (next == 5000) return false;
    *to_key = key = U64Key(next++);
    *to_value = value = std::string(1000, 'v');
    return true;
  }));
  EXPECT_EQ(*store->Get(U64Key(4999)), value);
}

// All keys begin alike: they are one layer, which is built at the end, at once. What an attempt that finds no space for
// it has built is given back: else a layer much larger than the store was takes several times as much space.
TEST_F(GrowthTest, ForABulkLoadOfOneLayerThatIsLargerThanTheStoreWas) {
  constexpr uint64_t kKeys = 60'000;
  const auto key_of = [](uint64_t id) { return absl::StrFormat("the same beginning %08d", id); };
  const std::unique_ptr<Store> store = Create();
  uint64_t next = 0;
  std::string key;
  const std::string value = "v";
  ASSERT_OK(store->BulkLoad([&](std::string_view* to_key, std::string_view* to_value) {
    if (next == kKeys) return false;
    *to_key = key = key_of(next++);
    *to_value = value;
    return true;
  }));
  EXPECT_EQ(*store->Get(key_of(kKeys - 1)), value);
  ASSERT_OK(store->WaitUntilSpaceIsKnown());
  const Stats stats = store->GetStats();
  EXPECT_LE(stats.node_bytes_used, kKeys / 12 * 256) << "nodes that nothing leads to";
}

TEST_F(GrowthTest, RemoveTakesAllFiles) {
  {
    const std::unique_ptr<Store> store = Create();
    PutAll(*store, 0, 3000, 1000);
    EXPECT_TRUE(IsError(Store::Remove(path_), StatusCode::kUnavailable, {path_}));
  }
  std::ofstream(folder_ + "/other") << "not a store, and long enough to be looked at" << std::string(5000, '.');
  EXPECT_TRUE(IsError(Store::Remove(folder_ + "/other"), StatusCode::kFailedPrecondition, {"not a SealKV store"}));
  EXPECT_GT(CountFiles(), 3u);
  ASSERT_OK(Store::Remove(path_));
  EXPECT_EQ(CountFiles(), 1u);
  EXPECT_TRUE(IsError(Store::Remove(path_), StatusCode::kNotFound));
}

TEST_F(GrowthTest, ReadersElsewhereFollow) {
  const std::unique_ptr<Store> store = Create();
  PutAll(*store, 0, 100, 1000);
  const std::unique_ptr<Store> reader = Open(Reading());
  ExpectAll(*reader, 0, 100, 1000);
  PutAll(*store, 100, 5000, 1000);
  ASSERT_GT(store->GetStats().parts, 2u);
  ExpectAll(*reader, 0, 5000, 1000);
  EXPECT_EQ(reader->GetStats().capacity_bytes, store->GetStats().capacity_bytes);
  const std::unique_ptr<Iterator> all = reader->NewIterator();
  uint64_t keys = 0;
  for (all->SeekToFirst(); all->Valid(); all->Next()) ++keys;
  EXPECT_OK(all->status());
  EXPECT_EQ(keys, 5000u);
  // And one that comes now.
  const std::unique_ptr<Store> late = Open(Reading());
  ExpectAll(*late, 0, 5000, 1000);
}

TEST_F(GrowthTest, AReaderElsewhereFollowsToTheEndOfALargeRecord) {
  const std::unique_ptr<Store> store = Create();
  const std::unique_ptr<Store> reader = Open(Reading());
  const std::string large(2 * kBytes, 'L');
  ASSERT_OK(store->Put("large", large));
  EXPECT_EQ(*reader->Get("large"), large);
}

TEST_F(GrowthTest, WhileOthersReadAndWrite) {
  constexpr uint64_t kKeysEach = 3000;
  constexpr unsigned kWriters = 3;
  const std::unique_ptr<Store> store = Create();
  PutAll(*store, 0, 100, 500);
  const absl::StatusOr<Snapshot> snapshot = store->OpenSnapshot();
  ASSERT_OK(snapshot);
  std::atomic<bool> is_over{false};
  std::thread reader([&] {
    Random random(1);
    while (!is_over) {
      const uint64_t i = random.Below(100);
      EXPECT_EQ(*snapshot->Get(KeyOf(i)), ValueOf(i, 500));
      EXPECT_EQ(*store->Get(KeyOf(i)), ValueOf(i, 500));
    }
  });
  std::vector<std::thread> writers;
  for (unsigned writer = 0; writer < kWriters; ++writer) {
    writers.emplace_back(
        [&, writer] { PutAll(*store, 100 + writer * kKeysEach, 100 + (writer + 1) * kKeysEach, 1000); });
  }
  for (std::thread& writer : writers) writer.join();
  is_over = true;
  reader.join();
  ExpectAll(*store, 100, 100 + kWriters * kKeysEach, 1000);
  EXPECT_GT(store->GetStats().parts, 3u);
}

// The first file as it was before: what a power cut leaves between the part's making and the word that names it.
TEST_F(GrowthTest, APartThatNothingNamesIsReplaced) {
  Create();
  const std::string before = folder_ + "/before";
  std::filesystem::copy_file(path_, before);
  PutAll(*Open(), 0, 1500, 1000);
  ASSERT_TRUE(std::filesystem::exists(PartName(1)));
  std::filesystem::copy_file(before, path_, std::filesystem::copy_options::overwrite_existing);
  {
    const std::unique_ptr<Store> store = Open();
    EXPECT_EQ(store->GetStats().capacity_bytes, kBytes);
    EXPECT_TRUE(IsError(store->Get(KeyOf(1)).status(), StatusCode::kNotFound));
    PutAll(*store, 0, 3000, 900);
    ExpectAll(*store, 0, 3000, 900);
  }
  EXPECT_TRUE(testing::IsCleanFile(path_));
}

TEST_F(GrowthTest, AStoreWithoutOneOfItsPartsIsntOpened) {
  PutAll(*Create(), 0, 3000, 1000);
  const std::string elsewhere = folder_ + "/elsewhere";
  std::filesystem::rename(PartName(2), elsewhere);
  EXPECT_TRUE(IsError(Store::Open(path_, Growing(0, 0)).status(), StatusCode::kFailedPrecondition,
                      {PartName(2), "missing", "Put it back"}));
  EXPECT_TRUE(IsError(Store::Open(path_, Reading()).status(), StatusCode::kFailedPrecondition, {PartName(2)}));
  std::filesystem::copy_file(PartName(1), PartName(2));
  EXPECT_TRUE(IsError(Store::Open(path_, Growing(0, 0)).status(), StatusCode::kFailedPrecondition,
                      {PartName(2), "isn't the part 2"}));
  std::filesystem::remove(PartName(2));
  std::filesystem::rename(elsewhere, PartName(2));
  ExpectAll(*Open(), 0, 3000, 1000);
}

TEST_F(GrowthTest, WhatIsInTheWayIsLeftAloneAndNamed) {
  std::ofstream(PartName(1)) << "somebody's notes";
  const std::unique_ptr<Store> store = Create();
  absl::Status status;
  for (uint64_t i = 0; status.ok() && i < 10'000; ++i) status = store->Put(KeyOf(i), ValueOf(i, 1000));
  EXPECT_TRUE(IsError(status, StatusCode::kResourceExhausted, {"can't grow", PartName(1), "in the way"}));
  EXPECT_EQ(std::filesystem::file_size(PartName(1)), 16u);
  EXPECT_NE(store->GetStats().growth_error, "");
}

// A limit on the size of files stands for a full filesystem.
TEST_F(GrowthTest, NoSpaceOnTheFilesystemIsSaidAndHarmless) {
  const std::unique_ptr<Store> store = Create();
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const absl::Cleanup restore = [&] {
    setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, handler);
  };
  const rlimit none = {.rlim_cur = 4096, .rlim_max = before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &none), 0);
  absl::Status status;
  uint64_t keys = 0;
  for (; status.ok() && keys < 10'000; ++keys) status = store->Put(KeyOf(keys), ValueOf(keys, 1000));
  EXPECT_TRUE(IsError(status, StatusCode::kResourceExhausted, {"can't grow", PartName(1)}));
  ExpectAll(*store, 0, keys - 1, 1000);
  EXPECT_EQ(CountFiles(), 1u);
}

// Was found by reading: the name was the one given at the open.
TEST_F(GrowthTest, PartsLieBesideTheFileWhereverTheProcessGoes) {
  const std::string before = std::filesystem::current_path();
  const absl::Cleanup back = [&] { std::filesystem::current_path(before); };
  std::filesystem::current_path(folder_);
  auto file = daxfile::DaxFile::Create(
      "store", {.open = {.weakest_tier = daxfile::Tier::kVolatile, .emulate_on_dram = true}, .size_bytes = kBytes});
  ASSERT_OK(file);
  // Without a thread, so that no part is under way while its store is renamed.
  auto store = Store::Format(*std::move(file), Background::kNone, {.max_bytes = kMostBytes});
  ASSERT_OK(store);
  std::filesystem::current_path("/");
  PutAll(**store, 0, 3000, 1000);
  EXPECT_TRUE(std::filesystem::exists(PartName(1)));
  // And when it is renamed, with the parts that it has.
  const uint64_t parts = (*store)->GetStats().parts;
  const std::string renamed = folder_ + "/renamed";
  for (uint64_t number = 1; number <= parts; ++number) {
    std::filesystem::rename(PartName(number), daxfile::PartPath(renamed, number));
  }
  std::filesystem::rename(path_, renamed);
  PutAll(**store, 3000, 6000, 1000);
  store->reset();
  store = Store::Open(renamed, Growing(0, 0));
  ASSERT_OK(store);
  ExpectAll(**store, 0, 6000, 1000);
}

TEST_F(GrowthTest, RemoveThroughALinkTakesAllOfIt) {
  PutAll(*Create(), 0, 3000, 1000);
  std::filesystem::create_symlink(path_, folder_ + "/link");
  ASSERT_OK(Store::Remove(folder_ + "/link"));
  EXPECT_EQ(CountFiles(), 0u);
}

// Was found by reading: an open looked for the space twice, and moved the file away from its parts.
TEST_F(GrowthTest, WithLittleAddressSpaceItIsOpenedAllTheSame) {
  PutAll(*Create(kBytes, kMostBytes), 0, 3000, 1000);
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_AS, &before), 0);
  std::ifstream status("/proc/self/statm");
  uint64_t pages = 0;
  status >> pages;
  const rlimit little = {.rlim_cur = pages * 4096 + (14 << 20), .rlim_max = before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_AS, &little), 0);
  const absl::Cleanup restore = [&] { setrlimit(RLIMIT_AS, &before); };
  const auto store =
      Store::Open(path_, {.weakest_tier = daxfile::Tier::kVolatile, .emulate_on_dram = true, .read_only = true});
  ASSERT_OK(store);
  ExpectAll(**store, 0, 3000, 1000);
}

TEST_F(GrowthTest, ACopyGrowsAndIsNamedWithAllItsParts) {
  const std::unique_ptr<Store> store = Create();
  PutAll(*store, 0, 5000, 1000);
  const std::string copy = folder_ + "/copy";
  ASSERT_OK(store->Checkpoint(copy, Growing(kBytes, 0)));
  EXPECT_TRUE(std::filesystem::exists(daxfile::PartPath(copy, 1)));
  EXPECT_TRUE(testing::IsCleanFile(copy));
  const auto opened = Store::Open(copy, Growing(0, 0));
  ASSERT_OK(opened);
  ExpectAll(**opened, 0, 5000, 1000);
  EXPECT_EQ((*opened)->GetStats().max_bytes, kMostBytes);
}

TEST_F(GrowthTest, DeadSpaceIsUsedBeforeMoreIsMade) {
  const std::unique_ptr<Store> store = Create(8 << 20, 64 << 20);
  for (int round = 0; round < 20; ++round) PutAll(*store, 0, 2000, 1000);
  ExpectAll(*store, 0, 2000, 1000);
  EXPECT_LE(store->GetStats().capacity_bytes, 10u << 20);
}

TEST_F(GrowthTest, ShrinksToWhatIsNeeded) {
  const std::unique_ptr<Store> store = Create();
  PutAll(*store, 0, 8000, 1000);
  const uint64_t parts = store->GetStats().parts;
  ASSERT_GT(parts, 5u);
  for (uint64_t i = 0; i < 7800; ++i) ASSERT_OK(store->Delete(KeyOf(i)));
  ASSERT_OK(store->Shrink());
  const Stats stats = store->GetStats();
  EXPECT_LT(stats.parts, 3u);
  EXPECT_EQ(CountFiles(), 1 + stats.parts);
  ExpectAll(*store, 7800, 8000, 1000);
  // And it grows again.
  PutAll(*store, 0, 7800, 1000);
  ExpectAll(*store, 0, 8000, 1000);
  EXPECT_GT(store->GetStats().parts, 5u);
}

TEST_F(GrowthTest, AShrunkStoreIsSound) {
  {
    const std::unique_ptr<Store> store = Create();
    PutAll(*store, 0, 6000, 1000);
    ASSERT_OK(store->Put("large", std::string(kBytes, 'L')));
    for (uint64_t i = 0; i < 3000; ++i) ASSERT_OK(store->Put(U64Key(i), U64Key(i)));
    for (uint64_t i = 0; i < 5900; ++i) ASSERT_OK(store->Delete(KeyOf(i)));
    ASSERT_OK(store->Shrink());
  }
  EXPECT_TRUE(testing::IsCleanFile(path_));
  const std::unique_ptr<Store> store = Open();
  ExpectAll(*store, 5900, 6000, 1000);
  EXPECT_EQ(*store->Get("large"), std::string(kBytes, 'L'));
  for (uint64_t i = 0; i < 3000; ++i) EXPECT_EQ(*store->Get(U64Key(i)), U64Key(i));
  EXPECT_LT(store->GetStats().capacity_bytes, 5 * kBytes);
}

TEST_F(GrowthTest, ShrinkingWaitsForNobodyWhoMayLookThere) {
  const std::unique_ptr<Store> store = Create();
  PutAll(*store, 0, 4000, 1000);
  const uint64_t parts = store->GetStats().parts;
  {
    const absl::StatusOr<Snapshot> snapshot = store->OpenSnapshot();
    ASSERT_OK(snapshot);
    for (uint64_t i = 0; i < 3990; ++i) ASSERT_OK(store->Delete(KeyOf(i)));
    const absl::Status status = store->Shrink();
    EXPECT_TRUE(status.ok() || IsError(status, StatusCode::kFailedPrecondition, {"snapshot"})) << status;
    EXPECT_GE(store->GetStats().parts, parts);
    std::string value;
    for (uint64_t i = 0; i < 4000; ++i) ASSERT_OK(snapshot->Get(KeyOf(i), &value));
  }
  {
    const std::unique_ptr<Store> reader = Open(Reading());
    EXPECT_TRUE(IsError(store->Shrink(), StatusCode::kUnavailable, {path_, std::to_string(getpid())}));
    ExpectAll(*reader, 3990, 4000, 1000);
  }
  ASSERT_OK(store->Shrink());
  EXPECT_LT(store->GetStats().parts, parts);
  ExpectAll(*store, 3990, 4000, 1000);
}

TEST_F(GrowthTest, ShrinksWhileOthersReadAndWrite) {
  const std::unique_ptr<Store> store = Create();
  PutAll(*store, 0, 8000, 1000);
  const uint64_t parts = store->GetStats().parts;
  for (uint64_t i = 500; i < 8000; ++i) ASSERT_OK(store->Delete(KeyOf(i)));
  std::atomic<bool> is_over{false};
  std::thread reader([&] {
    Random random(1);
    std::string value;
    while (!is_over) {
      const uint64_t i = random.Below(500);
      EXPECT_OK(store->Get(KeyOf(i), &value));
      EXPECT_EQ(value, ValueOf(i, 1000));
    }
  });
  std::thread writer([&] {
    Random random(2);
    while (!is_over) {
      const uint64_t i = random.Below(500);
      EXPECT_OK(store->Put(KeyOf(i), ValueOf(i, 1000)));
      EXPECT_OK(store->Put("counter " + std::to_string(i % 50), U64Key(i)));
    }
  });
  for (int round = 0; round < 5; ++round) {
    const absl::Status status = store->Shrink();
    EXPECT_TRUE(status.ok() || absl::IsAborted(status) || absl::IsFailedPrecondition(status)) << status;
  }
  is_over = true;
  reader.join();
  writer.join();
  EXPECT_LT(store->GetStats().parts, parts);
  ExpectAll(*store, 0, 500, 1000);
}

// Memory grows inside of itself; the seam and the commit word are the same.
TEST(GrowthOverMemory, GrowsToTheWholeOfIt) {
  const Memory memory(1 << 20);
  const auto file = [&] { return daxfile::DaxFile::OverMemory(memory.span()); };
  {
    const auto store = Store::Format(file(), Background::kNone, {.bytes = 128 << 10, .max_bytes = 1 << 20});
    ASSERT_OK(store);
    EXPECT_EQ((*store)->GetStats().capacity_bytes, 128u << 10);
    PutAll(**store, 0, 700, 1000);
    ExpectAll(**store, 0, 700, 1000);
    EXPECT_GT((*store)->GetStats().writes_that_grew, 0u);
  }
  EXPECT_TRUE(testing::IsClean(memory.span()));
  const auto store = Store::Attach(file(), Background::kNone);
  ASSERT_OK(store);
  ExpectAll(**store, 0, 700, 1000);
}

// As many parts as from 64 MiB to 4 GiB, at a 16th of the size.
TEST_F(GrowthTest, SixtyFourTimesUnderLoad) {
  const std::unique_ptr<Store> store = Create(4 << 20, 256 << 20);
  constexpr unsigned kWriters = 2;
  constexpr uint64_t kKeysEach = 100'000;
  std::vector<std::thread> writers;
  for (unsigned writer = 0; writer < kWriters; ++writer) {
    writers.emplace_back([&, writer] { PutAll(*store, writer * kKeysEach, (writer + 1) * kKeysEach, 1000); });
  }
  for (std::thread& writer : writers) writer.join();
  const Stats stats = store->GetStats();
  EXPECT_GT(stats.capacity_bytes, 200u << 20);
  EXPECT_GT(stats.parts, 20u);
  ExpectAll(*store, 0, kWriters * kKeysEach, 1000);
}

}  // namespace
}  // namespace sealkv
