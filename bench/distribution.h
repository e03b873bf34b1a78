// Which records are asked for, and how often.
#ifndef SEALKV_BENCH_DISTRIBUTION_H_
#define SEALKV_BENCH_DISTRIBUTION_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/data.h"
#include "bench/permutation.h"

namespace sealkv::bench {

enum class Distribution {
  kUniform,
  kZipfian,     // few are asked for often; which, is scattered over all
  kLatest,      // zipfian, the last inserted most often
  kSequential,  // in the order of insertion
};
std::vector<std::string> DistributionNames();
std::optional<Distribution> DistributionFromName(std::string_view name);

// A number in [0, 1), from a random word.
inline double UnitInterval(uint64_t random) { return static_cast<double>(random >> 11) * 0x1p-53; }

// Ranks 0 to count - 1, of which rank r comes up in proportion to 1 / (r + 1)^theta. By the algorithm that YCSB has
// from Gray, Sundaresan, Englert, Baclawski, Weinberger, "Quickly generating billion-record synthetic databases", 1994.
class Zipfian {
 public:
  Zipfian(uint64_t count, double theta);  // 0 < theta < 1

  uint64_t Rank(double uniform) const;

  // The sum of 1 / r^theta for r from 1 to count.
  static double Zeta(uint64_t count, double theta);

 private:
  double count_;
  double zeta_;
  double second_;  // below this, of zeta_, is rank 1
  double alpha_;
  double eta_;
};

// Chooses among records that are numbered in the order of their insertion. Copied by each thread.
class Chooser {
 public:
  // Among `count` records. `seed`: another one makes other choices.
  Chooser(Distribution distribution, uint64_t count, double theta, uint64_t seed)
      : distribution_(distribution), seed_(seed), scramble_(count, 1) {
    if (distribution == Distribution::kZipfian || distribution == Distribution::kLatest) zipfian_.emplace(count, theta);
  }

  // The i-th choice, when there are `now` records, at least `count`. Records that came since are chosen by kUniform and
  // kLatest; the zipfian law is that of the first `count`.
  uint64_t Choose(uint64_t i, uint64_t now) const {
    if (distribution_ == Distribution::kUniform) [[likely]]
      return Scatter(i + seed_) % now;
    return ChooseUnevenly(i, now);
  }

 private:
  uint64_t ChooseUnevenly(uint64_t i, uint64_t now) const;

  Distribution distribution_;
  uint64_t seed_;
  // Hot records weren't inserted one after the other, which would make them neighbours in memory. The same in all
  // workloads.
  Permutation scramble_;
  std::optional<Zipfian> zipfian_;
};

}  // namespace sealkv::bench

#endif  // SEALKV_BENCH_DISTRIBUTION_H_
