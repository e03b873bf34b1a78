#include "kv/search.h"

#include <immintrin.h>

#include <algorithm>
#include <bit>

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

}  // namespace sealkv::internal
