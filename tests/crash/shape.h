// What a tree looks like: its nodes, layers and segments, counted by walking an image. Scenarios use it to see that
// what they mean to test did happen; the oracle, that nothing lives in a segment that the table gives away.
//
// Deliberately not built on kv/check.h or the store's own walks: a second opinion. Written for small trees.
#ifndef SEALKV_TESTS_CRASH_SHAPE_H_
#define SEALKV_TESTS_CRASH_SHAPE_H_

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "kv/node.h"
#include "kv/segment_word.h"

namespace sealkv::crash {

struct Shape {
  unsigned top_level = 0;  // of the root
  uint64_t root = 0;
  std::set<uint64_t> leaves;  // offsets
  std::set<uint64_t> inner;
  std::set<uint64_t> layer_roots;            // below the top
  std::multiset<size_t> layer_prefix_bytes;  // of each layer below the top
  std::map<internal::Kind, uint64_t> entries;
  std::set<uint64_t> records;                          // offsets, prefixes included
  std::map<internal::SegmentKind, uint64_t> segments;  // by the table; a run counts once
  std::set<uint64_t> live_segments;                    // that something reachable lies in; of a run the first
  uint64_t parts = 0;                                  // that were added to it
  // Of the log's tree, if there is one (kv/change_log.h); its records are among the others.
  unsigned log_top_level = 0;
  std::set<uint64_t> log_leaves;
  std::set<uint64_t> log_inner;
  std::vector<uint64_t> log_entries;  // their numbers, in order
  uint64_t node_bytes = 0;
  uint64_t record_bytes = 0;

  // What can't be in any crash image: an object reached twice, or in a segment that the table has for something else,
  // runs that overlap. Empty: nothing of the kind.
  std::string contradiction;
};

// The memory must hold a store whose superblock is sound. Marks in `live_words`, if it is given, the words that an open
// or a read may look at: those of the superblock, the table, reachable nodes but for their free slots, and records.
Shape ShapeOf(std::span<std::byte> memory, std::vector<bool>* live_words = nullptr);

}  // namespace sealkv::crash

#endif  // SEALKV_TESTS_CRASH_SHAPE_H_
