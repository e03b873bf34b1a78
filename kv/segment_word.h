// One word of the segment table: what a segment is used for. Written and persisted before anything in the segment is
// published, so a crash image never has a live object in a free segment.
//
//   BITS    SIZE  MEANING
//   0..7    8     SegmentKind
//   8..39   32    kLarge: number of segments in the run; else 1
//   40..47  8     zero
//   48..63  16    check: a mix of the bits below and the segment's index (kv/check_bits.h); a damaged word is found by
//                 it
//
// A free segment's word is 0. Of a large run only the first segment's word is written; the others stay 0, so that
// taking and releasing a run of any length is one store.
#ifndef SEALKV_KV_SEGMENT_WORD_H_
#define SEALKV_KV_SEGMENT_WORD_H_

#include <cstdint>

#include "kv/check_bits.h"

namespace sealkv::internal {

// Persistent: do not change the numbers.
enum class SegmentKind : uint8_t {
  kFree = 0,
  kNodes = 1,
  kRecords = 2,
  kLarge = 3,  // one record, in a run of segments
};

class SegmentWord {
 public:
  static constexpr uint64_t kFreeRaw = 0;

  constexpr explicit SegmentWord(uint64_t raw) : raw_(raw) {}
  constexpr SegmentWord(SegmentKind kind, uint32_t run_length, uint64_t index)
      : raw_(WithCheck(static_cast<uint64_t>(kind) | uint64_t{run_length} << 8, index)) {}

  constexpr uint64_t raw() const { return raw_; }
  constexpr SegmentKind kind() const { return static_cast<SegmentKind>(raw_ & 0xff); }
  constexpr uint32_t run_length() const { return static_cast<uint32_t>(raw_ >> 8); }

  constexpr bool IsWellFormed(uint64_t index, uint64_t segment_count) const {
    if (raw_ == kFreeRaw) return true;
    const bool known = kind() >= SegmentKind::kNodes && kind() <= SegmentKind::kLarge;
    const bool fits = run_length() >= 1 && run_length() <= segment_count - index;
    const bool single = kind() == SegmentKind::kLarge || run_length() == 1;
    return known && fits && single && CheckHolds(raw_, index);
  }

 private:
  uint64_t raw_;
};

static_assert(SegmentWord(SegmentKind::kLarge, 5, 7).IsWellFormed(7, 12));
static_assert(!SegmentWord(SegmentKind::kLarge, 5, 7).IsWellFormed(8, 100));
static_assert(!SegmentWord(SegmentKind::kLarge, 6, 7).IsWellFormed(7, 12));

}  // namespace sealkv::internal

#endif  // SEALKV_KV_SEGMENT_WORD_H_
