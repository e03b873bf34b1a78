// One word of the superblock's table of parts: files that follow the first one (daxfile/dax_file.h, "parts"). Storing
// it is what makes the store larger, or smaller again. Word i is that of part i + 1; those behind the first 0 are 0.
//
//   BITS    SIZE  MEANING
//   0..31   32    segments in this part; they follow those before it
//   32..47  16    zero
//   48..63  16    check: a mix of the bits below and i (kv/check_bits.h)
#ifndef SEALKV_KV_PART_WORD_H_
#define SEALKV_KV_PART_WORD_H_

#include <cstdint>

#include "kv/check_bits.h"

namespace sealkv::internal {

class PartWord {
 public:
  static constexpr uint64_t kNoneRaw = 0;

  constexpr explicit PartWord(uint64_t raw) : raw_(raw) {}
  constexpr PartWord(uint32_t segments, uint64_t index) : raw_(WithCheck(segments, index)) {}

  constexpr uint64_t raw() const { return raw_; }
  constexpr uint32_t segments() const { return static_cast<uint32_t>(raw_); }
  constexpr bool IsWellFormed(uint64_t index) const {
    return raw_ == kNoneRaw || (segments() > 0 && (raw_ & kCheckedMask) == segments() && CheckHolds(raw_, index));
  }

 private:
  uint64_t raw_;
};

static_assert(PartWord(5, 7).IsWellFormed(7) && PartWord(5, 7).segments() == 5);
static_assert(!PartWord(5, 7).IsWellFormed(8) && !PartWord(PartWord(5, 7).raw() ^ 1).IsWellFormed(7));

}  // namespace sealkv::internal

#endif  // SEALKV_KV_PART_WORD_H_
