#include "kv/record_table.h"

#include <algorithm>
#include <bit>
#include <mutex>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace sealkv::internal {
namespace {

constexpr uint64_t kCapacityPerTableByte = 16;

}  // namespace

// A split must find the bit that parts a bucket's keys in the words.
RecordTable::RecordTable(uint64_t capacity_bytes)
    : record_bits_(static_cast<unsigned>(std::bit_width(capacity_bytes / 8))),
      most_buckets_(uint64_t{1} << std::clamp<unsigned>(
                        std::bit_width(capacity_bytes / kCapacityPerTableByte / sizeof(Bucket) | 1) - 1,
                        kMinBucketsLog2, std::min(kMaxBucketsLog2, 64 - record_bits_))),
      memory_(most_buckets_ * sizeof(Bucket)) {}

uint64_t RecordTable::Hash(std::string_view key) { return XXH3_64bits(key.data(), key.size()); }

bool RecordTable::HaveBuckets() {
  if (count_.load(std::memory_order_acquire) != 0) return true;
  if (!is_enabled_ || memory_.Map() == nullptr) return false;
  uint64_t none = 0;
  count_.compare_exchange_strong(none, uint64_t{1} << kMinBucketsLog2, std::memory_order_acq_rel);
  return true;
}

// Beside a split it may come to lie where nobody looks for it any more: it is lost then, no more.
void RecordTable::Add(uint64_t hash, Offset record) {
  if (!HaveBuckets()) return;
  const uint64_t count = count_.load(std::memory_order_acquire);
  Bucket& bucket = buckets()[BucketOf(hash, count)];
  for (std::atomic<uint64_t>& word : bucket.words) {
    if (word.load(std::memory_order_relaxed) != 0) continue;
    return word.store(WordFor(hash, record), std::memory_order_release);
  }
  bucket.words[hash >> 61].store(WordFor(hash, record), std::memory_order_release);
  if (count < most_buckets_) splits_due_.store(kSplitsAtOnce, std::memory_order_relaxed);
}

// Nobody finds it who comes after this: a locked instruction, for whoever gives the record up reads the epoch soon, and
// a plain store might still be on its way by then.
void RecordTable::Remove(uint64_t hash, Offset record) {
  if (count_.load(std::memory_order_acquire) == 0) return;
  const std::lock_guard<WriterLock> lock(stripes_[hash % kStripes].lock);
  Bucket& bucket = buckets()[BucketOf(hash, count_.load(std::memory_order_acquire))];
  const uint64_t wanted = WordFor(hash, record);
  for (std::atomic<uint64_t>& word : bucket.words) {
    if (word.load(std::memory_order_relaxed) == wanted) word.exchange(0);
  }
}

void RecordTable::SplitSome() {
  for (uint32_t due = splits_due_.exchange(0, std::memory_order_relaxed); due > 0; --due) Split();
}

// The next bucket in turn gives those of its words to a new one that belong there.
void RecordTable::Split() {
  if (is_splitting_.exchange(true, std::memory_order_acquire)) return;
  const uint64_t count = count_.load(std::memory_order_relaxed);
  if (count < most_buckets_) {
    const unsigned bit = 63 - static_cast<unsigned>(std::countl_zero(count));
    const uint64_t from = count - (uint64_t{1} << bit);
    const std::lock_guard<WriterLock> lock(stripes_[from % kStripes].lock);
    for (size_t i = 0; i < kWords; ++i) {
      std::atomic<uint64_t>& word = buckets()[from].words[i];
      const uint64_t raw = word.load(std::memory_order_relaxed);
      if ((raw >> (record_bits_ + bit) & 1) == 0) continue;
      buckets()[count].words[i].store(raw, std::memory_order_relaxed);
      word.store(0, std::memory_order_relaxed);
    }
    count_.store(count + 1, std::memory_order_release);
  }
  is_splitting_.store(false, std::memory_order_release);
}

}  // namespace sealkv::internal
