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

// The first `count` of these bits.
uint64_t FirstOf(uint64_t bits, unsigned count) {
  const auto all = static_cast<unsigned>(std::popcount(bits));
  for (unsigned i = count; i < all; ++i) bits &= bits - 1;  // without the last one
  return bits;
}

}  // namespace

LeafHints::LeafHints(uint64_t most_bytes, bool extracts_bits)
    : extracts_bits_(extracts_bits),
      max_buckets_log2_(
          std::clamp<unsigned>(std::bit_width(most_bytes / kNodeBytes), kMinBucketsLog2, kMaxBucketsLog2)),
      memory_(sizeof(uint32_t) << max_buckets_log2_) {}

// Others that have the instruction take a hundred cycles for it.
bool LeafHints::HasFastBitExtract() {
  static const bool has = __builtin_cpu_supports("bmi2") &&
                          (__builtin_cpu_is("intel") || (__builtin_cpu_is("amd") && !__builtin_cpu_is("bdver4") &&
                                                         !__builtin_cpu_is("znver1") && !__builtin_cpu_is("znver2")));
  return has;
}

uint64_t LeafHints::buckets() const {
  const uint64_t selected = selected_.load(std::memory_order_acquire);
  return selected <= kUnfit ? 0 : uint64_t{1} << std::popcount(selected);
}

uint64_t LeafHints::Bits() const {
  const unsigned spread = spread_bits_.load(std::memory_order_relaxed);
  const uint64_t within = spread == 0 ? 0 : ~uint64_t{0} >> (64 - spread);
  return extracts_bits_ ? within & differing_.load(std::memory_order_relaxed) : within;
}

void LeafHints::Fit(uint64_t first, uint64_t last, uint64_t one) {
  uint64_t selected = selected_.load(std::memory_order_acquire);
  if (selected == kDisabled || memory_.Map() == nullptr) return;
  const uint64_t sample = sample_.load(std::memory_order_relaxed);
  if (sample == 0) sample_.store(one, std::memory_order_relaxed);
  const uint64_t new_bits = sample == 0 ? 0 : (one ^ sample) & ~differing_.load(std::memory_order_relaxed);
  if (new_bits != 0) differing_.fetch_or(new_bits, std::memory_order_relaxed);
  // Nearly right is good enough: other bits make all that is known useless.
  const auto wanted = static_cast<unsigned>(std::bit_width(last - first));
  const unsigned spread = spread_bits_.load(std::memory_order_relaxed);
  const bool fits = wanted <= spread + 1 && spread <= wanted + 1;
  if (!fits) spread_bits_.store(wanted, std::memory_order_relaxed);
  if (fits && new_bits == 0 && selected != kUnfit) return;
  const uint64_t fitting = FirstOf(Bits(), buckets_log2_.load(std::memory_order_acquire));
  if (fitting <= kUnfit || fitting == selected) return;
  // Not if it was disabled since.
  selected_.compare_exchange_strong(selected, fitting, std::memory_order_acq_rel);
}

uint64_t LeafHints::Rank(uint64_t slice, uint64_t bits) const {
  const uint64_t within = ~uint64_t{0} >> std::countl_zero(bits);
  const uint64_t alien = (slice ^ sample_.load(std::memory_order_relaxed)) & within & ~bits;
  if (alien == 0) return Extract(slice, bits);
  // No key has its first alien bit: it stands before, or behind, all those that are like it up to there.
  const uint64_t behind = ~uint64_t{0} >> std::countl_zero(alien);
  const bool is_above = (slice & (behind ^ behind >> 1)) != 0;
  return Extract(is_above ? slice | behind : slice & ~behind, bits) + (is_above ? 1 : 0);
}

LeafHints::Buckets LeafHints::MiddlesIn(uint64_t selected, uint64_t first, uint64_t bound) const {
  const uint64_t bits = Bits();
  const int shift = std::popcount(bits) - std::popcount(selected);
  if (shift < 0) return {0, 0};  // they have just changed
  const uint64_t low_bits = (uint64_t{1} << shift) - 1;
  const uint64_t middle = (low_bits + 1) / 2;
  const uint64_t buckets = uint64_t{1} << std::popcount(selected);
  const auto first_at_or_behind = [&](uint64_t rank) {
    return std::min((rank >> shift) + ((rank & low_bits) > middle), buckets);
  };
  // Where slices lie on both sides of a multiple of what the bits can count their ranks begin anew: then none.
  const uint64_t begin = first_at_or_behind(Rank(first, bits));
  return {begin, std::max(begin, first_at_or_behind(Rank(bound, bits)))};
}

void LeafHints::Offer(uint64_t first, uint64_t bound, Offset leaf) {
  const uint64_t selected = selected_.load(std::memory_order_acquire);
  if (selected <= kUnfit) return;
  const Buckets buckets = MiddlesIn(selected, first, bound);
  StoreIn({buckets.begin, std::min(buckets.end, buckets.begin + kMostAtOnce)}, EntryFor(leaf));
}

void LeafHints::StoreIn(Buckets buckets, uint32_t entry) {
  for (uint64_t bucket = buckets.begin; bucket < buckets.end; ++bucket) {
    std::atomic<uint32_t>& at = entries()[bucket];
    if (at.load(std::memory_order_relaxed) != entry) at.store(entry, std::memory_order_relaxed);
  }
}

void LeafHints::Learn(uint64_t slice, uint64_t first, uint64_t bound, Offset leaf, uint64_t store_bytes) {
  const uint64_t selected = selected_.load(std::memory_order_acquire);
  if (selected <= kUnfit) return;
  if (growing_.load(std::memory_order_relaxed) != kDisabled) GrowSome();
  const uint64_t bucket = Extract(slice, selected);
  if (const Buckets buckets = MiddlesIn(selected, first, bound); buckets.begin < buckets.end) {
    // Where keys lie far apart it covers many that nobody will ask for: so those around the slice.
    const uint64_t begin = std::max(buckets.begin, bucket - std::min(bucket, kMostAtOnce / 2));
    return StoreIn({begin, std::min(buckets.end, begin + kMostAtOnce)}, EntryFor(leaf));
  }
  std::atomic<uint32_t>& entry = entries()[bucket];
  const uint32_t before = entry.load(std::memory_order_relaxed);
  const uint32_t now = EntryFor(leaf);
  if (before == now) return;  // the hint was right, but the leaf was being written
  if (before == kNone) {
    entry.store(now, std::memory_order_relaxed);
  } else if (CanGrow(selected, store_bytes)) {
    CountCrowding(selected);
  } else {
    entry.store(kCrowded, std::memory_order_relaxed);
  }
}

bool LeafHints::CanGrow(uint64_t selected, uint64_t store_bytes) const {
  const auto log2 = static_cast<unsigned>(std::popcount(selected));
  return selected != Bits() && log2 < max_buckets_log2_ &&
         log2 < static_cast<unsigned>(std::bit_width(store_bytes / kNodeBytes));
}

// Not counted atomically: it is a hint, too.
void LeafHints::CountCrowding(uint64_t selected) {
  const uint32_t count = crowding_.load(std::memory_order_relaxed) + 1;
  crowding_.store(count, std::memory_order_relaxed);
  const uint64_t buckets = uint64_t{1} << std::popcount(selected);
  if (count < buckets / kBucketsPerCrowding || growing_.load(std::memory_order_relaxed) != kDisabled) return;
  if (is_growing_.exchange(true, std::memory_order_acquire)) return;
  crowding_.store(0, std::memory_order_relaxed);
  buckets_to_move_ = buckets;
  growing_.store(selected, std::memory_order_relaxed);
  is_growing_.store(false, std::memory_order_release);
}

// Each bucket becomes two, with what was known of it: from the last to the first, within the same array.
void LeafHints::GrowSome() {
  if (is_growing_.exchange(true, std::memory_order_acquire)) return;
  uint64_t selected = growing_.load(std::memory_order_relaxed);
  if (selected != kDisabled && selected == selected_.load(std::memory_order_acquire)) {
    for (uint64_t i = 0; i < kBucketsAtOnce && buckets_to_move_ > 0; ++i) {
      const uint64_t from = --buckets_to_move_;
      const uint32_t entry = entries()[from].load(std::memory_order_relaxed);
      entries()[2 * from + 1].store(entry, std::memory_order_relaxed);
      entries()[2 * from].store(entry, std::memory_order_relaxed);
    }
    if (buckets_to_move_ == 0) {
      const auto log2 = static_cast<unsigned>(std::popcount(selected)) + 1;
      buckets_log2_.store(log2, std::memory_order_release);
      const uint64_t grown = FirstOf(Bits(), log2);
      if (grown > kUnfit) selected_.compare_exchange_strong(selected, grown, std::memory_order_acq_rel);
    }
  } else {
    buckets_to_move_ = 0;  // it was cleared, or has others selected now
  }
  if (buckets_to_move_ == 0) growing_.store(kDisabled, std::memory_order_relaxed);
  is_growing_.store(false, std::memory_order_release);
}

}  // namespace sealkv::internal
