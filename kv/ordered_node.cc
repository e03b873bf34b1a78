#include "kv/ordered_node.h"

#include <immintrin.h>

#include <algorithm>

#include "kv/avx512_begin.inc"
#include "kv/search_avx512.h"

namespace sealkv::internal {

void OrderedNode::ReadAvx512(const Node& node) {
  ReadWords(node);
  const Avx512Search::Ordered slices(node, perm_);
  _mm512_store_si512(&slices_[0], slices.first);
  _mm512_store_si512(&slices_[8], slices.second);
  // The references of slots 2..7 stand in the first line and in the third (kv/node.h); the others in the last.
  const __m512i where = _mm512_setr_epi64(0, 0, 5, 6, 7, 8 + 2, 8 + 3, 8 + 4);
  const __m512i low =
      _mm512_permutex2var_epi64(_mm512_load_si512(&node.words[0]), where, _mm512_load_si512(&node.words[16]));
  const __m512i high = _mm512_load_si512(&node.words[24]);
  _mm512_store_si512(&refs_[0], _mm512_permutex2var_epi64(low, slices.index_first, high));
  _mm512_store_si512(&refs_[8], _mm512_permutex2var_epi64(low, slices.index_second, high));
  // Each beside its successor.
  const __m512i after_first = _mm512_alignr_epi64(slices.second, slices.first, 1);
  const __m512i after_second = _mm512_alignr_epi64(slices.second, slices.second, 1);
  const uint32_t less = _mm512_kunpackb(_mm512_cmplt_epu64_mask(slices.second, after_second),
                                        _mm512_cmplt_epu64_mask(slices.first, after_first));
  const unsigned count = std::min(perm_.count(), kSlots);
  const uint32_t pairs = _bzhi_u32(~0u, count > 0 ? count - 1 : 0);
  ascends_strictly_ = (less & pairs) == pairs;
}

namespace {

SliceRange FindInOrderAvx512(const uint64_t* slices, unsigned count, uint64_t slice) {
  const __m512i wanted = _mm512_set1_epi64(static_cast<long long>(slice));
  const __m512i first = _mm512_load_si512(slices);
  const __m512i second = _mm512_load_si512(slices + 8);
  const uint32_t less =
      _mm512_kunpackb(_mm512_cmplt_epu64_mask(second, wanted), _mm512_cmplt_epu64_mask(first, wanted));
  const uint32_t equal =
      _mm512_kunpackb(_mm512_cmpeq_epu64_mask(second, wanted), _mm512_cmpeq_epu64_mask(first, wanted));
  const auto begin = static_cast<unsigned>(_mm_popcnt_u32(_bzhi_u32(less, count)));
  return {begin, begin + static_cast<unsigned>(_mm_popcnt_u32(_bzhi_u32(equal, count)))};
}

}  // namespace
}  // namespace sealkv::internal
#include "kv/avx512_end.inc"

namespace sealkv::internal {

void OrderedNode::ReadWords(const Node& node) {
  perm_ = node.perm();
  kinds_ = node.kinds();
  prefix_word_ = node.prefix_word();
}

void OrderedNode::ReadScalar(const Node& node) {
  ReadWords(node);
  const unsigned count = std::min(perm_.count(), kSlots);
  ascends_strictly_ = true;
  for (unsigned i = 0; i < count; ++i) {
    slices_[i] = node.slice(perm_.slot(i));
    refs_[i] = node.ref(perm_.slot(i));
    if (i > 0 && slices_[i - 1] >= slices_[i]) ascends_strictly_ = false;
  }
}

SliceRange OrderedNode::FindSlice(uint64_t slice) const {
  const unsigned count = std::min(perm_.count(), kSlots);
  if (kHasAvx512) return FindInOrderAvx512(slices_, count, slice);
  unsigned less = 0;
  unsigned less_or_equal = 0;
  for (unsigned i = 0; i < count; ++i) {
    less += slices_[i] < slice;
    less_or_equal += slices_[i] <= slice;
  }
  return {less, less_or_equal};
}

}  // namespace sealkv::internal
