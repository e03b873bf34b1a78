// Is all of it true? Walks a whole store and compares everything that is said twice: slices with the records' keys,
// kinds with lengths, prefixes with what the keys share, the segment table with what is reachable; that each object is
// referred to exactly once; and what can't be seen by comparing, by checksums. Counts what there is on the way.
//
// Never writes, and trusts nothing but the superblock's geometry (which OpenImage has validated): whatever the file
// holds, no read leads out of the mapping, and the time is bounded by the file's size. For a store that nobody writes
// meanwhile. What is sound beside the damage kv/salvage.h saves, by the same walk. Cost: reads all that is alive;
// memory: a bit per 8 bytes of the segments that hold something alive.
#ifndef SEALKV_KV_CHECK_H_
#define SEALKV_KV_CHECK_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "kv/image.h"
#include "kv/node.h"

namespace sealkv::internal {

struct CheckOptions {
  // False: values aren't read at all, but for the log's. For figures only.
  bool verify_checksums = true;
  // Called now and then with the number of keys seen so far; false stops the walk.
  std::function<bool(uint64_t)> progress;
};

struct Problem {
  // minor: contradicts the format, but no reader or writer goes wrong by it.
  // major: a key or value is lost or wrong, can't be reached, or may be overwritten.
  enum class Severity : uint8_t { kMinor, kMajor };
  Severity severity;
  uint64_t offset;  // where in the file: the word, node or record that is wrong
  std::string text;
};

// How full nodes are.
struct FillFigures {
  uint64_t nodes = 0;
  uint64_t entries = 0;

  double fill() const { return nodes == 0 ? 0 : static_cast<double>(entries) / static_cast<double>(nodes * kSlots); }
};

struct CheckReport {
  static constexpr size_t kProblemsKept = 100;
  std::vector<Problem> problems;  // the first kProblemsKept, as met on the way
  uint64_t minor_problems = 0;
  uint64_t major_problems = 0;
  bool was_stopped = false;

  // What there is. Of a damaged store: what could be reached.
  uint64_t keys = 0;
  uint64_t inline_values = 0;  // 8-byte keys with their 8-byte values in the tree
  uint64_t tied_keys = 0;      // keys that are told apart by a fingerprint
  uint64_t key_bytes = 0;
  uint64_t value_bytes = 0;
  uint64_t key_bytes_max = 0;
  uint64_t value_bytes_max = 0;
  uint64_t records = 0;       // prefix records included
  uint64_t record_bytes = 0;  // headers and padding too
  uint64_t prefix_records = 0;
  uint64_t prefix_record_bytes = 0;
  uint64_t max_sequence = 0;
  uint64_t log_entries = 0;  // kv/change_log.h; their records and nodes are counted among the others
  uint64_t log_bytes = 0;    // of these records

  uint64_t nodes = 0;
  uint64_t leaves = 0;
  uint64_t leaf_entries = 0;
  uint64_t inner_entries = 0;
  uint64_t empty_leaves = 0;                                // a crash may leave one
  std::array<FillFigures, kMaxLevel + 1> nodes_by_level{};  // [0]: leaves; all layers together
  std::vector<FillFigures> nodes_by_layer_depth;            // [0]: the top layer; [d]: layers behind d entries
  uint64_t layers = 0;                                      // below the top
  uint64_t layers_with_prefix = 0;
  uint64_t layer_depth_max = 0;
  uint64_t height_top = 0;  // nodes from the root of the top layer to its leaves
  uint64_t height_max = 0;  // likewise, in the highest layer

  std::array<uint64_t, 4> segments_by_kind{};  // indexed by SegmentKind; without the header's
  uint64_t segments_damaged = 0;               // their word in the table can't be read
  // Segments with 0-10 %, 10-20 %, … of their bytes alive.
  std::array<uint64_t, 10> node_segments_by_tenth{};
  std::array<uint64_t, 10> record_segments_by_tenth{};
  uint64_t segments_unreachable = 0;  // in use by the table, nothing alive: released by the next writer

  // Batches that their writer had committed and not finished, when he died: what was checked may be half of them
  // (FinishForReading finishes them in private memory first).
  uint64_t batches_to_finish = 0;

  // Nodes of the tree whose lock word says that they were replaced. Lock words are volatile, so that is no problem; but
  // a damaged root word or reference that leads to an old version shows by nothing else.
  uint64_t nodes_marked_replaced = 0;
  uint64_t first_marked_replaced = 0;  // the offset of that lock word

  bool is_sound() const { return minor_problems == 0 && major_problems == 0; }
  FillFigures leaf_fill() const { return {leaves, leaf_entries}; }
  FillFigures inner_fill() const { return {nodes - leaves, inner_entries}; }
};

CheckReport Check(const Image& image, const CheckOptions& options = {});

}  // namespace sealkv::internal

#endif  // SEALKV_KV_CHECK_H_
