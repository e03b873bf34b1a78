#include "kv/ordered_node.h"

#include <immintrin.h>

#include <algorithm>

#include "kv/avx2_begin.inc"
#include "kv/search_avx2.h"

namespace sealkv::internal {

// No instruction permutes vectors of four words across each other. So the words are laid out by slot, in vectors, and
// then loaded one by one: which waits for nothing, for each lies within one of these stores.
void OrderedNode::ReadAvx2(const Node& node) {
  ReadWords(node);
  alignas(32) uint64_t slices[kPositions];
  alignas(32) uint64_t refs[kPositions];
  const Avx2Search::Slices by_slot(node);
  for (unsigned i = 0; i < 4; ++i) _mm256_store_si256(reinterpret_cast<__m256i*>(&slices[4 * i]), by_slot.words[i]);
  const auto copy = [&](unsigned word, unsigned slot) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(&refs[slot]),
                        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(&node.words[word])));
  };
  // From one word before slots 2..4 and 5..7 (kv/node.h); these stores overlap, and the last one counts.
  copy(Node::RefWord(5) - 1, 4);
  copy(Node::RefWord(2) - 1, 1);
  copy(Node::RefWord(8), 8);
  copy(Node::RefWord(12), 12);

  uint32_t less = 0;  // bit i: slice i is less than the one after it
  uint64_t next = 0;
#pragma GCC unroll 14
  for (unsigned i = kSlots; i-- > 0;) {
    const unsigned slot = perm_.slot(i);
    const uint64_t slice = slices[slot];
    slices_[i] = slice;
    refs_[i] = refs[slot];
    less += less + (slice < next);
    next = slice;
  }
  const uint32_t pairs = Pairs();
  ascends_strictly_ = (less & pairs) == pairs;
}

// Word by word: a vector of words that were just stored one by one would wait until they have reached the cache.
SliceRange OrderedNode::FindSliceAvx2(uint64_t slice) const {
  uint32_t less = 0;
  uint32_t less_or_equal = 0;
#pragma GCC unroll 14
  for (unsigned i = kSlots; i-- > 0;) {
    less += less + (slices_[i] < slice);
    less_or_equal += less_or_equal + (slices_[i] <= slice);
  }
  const unsigned count = std::min(perm_.count(), kSlots);
  return {Avx2Search::Count(_bzhi_u32(less, count)), Avx2Search::Count(_bzhi_u32(less_or_equal, count))};
}

}  // namespace sealkv::internal
#include "kv/vector_end.inc"

// Not one block with the line above: this order counts.
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
  const uint32_t pairs = Pairs();
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
#include "kv/vector_end.inc"

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
  if (kVectors == Vectors::kAvx512) return FindInOrderAvx512(slices_, count, slice);
  if (kVectors == Vectors::kAvx2) return FindSliceAvx2(slice);
  unsigned less = 0;
  unsigned less_or_equal = 0;
  for (unsigned i = 0; i < count; ++i) {
    less += slices_[i] < slice;
    less_or_equal += slices_[i] <= slice;
  }
  return {less, less_or_equal};
}

}  // namespace sealkv::internal
