// Where the leaf of a key was last seen: a volatile table over the slices of the top layer. A hint saves the whole way
// down, and with it all cache misses but the leaf's own.
//
// A hint is never trusted. Whoever follows one looks at the leaf itself: whether it is in the tree now, and covers the
// slice (Descender::FollowHint has the argument). So an entry may be stale, of another bucket, or lost, and
// nothing here needs more than relaxed loads and stores; changing the number of buckets is no more than that either.
// Only one thing must not happen: that the memory a hint leads to ceases to hold nodes. See Disable().
//
// A bucket's hint is the leaf that covers the bucket's middle. A slice that this leaf doesn't cover is most likely
// covered by the hint of the bucket beside it, on the side where the slice lies.
//
// A bucket is named by the first of those bits of a slice that differ from key to key: what all keys share is left out,
// wherever it stands, and the order of slices is the order of buckets. So "user4711", whose digits differ in four bits
// of each byte, and a pair of small numbers in one word, need no more buckets than numbers of as many bits do.
//
// The table follows the keys: how far they spread and which bits differ (Fit), and how often a leaf covers no bucket's
// middle (Learn). A few keys far from all others don't count for the spread, and what isn't there counts for neither.
// It takes 4 bytes a bucket, two to four buckets a leaf where keys are spread evenly; never more than a 32nd of the
// store's present size, or 4 KiB.
//
// Related: finger search (Guibas, McCreight, Plass, Roberts, STOC 1977) begins where the last search ended; here each
// bucket has a finger. Which bits tell keys apart is what a trie of such bits is made of (Binna, Zangerle, Pichl,
// Specht, Leis: HOT, SIGMOD 2018), where it is asked of each node anew.
//
// Thread safety: any, but for Clear().
#ifndef SEALKV_KV_LEAF_HINTS_H_
#define SEALKV_KV_LEAF_HINTS_H_

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "kv/lazy_memory.h"
#include "kv/reference.h"

namespace sealkv::internal {

class LeafHints {
 public:
  static constexpr unsigned kOffsetShift = 8;  // entries are offsets in nodes

  // `most_bytes`: the store may become so large. `extracts_bits`: whether the CPU gathers bits at once; if not, all
  // those in which keys spread are taken for differing.
  explicit LeafHints(uint64_t most_bytes, bool extracts_bits = HasFastBitExtract());
  LeafHints(const LeafHints&) = delete;
  LeafHints& operator=(const LeafHints&) = delete;

  // The leaf last seen in the middle of the slice's bucket (0), or of the one before (-1) or behind (1) it. What isn't
  // known reads as an offset where no node can be.
  Offset Lookup(uint64_t slice, int side) const {
    const uint64_t selected = selected_.load(std::memory_order_acquire);
    if (selected <= kUnfit) [[unlikely]]
      return Offset{0};
    uint64_t bucket = Extract(slice, selected);
    if (side != 0) bucket = (bucket + side) & Extract(~uint64_t{0}, selected);
    return Offset{uint64_t{entries()[bucket].load(std::memory_order_relaxed)} << kOffsetShift};
  }

  // Lookup(slice, 0) will come soon.
  void Prefetch(uint64_t slice) const {
    const uint64_t selected = selected_.load(std::memory_order_acquire);
    if (selected <= kUnfit) return;
    asm volatile("prefetcht0 %0" : : "m"(entries()[Extract(slice, selected)]));
  }

  // A leaf was made that covers the slices from `first` to before `bound`.
  void Offer(uint64_t first, uint64_t bound, Offset leaf);
  // The slices in use reach from about `first` to about `last`; `one` is the slice of a key.
  void Fit(uint64_t first, uint64_t last, uint64_t one);
  // Hints didn't lead to the slice's leaf. It covers the slices from `first` to before `bound`, this among them. The
  // store is of so many bytes now.
  void Learn(uint64_t slice, uint64_t first, uint64_t bound, Offset leaf, uint64_t store_bytes);

  // Nobody who comes from now on finds anything, or leaves anything. When all readers from before are gone the table
  // may be cleared, and then memory that it led to may be used otherwise.
  void Disable() { selected_.store(kDisabled, std::memory_order_seq_cst); }
  void Clear() { memory_.Clear(); }
  void Enable() { selected_.store(kUnfit, std::memory_order_release); }

  // For tests and statistics.
  uint64_t buckets() const;

  static bool HasFastBitExtract();

 private:
  // What `selected_` may be beside bits of a slice.
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

  // The selected bits of a slice, moved together.
  uint64_t Extract(uint64_t slice, uint64_t bits) const {
    if (!extracts_bits_) [[unlikely]]
      return (slice & bits) >> std::countr_zero(bits);  // they stand together
    uint64_t extracted;
    asm("pext %2, %1, %0" : "=r"(extracted) : "r"(slice), "r"(bits));
    return extracted;
  }
  // Those that may tell keys apart: of the last ones, in which they spread, those that differ.
  uint64_t Bits() const;
  // How many of what these bits may be stand for slices below this one, which need not be a key's.
  uint64_t Rank(uint64_t slice, uint64_t bits) const;
  struct Buckets {
    uint64_t begin;
    uint64_t end;
  };
  // Those whose middles are in a range of slices.
  Buckets MiddlesIn(uint64_t selected, uint64_t first, uint64_t bound) const;
  // There before any bits are selected.
  std::atomic<uint32_t>* entries() const { return static_cast<std::atomic<uint32_t>*>(memory_.get()); }
  void StoreIn(Buckets buckets, uint32_t entry);
  bool CanGrow(uint64_t selected, uint64_t store_bytes) const;
  void CountCrowding(uint64_t selected);
  void GrowSome();

  const bool extracts_bits_;
  const unsigned max_buckets_log2_;
  LazyMemory memory_;                       // holds the entries
  std::atomic<uint64_t> selected_{kUnfit};  // the bits of a slice that are its bucket's number
  std::atomic<unsigned> spread_bits_{0};    // how many of the last bits it takes to write the distance between keys
  std::atomic<uint64_t> differing_{0};      // the bits in which keys' slices were seen to differ
  std::atomic<uint64_t> sample_{0};         // a key's slice: others are like it in all other bits, as far as is known
  std::atomic<unsigned> buckets_log2_{kMinBucketsLog2};
  std::atomic<uint32_t> crowding_{0};         // how often, since the table last grew
  std::atomic<uint64_t> growing_{kDisabled};  // what is selected, and won't be when the table has grown; else kDisabled
  uint64_t buckets_to_move_ = 0;              // of whoever has set `is_growing_`
  std::atomic<bool> is_growing_{false};
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_LEAF_HINTS_H_
