// A lane's word: which blob holds the batch that it has committed (kv/lanes.h). Its store is the commit of the batch.
//
//   BITS    SIZE  MEANING
//   0..47   48    offset of the blob's first chunk
//   48..63  16    check: a mix of the offset and the lane's index
//
// A lane without a batch holds 0. The check is there for damage that a blob's own checksum doesn't show: a bit that is
// set in a free lane could name the blob of a batch that is long over, and one that is cleared take back a batch of
// which a part is there.
#ifndef SEALKV_KV_LANE_WORD_H_
#define SEALKV_KV_LANE_WORD_H_

#include <cstdint>

#include "kv/reference.h"

namespace sealkv::internal {

class LaneWord {
 public:
  static constexpr uint64_t kFreeRaw = 0;

  constexpr explicit LaneWord(uint64_t raw) : raw_(raw) {}
  constexpr LaneWord(Offset blob, uint64_t index) : raw_(Raw(blob) | Check(Raw(blob), index) << kCheckShift) {}

  constexpr uint64_t raw() const { return raw_; }
  constexpr bool is_free() const { return raw_ == kFreeRaw; }
  constexpr Offset blob() const { return Offset{raw_ & kOffsetBits}; }
  constexpr bool IsWellFormed(uint64_t index) const {
    return is_free() || (blob() != Offset::kNone && raw_ >> kCheckShift == Check(raw_ & kOffsetBits, index));
  }

 private:
  static constexpr unsigned kCheckShift = 48;
  static constexpr uint64_t kOffsetBits = (uint64_t{1} << kCheckShift) - 1;

  static constexpr uint64_t Check(uint64_t offset, uint64_t index) {
    return ((offset + 1) * 0x9e3779b97f4a7c15 ^ (index + 1) * 0xc2b2ae3d27d4eb4f) >> kCheckShift;
  }
  uint64_t raw_;
};

static_assert(LaneWord(0).IsWellFormed(3) && LaneWord(Offset{4096}, 3).IsWellFormed(3));
static_assert(LaneWord(Offset{4096}, 3).blob() == Offset{4096} && !LaneWord(Offset{4096}, 3).IsWellFormed(2));
// No single bit makes a committed lane of a free one.
static_assert([] {
  for (uint64_t index = 0; index < 16; ++index) {
    for (unsigned bit = 0; bit < 64; ++bit) {
      if (LaneWord(uint64_t{1} << bit).IsWellFormed(index)) return false;
    }
  }
  return true;
}());

}  // namespace sealkv::internal

#endif  // SEALKV_KV_LANE_WORD_H_
