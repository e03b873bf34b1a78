// What a writing thread has to itself: the segment that it appends records to, node slots, what it has retired, and a
// word that says what it is doing. So writers share no line that each of them would write.
//
// An arena belongs to an epoch slot (kv/epoch.h), and to whoever holds that. When a thread ends, the next one that
// takes its slot goes on where it left off. Somebody else may touch an arena while the gate is closed (kv/gate.h), when
// its holder is between two operations; but for the atomic fields, which anybody may read.
#ifndef SEALKV_KV_ARENA_H_
#define SEALKV_KV_ARENA_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "kv/reference.h"

namespace sealkv::internal {

// A number that one thread changes and any may read.
template <typename T>
class OwnedCount {
 public:
  T get() const { return count_.load(std::memory_order_relaxed); }
  void Set(T count) { count_.store(count, std::memory_order_relaxed); }
  void Add(T delta) { Set(get() + delta); }

 private:
  std::atomic<T> count_{0};
};

// Given up, and to be freed when no reader can still be looking at it.
struct Retired {
  Retired(uint64_t epoch, Offset offset, uint64_t bytes, bool is_node)
      : epoch(epoch), offset(offset), bytes(bytes), is_node(is_node) {}
  uint64_t epoch;
  Offset offset;
  uint64_t bytes;
  bool is_node;
};

struct alignas(64) Arena {
  static constexpr uint64_t kNoSegment = ~uint64_t{0};

  // Bits 0 and 1 say what the holder does; the others count its operations, so that whoever waits for one to end sees
  // that another has begun.
  static constexpr uint64_t kInOperation = 1;  // the gate waits for it
  static constexpr uint64_t kInChange = 2;     // between looking at the clock and its commit: new snapshots wait for it
  static constexpr uint64_t kNextOperation = 4;
  std::atomic<uint64_t> activity{0};

  // Records are appended here. The segment's `live_bytes` doesn't include `appended_bytes` until the arena leaves it.
  uint64_t append_segment = kNoSegment;
  OwnedCount<int64_t> appended_bytes;
  uint64_t marked_at = 0;  // the clock of the segment's mark
  uint64_t next_sequence = 0;
  bool may_use_reserve = false;   // it moves what lives elsewhere, or only erases: the last free segment is for that
  bool keeps_log_silent = false;  // about what it changes (kv/change_log.h)

  std::vector<Offset> free_nodes;
  uint64_t fresh_node = 0;  // never used ones: [fresh_node, fresh_node_end)
  uint64_t fresh_node_end = 0;

  std::deque<Retired> retired;
  size_t reclaim_at = 0;  // when so many are retired it is tried to free some

  // This arena's share of the store's numbers; what one allocates another may free, so it may be negative.
  OwnedCount<int64_t> node_bytes_used;
  OwnedCount<int64_t> record_bytes_used;
  OwnedCount<int64_t> bytes_retired;
  OwnedCount<uint64_t> bytes_moved;  // by compaction
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_ARENA_H_
