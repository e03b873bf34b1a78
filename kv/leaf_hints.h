// Where the leaf of a key was last seen: a volatile table over the slices of the top layer, by their leading bits. A
// hint saves the whole way down, and with it all cache misses but the leaf's own.
//
// A hint is never trusted. Whoever follows one looks at the leaf itself: whether it is in the tree now, and covers the
// slice (Descender::FollowHint has the argument). So an entry may be stale, of another bucket, or lost, and
// nothing here needs more than relaxed loads and stores; changing the number of buckets is no more than that either.
// Only one thing must not happen: that the memory a hint leads to ceases to hold nodes. See Disable().
//
// A bucket's hint is the leaf that covers the bucket's middle. A slice that this leaf doesn't cover is most likely
// covered by the hint of the bucket beside it, on the side where the slice lies.
//
// The table follows the keys: how far they spread (Fit), and how often a leaf covers no bucket's middle (Learn). It
// takes 4 bytes a bucket, two to four buckets a leaf; never more than a 32nd of the store's capacity, or 4 KiB.
//
// Related: finger search (Guibas, McCreight, Plass, Roberts, STOC 1977) begins where the last search ended; here each
// bucket has a finger.
//
// Thread safety: any, but for Clear().
#ifndef SEALKV_KV_LEAF_HINTS_H_
#define SEALKV_KV_LEAF_HINTS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "kv/lazy_memory.h"
#include "kv/reference.h"

namespace sealkv::internal {

class LeafHints {
 public:
  static constexpr unsigned kOffsetShift = 8;  // entries are offsets in nodes

  explicit LeafHints(uint64_t capacity_bytes);
  LeafHints(const LeafHints&) = delete;
  LeafHints& operator=(const LeafHints&) = delete;

  // The leaf last seen in the middle of the slice's bucket (0), or of the one before (-1) or behind (1) it. What isn't
  // known reads as an offset where no node can be.
  Offset Lookup(uint64_t slice, int side) const {
    const uint64_t geometry = geometry_.load(std::memory_order_acquire);
    if (geometry <= kUnfit) [[unlikely]]
      return Offset{0};
    const uint64_t bucket = (slice >> (geometry & 63)) + side;
    return Offset{uint64_t{entries()[bucket & geometry >> 32].load(std::memory_order_relaxed)} << kOffsetShift};
  }

  // Lookup(slice, 0) will come soon.
  void Prefetch(uint64_t slice) const {
    const uint64_t geometry = geometry_.load(std::memory_order_acquire);
    if (geometry <= kUnfit) return;
    asm volatile("prefetcht0 %0" : : "m"(entries()[(slice >> (geometry & 63)) & geometry >> 32]));
  }

  // A leaf was made that covers the slices first … last.
  void Offer(uint64_t first, uint64_t last, Offset leaf);
  // Hints didn't lead to the slice's leaf. It covers the slices first … last, this among them.
  void Learn(uint64_t slice, uint64_t first, uint64_t last, Offset leaf);
  // The slices in use reach from about `first` to about `last`.
  void Fit(uint64_t first, uint64_t last);

  // Nobody who comes from now on finds anything, or leaves anything. When all readers from before are gone the table
  // may be cleared, and then memory that it led to may be used otherwise.
  void Disable() { geometry_.store(kDisabled, std::memory_order_seq_cst); }
  void Clear() { memory_.Clear(); }
  void Enable() { geometry_.store(kUnfit, std::memory_order_release); }

  // For tests and statistics.
  uint64_t buckets() const;

 private:
  // The geometry, one word: bits 0..5 how far slices are shifted, bits 32..63 the buckets' number less one.
  static constexpr uint64_t kDisabled = 0;
  static constexpr uint64_t kUnfit = 1;
  static constexpr uint32_t kNone = 0;
  static constexpr uint32_t kCrowded = 1;  // too many leaves, and no more buckets to be had: not worth a look
  static constexpr unsigned kMinBucketsLog2 = 10;
  static constexpr unsigned kMaxBucketsLog2 = 26;  // 256 MiB
  static constexpr uint64_t kMostAtOnce = 64;
  // The table doubles when one bucket of so many has turned out to be crowded: 8, 32 and 128 sent 4.7, 2.4 and 1.5 of a
  // hundred random inserts the way from the root, and ended with the same number of buckets.
  static constexpr uint64_t kBucketsPerCrowding = 128;
  // It doubles in place, so many buckets with each hint that is learned: all at once a large one took 0.15 s, of which
  // one caller's operation was made. Meanwhile the buckets that were moved already mislead, and are learned anew.
  static constexpr uint64_t kBucketsAtOnce = 1024;

  static uint64_t Geometry(unsigned spread_bits, unsigned buckets_log2);
  static unsigned SpreadBits(uint64_t geometry);
  // The buckets whose middles are in a range of slices: `count` from `first` on.
  struct Buckets {
    uint64_t first;
    uint64_t count;
  };
  static Buckets MiddlesIn(uint64_t geometry, uint64_t first, uint64_t last);
  std::atomic<uint32_t>& EntryOf(uint64_t geometry, uint64_t bucket) const {
    return entries()[bucket & geometry >> 32];
  }
  // There before the geometry says anything.
  std::atomic<uint32_t>* entries() const { return static_cast<std::atomic<uint32_t>*>(memory_.get()); }
  bool CanGrow(uint64_t geometry) const;
  void CountCrowding(uint64_t geometry);
  void GrowSome();

  const unsigned max_buckets_log2_;
  LazyMemory memory_;  // holds the entries
  std::atomic<uint64_t> geometry_{kUnfit};
  std::atomic<unsigned> buckets_log2_{kMinBucketsLog2};
  std::atomic<uint32_t> crowding_{0};         // how often, since the table last grew
  std::atomic<uint64_t> growing_{kDisabled};  // the geometry that is being left; kDisabled: none
  uint64_t buckets_to_move_ = 0;              // of whoever has set `is_growing_`
  std::atomic<bool> is_growing_{false};
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_LEAF_HINTS_H_
