#include "kv/search.h"

#include <immintrin.h>

#include <algorithm>
#include <bit>

namespace sealkv::internal {

namespace internal_search {
const bool kHasAvx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl");
}

SliceRange FindSliceScalar(const Node& node, Perm perm, uint64_t slice) {
  unsigned less = 0;
  unsigned less_or_equal = 0;
  // A torn or damaged count is caught by the caller's validation; here it must only not lead out of the node.
  const unsigned count = std::min(perm.count(), kSlots);
  for (unsigned i = 0; i < count; ++i) {
    const uint64_t entry = node.slice(perm.slot(i));
    less += entry < slice;
    less_or_equal += entry <= slice;
  }
  return {less, less_or_equal};
}

// The two lines of words, permuted into key order by the nibbles of `perm`; then one comparison for all.
__attribute__((target("avx512f,avx512vl,popcnt"))) SliceRange FindSliceAvx512(const Node& node, Perm perm,
                                                                               uint64_t slice) {
  const __m512i line_0 = _mm512_load_si512(&node.key_words[0]);
  const __m512i line_1 = _mm512_load_si512(&node.key_words[8]);
  const __m512i nibbles = _mm512_set1_epi64(static_cast<long long>(perm.raw()));
  // vpermi2q looks at the low four bits of each index only, so the shifted word needs no masking.
  const __m512i index_0 = _mm512_srlv_epi64(nibbles, _mm512_setr_epi64(4, 8, 12, 16, 20, 24, 28, 32));
  const __m512i index_1 = _mm512_srlv_epi64(nibbles, _mm512_setr_epi64(36, 40, 44, 48, 52, 56, 60, 60));
  const __m512i ordered_0 = _mm512_permutex2var_epi64(line_0, index_0, line_1);
  const __m512i ordered_1 = _mm512_permutex2var_epi64(line_0, index_1, line_1);
  const __m512i wanted = _mm512_set1_epi64(static_cast<long long>(slice));
  const uint32_t less = _mm512_cmplt_epu64_mask(ordered_0, wanted) | _mm512_cmplt_epu64_mask(ordered_1, wanted) << 8;
  const uint32_t equal = _mm512_cmpeq_epu64_mask(ordered_0, wanted) | _mm512_cmpeq_epu64_mask(ordered_1, wanted) << 8;
  const uint32_t named = (1u << std::min(perm.count(), kSlots)) - 1;
  const auto begin = static_cast<unsigned>(std::popcount(less & named));
  // Keeps the loads above from sinking below the caller's validation of the lock word.
  asm volatile("" ::: "memory");
  return {begin, begin + static_cast<unsigned>(std::popcount(equal & named))};
}

__attribute__((target("avx512f,avx512vl,popcnt,bmi,bmi2"))) unsigned FindChildAvx512(const Node& node, Perm perm, uint64_t slice) {
  const __m512i line_0 = _mm512_load_si512(&node.key_words[0]);
  const __m512i line_1 = _mm512_load_si512(&node.key_words[8]);
  const __m512i nibbles = _mm512_set1_epi64(static_cast<long long>(perm.raw()));
  const __m512i index_0 = _mm512_srlv_epi64(nibbles, _mm512_setr_epi64(4, 8, 12, 16, 20, 24, 28, 32));
  const __m512i index_1 = _mm512_srlv_epi64(nibbles, _mm512_setr_epi64(36, 40, 44, 48, 52, 56, 60, 60));
  const __m512i ordered_0 = _mm512_permutex2var_epi64(line_0, index_0, line_1);
  const __m512i ordered_1 = _mm512_permutex2var_epi64(line_0, index_1, line_1);
  const __m512i wanted = _mm512_set1_epi64(static_cast<long long>(slice));
  const uint32_t le = _mm512_kunpackb(_mm512_cmple_epu64_mask(ordered_1, wanted), _mm512_cmple_epu64_mask(ordered_0, wanted));
  return std::popcount(_bzhi_u32(le, perm.raw() & 15));
}

}  // namespace sealkv::internal
