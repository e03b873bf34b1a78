#include "bench/distribution.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include "bench/permutation.h"
#include "gtest/gtest.h"

namespace sealkv::bench {
namespace {

std::vector<uint64_t> Counts(Distribution distribution, uint64_t records, uint64_t choices) {
  const Chooser chooser(distribution, records, 0.99, 7);
  std::vector<uint64_t> counts(records);
  for (uint64_t i = 0; i < choices; ++i) ++counts.at(chooser.Choose(i, records));
  return counts;
}

TEST(Permutation, MeetsEachOnce) {
  for (const uint64_t count : {1, 2, 3, 5, 64, 1000, 1025}) {
    const Permutation permutation(count, 99);
    std::set<uint64_t> seen;
    for (uint64_t i = 0; i < count; ++i) seen.insert(permutation(i));
    EXPECT_EQ(seen.size(), count);
    EXPECT_EQ(*seen.rbegin(), count - 1);
  }
}

TEST(Zipfian, ZetaIsTheSum) {
  double sum = 0;
  for (uint64_t r = 1; r <= 300000; ++r) sum += std::pow(static_cast<double>(r), -0.99);
  EXPECT_NEAR(Zipfian::Zeta(300000, 0.99), sum, 1e-6);
  EXPECT_DOUBLE_EQ(Zipfian::Zeta(1, 0.5), 1);
}

TEST(Zipfian, RanksComeUpAsOftenAsTheLawSays) {
  constexpr uint64_t kRecords = 10000;
  constexpr uint64_t kChoices = 1000000;
  const Zipfian zipfian(kRecords, 0.99);
  std::vector<uint64_t> counts(kRecords);
  for (uint64_t i = 0; i < kChoices; ++i) ++counts.at(zipfian.Rank(UnitInterval(Scatter(i))));
  const double zeta = Zipfian::Zeta(kRecords, 0.99);
  // The first two are exact in this algorithm, the others near.
  for (const uint64_t rank : {0, 1}) {
    const double expected = kChoices / std::pow(rank + 1.0, 0.99) / zeta;
    EXPECT_NEAR(static_cast<double>(counts[rank]), expected, 5 * std::sqrt(expected)) << rank;
  }
  uint64_t first_hundred = 0;
  for (int rank = 0; rank < 100; ++rank) first_hundred += counts[rank];
  EXPECT_NEAR(static_cast<double>(first_hundred) / kChoices, Zipfian::Zeta(100, 0.99) / zeta, 0.02);
}

TEST(Zipfian, AFewRecordsAreEnough) {
  for (const uint64_t count : {1, 2, 3}) {
    const Zipfian zipfian(count, 0.99);
    for (const double uniform : {0.0, 0.3, 0.7, 0.999999}) EXPECT_LT(zipfian.Rank(uniform), count);
  }
}

TEST(Chooser, ZipfianIsScattered) {
  const std::vector<uint64_t> counts = Counts(Distribution::kZipfian, 1000, 100000);
  const auto hottest = std::max_element(counts.begin(), counts.end());
  EXPECT_NEAR(static_cast<double>(*hottest) / 100000, 1 / Zipfian::Zeta(1000, 0.99), 0.01);
  EXPECT_NE(hottest, counts.begin());
}

TEST(Chooser, LatestPrefersWhatCameLast) {
  const std::vector<uint64_t> counts = Counts(Distribution::kLatest, 1000, 100000);
  EXPECT_EQ(std::max_element(counts.begin(), counts.end()) - counts.begin(), 999);
  const Chooser chooser(Distribution::kLatest, 1000, 0.99, 7);
  uint64_t new_ones = 0;
  for (uint64_t i = 0; i < 1000; ++i) new_ones += chooser.Choose(i, 1010) >= 1000 ? 1 : 0;
  EXPECT_GT(new_ones, 200u);
}

TEST(Chooser, UniformAndSequential) {
  for (const uint64_t count : Counts(Distribution::kUniform, 100, 100000)) EXPECT_NEAR(count, 1000, 200);
  const Chooser chooser(Distribution::kSequential, 10, 0.99, 7);
  EXPECT_EQ(chooser.Choose(13, 10), 3u);
}

}  // namespace
}  // namespace sealkv::bench
