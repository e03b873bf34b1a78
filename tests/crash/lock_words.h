// Where the lock words of nodes are in an image: words that are volatile by design, though they lie in persistent
// memory. After a crash they may hold anything; no shadow knows them.
#ifndef SEALKV_TESTS_CRASH_LOCK_WORDS_H_
#define SEALKV_TESTS_CRASH_LOCK_WORDS_H_

#include <cstdint>
#include <span>

#include "kv/image.h"
#include "kv/node.h"
#include "kv/segment_word.h"
#include "kv/superblock.h"

namespace sealkv::crash {

// Calls visit(index of the word) for the lock word of each node slot in a node segment. Nothing if this isn't the image
// of a store. Looks at the words only, and never outside of them.
template <typename Visit>
void ForEachLockWord(std::span<const uint64_t> words, Visit visit) {
  using internal::Image;
  using internal::Superblock;
  const auto& superblock = *reinterpret_cast<const Superblock*>(words.data());
  const uint64_t log2 = superblock.segment_bytes_log2;
  if (superblock.magic != Superblock::kMagic || log2 < Superblock::kMinSegmentBytesLog2 ||
      log2 > Superblock::kMaxSegmentBytesLog2 || Image::GeometryOf(superblock).size_bytes > words.size_bytes()) {
    return;
  }
  const uint64_t* table = words.data() + Superblock::kSegmentTableOffset / sizeof(uint64_t);
  constexpr uint64_t kNodeWords = internal::kNodeBytes / sizeof(uint64_t);
  const uint64_t count = Image::GeometryOf(superblock).size_bytes >> log2;
  for (uint64_t segment = superblock.header_segments; segment < count; ++segment) {
    const internal::SegmentWord word(table[segment]);
    if (word.kind() != internal::SegmentKind::kNodes || !word.IsWellFormed(segment, count)) continue;
    const uint64_t first = (segment << log2) / sizeof(uint64_t);
    const uint64_t end = first + (uint64_t{1} << log2) / sizeof(uint64_t);
    for (uint64_t node = first; node < end; node += kNodeWords) visit(node + internal::Node::kLockWord);
  }
}

}  // namespace sealkv::crash

#endif  // SEALKV_TESTS_CRASH_LOCK_WORDS_H_
