#include "kv/ordered_node.h"

#include <immintrin.h>

#include <algorithm>

#include "kv/avx2_begin.inc"
#include "kv/search_avx2.h"

namespace sealkv::internal {
namespace {

// bits = bits << 1 | (a < b): a comparison leaves that in the carry, which one addition takes along. (gcc 12 makes five
// instructions of it.)
[[gnu::always_inline]] inline void AppendLess(uint32_t& bits, uint64_t a, uint64_t b) {
  asm("cmp %2, %1\n\tadc %0, %0" : "+r"(bits) : "r"(a), "rm"(b) : "cc");
}

}  // namespace

// What of it lies in `perm` and `kinds`, whose nibbles one instruction puts in order. `slots`: one for each position.
[[gnu::always_inline]] inline void OrderedNode::OrderKinds(uint8_t (&slots)[kPositions]) {
  const __m128i slot_bytes = Avx2Search::Nibbles(perm_.raw() >> 4);
  const __m128i kinds = _mm_shuffle_epi8(Avx2Search::Nibbles(kinds_.raw()), slot_bytes);
  const auto mask = [](__m128i bytes) { return static_cast<uint32_t>(_mm_movemask_epi8(bytes)); };
  const __m128i is_inline = _mm_cmpeq_epi8(kinds, _mm_set1_epi8(static_cast<char>(Kind::kInline)));
  const __m128i is_record = _mm_cmpgt_epi8(_mm_set1_epi8(static_cast<char>(Kind::kMore) + 1), kinds);
  const unsigned count = std::min(perm_.count(), kSlots);
  _mm_store_si128(reinterpret_cast<__m128i*>(slots), slot_bytes);
  _mm_store_si128(reinterpret_cast<__m128i*>(kinds_by_position_), kinds);
  inline_ = _bzhi_u32(mask(is_inline), count);
  record_ = _bzhi_u32(mask(is_record), count);
  is_well_formed_ = Avx2Search::IsWellFormed(perm_, slot_bytes);
}

// No instruction permutes vectors of four words across each other. So the words are laid out by slot, in vectors, and
// then loaded one by one: which waits for nothing, for each lies within one of these stores.
void OrderedNode::ReadAvx2(const Node& node) {
  ReadWords(node);
  alignas(16) uint8_t slots[kPositions];
  OrderKinds(slots);
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
    const uint64_t slice = slices[slots[i]];
    slices_[i] = slice;
    refs_[i] = refs[slots[i]];
    AppendLess(less, slice, next);
    next = slice;
  }
  const uint32_t pairs = Pairs();
  ascends_strictly_ = (less & pairs) == pairs;
}

// Word by word: a vector of words that were just stored one by one would wait until they have reached the cache.
SliceRange OrderedNode::FindSliceAvx2(uint64_t slice) const {
  uint32_t less = 0;
  uint32_t greater = 0;
#pragma GCC unroll 14
  for (unsigned i = kSlots; i-- > 0;) {
    AppendLess(less, slices_[i], slice);
    AppendLess(greater, slice, slices_[i]);
  }
  const unsigned count = std::min(perm_.count(), kSlots);
  return {Avx2Search::Count(_bzhi_u32(less, count)), Avx2Search::Count(_bzhi_u32(~greater, count))};
}

}  // namespace sealkv::internal
#include "kv/vector_end.inc"

// Not one block with the line above: this order counts.
#include "kv/avx512_begin.inc"
#include "kv/search_avx512.h"

namespace sealkv::internal {

void OrderedNode::ReadAvx512(const Node& node) {
  ReadWords(node);
  alignas(16) uint8_t slots[kPositions];
  OrderKinds(slots);
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
  inline_ = record_ = 0;
  is_well_formed_ = perm_.IsWellFormed();
  ascends_strictly_ = true;
  for (unsigned i = 0; i < count; ++i) {
    const Kind kind = kinds_.kind(perm_.slot(i));
    kinds_by_position_[i] = static_cast<uint8_t>(kind);
    inline_ |= static_cast<uint32_t>(kind == Kind::kInline) << i;
    record_ |= static_cast<uint32_t>(internal::IsRecord(kind)) << i;
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
