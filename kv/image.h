// The mapped file as the store sees it: offsets become pointers here, and nowhere else. Every look-up checks that what
// it points to lies inside the file, so that no content of the file, however damaged, leads out of the mapping.
#ifndef SEALKV_KV_IMAGE_H_
#define SEALKV_KV_IMAGE_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "daxfile/persist.h"
#include "kv/node.h"
#include "kv/part_word.h"
#include "kv/record.h"
#include "kv/reference.h"
#include "kv/segment_word.h"
#include "kv/superblock.h"

namespace sealkv::internal {

// Where a store's pieces lie, as its superblock says; or, where that is damaged, as it must have been (kv/recovery.h).
struct Geometry {
  uint64_t size_bytes = 0;  // a multiple of kNodeBytes; of segments, unless the end of the file is missing
  uint64_t header_bytes = 0;
  uint32_t segment_bytes_log2 = 0;
  uint64_t most_segments = 0;  // the store may grow to so many
};

// Of a store that another process may make larger: maps what that has added.
class GrowthFollower {
 public:
  virtual ~GrowthFollower() = default;
  // Whether `at` lies inside of the store now.
  virtual bool Reaches(uint64_t at) = 0;
};

// Thread safety: any; it may become larger while it is in use (Extend).
class Image {
 public:
  Image() = default;
  // `base` holds a superblock that was validated (kv/recovery.h).
  explicit Image(std::byte* base) : Image(base, GeometryOf(*reinterpret_cast<const Superblock*>(base))) {}
  // For what is left of a damaged store. All of `geometry.size_bytes` can be read, and more than `header_bytes` is
  // left.
  Image(std::byte* base, const Geometry& geometry)
      : base_(base),
        size_bytes_(geometry.size_bytes),
        header_bytes_(geometry.header_bytes),
        segment_bytes_log2_(geometry.segment_bytes_log2),
        most_segments_(std::max(geometry.most_segments, segment_count())) {}
  Image(const Image& other) { *this = other; }
  Image& operator=(const Image& other) {
    base_ = other.base_;
    size_bytes_.store(other.size_bytes(), std::memory_order_relaxed);
    header_bytes_ = other.header_bytes_;
    segment_bytes_log2_ = other.segment_bytes_log2_;
    most_segments_ = other.most_segments_;
    return *this;
  }

  static Geometry GeometryOf(const Superblock& superblock) {
    Geometry geometry{0, uint64_t{superblock.header_segments} << superblock.segment_bytes_log2,
                      superblock.segment_bytes_log2, 0};
    uint64_t segments = superblock.segment_count;
    if (superblock.Has(Superblock::kGrows)) {
      geometry.most_segments = superblock.most_segments;
      for (uint64_t i = 0; i < PartCount(superblock); ++i) segments += PartWordAt(superblock, i).segments();
    }
    geometry.size_bytes = segments << superblock.segment_bytes_log2;
    return geometry;
  }
  static PartWord PartWordAt(const Superblock& superblock, uint64_t i) {
    return PartWord(Node::Load(superblock.parts[i]));
  }
  // Those before the first word that is 0, or damaged.
  static uint64_t PartCount(const Superblock& superblock) {
    uint64_t count = 0;
    for (; count < Superblock::kParts; ++count) {
      const PartWord word = PartWordAt(superblock, count);
      if (word.raw() == PartWord::kNoneRaw || !word.IsWellFormed(count)) break;
    }
    return count;
  }

  // So much is mapped now, and belongs to the store; more than before.
  void Extend(uint64_t size_bytes) { size_bytes_.store(size_bytes, std::memory_order_release); }
  // Asked about what lies beyond the size; by any thread.
  void FollowGrowth(GrowthFollower* follower) { follower_ = follower; }
  // All that belongs to the store now is mapped, as far as it can be.
  void MapAll() const { Reaches(~uint64_t{0}); }

  std::byte* base() const { return base_; }
  uint64_t size_bytes() const { return size_bytes_.load(std::memory_order_relaxed); }
  uint64_t segment_bytes() const { return uint64_t{1} << segment_bytes_log2_; }
  // The last one may be cut short, in an image of what is left of a store.
  uint64_t segment_count() const { return (size_bytes() + segment_bytes() - 1) >> segment_bytes_log2_; }
  // As many as there may ever be.
  uint64_t most_segments() const { return most_segments_; }
  uint64_t header_segments() const { return header_bytes_ >> segment_bytes_log2_; }
  uint64_t SegmentOf(Offset offset) const { return Raw(offset) >> segment_bytes_log2_; }
  Offset SegmentStart(uint64_t segment) const { return static_cast<Offset>(segment << segment_bytes_log2_); }

  Superblock& superblock() const { return *reinterpret_cast<Superblock*>(base_); }
  uint64_t* segment_words() const { return reinterpret_cast<uint64_t*>(base_ + Superblock::kSegmentTableOffset); }
  SegmentWord segment_word(uint64_t segment) const { return SegmentWord(Node::Load(segment_words()[segment])); }

  bool CanBeNode(Offset offset) const {
    return Raw(offset) % kNodeBytes == 0 && Raw(offset) >= header_bytes_ && Reaches(Raw(offset));
  }
  // nullptr if no node can be at this offset.
  Node* NodeAt(Offset offset) const {
    if (!CanBeNode(offset)) [[unlikely]]
      return nullptr;
    return reinterpret_cast<Node*>(base_ + Raw(offset));
  }

  // A null view if no record can be at this offset. The checksum is not looked at.
  RecordView RecordAt(Offset offset) const {
    const uint64_t at = Raw(offset);
    if (at % 8 != 0 || at < header_bytes_) [[unlikely]]
      return RecordView();
    const RecordView record(base_ + at);
    const uint64_t size = size_bytes();
    if (at < size && size - at >= sizeof(RecordHeader) && size - at >= record.bytes()) [[likely]]
      return record;
    return ReachesRecord(at) ? record : RecordView();
  }

  // The lines of what may be a record of so many bytes (at least 1). By assembly: gcc would take a function that does
  // nothing but this for one without effect.
  void PrefetchRecord(Offset offset, uint64_t bytes) const {
    const auto* const at = reinterpret_cast<const char*>(base_) + Raw(offset);
    for (uint64_t byte = 0; byte < bytes - 1; byte += daxfile::kCacheLineBytes) {
      asm volatile("prefetcht0 %0" : : "m"(at[byte]));
    }
    asm volatile("prefetcht0 %0" : : "m"(at[bytes - 1]));
  }

  Offset OffsetOf(const void* address) const {
    return static_cast<Offset>(static_cast<const std::byte*>(address) - base_);
  }

 private:
  bool ReachesRecord(uint64_t at) const {
    return Reaches(at) && Reaches(at + sizeof(RecordHeader) - 1) && Reaches(at + RecordView(base_ + at).bytes() - 1);
  }
  bool Reaches(uint64_t at) const {
    if (at < size_bytes()) [[likely]]
      return true;
    return follower_ != nullptr && follower_->Reaches(at);
  }

  std::byte* base_ = nullptr;
  std::atomic<uint64_t> size_bytes_ = 0;
  uint64_t header_bytes_ = 0;
  uint32_t segment_bytes_log2_ = 0;
  uint64_t most_segments_ = 0;
  GrowthFollower* follower_ = nullptr;  // of this object alone
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_IMAGE_H_
