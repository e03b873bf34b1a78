// Where a slice stands among a node's entries. The one computation that every step of every descent makes, so it is done
// with vector instructions where the CPU has them (chosen at run time: the binary runs everywhere, under valgrind too).
#ifndef SEALKV_KV_SEARCH_H_
#define SEALKV_KV_SEARCH_H_

#include <cstdint>

#include "kv/node.h"

namespace sealkv::internal {

// The positions [begin, end) of the entries with this slice; begin == end is where one would be inserted.
struct SliceRange {
  unsigned begin;
  unsigned end;
};

SliceRange FindSliceScalar(const Node& node, Perm perm, uint64_t slice);
SliceRange FindSliceAvx512(const Node& node, Perm perm, uint64_t slice);

unsigned FindChildAvx512(const Node& node, Perm perm, uint64_t slice);
namespace internal_search {
extern const bool kHasAvx512;
}

inline SliceRange FindSlice(const Node& node, Perm perm, uint64_t slice) {
#if !defined(__SANITIZE_THREAD__)  // vector loads aren't atomic accesses; ThreadSanitizer wants those
  if (internal_search::kHasAvx512) return FindSliceAvx512(node, perm, slice);
#endif
  return FindSliceScalar(node, perm, slice);
}

// In an inner node: the position of the child that covers the slice.
inline unsigned FindChild(const Node& node, Perm perm, uint64_t slice) {
  const unsigned end = internal_search::kHasAvx512 ? FindChildAvx512(node, perm, slice) : FindSliceScalar(node, perm, slice).end;
  return end == 0 ? 0 : end - 1;
}

}  // namespace sealkv::internal

#endif  // SEALKV_KV_SEARCH_H_
