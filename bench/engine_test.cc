// Every engine does the same with the same operations, and what is persistent outlives its process.
#include "bench/engine.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <thread>
#include <vector>

#include "bench/doomed_writer.h"
#include "bench/store_files.h"
#include "gtest/gtest.h"

namespace sealkv::bench {
namespace {

class EngineTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    options_.data.value_bytes = kValueBytes;
    options_.path = files_.path();
    options_.capacity_bytes = 16 << 20;
    auto engine = MakeEngine(GetParam(), KeyKind::kU64, kValueBytes);
    if (absl::IsNotFound(engine.status())) GTEST_SKIP() << engine.status();
    ASSERT_TRUE(engine.ok()) << engine.status();
    engine_ = *std::move(engine);
  }

  Key KeyOf(uint64_t number) {
    Data& data = key_data_[keys_++ % std::size(key_data_)];
    const uint64_t same = data.SequentialKey(number);
    return {same, data.key()};
  }
  std::optional<std::string> Get(uint64_t number) {
    std::string value;
    const absl::Status got = engine_->Get(KeyOf(number), &value);
    EXPECT_TRUE(got.ok() || absl::IsNotFound(got)) << got;
    return got.ok() ? std::optional(value) : std::nullopt;
  }

  uint64_t Scan(const std::optional<Key>& from, uint64_t count, bool reverse, uint64_t* sum) {
    const absl::StatusOr<uint64_t> seen = engine_->Scan(from, count, reverse, sum);
    EXPECT_TRUE(seen.ok()) << seen.status();
    return seen.value_or(0);
  }

  static constexpr size_t kValueBytes = 20;
  const StoreFiles files_{GetParam(), StorePath(GetParam(), "/dev/shm/engine_test." + std::to_string(getpid())),
                          FilesAre::kTemporary};
  EngineOptions options_;
  std::unique_ptr<Engine> engine_;
  Data key_data_[2] = {Data({}), Data({})};
  unsigned keys_ = 0;
};

std::string TestName(const ::testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}
INSTANTIATE_TEST_SUITE_P(All, EngineTest, ::testing::ValuesIn(EngineNames()), TestName);

// Runs random operations on the engine and on a map; then both must be the same, walked in either direction.
TEST_P(EngineTest, DoesWhatAMapDoes) {
  ASSERT_TRUE(engine_->Open(options_).ok());
  std::map<uint64_t, std::string> model;
  std::mt19937_64 random(20261127);
  const std::unique_ptr<EngineBatch> batch = engine_->NewBatch();
  const auto value_of = [&] { return std::string(kValueBytes, static_cast<char>('a' + random() % 26)); };
  for (int i = 0; i < 3000; ++i) {
    const uint64_t number = random() % 500;
    switch (random() % 4) {
      case 0: {
        const absl::Status status = engine_->Delete(KeyOf(number));
        const bool was_there = model.erase(number) > 0;
        EXPECT_TRUE(status.ok() || (absl::IsNotFound(status) && !was_there)) << status;
        break;
      }
      case 1:
        if (batch != nullptr) {
          for (uint64_t n = number; n < number + 5; ++n) batch->Put(KeyOf(n), model[n] = value_of());
          ASSERT_TRUE(batch->Write().ok());
        }
        break;
      case 2:
        ASSERT_TRUE(engine_->Put(KeyOf(number), model[number] = value_of()).ok());
        break;
      default:
        const auto found = model.find(number);
        EXPECT_EQ(Get(number), found == model.end() ? std::nullopt : std::optional(found->second));
    }
  }
  ASSERT_FALSE(model.empty());
  const auto sum_of = [](auto begin, auto end) {
    uint64_t sum = 0;
    for (; begin != end; ++begin) sum += static_cast<unsigned char>(begin->second.back());
    return sum;
  };
  for (const uint64_t from : {0, 100, 250, 499}) {
    const auto begin = model.lower_bound(from);
    const auto count = std::min<uint64_t>(20, static_cast<uint64_t>(std::distance(begin, model.end())));
    uint64_t sum = 0;
    EXPECT_EQ(Scan(KeyOf(from), 20, false, &sum), count);
    EXPECT_EQ(sum, sum_of(begin, std::next(begin, static_cast<std::ptrdiff_t>(count)))) << from;
  }
  uint64_t forward = 0, backward = 0, last = 0;
  EXPECT_EQ(Scan(std::nullopt, 1 << 20, false, &forward), model.size());
  EXPECT_EQ(Scan(std::nullopt, 1 << 20, true, &backward), model.size());
  EXPECT_EQ(forward, sum_of(model.begin(), model.end()));
  EXPECT_EQ(backward, forward);
  EXPECT_EQ(Scan(std::nullopt, 1, true, &last), 1u);
  EXPECT_EQ(last, static_cast<unsigned char>(model.rbegin()->second.back()));
}

TEST_P(EngineTest, AddsFromManyThreads) {
  auto engine = MakeEngine(GetParam(), KeyKind::kU64, sizeof(uint64_t));
  ASSERT_TRUE(engine.ok());
  engine_ = *std::move(engine);
  options_.data.value_bytes = sizeof(uint64_t);
  ASSERT_TRUE(engine_->Open(options_).ok());
  const unsigned threads = engine_->is_thread_safe() ? 4 : 1;
  constexpr unsigned kAdds = 200;
  const Key key{7, std::string_view("\0\0\0\0\0\0\0\7", 8)};
  std::vector<std::thread> adding;
  for (unsigned i = 0; i < threads; ++i) {
    adding.emplace_back([&] {
      for (unsigned n = 0; n < kAdds; ++n) EXPECT_TRUE(engine_->Increment(key).ok());
    });
  }
  for (std::thread& thread : adding) thread.join();
  std::string value;
  ASSERT_TRUE(engine_->Get(key, &value).ok());
  uint64_t counter = 0;
  ASSERT_EQ(value.size(), sizeof(counter));
  std::memcpy(&counter, value.data(), sizeof(counter));
  EXPECT_EQ(counter, uint64_t{threads} * kAdds);
}

// A thread sees what another wrote just before, however its read transactions are kept.
TEST_P(EngineTest, ReadersSeeTheLatest) {
  ASSERT_TRUE(engine_->Open(options_).ok());
  if (!engine_->is_thread_safe()) GTEST_SKIP() << "not for threads";
  for (int i = 0; i < 20; ++i) {
    const std::string value(kValueBytes, static_cast<char>('a' + i));
    std::thread([&] { EXPECT_TRUE(engine_->Put({1, std::string_view("\0\0\0\0\0\0\0\1", 8)}, value).ok()); }).join();
    EXPECT_EQ(Get(1), value);
    uint64_t sum = 0;
    EXPECT_EQ(Scan(std::nullopt, 10, false, &sum), 1u);
    EXPECT_EQ(sum, static_cast<unsigned char>(value.back()));
  }
}

TEST_P(EngineTest, OutlivesAKilledWriter) {
  const auto writer = DoomedWriter::Start(GetParam(), options_);
  ASSERT_TRUE(writer.ok()) << writer.status();
  ASSERT_TRUE(engine_->Open(options_).ok());
  if (!engine_->is_persistent()) GTEST_SKIP() << "volatile";
  const std::string value(kValueBytes, 'v');
  ASSERT_TRUE(engine_->Put(KeyOf(1), value).ok());
  for (int i = 0; i < 2; ++i) {
    engine_->Close();
    const absl::Status status = (*writer)->WriteAndDie();
    ASSERT_TRUE(status.ok()) << status;
    EngineOptions existing = options_;
    existing.use_existing = true;
    ASSERT_TRUE(engine_->Open(existing).ok());
    EXPECT_EQ(Get(1), value);
    std::string last;
    EXPECT_TRUE(engine_->Get(DoomedWriter::key(), &last).ok());
    EXPECT_EQ(last, DoomedWriter::LastValue());
  }
  EXPECT_GT(engine_->BytesUsed().value_or(0), 0u);
}

// Overwrites what the files of a closed store have between a beginning and their end.
void Damage(const std::string& path) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
    const bool is_table = entry.path().extension() == ".ldb" || entry.path().extension() == ".sst";
    if (!is_table && entry.path().extension() != ".db") continue;
    // SQLite's first page is what opening reads; of a table it is the end.
    const uint64_t begin = is_table ? 0 : 4096;
    const uint64_t end = is_table ? entry.file_size() / 2 : entry.file_size();
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(begin));
    file << std::string(end - begin, '\xff');
  }
}

// LMDB has no checksums, and SealKV's damage has tests of its own.
TEST_P(EngineTest, DamageIsAReadErrorAndNoMissingKey) {
  const std::string name = GetParam();
  if (name != "leveldb" && name != "rocksdb" && name != "sqlite") GTEST_SKIP() << "it has no files, or no checksums";
  constexpr uint64_t kRecords = 3000;
  ASSERT_TRUE(engine_->Open(options_).ok());
  for (uint64_t number = 0; number < kRecords; ++number) {
    ASSERT_TRUE(engine_->Put(KeyOf(number), std::string(kValueBytes, 'v')).ok());
  }
  ASSERT_TRUE(engine_->Compact().ok());
  engine_->Close();
  Damage(options_.path);
  EngineOptions existing = options_;
  existing.use_existing = true;
  ASSERT_TRUE(engine_->Open(existing).ok());
  std::string value;
  const absl::Status got = engine_->Get(KeyOf(0), &value);
  EXPECT_FALSE(got.ok() || absl::IsNotFound(got)) << got;
  uint64_t sum = 0;
  EXPECT_FALSE(engine_->Scan(std::nullopt, kRecords, false, &sum).ok());
  // RocksDB's addition doesn't read; then the next read fails.
  EXPECT_FALSE(engine_->Increment(KeyOf(0)).ok() && engine_->Get(KeyOf(0), &value).ok());
}

TEST_P(EngineTest, LeavesNoFiles) {
  ASSERT_TRUE(engine_->Open(options_).ok());
  const bool has_files = engine_->is_persistent();
  EXPECT_EQ(std::filesystem::exists(files_.path()), has_files);
  engine_.reset();
  files_.Remove();
  EXPECT_FALSE(std::filesystem::exists(files_.path()));
}

TEST(EngineNamesTest, AnUnknownOneIsRefused) {
  EXPECT_TRUE(absl::IsInvalidArgument(MakeEngine("berkeley", KeyKind::kU64, 8).status()));
}

}  // namespace
}  // namespace sealkv::bench
