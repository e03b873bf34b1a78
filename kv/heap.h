// Where nodes and records live: allocation, retirement, and the count of what is alive.
//
// Allocating and freeing inside a segment touches no persistent memory: what no reference leads to does not exist after
// a crash. Records are appended to a segment, nodes are 256-byte slots.
//
// Thread safety: none; the store's writer lock guards it.
#ifndef SEALKV_KV_HEAP_H_
#define SEALKV_KV_HEAP_H_

#include <cstdint>
#include <deque>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daxfile/persist.h"
#include "kv/epoch.h"
#include "kv/image.h"
#include "kv/record.h"
#include "kv/segments.h"

namespace sealkv::internal {

class Heap {
 public:
  Heap(const Image& image, daxfile::Persist& persist, Epochs& epochs, uint32_t generation);

  // Makes sure that the next `count` calls of TakeNode succeed. ResourceExhausted: no space; nothing was changed.
  absl::Status ReserveNodes(unsigned count);
  // A node slot to write, not referred to by anything yet. Needs a reservation.
  Offset TakeNode();

  // Writes a record; it is durable after the next fence. ResourceExhausted: no space; nothing was changed.
  absl::StatusOr<Offset> AppendRecord(std::string_view key, std::string_view value, uint32_t flags = kPlainRecord);
  // Takes back a record that was never published.
  void DiscardRecord(Offset record) {
    // What was copied around the caches may still be on its way, and would replace what the next thread writes there.
    persist_.Fence();
    FreeRecord(record, image_.RecordAt(record).bytes());
  }

  // Gives up an object that no reference leads to any more. It is freed when no reader can still be looking at it.
  void RetireNode(Offset node) { Retire(node, kNodeBytes, /*is_node=*/true); }
  void RetireRecord(Offset record) { Retire(record, image_.RecordAt(record).bytes(), /*is_node=*/false); }

  // Frees what was retired and can't be seen any more. Called at the end of each write; does little unless it is due.
  void ReclaimIfDue();
  void ReclaimAll();

  // Whether there are any; costs a look at each segment.
  bool HasEmptyNodeSegments();
  // Gives back node segments in which no node is left, for use as anything. Nobody may be looking at one, by a hint
  // either: between operations, after LeafHints::Disable and a grace period. Whether there were any.
  bool ReleaseEmptyNodeSegments();

  // The background pass after an open (kv/mark.h): counts the live objects of the segments that were in use at open.
  bool space_is_known() const { return space_is_known_; }
  void BeginMarking();
  void MarkNode(Offset node);
  void MarkRecord(Offset record, uint64_t bytes);
  void FinishMarking();

  Segments& segments() { return segments_; }
  uint64_t node_bytes_used() const { return node_bytes_used_; }
  uint64_t record_bytes_used() const { return record_bytes_used_; }
  uint64_t bytes_retired() const { return bytes_retired_; }

 private:
  struct Retired {
    Retired(uint64_t epoch, Offset offset, uint64_t bytes, bool is_node)
        : epoch(epoch), offset(offset), bytes(bytes), is_node(is_node) {}
    uint64_t epoch;
    Offset offset;
    uint64_t bytes;
    bool is_node;
  };
  // One bit per 256 bytes of a node segment, or per 16 bytes of a record segment (no two records start in the same 16).
  using MarkBits = std::vector<bool>;

  void Retire(Offset offset, uint64_t bytes, bool is_node);
  // What doesn't fit the segment that it lies in is left alone: so a damaged store, where an object may have two
  // references or lie anywhere, damages no more than itself.
  void FreeNode(Offset node);
  void FreeRecord(Offset record, uint64_t bytes);
  // Sets the mark of an object in a segment that was in use at open; returns whether it was clear.
  bool SetMark(Offset offset, unsigned granule_bytes);
  bool ClearMark(Offset offset, unsigned granule_bytes);
  void SweepNodes(uint64_t segment);
  void SweepRecords(uint64_t segment);
  void ReleaseIfEmpty(uint64_t segment);
  bool IsEmptyNodeSegment(uint64_t segment);

  absl::StatusOr<Offset> PlaceRecord(uint64_t bytes);
  absl::Status TakeAppendSegment(uint64_t bytes);
  uint64_t FindPartialSegment(uint64_t bytes);  // or kNoSegment
  void LeaveAppendSegment(uint64_t segment);
  void WriteRecord(std::byte* to, std::string_view key, std::string_view value, uint32_t flags);
  absl::Status NoSpace(uint64_t bytes) const;

  const Image& image_;
  daxfile::Persist& persist_;
  Epochs& epochs_;
  Segments segments_;

  std::vector<Offset> free_nodes_;
  uint64_t fresh_node_ = 0;  // never used nodes of the newest node segment: [fresh_node_, fresh_node_end_)
  uint64_t fresh_node_end_ = 0;

  static constexpr size_t kReclaimBatch = 64;
  static constexpr uint64_t kNoSegment = ~uint64_t{0};
  uint64_t append_segment_ = kNoSegment;
  std::vector<uint64_t> partial_segments_;  // record segments with room behind their last live record
  uint64_t next_sequence_;

  std::deque<Retired> retired_;
  size_t reclaim_at_ = kReclaimBatch;  // when so many are retired it is tried to free some
  uint64_t bytes_retired_ = 0;
  uint64_t node_bytes_used_ = 0;
  uint64_t record_bytes_used_ = 0;

  bool space_is_known_ = false;
  bool finish_is_due_ = false;  // all is marked, but a reader of another process is there from before the open
  std::unordered_map<uint64_t, MarkBits> marks_;
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_HEAP_H_
