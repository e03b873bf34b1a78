#include "kv/shortcut.h"

namespace sealkv::internal {

void Shortcuts::Offer(uint64_t slice, unsigned shift, uint64_t offset, LockWord version) {
  Bucket* buckets = buckets_.load(std::memory_order_acquire);
  if (buckets == nullptr) {
    std::unique_ptr<Bucket[]> fresh(new Bucket[size_t{1} << kBucketsLog2]);
    if (buckets_.compare_exchange_strong(buckets, fresh.get(), std::memory_order_acq_rel)) buckets = fresh.release();
  }
  if (shift_.load(std::memory_order_relaxed) != shift) shift_.store(shift, std::memory_order_relaxed);
  Bucket& bucket = buckets[IndexOf(slice >> shift)];
  uint64_t head = bucket.head.load(std::memory_order_relaxed);
  // Somebody else is at it: theirs is as good.
  if ((head & kBusy) != 0 || !bucket.head.compare_exchange_strong(head, head | kBusy, std::memory_order_acq_rel))
    return;
  bucket.version.store(version.raw(), std::memory_order_release);
  bucket.tag.store(slice >> shift, std::memory_order_release);
  const uint64_t count = (head & ~(kCountOne - 1)) + kCountOne;
  bucket.head.store(count | offset | shift, std::memory_order_release);
}

void Shortcuts::Clear() {
  Bucket* const buckets = buckets_.load(std::memory_order_acquire);
  if (buckets == nullptr) return;
  for (size_t i = 0; i < size_t{1} << kBucketsLog2; ++i) {
    uint64_t head = buckets[i].head.load(std::memory_order_relaxed);
    // To no offset at all, and a new count. One that is busy is an offer under way.
    while ((head & kBusy) == 0 && (head & kOffsetMask) != 0 &&
           !buckets[i].head.compare_exchange_weak(head, (head & ~(kCountOne - 1)) + kCountOne)) {
    }
  }
}

}  // namespace sealkv::internal
