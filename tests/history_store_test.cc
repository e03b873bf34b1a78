// Histories of the store itself: every operation it has, by many threads on few keys, checked for strict
// serializability.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "kv/sealkv.h"
#include "tests/check_clean.h"
#include "tests/history/adapter.h"
#include "tests/history/generator.h"
#include "tests/history/linearizable.h"
#include "tests/history/strict_serializability.h"
#include "tests/memory_store.h"
#include "tests/random.h"
#include "tests/status.h"

namespace sealkv {
namespace {

using history::CheckStrictSerializability;
using history::Report;
using history::Verdict;

// Between the keys that matter lie others, so that they are in leaves of their own, which are split and merged. Whoever
// walks over these doesn't see them.
bool IsFiller(std::string_view key) { return key.find('~') != std::string_view::npos; }

class SkipsFiller {
 public:
  explicit SkipsFiller(std::unique_ptr<Iterator> at) : at_(std::move(at)) {}
  bool Valid() const { return at_->Valid(); }
  void SeekToFirst() { at_->SeekToFirst(), Up(); }
  void SeekToLast() { at_->SeekToLast(), Down(); }
  void Next() { at_->Next(), Up(); }
  void Prev() { at_->Prev(), Down(); }
  std::string_view key() const { return at_->key(); }
  std::string_view value() const { return at_->value(); }
  absl::Status status() const { return at_->status(); }

 private:
  void Up() {
    while (at_->Valid() && IsFiller(at_->key())) at_->Next();
  }
  void Down() {
    while (at_->Valid() && IsFiller(at_->key())) at_->Prev();
  }
  std::unique_ptr<Iterator> at_;
};

// What is begun, as the adapter wants it: none of these fails here.
template <typename Reader>
struct Facing {
  Reader reader;
  absl::StatusOr<std::string> Get(std::string_view key) { return reader->Get(key); }
  std::unique_ptr<SkipsFiller> NewIterator(Range range) {
    return std::make_unique<SkipsFiller>(reader->NewIterator(std::move(range)));
  }
  absl::Status Put(std::string_view key, std::string_view value) { return reader->Put(key, value); }
  absl::Status Delete(std::string_view key) { return reader->Delete(key); }
  absl::Status Commit() { return reader->Commit(); }
};

class Facade {
 public:
  explicit Facade(Store& store) : store_(store) {}

  absl::Status Put(std::string_view key, std::string_view value) { return store_.Put(key, value); }
  absl::Status PutIfAbsent(std::string_view key, std::string_view value) { return store_.PutIfAbsent(key, value); }
  absl::StatusOr<std::string> Get(std::string_view key) { return store_.Get(key); }
  absl::Status Delete(std::string_view key) { return store_.Delete(key); }
  absl::StatusOr<uint64_t> Add(std::string_view key, uint64_t delta) { return store_.Add(key, delta); }
  absl::StatusOr<uint64_t> CompareAndSwap(std::string_view key, uint64_t expected, uint64_t desired) {
    return store_.CompareAndSwap(key, expected, desired);
  }
  template <typename Function>
  absl::Status Update(std::string_view key, Function function) {
    return store_.Update(key, function);
  }
  absl::Status Write(const WriteBatch& batch) { return store_.Write(batch); }
  absl::Status DeleteRange(Range range) { return store_.DeleteRange(std::move(range)); }
  Facing<std::unique_ptr<Snapshot>> OpenSnapshot() { return {std::make_unique<Snapshot>(*store_.OpenSnapshot())}; }
  Facing<std::unique_ptr<Transaction>> Begin() { return {*store_.Begin()}; }

 private:
  Store& store_;
};

void RunOnce(const history::Workload& workload, unsigned fillers) {
  testing::MemoryStore store(16 << 20);
  ASSERT_OK(store.Format());
  Facade facade(*store);
  history::Adapter<Facade, WriteBatch, Range> adapter(facade);
  for (const char kind : {'k', 'n', 'w'}) {
    for (unsigned key = 0; key < 6; ++key) {
      for (unsigned i = 0; i < fillers; ++i) {
        const std::string filler = kind + std::to_string(key) + "~" + std::to_string(i);
        ASSERT_OK(store->Put(filler, std::string(i % 3 == 0 ? 8 : i, 'f')));
      }
    }
  }
  const history::RecordedRun run = history::RunWorkload(adapter, workload);
  for (const std::string& error : run.errors) ADD_FAILURE() << error << " seed " << workload.seed;
  const Report report = CheckStrictSerializability(run.history);
  EXPECT_EQ(report.verdict, Verdict::kYes) << "seed " << workload.seed << "\n"
                                           << report.text << history::Describe(run.history);
  ASSERT_OK(store->WaitUntilSpaceIsKnown());
  const Stats stats = store->GetStats();
  EXPECT_EQ(stats.snapshots_open, 0u);
  EXPECT_EQ(stats.snapshot_bytes_retained, 0u) << "what snapshots needed is given back";
  EXPECT_EQ(stats.snapshot_bytes_in_dram, 0u);
  EXPECT_TRUE(testing::IsClean(store.memory().span()));
}

TEST(HistoryStoreTest, ShortRunsAreStrictlySerializable) {
  const uint64_t first = testing::TestSeed();
  for (uint64_t seed = first; seed < first + 1500; ++seed) {
    testing::Random random(seed);
    history::Workload workload{.seed = seed,
                               .threads = static_cast<unsigned>(random.Between(2, 4)),
                               .operations = static_cast<unsigned>(random.Between(5, 40)),
                               .registers = static_cast<unsigned>(random.Between(1, 5)),
                               .words = static_cast<unsigned>(random.Between(1, 2)),
                               .counters = static_cast<unsigned>(random.Between(1, 2)),
                               .mix = {}};
    RunOnce(workload, static_cast<unsigned>(random.Below(20)));
    if (::testing::Test::HasFailure()) return;
  }
}

TEST(HistoryStoreTest, LongRunsAreStrictlySerializable) {
  const uint64_t first = testing::TestSeed();
  for (uint64_t seed = first; seed < first + 20; ++seed) {
    RunOnce({.seed = seed, .threads = 8, .operations = 400, .registers = 6, .words = 2, .counters = 2, .mix = {}}, 40);
    if (::testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace sealkv
