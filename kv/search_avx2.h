// The search with AVX2: all slices compared where they lie, and then those counted whose slots `perm` names. (Vectors
// of four words can't be permuted into key order as in kv/search_avx512.h, and to count they needn't be.) To be
// included behind kv/avx2_begin.inc, and only there: inlined into a descent it is half as long as called.
#ifndef SEALKV_KV_SEARCH_AVX2_H_
#define SEALKV_KV_SEARCH_AVX2_H_

#include <immintrin.h>

#include <algorithm>
#include <bit>

#include "kv/search.h"

namespace sealkv::internal {

struct Avx2Search {
  [[gnu::always_inline]] static SliceRange FindSlice(const Node& node, Perm perm, uint64_t slice) {
    const Slices slices(node);
    const __m256i wanted = _mm256_set1_epi64x(static_cast<long long>(slice));
    const unsigned named = NamedSlots(perm);
    const unsigned count = std::min(perm.count(), kSlots);
    // A damaged permutation may name more than it counts.
    const unsigned begin = std::min(Count(slices.Less(wanted) & named), count);
    return {begin, std::min(begin + Count(slices.Equal(wanted) & named), count)};
  }

  [[gnu::always_inline]] static unsigned FindChild(const Node& node, Perm perm, uint64_t slice) {
    const Slices slices(node);
    const unsigned greater = slices.Greater(_mm256_set1_epi64x(static_cast<long long>(slice)));
    const unsigned end = std::min(Count(NamedSlots(perm) & ~greater), std::min(perm.count(), kSlots));
    return end == 0 ? 0 : end - 1;
  }

  // One bit for each slot that is an entry's.
  [[gnu::always_inline]] static unsigned NamedSlots(Perm perm) {
    const __m128i positions = _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m128i is_entry = _mm_cmpgt_epi8(_mm_set1_epi8(static_cast<char>(perm.count())), positions);
    const SlotBits bits(Nibbles(perm.raw() >> 4));
    return SumOfBytes(_mm_and_si128(bits.below_8, is_entry)) | SumOfBytes(_mm_and_si128(bits.from_8, is_entry)) << 8;
  }

  // As Perm::IsWellFormed; `slots` are its nibbles from the second on.
  [[gnu::always_inline]] static bool IsWellFormed(Perm perm, __m128i slots) {
    // Sixteen powers of two that add up to these must be one of each slot, and, twice, slot 0: that of the two
    // positions behind the last.
    const SlotBits bits(slots);
    return perm.count() <= kSlots && perm.raw() >> 60 == 0 && SumOfBytes(bits.below_8) == 0xfe &&
           SumOfBytes(bits.from_8) == 0xff;
  }

  // One byte for each.
  [[gnu::always_inline]] static __m128i Nibbles(uint64_t word) {
    const __m128i pairs = _mm_cvtsi64_si128(static_cast<long long>(word));
    const __m128i low_nibbles = _mm_and_si128(pairs, _mm_set1_epi8(15));
    const __m128i high_nibbles = _mm_and_si128(_mm_srli_epi64(pairs, 4), _mm_set1_epi8(15));
    return _mm_unpacklo_epi8(low_nibbles, high_nibbles);
  }

  static unsigned Count(unsigned bits) { return static_cast<unsigned>(std::popcount(bits)); }

  // By slot. The CPU compares signed words only; that of each word's highest bit turns unsigned order into signed.
  struct Slices {
    __m256i words[4];

    explicit Slices(const Node& node) {
      const auto load = [&node](unsigned word) {
        return _mm256_load_si256(reinterpret_cast<const __m256i*>(&node.words[word]));
      };
      words[0] = load(0);
      words[1] = _mm256_blend_epi32(load(4), load(20), 0xfc);  // slots 5..7 (kv/node.h)
      words[2] = load(8);
      words[3] = load(12);
    }

    template <typename Comparison>
    static unsigned Mask(Comparison compare) {
      unsigned mask = 0;
#pragma GCC unroll 4
      for (unsigned i = 0; i < 4; ++i) {
        mask |= static_cast<unsigned>(_mm256_movemask_pd(_mm256_castsi256_pd(compare(i)))) << (4 * i);
      }
      return mask;
    }
    static __m256i Signed(__m256i unsigned_words) {
      return _mm256_xor_si256(unsigned_words, _mm256_set1_epi64x(static_cast<long long>(uint64_t{1} << 63)));
    }

    unsigned Less(__m256i wanted) const {
      const __m256i signed_wanted = Signed(wanted);
      return Mask([&](unsigned i) { return _mm256_cmpgt_epi64(signed_wanted, Signed(words[i])); });
    }
    unsigned Greater(__m256i wanted) const {
      const __m256i signed_wanted = Signed(wanted);
      return Mask([&](unsigned i) { return _mm256_cmpgt_epi64(Signed(words[i]), signed_wanted); });
    }
    unsigned Equal(__m256i wanted) const {
      return Mask([&](unsigned i) { return _mm256_cmpeq_epi64(words[i], wanted); });
    }
  };

 private:
  // Each slot's bit.
  struct SlotBits {
    __m128i below_8;
    __m128i from_8;
    [[gnu::always_inline]] explicit SlotBits(__m128i slots)
        : below_8(_mm_shuffle_epi8(_mm_setr_epi8(1, 2, 4, 8, 16, 32, 64, -128, 0, 0, 0, 0, 0, 0, 0, 0), slots)),
          from_8(_mm_shuffle_epi8(_mm_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, -128), slots)) {}
  };
  [[gnu::always_inline]] static unsigned SumOfBytes(__m128i bytes) {
    const __m128i halves = _mm_sad_epu8(bytes, _mm_setzero_si128());
    return static_cast<unsigned>(_mm_cvtsi128_si32(_mm_add_epi64(halves, _mm_unpackhi_epi64(halves, halves))));
  }
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_SEARCH_AVX2_H_
