#include "kv/leaf_hints.h"

#include <cstdint>

#include "gtest/gtest.h"
#include "kv/node.h"

namespace sealkv::internal {
namespace {

constexpr uint64_t kCapacityBytes = 1 << 20;
constexpr uint64_t kStep = uint64_t{1} << 40;
constexpr Offset kA{0x10000}, kB{0x20000}, kC{0x30000};

// Buckets of one step: 2^10 of them over slices of 50 bits.
class LeafHintsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    hints_.Fit(0, (uint64_t{1} << 50) - 1);
    ASSERT_EQ(hints_.buckets(), 1024u);
  }
  LeafHints hints_{kCapacityBytes};
};

TEST_F(LeafHintsTest, NothingIsKnownAtFirst) {
  LeafHints fresh(kCapacityBytes);
  EXPECT_EQ(fresh.Lookup(5, 0), Offset{0});
  fresh.Offer(0, ~uint64_t{0}, kA);
  EXPECT_EQ(fresh.Lookup(5, 0), Offset{0}) << "before the spread of the keys is known there are no buckets";
  EXPECT_EQ(hints_.Lookup(5, 0), Offset{0});
}

TEST_F(LeafHintsTest, ABucketHoldsTheLeafThatCoversItsMiddle) {
  hints_.Offer(2 * kStep, 4 * kStep + kStep / 2 - 1, kA);
  hints_.Offer(4 * kStep + kStep / 2, 6 * kStep, kB);
  EXPECT_EQ(hints_.Lookup(2 * kStep, 0), kA);
  EXPECT_EQ(hints_.Lookup(4 * kStep - 1, 0), kA);
  EXPECT_EQ(hints_.Lookup(4 * kStep, 0), kB);
  EXPECT_EQ(hints_.Lookup(6 * kStep - 1, 0), kB);
  EXPECT_EQ(hints_.Lookup(4 * kStep, -1), kA) << "beside it";
  EXPECT_EQ(hints_.Lookup(3 * kStep, 1), kB);
  EXPECT_EQ(hints_.Lookup(6 * kStep, 0), Offset{0}) << "its middle isn't covered";
  EXPECT_EQ(hints_.Lookup(kStep, 0), Offset{0});
}

TEST_F(LeafHintsTest, ALeafThatCoversNoMiddleIsBetterThanNothing) {
  hints_.Learn(7 * kStep + 3, 7 * kStep + 1, 7 * kStep + 5, kA);
  EXPECT_EQ(hints_.Lookup(7 * kStep, 0), kA);
  hints_.Learn(7 * kStep + 8, 7 * kStep + 6, 7 * kStep + 9, kB);
  EXPECT_EQ(hints_.Lookup(7 * kStep, 0), kA) << "and not better than another of the kind";
  hints_.Learn(7 * kStep + 20, 7 * kStep + 10, 8 * kStep, kC);
  EXPECT_EQ(hints_.Lookup(7 * kStep, 0), kC);
}

TEST_F(LeafHintsTest, GrowsWhenItIsCrowdedAndKeepsWhatItKnows) {
  hints_.Offer(9 * kStep, 11 * kStep - 1, kA);
  const uint64_t slice = 500 * kStep;
  hints_.Learn(slice, slice, slice + 1, kB);
  for (int i = 0; i < 1000 && hints_.buckets() == 1024; ++i) hints_.Learn(slice + 9, slice + 9, slice + 9, kC);
  EXPECT_EQ(hints_.buckets(), 2048u);
  EXPECT_EQ(hints_.Lookup(9 * kStep, 0), kA);
  EXPECT_EQ(hints_.Lookup(11 * kStep - 1, 0), kA);
  EXPECT_EQ(hints_.Lookup(8 * kStep, 0), Offset{0});
  EXPECT_EQ(hints_.Lookup(11 * kStep, 0), Offset{0});
}

TEST_F(LeafHintsTest, ACrowdedBucketIsGivenUpWhenNoMoreCanBeHad) {
  const uint64_t slice = 500 * kStep;
  for (int i = 0; i < 1'000'000; ++i) hints_.Learn(slice + i % 9, slice + i % 9, slice + i % 9, i % 2 == 0 ? kA : kB);
  EXPECT_EQ(hints_.buckets(), 2 * kCapacityBytes / kNodeBytes) << "4 bytes each: a 32nd of the capacity";
  EXPECT_LT(Raw(hints_.Lookup(slice, 0)), 4096u) << "where no node can be";
  hints_.Offer(499 * kStep, 501 * kStep, kB);
  EXPECT_EQ(hints_.Lookup(slice, 0), kB) << "until one leaf covers its middle";
}

TEST_F(LeafHintsTest, KeysThatSpreadFurtherGetOtherBuckets) {
  hints_.Offer(2 * kStep, 4 * kStep, kA);
  hints_.Fit(0, uint64_t{1} << 50);  // one bit more: not worth forgetting everything
  EXPECT_EQ(hints_.Lookup(3 * kStep, 0), kA);
  hints_.Fit(0, ~uint64_t{0});
  hints_.Offer(uint64_t{5} << 60, uint64_t{6} << 60, kB);
  EXPECT_EQ(hints_.Lookup((uint64_t{5} << 60) + kStep, 0), kB);
}

TEST_F(LeafHintsTest, KnowsNothingWhileDisabledAndAgainWhatItKnewUnlessCleared) {
  hints_.Offer(2 * kStep, 4 * kStep, kA);
  hints_.Disable();
  EXPECT_EQ(hints_.Lookup(3 * kStep, 0), Offset{0});
  hints_.Offer(2 * kStep, 4 * kStep, kB);
  hints_.Fit(0, (uint64_t{1} << 50) - 1);
  EXPECT_EQ(hints_.Lookup(3 * kStep, 0), Offset{0});
  hints_.Enable();
  hints_.Fit(0, (uint64_t{1} << 50) - 1);
  EXPECT_EQ(hints_.Lookup(3 * kStep, 0), kA);
  hints_.Disable();
  hints_.Clear();
  hints_.Enable();
  hints_.Fit(0, (uint64_t{1} << 50) - 1);
  EXPECT_EQ(hints_.Lookup(3 * kStep, 0), Offset{0});
}

TEST_F(LeafHintsTest, OffsetsBeyondWhatAnEntryHoldsAreNotRemembered) {
  hints_.Offer(2 * kStep, 4 * kStep, Offset{uint64_t{1} << 41});
  EXPECT_EQ(hints_.Lookup(3 * kStep, 0), Offset{0});
}

}  // namespace
}  // namespace sealkv::internal
