#include "kv/leaf_hints.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>

#include "absl/functional/function_ref.h"
#include "gtest/gtest.h"
#include "kv/node.h"

namespace sealkv::internal {
namespace {

constexpr uint64_t kCapacityBytes = 1 << 20;
constexpr uint64_t kStep = uint64_t{1} << 40;
constexpr Offset kA{0x10000}, kB{0x20000}, kC{0x30000};

constexpr uint64_t kLast = (uint64_t{1} << 50) - 1;

// So that those bits tell keys apart in which these two differ.
void Differ(LeafHints& hints, uint64_t a, uint64_t b) {
  for (const uint64_t one : {a, b}) hints.Fit(std::min(a, b), std::max(a, b), one);
}

// Buckets of one step: 2^10 of them over slices of 50 bits.
class LeafHintsTest : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (GetParam() && !LeafHints::HasFastBitExtract()) GTEST_SKIP() << "this CPU doesn't gather bits";
    Differ(hints_, kLast, 0);
    ASSERT_EQ(hints_.buckets(), 1024u);
  }
  void Learn(uint64_t slice, uint64_t first, uint64_t last, Offset leaf) {
    hints_.Learn(slice, first, last + 1, leaf, kCapacityBytes);
  }
  LeafHints hints_{kCapacityBytes, GetParam()};
};

INSTANTIATE_TEST_SUITE_P(, LeafHintsTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "GatheredBits" : "LeadingBits"; });

TEST_P(LeafHintsTest, NothingIsKnownAtFirst) {
  LeafHints fresh(kCapacityBytes, GetParam());
  EXPECT_EQ(fresh.Lookup(5, 0), Offset{0});
  fresh.Offer(0, ~uint64_t{0}, kA);
  fresh.Learn(5, 0, 10, kA, kCapacityBytes);
  EXPECT_EQ(fresh.Lookup(5, 0), Offset{0}) << "before two keys are known there are no buckets";
  EXPECT_EQ(hints_.Lookup(5, 0), Offset{0});
}

TEST_P(LeafHintsTest, ABucketHoldsTheLeafThatCoversItsMiddle) {
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

TEST_P(LeafHintsTest, ALeafThatCoversNoMiddleIsBetterThanNothing) {
  Learn(7 * kStep + 3, 7 * kStep + 1, 7 * kStep + 5, kA);
  EXPECT_EQ(hints_.Lookup(7 * kStep, 0), kA);
  Learn(7 * kStep + 8, 7 * kStep + 6, 7 * kStep + 9, kB);
  EXPECT_EQ(hints_.Lookup(7 * kStep, 0), kA) << "and not better than another of the kind";
  Learn(7 * kStep + 20, 7 * kStep + 10, 8 * kStep, kC);
  EXPECT_EQ(hints_.Lookup(7 * kStep, 0), kC);
}

TEST_P(LeafHintsTest, GrowsWhenItIsCrowdedAndKeepsWhatItKnows) {
  hints_.Offer(9 * kStep, 11 * kStep - 1, kA);
  const uint64_t slice = 500 * kStep;
  Learn(slice, slice, slice + 1, kB);
  for (int i = 0; i < 1000 && hints_.buckets() == 1024; ++i) Learn(slice + 9, slice + 9, slice + 9, kC);
  EXPECT_EQ(hints_.buckets(), 2048u);
  EXPECT_EQ(hints_.Lookup(9 * kStep, 0), kA);
  EXPECT_EQ(hints_.Lookup(11 * kStep - 1, 0), kA);
  EXPECT_EQ(hints_.Lookup(8 * kStep, 0), Offset{0});
  EXPECT_EQ(hints_.Lookup(11 * kStep, 0), Offset{0});
}

TEST_P(LeafHintsTest, ACrowdedBucketIsGivenUpWhenNoMoreCanBeHad) {
  const uint64_t slice = 500 * kStep;
  for (int i = 0; i < 1'000'000; ++i) Learn(slice + i % 9, slice + i % 9, slice + i % 9, i % 2 == 0 ? kA : kB);
  EXPECT_EQ(hints_.buckets(), 2 * kCapacityBytes / kNodeBytes) << "4 bytes each: a 32nd of the capacity";
  EXPECT_LT(Raw(hints_.Lookup(slice, 0)), 4096u) << "where no node can be";
  hints_.Offer(499 * kStep, 501 * kStep, kB);
  EXPECT_EQ(hints_.Lookup(slice, 0), kB) << "until one leaf covers its middle";
}

TEST_P(LeafHintsTest, KeysThatSpreadFurtherGetOtherBuckets) {
  hints_.Offer(2 * kStep, 4 * kStep, kA);
  hints_.Fit(0, uint64_t{1} << 50, 7);
  EXPECT_EQ(hints_.Lookup(3 * kStep, 0), kA) << "one bit more: not worth forgetting everything";
  Differ(hints_, 0, ~uint64_t{0});
  hints_.Offer(uint64_t{5} << 60, uint64_t{6} << 60, kB);
  EXPECT_EQ(hints_.Lookup((uint64_t{5} << 60) + kStep, 0), kB);
  EXPECT_EQ(hints_.buckets(), 1024u);
}

// A leaf's bounds need not be keys: they may differ from all keys in bits that all keys share.
TEST(LeafHints, DigitsTakeNoMoreBucketsThanTheirFourBitsDo) {
  if (!LeafHints::HasFastBitExtract()) GTEST_SKIP() << "this CPU doesn't gather bits";
  constexpr uint64_t kStoreBytes = 16 << 20;
  LeafHints hints(kStoreBytes);
  const auto slice_of = [](unsigned number) {
    char digits[9];
    snprintf(digits, sizeof(digits), "user%04u", number);
    return WholeSlice(digits);
  };
  const auto leaf_of = [](unsigned number) { return Offset{(number / 10 + 1) << LeafHints::kOffsetShift}; };
  const auto learn = [&](unsigned number) {
    // From one more than the last key of the leaf before.
    const unsigned first = number / 10 * 10;
    const uint64_t begin = first == 0 ? 0 : slice_of(first - 1) + 1;
    const uint64_t bound = first == 9990 ? kUnbounded : slice_of(first + 9) + 1;
    hints.Fit(slice_of(100), slice_of(9900), slice_of(first));
    hints.Learn(slice_of(number), begin, bound, leaf_of(number), kStoreBytes);
  };
  for (int round = 0; round < 20; ++round) {
    for (unsigned number = 0; number < 10'000; ++number) {
      if (hints.Lookup(slice_of(number), 0) != leaf_of(number)) learn(number);
    }
  }
  unsigned wrong = 0;
  for (unsigned number = 0; number < 10'000; ++number) wrong += hints.Lookup(slice_of(number), 0) != leaf_of(number);
  EXPECT_EQ(wrong, 0u);
  EXPECT_LE(hints.buckets(), 1u << 12) << "three digits tell the leaves apart";
}

// Leaves of ten keys that follow each other, asked for at random; `spoil` is done in between. How many of 10,000 keys
// their hints, or those beside them, don't lead to then.
unsigned WrongAmongNumbersFrom(uint64_t base, bool extracts_bits, absl::FunctionRef<void(LeafHints&)> spoil) {
  constexpr uint64_t kStoreBytes = 16 << 20;
  constexpr uint64_t kNumbers = 10'000;
  LeafHints hints(kStoreBytes, extracts_bits);
  unsigned wrong = 0;
  for (int round = 0; round < 20; ++round) {
    wrong = 0;
    for (uint64_t i = 0; i < kNumbers; ++i) {
      const uint64_t number = i * 7919 % kNumbers;
      const uint64_t first = base + number / 10 * 10;
      const Offset leaf{(number / 10 + 1) << LeafHints::kOffsetShift};
      const auto leads = [&](int side) { return hints.Lookup(base + number, side) == leaf; };
      if (leads(0) || leads(-1) || leads(1)) continue;
      ++wrong;
      hints.Fit(base + 200, base + kNumbers - 200, first);
      hints.Learn(base + number, first, first + 10, leaf, kStoreBytes);
    }
    if (round == 10) spoil(hints);
  }
  return wrong;
}

// A key far from all others, or one that isn't there and is asked for, must not take the others' buckets away.
TEST_P(LeafHintsTest, OneKeyFarFromAllOthersTakesNothingFromThem) {
  const auto nothing = [](LeafHints&) {};
  const auto far_away = [](LeafHints& hints) {
    for (const uint64_t slice : {~uint64_t{0}, WholeSlice("metadata"), uint64_t{0}}) {
      hints.Fit(200, 9800, slice);
      hints.Learn(slice, slice, slice + 1, kC, 16 << 20);
    }
  };
  EXPECT_EQ(WrongAmongNumbersFrom(0, GetParam(), nothing), 0u);
  EXPECT_LE(WrongAmongNumbersFrom(0, GetParam(), far_away), 10u) << "the key's own bucket";
}

TEST_P(LeafHintsTest, KeysOnBothSidesOfAHighPowerOfTwoAreNoFurtherApart) {
  const auto nothing = [](LeafHints&) {};
  EXPECT_LE(WrongAmongNumbersFrom((uint64_t{1} << 40) - 5'003, GetParam(), nothing), 10u);
}

TEST(LeafHints, TheTableGrowsNoFurtherThanTheStoreHasNodes) {
  LeafHints hints(uint64_t{1} << 40);
  Differ(hints, ~uint64_t{0}, 0);
  for (uint64_t i = 1; i < 3'000'000; ++i) hints.Learn(i, i, i + 1, Offset{i % 1000 << 8}, kCapacityBytes);
  EXPECT_EQ(hints.buckets(), 2 * kCapacityBytes / kNodeBytes);
}

TEST_P(LeafHintsTest, KnowsNothingWhileDisabledAndAgainWhatItKnewUnlessCleared) {
  hints_.Offer(2 * kStep, 4 * kStep, kA);
  hints_.Disable();
  EXPECT_EQ(hints_.Lookup(3 * kStep, 0), Offset{0});
  hints_.Offer(2 * kStep, 4 * kStep, kB);
  Differ(hints_, kLast, 0);
  EXPECT_EQ(hints_.Lookup(3 * kStep, 0), Offset{0});
  hints_.Enable();
  Differ(hints_, kLast, 0);
  EXPECT_EQ(hints_.Lookup(3 * kStep, 0), kA);
  hints_.Disable();
  hints_.Clear();
  hints_.Enable();
  Differ(hints_, kLast, 0);
  EXPECT_EQ(hints_.Lookup(3 * kStep, 0), Offset{0});
}

TEST_P(LeafHintsTest, OffsetsBeyondWhatAnEntryHoldsAreNotRemembered) {
  hints_.Offer(2 * kStep, 4 * kStep, Offset{uint64_t{1} << 41});
  EXPECT_EQ(hints_.Lookup(3 * kStep, 0), Offset{0});
}

}  // namespace
}  // namespace sealkv::internal
