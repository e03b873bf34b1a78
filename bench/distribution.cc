#include "bench/distribution.h"

#include <algorithm>
#include <cmath>

namespace sealkv::bench {
namespace {

constexpr std::string_view kNames[] = {"uniform", "zipfian", "latest", "sequential"};

}  // namespace

std::vector<std::string> DistributionNames() { return {std::begin(kNames), std::end(kNames)}; }

std::optional<Distribution> DistributionFromName(std::string_view name) {
  const auto found = std::find(std::begin(kNames), std::end(kNames), name);
  if (found == std::end(kNames)) return std::nullopt;
  return static_cast<Distribution>(found - std::begin(kNames));
}

double Zipfian::Zeta(uint64_t count, double theta) {
  constexpr uint64_t kSummed = 1 << 16;
  double sum = 0;
  for (uint64_t r = 1; r <= std::min(count, kSummed); ++r) sum += std::pow(static_cast<double>(r), -theta);
  if (count <= kSummed) return sum;
  // The rest by Euler and Maclaurin's formula: the integral, and half the difference of its ends. The next term is
  // below 1e-9 there.
  const double from = kSummed, to = static_cast<double>(count);
  sum += (std::pow(to, 1 - theta) - std::pow(from, 1 - theta)) / (1 - theta);
  return sum + (std::pow(to, -theta) - std::pow(from, -theta)) / 2;
}

uint64_t Chooser::ChooseUnevenly(uint64_t i, uint64_t now) const {
  if (distribution_ == Distribution::kSequential) return i % now;
  const uint64_t rank = zipfian_->Rank(UnitInterval(Scatter(i + seed_)));
  return distribution_ == Distribution::kLatest ? now - 1 - rank : scramble_(rank);
}

Zipfian::Zipfian(uint64_t count, double theta)
    : count_(static_cast<double>(count)),
      zeta_(Zeta(count, theta)),
      second_(1 + std::pow(0.5, theta)),
      alpha_(1 / (1 - theta)) {
  eta_ = count < 3 ? 1 : (1 - std::pow(2 / count_, 1 - theta)) / (1 - Zeta(2, theta) / zeta_);
}

uint64_t Zipfian::Rank(double uniform) const {
  const double scaled = uniform * zeta_;
  if (scaled < 1) return 0;
  if (scaled < second_) return std::min<uint64_t>(1, static_cast<uint64_t>(count_) - 1);
  const double rank = count_ * std::pow(eta_ * uniform - eta_ + 1, alpha_);
  return std::min(static_cast<uint64_t>(rank), static_cast<uint64_t>(count_) - 1);
}

}  // namespace sealkv::bench
