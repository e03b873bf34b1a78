// The descent with its search inlined, for CPUs with AVX-512.
#include <immintrin.h>

#include <algorithm>
#include <bit>
#include <string_view>

#include "kv/tree.h"

// What is defined from here on may use these instructions; what was included above may not, and so nothing that other
// files share does.
#include "kv/avx512_begin.inc"
#include "kv/descent_impl.h"
#include "kv/search_avx512.h"

namespace sealkv::internal {

void Tree::DescendAvx512(std::string_view key, Purpose purpose, Descent& result) const {
  Descender<Avx512Search>::Run(*this, key, purpose, result);
}

}  // namespace sealkv::internal
#include "kv/vector_end.inc"
