#include "kv/leaf_hints.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>

#include "kv/node.h"

namespace sealkv::internal {
namespace {

constexpr size_t kHugePageBytes = 2 << 20;

uint32_t EntryFor(Offset leaf) {
  const uint64_t node = Raw(leaf) / kNodeBytes;
  return node <= UINT32_MAX ? static_cast<uint32_t>(node) : 0;  // beyond 1 TiB there are no hints
}

}  // namespace

LeafHints::LeafHints(uint64_t capacity_bytes)
    : max_buckets_log2_(std::clamp<unsigned>(std::bit_width(capacity_bytes / kNodeBytes), kMinBucketsLog2, 31)) {}

LeafHints::~LeafHints() {
  void* const entries = entries_.load();
  if (entries != nullptr) munmap(entries, sizeof(uint32_t) << max_buckets_log2_);
}

uint64_t LeafHints::Geometry(unsigned spread_bits, unsigned buckets_log2) {
  const uint64_t shift = spread_bits > buckets_log2 ? spread_bits - buckets_log2 : 0;
  return ((uint64_t{1} << buckets_log2) - 1) << 32 | shift;
}

uint64_t LeafHints::buckets() const {
  const uint64_t geometry = geometry_.load(std::memory_order_acquire);
  return geometry <= kUnfit ? 0 : (geometry >> 32) + 1;
}

// Address space for all that there may ever be; memory comes with the first touch of a page.
bool LeafHints::HaveEntries() {
  if (entries_.load(std::memory_order_acquire) != nullptr) return true;
  const size_t bytes = sizeof(uint32_t) << max_buckets_log2_;
  void* const fresh = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (fresh == MAP_FAILED) return false;
  // A small table touches few pages; a large one is looked up at random.
  if (bytes > kHugePageBytes) {
    madvise(static_cast<char*>(fresh) + kHugePageBytes, bytes - kHugePageBytes, MADV_HUGEPAGE);
  }
  std::atomic<uint32_t>* none = nullptr;
  if (!entries_.compare_exchange_strong(none, static_cast<std::atomic<uint32_t>*>(fresh), std::memory_order_acq_rel)) {
    munmap(fresh, bytes);
  }
  return true;
}

void LeafHints::Fit(uint64_t first, uint64_t last) {
  uint64_t geometry = geometry_.load(std::memory_order_acquire);
  if (geometry == kDisabled || !HaveEntries()) return;
  const auto wanted = static_cast<unsigned>(std::bit_width(first ^ last));
  const unsigned current = spread_bits_.load(std::memory_order_relaxed);
  // Nearly that is good enough: another width makes all that is known useless.
  const bool fits = current != 0 && wanted <= current + 1 && current <= wanted + 1;
  if (fits && geometry != kUnfit) return;
  const unsigned spread_bits = fits ? current : wanted;
  spread_bits_.store(spread_bits, std::memory_order_relaxed);
  // Not if it was disabled since.
  geometry_.compare_exchange_strong(geometry, Geometry(spread_bits, buckets_log2_.load()), std::memory_order_acq_rel);
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
    EntryOf(geometry, buckets.first + i).store(now, std::memory_order_relaxed);
  }
}

void LeafHints::Learn(uint64_t slice, uint64_t first, uint64_t last, Offset leaf) {
  const uint64_t geometry = geometry_.load(std::memory_order_acquire);
  if (geometry <= kUnfit) return;
  if (MiddlesIn(geometry, first, last).count > 0) return Offer(first, last, leaf);
  std::atomic<uint32_t>& entry = EntryOf(geometry, slice >> (geometry & 63));
  const uint32_t before = entry.load(std::memory_order_relaxed);
  if (before == kNone) {
    entry.store(EntryFor(leaf), std::memory_order_relaxed);
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
  if (count <= (geometry >> 32) / 8 || is_growing_.exchange(true)) return;
  Grow(geometry);
  is_growing_.store(false);
}

// Each bucket becomes two, with what was known of it: from the last to the first, within the same array.
void LeafHints::Grow(uint64_t geometry) {
  if (geometry_.load() != geometry) return;
  crowding_.store(0, std::memory_order_relaxed);
  std::atomic<uint32_t>* const entries = entries_.load();
  for (uint64_t i = (geometry >> 32) + 1; i-- > 0;) {
    const uint32_t entry = entries[i].load(std::memory_order_relaxed);
    entries[2 * i + 1].store(entry, std::memory_order_relaxed);
    entries[2 * i].store(entry, std::memory_order_relaxed);
  }
  const auto log2 = static_cast<unsigned>(std::bit_width(geometry >> 32)) + 1;
  buckets_log2_.store(log2, std::memory_order_relaxed);
  geometry_.compare_exchange_strong(geometry, Geometry(spread_bits_.load(), log2));
}

void LeafHints::Clear() {
  std::atomic<uint32_t>* const entries = entries_.load(std::memory_order_acquire);
  if (entries == nullptr) return;
  for (uint64_t i = 0; i < uint64_t{1} << buckets_log2_.load(); ++i) entries[i].store(0, std::memory_order_relaxed);
}

}  // namespace sealkv::internal
