// Where the record of a key lies: a volatile hash table, that saves a reader of a key the way down the tree, and with
// it all cache misses but those of a line here and of the record.
//
// What stands here is believed: a record is in the table only while it is its key's. For
//   - it is added by whoever holds the leaf that refers to it, when that is durable; by a reader, too, who claims the
//     leaf for that, as he saw it;
//   - it is taken out before it is given up, by whoever holds the leaf (Change::RetiresRecord): so a reader who finds
//     it reads what was the key's value at that moment, and nobody else has seen a newer one yet.
// What isn't here may still be in the tree: a record may be missing, pushed out by others, or not known since the open.
// The caller compares the key, and looks at the expiry; he is in an epoch, so that the record stays what it is. Values
// of 8 bytes, which change in place, aren't entered; nor keys that are no longer than a slice.
//
// A bucket is a line of eight words. Buckets are split one at a time, when others are full (Litwin, "Linear hashing: a
// new tool for file and table addressing", VLDB 1980): 4 for each that is pushed out, which takes 16 bytes a key and
// loses 7 of 100 keys (2: 13 bytes and 11 keys; 6: 18 and 5; by a loop that isn't kept) until they are read again.
// Never more than a sixteenth of the store's capacity, or 4 KiB.
//
//   BITS of a word  MEANING
//   0..r-1          the record's offset / 8; r: as many bits as the store's capacity needs
//   r..63           the lowest bits of the key's hash, which name the bucket too
//
// Thread safety: any. Adding is a plain store, and so is what loses an entry. Only taking out must not miss one that is
// being moved to another bucket: these two exclude each other.
#ifndef SEALKV_KV_RECORD_TABLE_H_
#define SEALKV_KV_RECORD_TABLE_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "kv/lazy_memory.h"
#include "kv/node.h"
#include "kv/reference.h"
#include "kv/writer_lock.h"

namespace sealkv::internal {

class RecordTable {
 public:
  explicit RecordTable(uint64_t capacity_bytes);
  RecordTable(const RecordTable&) = delete;
  RecordTable& operator=(const RecordTable&) = delete;

  static bool Takes(std::string_view key) { return key.size() > kSliceBytes; }
  static bool Takes(std::string_view key, size_t value_bytes) { return Takes(key) && value_bytes != sizeof(uint64_t); }
  static uint64_t Hash(std::string_view key);

  // Before anything is added: nothing ever is.
  void Disable() { is_enabled_ = false; }
  bool is_enabled() const { return is_enabled_; }

  // Asks `is_it` about each record that may be the key's, until it says yes. Whether it did.
  template <typename IsIt>
  [[gnu::always_inline]] bool Find(uint64_t hash, IsIt is_it) const {
    const uint64_t count = count_.load(std::memory_order_acquire);
    if (count == 0) return false;
    const Bucket& bucket = buckets()[BucketOf(hash, count)];
    for (const std::atomic<uint64_t>& word : bucket.words) {
      const uint64_t raw = word.load(std::memory_order_acquire);
      if ((raw ^ hash << record_bits_) >> record_bits_ == 0 && raw != 0 && is_it(RecordOf(raw))) return true;
    }
    return false;
  }

  // Something with this hash will be looked up soon; or added or taken out, too.
  void PrefetchToFind(uint64_t hash) const {
    const uint64_t count = count_.load(std::memory_order_acquire);
    if (count != 0) asm volatile("prefetcht0 %0" : : "m"(buckets()[BucketOf(hash, count)]));
  }
  void Prefetch(uint64_t hash) const {
    const uint64_t count = count_.load(std::memory_order_acquire);
    if (count != 0) asm volatile("prefetchw %0" : : "m"(buckets()[BucketOf(hash, count)]));
  }

  void Add(uint64_t hash, Offset record);
  // After Add, soon, where a locked instruction doesn't wait for anything: splits what has to be split.
  void MakeRoom() {
    if (splits_due_.load(std::memory_order_relaxed) != 0) [[unlikely]]
      SplitSome();
  }
  void Remove(uint64_t hash, Offset record);

  // For tests.
  uint64_t buckets_in_use() const { return count_.load(std::memory_order_acquire); }

 private:
  static constexpr size_t kWords = 8;
  static constexpr unsigned kMinBucketsLog2 = 6;
  static constexpr unsigned kMaxBucketsLog2 = 26;  // 4 GiB
  // The lowest bits of a hash, which all of a bucket's keys share from the start.
  static constexpr size_t kStripes = size_t{1} << kMinBucketsLog2;
  static constexpr uint32_t kSplitsAtOnce = 4;  // each time that something is pushed out

  struct alignas(64) Bucket {
    std::array<std::atomic<uint64_t>, kWords> words;
  };
  static_assert(sizeof(Bucket) == 64);
  struct alignas(64) Stripe {
    WriterLock lock;
  };

  Bucket* buckets() const { return static_cast<Bucket*>(memory_.get()); }
  static uint64_t BucketOf(uint64_t hash, uint64_t count) {
    const unsigned bits = 63 - static_cast<unsigned>(__builtin_clzll(count));
    const uint64_t wide = hash & ((uint64_t{2} << bits) - 1);
    return wide < count ? wide : hash & ((uint64_t{1} << bits) - 1);
  }
  uint64_t WordFor(uint64_t hash, Offset record) const { return hash << record_bits_ | Raw(record) / 8; }
  Offset RecordOf(uint64_t word) const { return Offset{(word & ((uint64_t{1} << record_bits_) - 1)) * 8}; }
  // Whether there are buckets. Maps them first, if it must.
  bool HaveBuckets();
  void SplitSome();
  void Split();

  const unsigned record_bits_;
  const uint64_t most_buckets_;
  bool is_enabled_ = true;
  LazyMemory memory_;
  std::atomic<uint64_t> count_{0};
  alignas(64) std::atomic<bool> is_splitting_{false};
  std::atomic<uint32_t> splits_due_{0};
  std::array<Stripe, kStripes> stripes_;
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_RECORD_TABLE_H_
