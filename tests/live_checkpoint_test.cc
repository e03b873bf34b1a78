// A copy of a store that another process writes: it is what the store was after one of its changes.
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <thread>

#include "gtest/gtest.h"
#include "kv/sealkv.h"
#include "tests/check_clean.h"
#include "tests/model.h"
#include "tests/other_process.h"
#include "tests/random.h"
#include "tests/run_name.h"
#include "tests/status.h"

namespace sealkv::testing {
namespace {

constexpr uint64_t kKeys = 6000;
constexpr uint64_t kStepsBefore = 3 * kKeys;

// A run of changes, each the same wherever it is made: what the store is after a number of them can be computed.
class Changes {
 public:
  explicit Changes(uint64_t seed) : random_(seed) {}

  const Model& model() const { return model_; }
  uint64_t made() const { return made_; }
  // The next one, in the model and, if there is one, in a store. False: that failed.
  bool Step(Store* store) {
    ++made_;
    WriteBatch batch;
    const int operations = random_.OneIn(4) ? 5 : 1;
    for (int i = 0; i < operations; ++i) {
      const std::string key = Key(random_.Below(kKeys));
      if (random_.OneIn(3) && model_.contains(key)) {
        batch.Delete(key);
        model_.erase(key);
      } else {
        const std::string value = random_.OneIn(2) ? WordValue(random_.Next()) : random_.Bytes(random_.Below(80));
        batch.Put(key, value);
        model_[key] = value;
      }
    }
    return store == nullptr || store->Write(batch).ok();
  }

 private:
  static std::string Key(uint64_t number) {
    const uint64_t scattered = number * 0x9e3779b97f4a7c15;
    return number % 2 == 0 ? U64Key(scattered) : "/usr/share/doc/of no. " + std::to_string(scattered);
  }

  Random random_;
  Model model_;
  uint64_t made_ = 0;
};

class LiveCheckpointTest : public ::testing::Test {
 protected:
  LiveCheckpointTest() : folder_("/dev/shm/sealkv-live-checkpoint-test." + RunName()) {
    alarm(240);  // who waits for ever fails
    signal(SIGPIPE, SIG_IGN);
    EXPECT_EQ(mkdir(folder_.c_str(), 0755), 0);
  }
  ~LiveCheckpointTest() override {
    std::filesystem::remove_all(folder_);
    alarm(0);
  }

  static Options Volatile() {
    Options options;
    options.weakest_tier = daxfile::Tier::kVolatile;
    options.emulate_on_dram = true;
    return options;
  }
  void Create(uint64_t log_bytes) {
    Options options = Volatile();
    options.capacity_bytes = 64 << 20;
    options.change_log_bytes = log_bytes;
    ASSERT_OK(Store::Create(store_path_, options));
  }
  // Says so after the first steps, and goes on until it is told to stop.
  auto Writer() const {
    return [this](Line& line) {
      const absl::StatusOr<std::unique_ptr<Store>> store = Store::Open(store_path_, Volatile());
      EXPECT_IN_PROCESS(store.ok());
      Changes changes(TestSeed());
      while (changes.made() < kStepsBefore) EXPECT_IN_PROCESS(changes.Step(store->get()));
      line.Say('o');
      while (!line.HasSpoken()) EXPECT_IN_PROCESS(changes.Step(store->get()));
    };
  }
  std::unique_ptr<Store> OpenBeside() const {
    Options options = Volatile();
    options.read_only = true;
    absl::StatusOr<std::unique_ptr<Store>> store = Store::Open(store_path_, options);
    EXPECT_OK(store);
    return *std::move(store);
  }
  // Whoever is asked whether to go on lets the writer make some changes first.
  static auto AfterChanges(const Store& store, uint64_t count) {
    return [&store, count](uint64_t) {
      const uint64_t before = store.LastChange().value_or(0);
      while (store.LastChange().value_or(0) < before + count) std::this_thread::yield();
      return true;
    };
  }

  const std::string folder_;
  const std::string store_path_ = folder_ + "/store";
  const std::string copy_path_ = folder_ + "/copy";
};

TEST_F(LiveCheckpointTest, IsTheStoreAfterOneOfItsChanges) {
  Create(/*log_bytes=*/16 << 20);
  OtherProcess writer(Writer());
  ASSERT_EQ(writer.line().Await(), 'o');
  const std::unique_ptr<Store> store = OpenBeside();
  const uint64_t before = *store->LastChange();
  ASSERT_OK(store->Checkpoint(copy_path_, Volatile(), AfterChanges(*store, 300)));
  {
    const absl::StatusOr<std::unique_ptr<Store>> copy = Store::Open(copy_path_, Volatile());
    ASSERT_OK(copy);
    const uint64_t change = *(*copy)->LastChange();
    EXPECT_GE(change, before + 300);
    Changes changes(TestSeed());
    while (changes.made() < change) changes.Step(nullptr);
    EXPECT_TRUE(ContentsOf(**copy) == changes.model());
    EXPECT_LT(changes.model().size(), kKeys);
    // And it may go on being a copy.
    writer.line().Say('s');
    EXPECT_EQ(writer.Join(), 0);
    ASSERT_OK((*copy)->CatchUpWith(*store));
    EXPECT_GT(*(*copy)->LastChange(), change);
    EXPECT_TRUE(ContentsOf(**copy) == ContentsOf(*store));
  }
  EXPECT_TRUE(IsCleanFile(copy_path_));
}

TEST_F(LiveCheckpointTest, WhereMoreIsChangedThanIsKeptThereIsNone) {
  Create(/*log_bytes=*/4 << 10);
  OtherProcess writer(Writer());
  ASSERT_EQ(writer.line().Await(), 'o');
  const std::unique_ptr<Store> store = OpenBeside();
  EXPECT_TRUE(IsError(store->Checkpoint(copy_path_, Volatile(), AfterChanges(*store, 300)),
                      absl::StatusCode::kOutOfRange, {"keeps 4096 bytes", "removed"}));
  writer.line().Say('s');
  EXPECT_EQ(writer.Join(), 0);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1) << "the store alone";
}

}  // namespace
}  // namespace sealkv::testing
