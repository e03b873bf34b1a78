// A cache of the way: for a bucket of slices of the top layer, the deepest inner node that covers all of it. A descent
// that begins there skips the upper levels. On 5·10⁶ random keys these are 4 of 7, and what counts more than their
// latency: with them gone the CPU's reorder window reaches from one operation's fence to the next one's cache misses,
// so that the write-back hides behind these (docs/performance.md).
//
// Volatile, and never trusted: an entry names the version that the node had, and holds only as long as that is
// unchanged. That is enough because
//   - a node's version changes whenever what it covers shrinks (and whenever anything else in it changes);
//   - a node slot that is used again goes on counting from the version that it had (Tree::WriteNode);
//   - no node slot becomes memory for anything else while a shortcut may know it (Tree::ForgetShortcuts).
//
// Direct-mapped by (slice >> shift), where the shift follows the spread of the keys, as the root node's separators show
// it.
//
// Thread safety: any.
#ifndef SEALKV_KV_SHORTCUT_H_
#define SEALKV_KV_SHORTCUT_H_

#include <atomic>
#include <bit>
#include <cstdint>
#include <memory>

#include "kv/node.h"

namespace sealkv::internal {

class Shortcuts {
 public:
  static constexpr unsigned kBucketsLog2 = 13;  // 192 KiB; 2^16 measured alike

  Shortcuts() = default;
  ~Shortcuts() { delete[] buckets_.load(); }
  Shortcuts(const Shortcuts&) = delete;
  Shortcuts& operator=(const Shortcuts&) = delete;

  // The node to begin at, and the version that it must still have when the caller has looked; or nothing.
  struct Start {
    uint64_t offset = 0;
    LockWord version{0};
  };
  bool Lookup(uint64_t slice, Start* start) const {
    const Bucket* const buckets = buckets_.load(std::memory_order_acquire);
    if (buckets == nullptr) return false;
    const unsigned shift = shift_.load(std::memory_order_relaxed);
    const Bucket& bucket = buckets[IndexOf(slice >> shift)];
    const uint64_t head = bucket.head.load(std::memory_order_acquire);
    start->version = LockWord(bucket.version.load(std::memory_order_acquire));
    const uint64_t tag = bucket.tag.load(std::memory_order_acquire);
    start->offset = head & kOffsetMask;
    return (head & (kBusy | kShiftMask)) == shift && tag == slice >> shift && start->offset != 0 &&
           bucket.head.load(std::memory_order_relaxed) == head;
  }

  // The buckets' width for a top layer whose separators go from `first` to `last`. Keeps the one in use if it is nearly
  // that: other widths forget everything.
  unsigned ShiftFor(uint64_t first, uint64_t last) const {
    const auto bits = static_cast<unsigned>(std::bit_width(first ^ last));
    const unsigned wanted = bits > kBucketsLog2 ? bits - kBucketsLog2 : 0;
    const unsigned current = shift_.load(std::memory_order_relaxed);
    return wanted <= current + 1 && current <= wanted + 1 ? current : wanted;
  }
  static uint64_t BucketLow(uint64_t slice, unsigned shift) { return slice >> shift << shift; }
  static uint64_t BucketHigh(uint64_t slice, unsigned shift) { return slice | ((uint64_t{1} << shift) - 1); }

  // Remembers a node that covered the slice's whole bucket when it had this version. May do nothing.
  void Offer(uint64_t slice, unsigned shift, uint64_t offset, LockWord version);

  // Forgets all. An offer that is under way may survive it: its reader began before.
  void Clear();

 private:
  // head: bits 0..5 shift, bit 6 busy, bits 8..47 node offset, bits 48..63 count of changes.
  static constexpr uint64_t kShiftMask = 63;
  static constexpr uint64_t kBusy = 64;
  static constexpr uint64_t kOffsetMask = 0x0000ffffffffff00;
  static constexpr uint64_t kCountOne = uint64_t{1} << 48;
  static_assert(kNodeBytes == 256);

  struct Bucket {
    std::atomic<uint64_t> head{0};
    std::atomic<uint64_t> version{0};
    std::atomic<uint64_t> tag{0};
  };
  static uint64_t IndexOf(uint64_t shifted) { return shifted & ((uint64_t{1} << kBucketsLog2) - 1); }

  std::atomic<unsigned> shift_{63};
  std::atomic<Bucket*> buckets_{nullptr};  // from the first offer on
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_SHORTCUT_H_
