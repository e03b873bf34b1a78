#include "bench/contents.h"

#include <string>

#include "gtest/gtest.h"

namespace sealkv::bench {
namespace {

std::string BytesOf(uint64_t word) { return {reinterpret_cast<const char*>(&word), sizeof(word)}; }

TEST(Contents, AfterAFillNothingIsMissing) {
  Contents contents;
  contents.BeginFill(100, false);
  EXPECT_FALSE(contents.has_random_keys());
  EXPECT_EQ(contents.records(), 100u);
  EXPECT_EQ(contents.least_records(), 100u);
  EXPECT_FALSE(contents.MayBeMissing(99));
  EXPECT_FALSE(contents.MayBeSum(99, BytesOf(1)));
  EXPECT_EQ(contents.last_round(), 0u);
  EXPECT_EQ(contents.FirstIndexOfNone(), 100u);
}

TEST(Contents, WhatWasDeletedIsMissingUntilSomethingIsWritten) {
  Contents contents;
  contents.BeginFill(100, true);
  contents.MarkDeleted(7);
  contents.MarkDeleted(7);
  EXPECT_TRUE(contents.MustBeMissing(7));
  EXPECT_TRUE(contents.MayBeMissing(7));
  EXPECT_FALSE(contents.MayBeMissing(8));
  EXPECT_EQ(contents.least_records(), 99u);
  contents.BeginRound();
  EXPECT_FALSE(contents.MustBeMissing(7));
  EXPECT_TRUE(contents.MayBeMissing(7));
  EXPECT_EQ(contents.last_round(), 1u);
  contents.MarkDeleted(8);
  EXPECT_FALSE(contents.MustBeMissing(7)) << "it may have been overwritten in between";
  EXPECT_TRUE(contents.MustBeMissing(8));
  contents.BeginFill(100, true);
  EXPECT_FALSE(contents.MayBeMissing(7));
}

TEST(Contents, WhatIsInsertedAfterDeletionsIsThere) {
  Contents contents;
  contents.BeginFill(10, true);
  contents.MarkDeleted(9);
  contents.BeginRound();
  contents.AddInserted({1000, 5});
  EXPECT_EQ(contents.records(), 15u);
  EXPECT_EQ(contents.IndexOf(10), 1000u);
  EXPECT_FALSE(contents.MayBeMissing(10));
  EXPECT_EQ(contents.FirstIndexOfNone(), 1005u);
  contents.MarkDeleted(14);
  EXPECT_TRUE(contents.MustBeMissing(14));
  EXPECT_EQ(contents.least_records(), 13u);
}

// Additions to a record that was deleted begin at 0.
TEST(Contents, ASumMayStandWhereARecordWasDeleted) {
  Contents contents;
  contents.BeginFill(100, true);
  contents.MarkDeleted(7);
  contents.BeginAdds(50);
  EXPECT_TRUE(contents.MayBeSum(7, BytesOf(1)));
  EXPECT_TRUE(contents.MayBeSum(7, BytesOf(50)));
  EXPECT_FALSE(contents.MayBeSum(7, BytesOf(51)));
  EXPECT_FALSE(contents.MayBeSum(7, BytesOf(0)));
  EXPECT_FALSE(contents.MayBeSum(8, BytesOf(1)));
}

TEST(Contents, OfAnExistingStoreAnythingThatARunLeavesIsAccepted) {
  Contents contents;
  contents.TakeOver(100, false, 100);
  EXPECT_FALSE(contents.is_known());
  EXPECT_FALSE(contents.has_random_keys());
  EXPECT_EQ(contents.round(), 0) << "what is written now";
  EXPECT_EQ(contents.last_round(), 255u) << "what may have been written before";
  EXPECT_TRUE(contents.MayBeMissing(0));
  EXPECT_FALSE(contents.MustBeMissing(0));
  EXPECT_EQ(contents.least_records(), 0u);
  EXPECT_GT(contents.FirstIndexOfNone(), uint64_t{1} << 32) << "beyond what was inserted";
  contents.TakeOver(100, true, sizeof(uint64_t));
  EXPECT_GT(contents.last_round(), 1000000u) << "additions to 8-byte values";
  EXPECT_TRUE(contents.MayBeSum(0, BytesOf(3)));
}

}  // namespace
}  // namespace sealkv::bench
