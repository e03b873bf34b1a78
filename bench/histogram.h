// A histogram of latencies: log-linear buckets, as HdrHistogram's (Tene), which Debian doesn't package for C++. 128
// buckets to each power of two, so a percentile is off by less than 1 %.
#ifndef SEALKV_BENCH_HISTOGRAM_H_
#define SEALKV_BENCH_HISTOGRAM_H_

#include <array>
#include <bit>
#include <cstdint>
#include <utility>
#include <vector>

namespace sealkv::bench {

class Histogram {
 public:
  // Numbers of buckets, and how many values are in them.
  using BucketList = std::vector<std::pair<uint32_t, uint64_t>>;

  Histogram() = default;
  // One that had these; what is no bucket's number is left out.
  Histogram(const BucketList& buckets, uint64_t max);
  // Those that aren't empty.
  BucketList Buckets() const;

  void Add(uint64_t nanoseconds) {
    buckets_[BucketOf(nanoseconds)] += 1;
    count_ += 1;
    if (nanoseconds > max_) max_ = nanoseconds;
  }
  void Merge(const Histogram& other);

  uint64_t count() const { return count_; }
  uint64_t max() const { return max_; }
  // The least value that at least `percent` of the values don't exceed; 0 if there are none.
  uint64_t Percentile(double percent) const;

 private:
  static constexpr unsigned kLinearBits = 7;
  static constexpr unsigned kBuckets = (64 - kLinearBits + 1) << kLinearBits;

  static unsigned BucketOf(uint64_t value) {
    if (value < (1u << kLinearBits)) return static_cast<unsigned>(value);
    const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - kLinearBits - 1;
    return ((shift + 1) << kLinearBits) + static_cast<unsigned>(value >> shift) - (1u << kLinearBits);
  }
  static uint64_t HighestOf(unsigned bucket);

  std::array<uint64_t, kBuckets> buckets_{};
  uint64_t count_ = 0;
  uint64_t max_ = 0;
};

}  // namespace sealkv::bench

#endif  // SEALKV_BENCH_HISTOGRAM_H_
