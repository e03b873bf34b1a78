// The search with AVX-512: both lines of words permuted into key order by the nibbles of `perm`, then one comparison
// for all. To be included behind kv/avx512_begin.inc, and only there: inlined into a descent it is
// half as long as called.
#ifndef SEALKV_KV_SEARCH_AVX512_H_
#define SEALKV_KV_SEARCH_AVX512_H_

#include <immintrin.h>

#include <bit>

#include "kv/search.h"

namespace sealkv::internal {

struct Avx512Search {
  static SliceRange FindSlice(const Node& node, Perm perm, uint64_t slice) {
    const Ordered ordered(node, perm);
    const __m512i wanted = _mm512_set1_epi64(static_cast<long long>(slice));
    const uint32_t less = _mm512_kunpackb(_mm512_cmplt_epu64_mask(ordered.second, wanted),
                                          _mm512_cmplt_epu64_mask(ordered.first, wanted));
    const uint32_t equal = _mm512_kunpackb(_mm512_cmpeq_epu64_mask(ordered.second, wanted),
                                           _mm512_cmpeq_epu64_mask(ordered.first, wanted));
    const unsigned count = std::min(perm.count(), kSlots);
    const auto begin = static_cast<unsigned>(std::popcount(_bzhi_u32(less, count)));
    return {begin, begin + static_cast<unsigned>(std::popcount(_bzhi_u32(equal, count)))};
  }

  static unsigned FindChild(const Node& node, Perm perm, uint64_t slice) {
    const Ordered ordered(node, perm);
    const __m512i wanted = _mm512_set1_epi64(static_cast<long long>(slice));
    const uint32_t less_or_equal = _mm512_kunpackb(_mm512_cmple_epu64_mask(ordered.second, wanted),
                                                   _mm512_cmple_epu64_mask(ordered.first, wanted));
    const auto end = static_cast<unsigned>(std::popcount(_bzhi_u32(less_or_equal, std::min(perm.count(), kSlots))));
    return end == 0 ? 0 : end - 1;
  }

  struct Ordered {
    __m512i index_first;  // where their words lie
    __m512i index_second;
    __m512i first;   // positions 0 … 7
    __m512i second;  // positions 8 … 13, and two that the caller masks off

    Ordered(const Node& node, Perm perm) {
      // Slots 0..7 and 8..15 (kv/node.h).
      const __m512i line_0 = _mm512_mask_load_epi64(_mm512_load_si512(&node.words[0]), 0xe0, &node.words[16]);
      const __m512i line_1 = _mm512_load_si512(&node.words[8]);
      const __m512i nibbles = _mm512_set1_epi64(static_cast<long long>(perm.raw()));
      // vpermi2q looks at the low four bits of each index only, so the shifted word needs no masking.
      index_first = _mm512_srlv_epi64(nibbles, _mm512_setr_epi64(4, 8, 12, 16, 20, 24, 28, 32));
      index_second = _mm512_srlv_epi64(nibbles, _mm512_setr_epi64(36, 40, 44, 48, 52, 56, 60, 60));
      first = _mm512_permutex2var_epi64(line_0, index_first, line_1);
      second = _mm512_permutex2var_epi64(line_0, index_second, line_1);
    }
  };
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_SEARCH_AVX512_H_
