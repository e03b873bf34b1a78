#include "daxfile/pending_pages.h"

#include <cerrno>
#include <set>
#include <utility>

#include "gtest/gtest.h"
#include "tests/random.h"

namespace daxfile {
namespace {

constexpr uintptr_t kPage = 4096;
using Runs = std::vector<std::pair<uintptr_t, size_t>>;

class PendingPagesTest : public ::testing::Test {
 protected:
  void Add(uintptr_t at, size_t bytes) { pages_.Add(reinterpret_cast<const void*>(at), bytes); }
  Runs Sync() {
    Runs runs;
    EXPECT_EQ(pages_.SyncAll([&](PendingPages::Run run) {
      runs.emplace_back(run.begin, run.bytes());
      return 0;
    }),
              0);
    return runs;
  }

  PendingPages pages_;
};

TEST_F(PendingPagesTest, NothingRememberedNothingSynced) {
  EXPECT_EQ(Sync(), Runs{});
  Add(kPage, 0);
  EXPECT_EQ(Sync(), Runs{});
}

TEST_F(PendingPagesTest, APageIsSyncedOnceHoweverOftenItWasFlushed) {
  for (uintptr_t at = 10 * kPage; at < 11 * kPage; at += 64) Add(at, 64);
  Add(20 * kPage, 64);
  Add(10 * kPage + 100, 8);
  EXPECT_EQ(Sync(), (Runs{{10 * kPage, kPage}, {20 * kPage, kPage}}));
  EXPECT_EQ(Sync(), Runs{}) << "remembered after it was synced";
}

TEST_F(PendingPagesTest, RangesAreWidenedToPagesAndNeighboursJoined) {
  Add(30 * kPage + 4095, 2);  // the last byte of one page and the first of the next
  Add(32 * kPage, 1);
  Add(29 * kPage + 1, 1);
  EXPECT_EQ(Sync(), (Runs{{29 * kPage, 4 * kPage}}));
}

TEST_F(PendingPagesTest, ARunInsideALongerOneIsNotItsEnd) {
  Add(10 * kPage, 10 * kPage);
  Add(12 * kPage, 1);
  Add(19 * kPage, 2 * kPage);
  EXPECT_EQ(Sync(), (Runs{{10 * kPage, 11 * kPage}}));
}

TEST_F(PendingPagesTest, AfterAnErrorTheOthersAreStillSyncedAndTheFirstErrorIsReturned) {
  for (const uintptr_t page : {1, 3, 5, 7}) Add(page * kPage, 1);
  int calls = 0;
  EXPECT_EQ(pages_.SyncAll([&](PendingPages::Run run) {
    ++calls;
    return run.begin == 3 * kPage ? EIO : run.begin == 7 * kPage ? ENOSPC : 0;
  }),
            EIO);
  EXPECT_EQ(calls, 4);
}

TEST_F(PendingPagesTest, RandomRangesAreCoveredExactly) {
  sealkv::testing::Random random(sealkv::testing::TestSeed());
  for (int round = 0; round < 2000; ++round) {
    std::set<uintptr_t> wanted;
    for (uint64_t i = random.Below(20); i > 0; --i) {
      const uintptr_t at = 100 * kPage + random.Below(64 * kPage);
      const size_t bytes = random.Between(1, random.OneIn(4) ? 5 * kPage : 256);
      Add(at, bytes);
      for (uintptr_t page = at / kPage; page <= (at + bytes - 1) / kPage; ++page) wanted.insert(page);
    }
    std::set<uintptr_t> synced;
    uintptr_t last_end = 0;
    for (const auto& [begin, bytes] : Sync()) {
      EXPECT_GT(begin, last_end) << "not ascending, or two runs that could be one";
      last_end = begin + bytes;
      for (uintptr_t page = begin / kPage; page < last_end / kPage; ++page) synced.insert(page);
    }
    ASSERT_EQ(synced, wanted) << "round " << round;
  }
}

}  // namespace
}  // namespace daxfile
