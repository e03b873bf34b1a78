// The mapped file as the store sees it: offsets become pointers here, and nowhere else. Every look-up checks that what
// it points to lies inside the file, so that no content of the file, however damaged, leads out of the mapping.
#ifndef SEALKV_KV_IMAGE_H_
#define SEALKV_KV_IMAGE_H_

#include <cstddef>
#include <cstdint>

#include "kv/node.h"
#include "kv/record.h"
#include "kv/reference.h"
#include "kv/segment_word.h"
#include "kv/superblock.h"

namespace sealkv::internal {

// Where a store's parts lie, as its superblock says; or, where that is damaged, as it must have been (kv/recovery.h).
struct Geometry {
  uint64_t size_bytes = 0;  // a multiple of kNodeBytes; of segments, unless the end of the file is missing
  uint64_t header_bytes = 0;
  uint32_t segment_bytes_log2 = 0;
};

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
        segment_bytes_log2_(geometry.segment_bytes_log2) {}

  static Geometry GeometryOf(const Superblock& superblock) {
    return {superblock.segment_count << superblock.segment_bytes_log2,
            uint64_t{superblock.header_segments} << superblock.segment_bytes_log2, superblock.segment_bytes_log2};
  }

  std::byte* base() const { return base_; }
  uint64_t size_bytes() const { return size_bytes_; }
  uint64_t segment_bytes() const { return uint64_t{1} << segment_bytes_log2_; }
  // The last one may be cut short, in an image of what is left of a store.
  uint64_t segment_count() const { return (size_bytes_ + segment_bytes() - 1) >> segment_bytes_log2_; }
  uint64_t header_segments() const { return header_bytes_ >> segment_bytes_log2_; }
  uint64_t SegmentOf(Offset offset) const { return Raw(offset) >> segment_bytes_log2_; }
  Offset SegmentStart(uint64_t segment) const { return static_cast<Offset>(segment << segment_bytes_log2_); }

  Superblock& superblock() const { return *reinterpret_cast<Superblock*>(base_); }
  uint64_t* segment_words() const { return reinterpret_cast<uint64_t*>(base_ + Superblock::kSegmentTableOffset); }
  SegmentWord segment_word(uint64_t segment) const { return SegmentWord(Node::Load(segment_words()[segment])); }

  // nullptr if no node can be at this offset.
  Node* NodeAt(Offset offset) const {
    const uint64_t at = Raw(offset);
    if (at % kNodeBytes != 0 || at < header_bytes_ || at >= size_bytes_) [[unlikely]]
      return nullptr;
    return reinterpret_cast<Node*>(base_ + at);
  }

  // A null view if no record can be at this offset. The checksum is not looked at.
  RecordView RecordAt(Offset offset) const {
    const uint64_t at = Raw(offset);
    if (at % 8 != 0 || at < header_bytes_ || at + sizeof(RecordHeader) > size_bytes_) [[unlikely]]
      return RecordView();
    const RecordView record(base_ + at);
    if (record.bytes() > size_bytes_ - at) [[unlikely]]
      return RecordView();
    return record;
  }

  Offset OffsetOf(const void* address) const {
    return static_cast<Offset>(static_cast<const std::byte*>(address) - base_);
  }

 private:
  std::byte* base_ = nullptr;
  uint64_t size_bytes_ = 0;
  uint64_t header_bytes_ = 0;
  uint32_t segment_bytes_log2_ = 0;
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_IMAGE_H_
