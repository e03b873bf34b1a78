// A walk without a snapshot, interrupted at one instruction after the other, while the writer changes what lies ahead.
#include <unistd.h>

#include <memory>
#include <string>
#include <thread>

#include "gtest/gtest.h"
#include "kv/sealkv.h"
#include "tests/crash/single_step.h"
#include "tests/model.h"
#include "tests/run_name.h"
#include "tests/status.h"

namespace sealkv::testing {
namespace {

constexpr uint64_t kLeaf = 14;     // entries; what is loaded in order fills leaves
constexpr uint64_t kEveryNth = 5;  // instruction; what is looked for takes dozens

class InterruptedWalkTest : public ::testing::Test {
 protected:
  ~InterruptedWalkTest() override { unlink(path_.c_str()); }

  static std::string Key(uint64_t number) { return U64Key(number * 10); }

  // Three leaves: of the keys 1 to 14, 15 to 28, and one more.
  void Open() {
    unlink(path_.c_str());
    Options options;
    options.weakest_tier = daxfile::Tier::kVolatile;
    options.emulate_on_dram = true;
    options.capacity_bytes = 1 << 20;
    absl::StatusOr<std::unique_ptr<Store>> writer = Store::Create(path_, options);
    ASSERT_OK(writer);
    writer_ = *std::move(writer);
    for (uint64_t i = 1; i <= 2 * kLeaf + 1; ++i) ASSERT_OK(writer_->Put(Key(i), WordValue(i)));
    options.read_only = true;
    absl::StatusOr<std::unique_ptr<Store>> reader = Store::Open(path_, options);
    ASSERT_OK(reader);
    reader_ = *std::move(reader);
  }

  // The first leaf goes, and the second one covers, and then holds, what lay before its first key.
  void GiveTheSecondLeafWhatTheFirstCovered() {
    for (uint64_t i = 1; i <= kLeaf; ++i) ASSERT_OK(writer_->Delete(Key(i)));
    ASSERT_OK(writer_->Delete(Key(2 * kLeaf)));
    ASSERT_OK(writer_->Put(U64Key(5), WordValue(5)));
  }

  const std::string path_ = "/dev/shm/sealkv-interrupted-walk-test." + RunName();
  std::unique_ptr<Store> writer_;
  std::unique_ptr<Store> reader_;
};

// Was: the parent was looked at before the child's version was read. A child that had been given a neighbour's range
// between the two began with a key from before the walk's place, and a sound store was called damaged.
TEST_F(InterruptedWalkTest, ALeafThatCoversMoreMeanwhileIsNoDamage) {
  if (!crash::SingleStep::IsAvailable()) GTEST_SKIP() << "instructions can't be stepped through here";
  uint64_t interrupted = 0;
  for (bool is_reached = true; is_reached; interrupted += is_reached) {
    ASSERT_NO_FATAL_FAILURE(Open());
    const std::unique_ptr<Iterator> at = reader_->NewIterator();
    at->Seek(Key(kLeaf));
    ASSERT_TRUE(at->Valid());
    is_reached = false;
    uint64_t left = interrupted * kEveryNth;
    {
      const crash::SingleStep step([&] {
        if (is_reached || left-- > 0) return;
        is_reached = true;
        std::thread([this] { GiveTheSecondLeafWhatTheFirstCovered(); }).join();
      });
      at->Next();
    }
    ASSERT_OK(at->status()) << "at instruction " << interrupted * kEveryNth;
    ASSERT_TRUE(at->Valid());
    EXPECT_EQ(at->key(), Key(kLeaf + 1)) << "at instruction " << interrupted * kEveryNth;
  }
  EXPECT_GT(interrupted, 50u) << "from one leaf to the next";
}

}  // namespace
}  // namespace sealkv::testing
