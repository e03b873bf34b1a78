#include "bench/histogram.h"

#include <algorithm>
#include <cmath>

namespace sealkv::bench {

Histogram::Histogram(const BucketList& buckets, uint64_t max) : max_(max) {
  for (const auto& [bucket, count] : buckets) {
    if (bucket >= kBuckets) continue;
    buckets_[bucket] = count;
    count_ += count;
  }
}

Histogram::BucketList Histogram::Buckets() const {
  BucketList list;
  for (uint32_t i = 0; i < kBuckets; ++i) {
    if (buckets_[i] > 0) list.emplace_back(i, buckets_[i]);
  }
  return list;
}

void Histogram::Merge(const Histogram& other) {
  for (unsigned i = 0; i < kBuckets; ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  max_ = std::max(max_, other.max_);
}

uint64_t Histogram::HighestOf(unsigned bucket) {
  if (bucket < (1u << kLinearBits)) return bucket;
  const unsigned shift = (bucket >> kLinearBits) - 1;
  const uint64_t low = (uint64_t{bucket & ((1u << kLinearBits) - 1)} + (1u << kLinearBits)) << shift;
  return low + ((uint64_t{1} << shift) - 1);
}

uint64_t Histogram::Percentile(double percent) const {
  if (count_ == 0) return 0;
  const auto wanted = std::max<uint64_t>(1, static_cast<uint64_t>(std::ceil(percent / 100.0 * count_)));
  uint64_t seen = 0;
  for (unsigned i = 0; i < kBuckets; ++i) {
    seen += buckets_[i];
    if (seen >= wanted) return std::min(HighestOf(i), max_);
  }
  return max_;
}

}  // namespace sealkv::bench
