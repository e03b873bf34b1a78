// The descent with its search inlined, for CPUs with AVX2 and without AVX-512.
#include <immintrin.h>

#include <algorithm>
#include <bit>
#include <string_view>

#include "kv/tree.h"

// As in kv/descent_avx512.cc.
#include "kv/avx2_begin.inc"
#include "kv/descent_impl.h"
#include "kv/search_avx2.h"

namespace sealkv::internal {

void Tree::DescendAvx2(std::string_view key, Purpose purpose, Descent& result) const {
  Descender<Avx2Search>::Run(*this, key, purpose, result);
}

}  // namespace sealkv::internal
#include "kv/vector_end.inc"
