// Without memory: each allocation of a run fails in turn. Either std::bad_alloc comes out of a call that has changed
// nothing, and can be made again, and the store is as good as before: nothing is locked, nothing is lost. Or the
// process ends, from a commit on, and the next one finds the state before or after it, as after any crash. Each run is
// a process of its own for that.
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fstream>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "daxfile/dax_file.h"
#include "gtest/gtest.h"
#include "kv/sealkv.h"
#include "tests/check_clean.h"
#include "tests/failing_disk.h"
#include "tests/failing_memory.h"
#include "tests/memory_store.h"
#include "tests/model.h"
#include "tests/other_process.h"
#include "tests/status.h"
#include "tests/steps.h"

namespace sealkv {
namespace {

using testing::allocations_left;
using testing::ContentsOf;
using testing::Model;
using testing::OtherProcess;
using testing::Step;

constexpr size_t kBytes = 4 << 20;
constexpr int kAllWorked = 40;
constexpr int kThrown = 41;
constexpr int kTerminated = 42;
constexpr int kDidWithout = 43;

// Memory that outlives the process which writes to it.
class SharedMemory {
 public:
  explicit SharedMemory(size_t bytes) : bytes_(bytes) {
    void* const at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) std::abort();
    data_ = static_cast<std::byte*>(at);
  }
  ~SharedMemory() { munmap(data_, bytes_); }
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  std::span<std::byte> span() const { return {data_, bytes_}; }
  std::byte* data() const { return data_; }

 private:
  std::byte* data_;
  size_t bytes_;
};

struct Params {
  const char* name;
  bool beside_snapshots;
  uint64_t change_log_bytes;
  bool in_file;
};

// Where the store of a run lies: memory, or a file on tier msync (but for the syncs: tests/failing_disk.h).
class Place {
 public:
  explicit Place(bool in_file) {
    if (in_file) path_ = ::testing::TempDir() + "/out_of_memory_test." + std::to_string(getpid());
  }
  ~Place() { unlink(path_.c_str()); }

  void Fill(std::span<const std::byte> image) {
    std::memcpy(memory_.data(), image.data(), kBytes);
    if (path_.empty()) return;
    std::ofstream file(path_, std::ios::binary | std::ios::trunc);
    file.write(reinterpret_cast<const char*>(image.data()), static_cast<std::streamsize>(image.size()));
    ASSERT_TRUE(file.flush().good());
  }
  absl::StatusOr<std::unique_ptr<Store>> Open() const {
    absl::StatusOr<daxfile::DaxFile> file =
        path_.empty() ? daxfile::DaxFile::OverMemory(memory_.span())
                      : daxfile::DaxFile::Open(path_, {.weakest_tier = daxfile::Tier::kVolatile});
    if (!file.ok()) return file.status();
    return Store::Attach(*std::move(file), Background::kNone);
  }
  // Else nothing of msync is tried.
  bool IsAsIntended() const { return path_.empty() || Open().value()->GetStats().tier == daxfile::Tier::kMsync; }
  ::testing::AssertionResult IsClean() const {
    return path_.empty() ? testing::IsClean(memory_.span()) : testing::IsCleanFile(path_);
  }

 private:
  std::string path_;
  const SharedMemory memory_{kBytes};
};

// What one process does: all steps, of which one finds no memory.
class Attempt {
 public:
  Attempt(const Place& place, Model model, bool beside_snapshots, std::atomic<size_t>& step)
      : place_(place), model_(std::move(model)), beside_snapshots_(beside_snapshots), step_(step) {}

  int Do(const std::vector<Step>& steps, int64_t failing) {
    std::set_terminate([] { _exit(kTerminated); });
    failing_ = failing;
    TryTwice([&] {
      auto store = place_.Open();
      if (!store.ok()) std::fprintf(stderr, "%s\n", store.status().ToString().c_str());
      EXPECT_IN_PROCESS(store.ok());
      store_ = *std::move(store);
    });
    TryTwice([&] { EXPECT_IN_PROCESS(store_->WaitUntilSpaceIsKnown().ok()); });  // what is lost from here on shows
    for (size_t i = 0; i < steps.size(); ++i) {
      step_ = i;
      if (beside_snapshots_ && i % 7 == 3) TryTwice([&] { snapshot_ = *store_->OpenSnapshot(); });
      TryTwice([&] {
        const absl::Status status = steps[i].change(*store_);
        if (!status.ok()) std::fprintf(stderr, "%s: %s\n", steps[i].name.c_str(), status.ToString().c_str());
        EXPECT_IN_PROCESS(status.ok());
      });
      steps[i].expect(model_);
    }
    EXPECT_IN_PROCESS(ContentsOf(*store_) == model_);
    if (failing_ >= 0) return kAllWorked;
    ExpectNothingLost();
    return was_thrown_ ? kThrown : kDidWithout;
  }

 private:
  template <class Call>
  void TryTwice(const Call& call) {
    try {
      allocations_left = std::exchange(failing_, -1);
      call();
      failing_ = std::exchange(allocations_left, -1);
      return;
    } catch (const std::bad_alloc&) {
      was_thrown_ = true;
    }
    if (store_ != nullptr) EXPECT_IN_PROCESS(ContentsOf(*store_) == model_);
    call();
  }

  // What isn't free is what the next open finds in use.
  void ExpectNothingLost() {
    snapshot_.reset();
    const Stats before = store_->GetStats();
    store_.reset();
    EXPECT_IN_PROCESS(place_.IsClean());
    auto store = place_.Open();
    EXPECT_IN_PROCESS(store.ok());
    EXPECT_IN_PROCESS((*store)->WaitUntilSpaceIsKnown().ok());
    const Stats after = (*store)->GetStats();
    const auto used = [](const Stats& stats) {
      return stats.node_bytes_used + stats.record_bytes_used - stats.bytes_retired;
    };
    if (used(before) != used(after)) {
      std::fprintf(stderr, "in use: %zu, and %zu after an open (nodes %zu, %zu)\n", used(before), used(after),
                   before.node_bytes_used, after.node_bytes_used);
    }
    EXPECT_IN_PROCESS(used(before) == used(after));
    EXPECT_IN_PROCESS(ContentsOf(**store) == model_);
  }

  const Place& place_;
  Model model_;
  const bool beside_snapshots_;
  std::atomic<size_t>& step_;
  std::unique_ptr<Store> store_;
  std::optional<Snapshot> snapshot_;
  int64_t failing_ = -1;
  bool was_thrown_ = false;
};

// Keys that end in their first slice, that share it, and that share more: into an empty store.
Step BulkLoadStep() {
  const auto for_each = [](const auto& visit) {
    for (uint64_t id = 0; id < 40; ++id) visit(U64Key(id), testing::WordValue(id));
    for (uint64_t id = 0; id < 60; ++id) visit(testing::steps::LongKey(id), testing::steps::Text(id, 'l'));
    for (uint64_t id = 0; id < 20; ++id) visit("b" + std::to_string(100 + id), testing::steps::Text(id, 's'));
  };
  return {"bulk load",
          [=](Store& store) {
            std::vector<std::pair<std::string, std::string>> pairs;
            for_each([&](const std::string& key, const std::string& value) { pairs.emplace_back(key, value); });
            return store.BulkLoad([&pairs, i = size_t{0}](std::string_view* key, std::string_view* value) mutable {
              if (i == pairs.size()) return false;
              std::tie(*key, *value) = pairs[i++];
              return true;
            });
          },
          [=](Model& model) { for_each([&](const auto& key, const auto& value) { model[key] = value; }); }};
}

class OutOfMemoryTest : public ::testing::TestWithParam<Params> {
 protected:
  // A store to begin with.
  void MakeStore(const std::vector<Step>& steps) {
    testing::MemoryStore store(kBytes, nullptr, Background::kNone, {.change_log_bytes = GetParam().change_log_bytes});
    ASSERT_OK(store.Format());
    for (const Step& step : steps) {
      ASSERT_OK(step.change(*store));
      step.expect(model_);
    }
    store.Close();
    image_.assign(store.memory().data(), store.memory().data() + kBytes);
  }

  bool IsAsIntended() const {
    Place place(GetParam().in_file);
    place.Fill(image_);
    return place.IsAsIntended();
  }

  struct Outcomes {
    unsigned thrown = 0;
    unsigned terminated = 0;
    unsigned did_without = 0;
  };
  Outcomes LetEachFail(const std::vector<Step>& steps);
  // After the process has ended within a step.
  void ExpectBeforeOrAfter(std::span<const Step> before, const Step& last, const Place& place) {
    auto store = place.Open();
    ASSERT_OK(store);
    Model model = model_;
    for (const Step& step : before) step.expect(model);
    const Model found = ContentsOf(**store);
    if (found != model) last.expect(model);
    EXPECT_TRUE(found == model);
    store->reset();
    EXPECT_TRUE(place.IsClean());
  }

  std::vector<std::byte> image_;
  Model model_;
};

// How often what came of it.
OutOfMemoryTest::Outcomes OutOfMemoryTest::LetEachFail(const std::vector<Step>& steps) {
  Place place(GetParam().in_file);
  const SharedMemory word(sizeof(std::atomic<size_t>));
  auto& step = *new (word.data()) std::atomic<size_t>(0);
  Outcomes outcomes;
  for (int64_t failing = 0;; ++failing) {
    SCOPED_TRACE("allocation " + std::to_string(failing));
    place.Fill(image_);
    step = 0;
    OtherProcess process(
        [&](testing::Line&) { _exit(Attempt(place, model_, GetParam().beside_snapshots, step).Do(steps, failing)); });
    const int code = process.Join();
    if (code == kAllWorked) return outcomes;
    SCOPED_TRACE("in step " + std::to_string(step) + ", " + steps[step].name);
    EXPECT_TRUE(code == kThrown || code == kTerminated || code == kDidWithout) << code;
    outcomes.thrown += code == kThrown;
    outcomes.terminated += code == kTerminated;
    outcomes.did_without += code == kDidWithout;
    if (code == kTerminated) ExpectBeforeOrAfter(std::span(steps).first(step), steps[step], place);
    if (HasFailure()) return outcomes;
  }
}

TEST_P(OutOfMemoryTest, EachAllocationOfARun) {
  std::vector<Step> before;
  for (uint64_t id = 0; id < testing::kOld; ++id) {
    before.push_back(testing::steps::Put(testing::OldKey(id), testing::WordValue(id)));
  }
  // What will be over one day is counted when the store is opened.
  before.push_back(testing::steps::PutUntil("kept for a while", std::string(200, 'w')));
  before.push_back(testing::steps::PutUntil("and another one", std::string(200, 'a')));
  MakeStore(before);
  if (!IsAsIntended()) GTEST_SKIP() << "files here need no msync";
  const Outcomes outcomes = LetEachFail(testing::AllSteps());
  EXPECT_GT(outcomes.thrown, 300u);
  EXPECT_GT(outcomes.terminated, 10u);
  EXPECT_EQ(outcomes.did_without > 0, GetParam().in_file) << "a flush that isn't remembered is synced at once";
}

TEST_P(OutOfMemoryTest, EachAllocationOfABulkLoad) {
  if (GetParam().change_log_bytes != 0) GTEST_SKIP() << "a store that keeps its changes isn't loaded";
  MakeStore({});
  if (!IsAsIntended()) GTEST_SKIP() << "files here need no msync";
  EXPECT_GT(LetEachFail({BulkLoadStep()}).thrown, 50u);
}

TEST(OutOfMemoryGrowthTest, IsOverAndCanBeTriedAgain) {
  for (int64_t failing = 0;; ++failing) {
    SCOPED_TRACE("allocation " + std::to_string(failing));
    testing::MemoryStore store(kBytes, nullptr, Background::kNone, {.bytes = kBytes / 4, .max_bytes = kBytes});
    ASSERT_OK(store.Format());
    const uint64_t before = store->GetStats().capacity_bytes;
    bool is_thrown = false;
    allocations_left = failing;
    try {
      ASSERT_OK(store->Grow());
    } catch (const std::bad_alloc&) {
      is_thrown = true;
    }
    const bool all_worked = std::exchange(allocations_left, -1) >= 0;
    if (is_thrown) {
      ASSERT_OK(store->Grow());
    }
    EXPECT_GT(store->GetStats().capacity_bytes, before);
    EXPECT_TRUE(testing::IsClean(store.memory().span()));
    if (all_worked) {
      EXPECT_GT(failing, 0);
      return;
    }
  }
}

TEST(OutOfMemoryIteratorTest, StandsOnNothingAndCanBeSoughtAgain) {
  testing::MemoryStore store(kBytes);
  ASSERT_OK(store.Format());
  std::vector<std::string> keys;
  for (uint64_t id = 0; id < 40; ++id) {
    keys.push_back(testing::steps::LongKey(id));
    if (id % 3 == 0) continue;
    ASSERT_OK(store->Put(keys.back(), "of the store"));
  }
  for (int64_t failing = 0;; ++failing) {
    SCOPED_TRACE("allocation " + std::to_string(failing));
    auto transaction = store->Begin();
    ASSERT_OK(transaction);
    for (uint64_t id = 0; id < keys.size(); id += 3) ASSERT_OK((*transaction)->Put(keys[id], "of the transaction"));
    const auto iterator = (*transaction)->NewIterator();
    std::vector<std::string> shown;
    std::string from;
    int64_t left = failing;
    const auto move = [&](const auto& how) {
      try {
        allocations_left = left;
        how();
        left = std::exchange(allocations_left, -1);
      } catch (const std::bad_alloc&) {
        left = -1;
        EXPECT_FALSE(iterator->Valid());
        iterator->Seek(from);
      }
    };
    for (move([&] { iterator->SeekToFirst(); }); iterator->Valid(); move([&] { iterator->Next(); })) {
      shown.emplace_back(iterator->key());
      from = shown.back() + '\0';
    }
    EXPECT_EQ(shown, keys);
    if (HasFailure()) return;
    if (left >= 0) {
      EXPECT_GT(failing, 10);
      return;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(, OutOfMemoryTest,
                         ::testing::Values(Params{"Plain", false, 0, false}, Params{"BesideSnapshots", true, 0, false},
                                           Params{"WithALog", false, 1 << 20, false},
                                           Params{"InAFile", false, 0, true}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace sealkv
