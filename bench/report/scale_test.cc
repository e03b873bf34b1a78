#include "bench/report/scale.h"

#include <vector>

#include "bench/report/text.h"
#include "gtest/gtest.h"

namespace sealkv::bench {
namespace {

void ExpectTicks(const Scale& scale, const std::vector<double>& ticks) {
  ASSERT_EQ(scale.ticks.size(), ticks.size());
  for (size_t i = 0; i < ticks.size(); ++i) EXPECT_NEAR(scale.ticks[i], ticks[i], 1e-9 * ticks[i]);
}

TEST(ScaleTest, LinearTicksAreRoundAndCoverAll) {
  ExpectTicks(LinearScale(100, 5), {0, 20, 40, 60, 80, 100});
  ExpectTicks(LinearScale(0.31, 5), {0, 0.1, 0.2, 0.3, 0.4});
  ExpectTicks(LinearScale(101, 5), {0, 50, 100, 150});
}

TEST(ScaleTest, LogarithmicTicksAreOneTwoFiveOrPowersOfTen) {
  ExpectTicks(LogScale(30, 700, 9), {20, 50, 100, 200, 500, 1000});
  ExpectTicks(LogScale(1, 1e6, 9), {1, 10, 100, 1e3, 1e4, 1e5, 1e6});
  ExpectTicks(LogScale(0.002, 0.05, 9), {0.002, 0.005, 0.01, 0.02, 0.05});
  EXPECT_LE(LogScale(1e-300, 1e300, 9).ticks.size(), 9u);
}

TEST(ScaleTest, OneValueHasAScaleToo) {
  EXPECT_EQ(LogScale(100, 100, 9).Position(100), 0);
  EXPECT_GT(LinearScale(0, 5).ticks.size(), 1u);
}

TEST(ScaleTest, PositionsAreWithin) {
  const Scale log = LogScale(1, 100, 9);
  EXPECT_NEAR(log.Position(10), 0.5, 1e-12);
  EXPECT_EQ(log.Position(0), 0);
  EXPECT_EQ(log.Position(1e9), 1);
  EXPECT_NEAR(LinearScale(100, 5).Position(25), 0.25, 1e-12);
}

TEST(ReportTextTest, NumbersHaveThreeDigitsAndAUnit) {
  EXPECT_EQ(Format(Unit::kNanoseconds, 85.31), "85.3 ns");
  EXPECT_EQ(Format(Unit::kNanoseconds, 999.7), "1 µs");
  EXPECT_EQ(Format(Unit::kNanoseconds, 12.5e9), "12.5 s");
  EXPECT_EQ(Format(Unit::kNanoseconds, 5e12), "5000 s");
  EXPECT_EQ(Format(Unit::kCount, 1.5e6), "1.5 M");
  EXPECT_EQ(Format(Unit::kBytes, 1536), "1.5 KiB");
  EXPECT_EQ(Format(Unit::kPlain, 12345), "12345");
}

TEST(ReportTextTest, TextIsEscapedAndClippedBetweenCharacters) {
  EXPECT_EQ(EscapeXml("<a b=\"c\">&'\x01"), "&lt;a b=&quot;c&quot;&gt;&amp;&#39;\uFFFD");
  EXPECT_EQ(Clip("µµµµ", 4), "µµµµ");
  EXPECT_EQ(Clip("µµµµµ", 4), "µµµ…");
}

}  // namespace
}  // namespace sealkv::bench
