// The check that words of tables carry in their upper 16 bits: a mix of the bits below and of the word's place.
#ifndef SEALKV_KV_CHECK_BITS_H_
#define SEALKV_KV_CHECK_BITS_H_

#include <cstdint>

namespace sealkv::internal {

constexpr int kCheckedBits = 48;
constexpr uint64_t kCheckedMask = (uint64_t{1} << kCheckedBits) - 1;

constexpr uint64_t WithCheck(uint64_t low, uint64_t index) {
  const uint64_t check = ((low + 1) * 0x9e3779b97f4a7c15 ^ (index + 1) * 0xc2b2ae3d27d4eb4f) >> kCheckedBits;
  return low | check << kCheckedBits;
}
constexpr bool CheckHolds(uint64_t word, uint64_t index) { return word == WithCheck(word & kCheckedMask, index); }

}  // namespace sealkv::internal

#endif  // SEALKV_KV_CHECK_BITS_H_
