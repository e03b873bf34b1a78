#include "bench/histogram.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace sealkv::bench {
namespace {

TEST(Histogram, PercentilesAreWithinOnePercentOfTheExactOnes) {
  std::mt19937_64 random(20261124);
  std::vector<uint64_t> values;
  Histogram histogram;
  for (int i = 0; i < 200000; ++i) {
    const uint64_t value = random() >> (random() % 64);
    values.push_back(value);
    histogram.Add(value);
  }
  std::sort(values.begin(), values.end());
  for (const double percent : {0.1, 1.0, 50.0, 90.0, 99.0, 99.9, 99.99, 100.0}) {
    const auto rank = static_cast<size_t>(std::max(1.0, std::ceil(percent / 100 * values.size())));
    const double exact = static_cast<double>(values[rank - 1]);
    EXPECT_NEAR(static_cast<double>(histogram.Percentile(percent)), exact, exact * 0.01) << percent;
  }
}

TEST(Histogram, SmallValuesAreExact) {
  Histogram histogram;
  for (uint64_t value = 0; value < 128; ++value) histogram.Add(value);
  EXPECT_EQ(histogram.Percentile(50), 63u);
  EXPECT_EQ(histogram.Percentile(100), 127u);
}

TEST(Histogram, MergingIsAddingAll) {
  Histogram a, b, both;
  for (uint64_t i = 0; i < 1000; ++i) {
    (i % 2 == 0 ? a : b).Add(i * i);
    both.Add(i * i);
  }
  a.Merge(b);
  EXPECT_EQ(a.count(), both.count());
  EXPECT_EQ(a.max(), both.max());
  for (const double percent : {10.0, 50.0, 99.0}) EXPECT_EQ(a.Percentile(percent), both.Percentile(percent));
}

TEST(Histogram, AnEmptyOneSaysZero) { EXPECT_EQ(Histogram().Percentile(50), 0u); }

}  // namespace
}  // namespace sealkv::bench
