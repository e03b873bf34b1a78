#include "bench/counter.h"

#include "gtest/gtest.h"

namespace sealkv::bench {
namespace {

TEST(Counter, GoesOnFromWhatWasRead) {
  const uint64_t seven = 7;
  EXPECT_EQ(CountOneMore(absl::OkStatus(), BytesOfCounter(seven)).value(), 8u);
  EXPECT_EQ(CountOneMore(absl::NotFoundError(""), "").value(), 1u);
}

TEST(Counter, DoesNotBeginAnewAfterAReadError) {
  EXPECT_TRUE(absl::IsInternal(CountOneMore(absl::InternalError("the disk is gone"), "").status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(CountOneMore(absl::OkStatus(), "four").status()));
}

}  // namespace
}  // namespace sealkv::bench
