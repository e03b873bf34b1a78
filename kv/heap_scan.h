// Finds records and leaves without the tree: what salvage falls back on where the way to them is lost.
//
// Nothing but a record itself says where it is, so every multiple of 8 behind the header is tried, and what has a
// possible header and a checksum that holds is a record; behind it the next one is tried first. The chance that other
// bytes pass is 2^-32 and less at each place. But what a damaged record's value holds is looked at too: if that is
// itself part of a SealKV store, records of that one are found.
//
// Segment words are believed only where their check holds and says "nodes": there are no records in there. A free
// segment's word is zero, as is a lost one's, so free segments are searched as well.
#ifndef SEALKV_KV_HEAP_SCAN_H_
#define SEALKV_KV_HEAP_SCAN_H_

#include <cstdint>

#include "kv/image.h"

namespace sealkv::internal {

class HeapScan {
 public:
  explicit HeapScan(const Image& image)
      : image_(image),
        next_(Raw(image.SegmentStart(image.header_segments()))),
        hash_budget_(kBudget * image.size_bytes()) {}

  // Moves to the next record, alive or not, of whatever sort. False: there is none. Now and then it returns true with a
  // null record: a pause, for who shows how far it is.
  bool Next();
  RecordView record() const { return record_; }
  Offset offset() const { return offset_; }
  uint64_t bytes_done() const { return next_; }

 private:
  // A table of numbers looks like a header at each of its places, and would be hashed from each. When that was done in
  // vain for this many times the file, longer records are found only at the start of a segment or right behind another.
  static constexpr uint64_t kBudget = 64;
  static constexpr uint64_t kBytesMaxBeyondBudget = 4096;
  static constexpr uint64_t kBytesPerPause = 16 << 20;

  bool IsRecord(uint64_t at, RecordView record);
  bool IsNodeSegment(uint64_t at) const;

  const Image& image_;
  uint64_t next_;
  uint64_t pause_ = kBytesPerPause;
  uint64_t hash_budget_;
  uint64_t end_of_last_ = 0;
  RecordView record_;
  Offset offset_ = Offset::kNone;
};

// Leaves of the top layer, which hold 8-byte keys with their 8-byte values: 256-byte blocks that are one by all that
// the format says, and weren't replaced, as far as their lock word tells. (A power cut may have lost that mark.)
class LeafScan {
 public:
  explicit LeafScan(const Image& image) : image_(image), next_(image.SegmentStart(image.header_segments())) {}

  bool Next();
  const Node& leaf() const { return *image_.NodeAt(offset_); }
  Offset offset() const { return offset_; }

 private:
  const Image& image_;
  Offset next_;
  Offset offset_ = Offset::kNone;
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_HEAP_SCAN_H_
