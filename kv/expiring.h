// About how much of a segment is over: of the records in it with an expiry, bytes by how long they were to live, in
// powers of two. Within one of these they are taken to come to their ends evenly. Volatile: after an open the
// background pass counts anew.
//
// Thread safety: Add is for who places records in the segment, Remove and Over for who has the heap's mutex; Over isn't
// asked about a segment that somebody places records in.
#ifndef SEALKV_KV_EXPIRING_H_
#define SEALKV_KV_EXPIRING_H_

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

namespace sealkv::internal {

class Expiring {
 public:
  explicit Expiring(uint32_t now_seconds = 0) : base_(now_seconds) {}

  void Add(uint64_t bytes, uint32_t expiry) {
    placed_[SpanOf(expiry)] += bytes;
    last_ = expiry;
  }
  void Remove(uint64_t bytes, uint32_t expiry) { removed_[SpanOf(expiry)] += bytes; }
  // Of what was placed last.
  uint32_t last() const { return last_; }
  uint64_t Over(uint32_t now_seconds) const {
    uint64_t bytes = 0;
    for (size_t span = 0; span < kSpans; ++span) {
      const uint64_t left = placed_[span] - std::min(removed_[span], placed_[span]);
      if (left > 0) bytes += OverOf(span, left, now_seconds);
    }
    return bytes;
  }

 private:
  // 0: over when it was placed; n: 2^(n-1) to 2^n - 1 seconds behind the base.
  static constexpr size_t kSpans = 33;
  size_t SpanOf(uint32_t expiry) const {
    return expiry <= base_ ? 0 : static_cast<size_t>(std::bit_width(expiry - base_));
  }
  uint64_t OverOf(size_t span, uint64_t bytes, uint32_t now_seconds) const {
    if (now_seconds < base_) return 0;
    const uint64_t since_base = now_seconds - base_;
    if (span == 0) return bytes;
    const uint64_t first = uint64_t{1} << (span - 1);
    if (since_base < first) return 0;
    return bytes * std::min(since_base - first + 1, first) / first;
  }

  uint32_t base_;  // when the first of them was placed, or found
  uint32_t last_ = 0;
  std::array<uint64_t, kSpans> placed_{};
  std::array<uint64_t, kSpans> removed_{};
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_EXPIRING_H_
