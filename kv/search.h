// Where a slice stands among a node's entries. The one computation that every step of every descent makes, so it is
// done with vector instructions where the CPU has them (chosen at run time: the binary runs everywhere). Here is the
// plain form, and the choice; kv/search_avx2.h and kv/search_avx512.h have the others.
//
// All look at a node that may be changing, or damaged: whatever it holds, they stay inside of it, and the caller finds
// out from its version that what they say is void.
#ifndef SEALKV_KV_SEARCH_H_
#define SEALKV_KV_SEARCH_H_

#include <algorithm>
#include <cstdint>

#include "kv/node.h"

namespace sealkv::internal {

// The positions [begin, end) of the entries with this slice; begin == end is where one would be inserted.
struct SliceRange {
  unsigned begin;
  unsigned end;
};

struct ScalarSearch {
  static SliceRange FindSlice(const Node& node, Perm perm, uint64_t slice) {
    unsigned less = 0;
    unsigned less_or_equal = 0;
    const unsigned count = std::min(perm.count(), kSlots);
    for (unsigned i = 0; i < count; ++i) {
      const uint64_t entry = node.slice(perm.slot(i));
      less += entry < slice;
      less_or_equal += entry <= slice;
    }
    return {less, less_or_equal};
  }

  // In an inner node: the position of the child that covers the slice.
  static unsigned FindChild(const Node& node, Perm perm, uint64_t slice) {
    const unsigned end = FindSlice(node, perm, slice).end;
    return end == 0 ? 0 : end - 1;
  }
};

// What the CPU has. ThreadSanitizer wants atomic accesses; vector loads aren't. AddressSanitizer's stack frames aren't
// aligned for vectors of 64 bytes.
enum class Vectors : uint8_t { kNone, kAvx2, kAvx512 };
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define SEALKV_SCALAR_SEARCH 1
#elif defined(__has_feature)  // clang's way to say it
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define SEALKV_SCALAR_SEARCH 1
#endif
#endif
#if defined(SEALKV_SCALAR_SEARCH)
inline constexpr Vectors kVectors = Vectors::kNone;
#else
extern const Vectors kVectors;
#endif

// By the best that the CPU has, for what isn't a descent.
SliceRange FindSlice(const Node& node, Perm perm, uint64_t slice);
unsigned FindChild(const Node& node, Perm perm, uint64_t slice);
// As perm.IsWellFormed().
bool IsWellFormed(Perm perm);
// Copies a node that may be changing: each word is read whole. What is written in vectors can be searched in vectors
// without delay, which words that were stored one by one can't.
// Both are aligned to lines.
void CopyNodeWords(const uint64_t* from, uint64_t* to);
inline void CopyNode(const Node& from, Node* to) { CopyNodeWords(from.words, to->words); }

}  // namespace sealkv::internal

#endif  // SEALKV_KV_SEARCH_H_
