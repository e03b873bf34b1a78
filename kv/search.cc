#include "kv/search.h"

#include <immintrin.h>

#include <algorithm>
#include <bit>
#include <cstddef>

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
#include "kv/avx512_end.inc"

namespace sealkv::internal {

#if !defined(SEALKV_SCALAR_SEARCH)
const bool kHasAvx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("bmi2") &&
                        __builtin_cpu_supports("popcnt");
#endif

SliceRange FindSlice(const Node& node, Perm perm, uint64_t slice) {
  return kHasAvx512 ? FindSliceAvx512(node, perm, slice) : ScalarSearch::FindSlice(node, perm, slice);
}

unsigned FindChild(const Node& node, Perm perm, uint64_t slice) {
  return kHasAvx512 ? FindChildAvx512(node, perm, slice) : ScalarSearch::FindChild(node, perm, slice);
}

void CopyNodeWords(const uint64_t* from, uint64_t* to) {
  if (kHasAvx512) return CopyNodeWordsAvx512(from, to);
  for (size_t i = 0; i < sizeof(Node) / sizeof(uint64_t); ++i) to[i] = Node::Load(from[i]);
}

}  // namespace sealkv::internal
