#include "kv/search.h"

#include <immintrin.h>

#include <algorithm>
#include <bit>
#include <cstddef>

#include "kv/avx2_begin.inc"
#include "kv/search_avx2.h"

namespace sealkv::internal {
namespace {

SliceRange FindSliceAvx2(const Node& node, Perm perm, uint64_t slice) {
  return Avx2Search::FindSlice(node, perm, slice);
}
unsigned FindChildAvx2(const Node& node, Perm perm, uint64_t slice) { return Avx2Search::FindChild(node, perm, slice); }
bool IsWellFormedAvx2(Perm perm) { return Avx2Search::IsWellFormed(perm, Avx2Search::Nibbles(perm.raw() >> 4)); }
void CopyNodeWordsAvx2(const uint64_t* from, uint64_t* to) {
  constexpr size_t kVectorWords = sizeof(__m256i) / sizeof(uint64_t);
  for (size_t i = 0; i < sizeof(Node) / sizeof(uint64_t); i += kVectorWords) {
    _mm256_store_si256(reinterpret_cast<__m256i*>(to + i),
                       _mm256_load_si256(reinterpret_cast<const __m256i*>(from + i)));
  }
}

}  // namespace
}  // namespace sealkv::internal
#include "kv/vector_end.inc"

// Not one block with the line above: this order counts.
#include "kv/avx512_begin.inc"
#include "kv/search_avx512.h"

namespace sealkv::internal {
namespace {

SliceRange FindSliceAvx512(const Node& node, Perm perm, uint64_t slice) {
  return Avx512Search::FindSlice(node, perm, slice);
}
unsigned FindChildAvx512(const Node& node, Perm perm, uint64_t slice) {
  return Avx512Search::FindChild(node, perm, slice);
}
void CopyNodeWordsAvx512(const uint64_t* from, uint64_t* to) {
  constexpr size_t kLineWords = sizeof(__m512i) / sizeof(uint64_t);
  for (size_t i = 0; i < sizeof(Node) / sizeof(uint64_t); i += kLineWords) {
    _mm512_store_si512(to + i, _mm512_load_si512(from + i));
  }
}

}  // namespace
}  // namespace sealkv::internal
#include "kv/vector_end.inc"

namespace sealkv::internal {

#if !defined(SEALKV_SCALAR_SEARCH)
const Vectors kVectors = [] {
  const bool has_avx2 =
      __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt");
  if (!has_avx2) return Vectors::kNone;
  const bool has_avx512 =
      __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  return has_avx512 ? Vectors::kAvx512 : Vectors::kAvx2;
}();
#endif

SliceRange FindSlice(const Node& node, Perm perm, uint64_t slice) {
  if (kVectors == Vectors::kAvx512) return FindSliceAvx512(node, perm, slice);
  if (kVectors == Vectors::kAvx2) return FindSliceAvx2(node, perm, slice);
  return ScalarSearch::FindSlice(node, perm, slice);
}

unsigned FindChild(const Node& node, Perm perm, uint64_t slice) {
  if (kVectors == Vectors::kAvx512) return FindChildAvx512(node, perm, slice);
  if (kVectors == Vectors::kAvx2) return FindChildAvx2(node, perm, slice);
  return ScalarSearch::FindChild(node, perm, slice);
}

bool IsWellFormed(Perm perm) { return kVectors == Vectors::kNone ? perm.IsWellFormed() : IsWellFormedAvx2(perm); }

void CopyNodeWords(const uint64_t* from, uint64_t* to) {
  if (kVectors == Vectors::kAvx512) return CopyNodeWordsAvx512(from, to);
  if (kVectors == Vectors::kAvx2) return CopyNodeWordsAvx2(from, to);
  for (size_t i = 0; i < sizeof(Node) / sizeof(uint64_t); ++i) to[i] = Node::Load(from[i]);
}

}  // namespace sealkv::internal
