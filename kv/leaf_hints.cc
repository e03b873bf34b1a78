#include "kv/leaf_hints.h"

#include <algorithm>
#include <bit>

#include "kv/node.h"

namespace sealkv::internal {
namespace {

static_assert(kNodeBytes == uint64_t{1} << LeafHints::kOffsetShift);

uint32_t EntryFor(Offset leaf) {
  const uint64_t node = Raw(leaf) / kNodeBytes;
  return node <= UINT32_MAX ? static_cast<uint32_t>(node) : 0;  // beyond 1 TiB there are no hints
}

}  // namespace

LeafHints::LeafHints(uint64_t capacity_bytes)
    : max_buckets_log2_(
          std::clamp<unsigned>(std::bit_width(capacity_bytes / kNodeBytes), kMinBucketsLog2, kMaxBucketsLog2)),
      memory_(sizeof(uint32_t) << max_buckets_log2_) {}

unsigned LeafHints::SpreadBits(uint64_t geometry) {
  return static_cast<unsigned>(geometry & 63) + static_cast<unsigned>(std::bit_width(geometry >> 32));
}

uint64_t LeafHints::Geometry(unsigned spread_bits, unsigned buckets_log2) {
  const uint64_t shift = spread_bits > buckets_log2 ? spread_bits - buckets_log2 : 0;
  return ((uint64_t{1} << buckets_log2) - 1) << 32 | shift;
}

uint64_t LeafHints::buckets() const {
  const uint64_t geometry = geometry_.load(std::memory_order_acquire);
  return geometry <= kUnfit ? 0 : (geometry >> 32) + 1;
}

void LeafHints::Fit(uint64_t first, uint64_t last) {
  uint64_t geometry = geometry_.load(std::memory_order_acquire);
  if (geometry == kDisabled || memory_.Map() == nullptr) return;
  const auto wanted = static_cast<unsigned>(std::bit_width(last - first));
  // Nearly right is good enough: another width makes all that is known useless.
  const unsigned current = SpreadBits(geometry);
  if (geometry != kUnfit && wanted <= current + 1 && current <= wanted + 1) return;
  const uint64_t fitting = Geometry(wanted, buckets_log2_.load(std::memory_order_acquire));
  if (fitting == geometry) return;  // one slice a bucket is as fine as it gets
  // Not if it was disabled since.
  geometry_.compare_exchange_strong(geometry, fitting, std::memory_order_acq_rel);
}

LeafHints::Buckets LeafHints::MiddlesIn(uint64_t geometry, uint64_t first, uint64_t last) {
  const unsigned shift = geometry & 63;
  const uint64_t low_bits = (uint64_t{1} << shift) - 1;
  const uint64_t middle = (low_bits + 1) / 2;
  const uint64_t begin = (first >> shift) + ((first & low_bits) > middle);
  const uint64_t end = (last >> shift) + ((last & low_bits) >= middle);
  return {begin, end > begin ? end - begin : 0};
}

void LeafHints::Offer(uint64_t first, uint64_t last, Offset leaf) {
  const uint64_t geometry = geometry_.load(std::memory_order_acquire);
  if (geometry <= kUnfit) return;
  const Buckets buckets = MiddlesIn(geometry, first, last);
  const uint32_t now = EntryFor(leaf);
  for (uint64_t i = 0; i < std::min(buckets.count, kMostAtOnce); ++i) {
    std::atomic<uint32_t>& entry = EntryOf(geometry, buckets.first + i);
    if (entry.load(std::memory_order_relaxed) != now) entry.store(now, std::memory_order_relaxed);
  }
}

void LeafHints::Learn(uint64_t slice, uint64_t first, uint64_t last, Offset leaf) {
  const uint64_t geometry = geometry_.load(std::memory_order_acquire);
  if (geometry <= kUnfit) return;
  if (growing_.load(std::memory_order_relaxed) != kDisabled) GrowSome();
  if (MiddlesIn(geometry, first, last).count > 0) return Offer(first, last, leaf);
  std::atomic<uint32_t>& entry = EntryOf(geometry, slice >> (geometry & 63));
  const uint32_t before = entry.load(std::memory_order_relaxed);
  const uint32_t now = EntryFor(leaf);
  if (before == now) return;  // the hint was right, but the leaf was being written
  if (before == kNone) {
    entry.store(now, std::memory_order_relaxed);
  } else if (CanGrow(geometry)) {
    CountCrowding(geometry);
  } else {
    entry.store(kCrowded, std::memory_order_relaxed);
  }
}

bool LeafHints::CanGrow(uint64_t geometry) const {
  return (geometry & 63) != 0 && static_cast<unsigned>(std::bit_width(geometry >> 32)) < max_buckets_log2_;
}

// Not counted atomically: it is a hint, too.
void LeafHints::CountCrowding(uint64_t geometry) {
  const uint32_t count = crowding_.load(std::memory_order_relaxed) + 1;
  crowding_.store(count, std::memory_order_relaxed);
  if (count <= (geometry >> 32) / kBucketsPerCrowding || growing_.load(std::memory_order_relaxed) != kDisabled) return;
  if (is_growing_.exchange(true, std::memory_order_acquire)) return;
  crowding_.store(0, std::memory_order_relaxed);
  buckets_to_move_ = (geometry >> 32) + 1;
  growing_.store(geometry, std::memory_order_relaxed);
  is_growing_.store(false, std::memory_order_release);
}

// Each bucket becomes two, with what was known of it: from the last to the first, within the same array.
void LeafHints::GrowSome() {
  if (is_growing_.exchange(true, std::memory_order_acquire)) return;
  uint64_t geometry = growing_.load(std::memory_order_relaxed);
  if (geometry != kDisabled && geometry == geometry_.load(std::memory_order_acquire)) {
    for (uint64_t i = 0; i < kBucketsAtOnce && buckets_to_move_ > 0; ++i) {
      const uint64_t from = --buckets_to_move_;
      const uint32_t entry = entries()[from].load(std::memory_order_relaxed);
      entries()[2 * from + 1].store(entry, std::memory_order_relaxed);
      entries()[2 * from].store(entry, std::memory_order_relaxed);
    }
    if (buckets_to_move_ == 0) {
      const auto log2 = static_cast<unsigned>(std::bit_width(geometry >> 32)) + 1;
      buckets_log2_.store(log2, std::memory_order_release);
      geometry_.compare_exchange_strong(geometry, Geometry(SpreadBits(geometry), log2), std::memory_order_acq_rel);
    }
  } else {
    buckets_to_move_ = 0;  // it was cleared, or fits other slices now
  }
  if (buckets_to_move_ == 0) growing_.store(kDisabled, std::memory_order_relaxed);
  is_growing_.store(false, std::memory_order_release);
}

}  // namespace sealkv::internal
