// Where nodes and records live: allocation, retirement, and the count of what is alive.
//
// Allocating and freeing inside a segment touches no persistent memory: what no reference leads to does not exist after
// a crash. Records are appended to a segment, nodes are 256-byte slots.
//
// Thread safety: writers call with an arena that they hold (kv/arena.h), and share what stands behind these: segments,
// and a store of free nodes, under a mutex that is taken once in many operations. The gate must be closed (kv/gate.h)
// where it says so.
#ifndef SEALKV_KV_HEAP_H_
#define SEALKV_KV_HEAP_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daxfile/persist.h"
#include "kv/arena.h"
#include "kv/epoch.h"
#include "kv/expiry.h"
#include "kv/free_nodes.h"
#include "kv/image.h"
#include "kv/record.h"
#include "kv/segments.h"
#include "kv/versions.h"
#include "kv/writer_lock.h"

namespace sealkv::internal {

class Heap {
 public:
  Heap(const Image& image, daxfile::Persist& persist, Epochs& epochs, const Versions& versions, uint32_t generation);

  // The arena of whoever holds the slot.
  Arena& ArenaOf(EpochSlot& slot) {
    Arena* const arena = slot.arena();
    return arena != nullptr ? *arena : MakeArena(slot);
  }

  // Makes sure that the next `count` calls of TakeNode succeed. ResourceExhausted: no space; nothing was changed.
  absl::Status ReserveNodes(Arena& arena, unsigned count);
  // A node slot to write, not referred to by anything yet. Needs a reservation.
  Offset TakeNode(Arena& arena);
  // Takes back a node that was never published.
  void DiscardNode(Arena& arena, Offset node) noexcept;

  // Writes a record; it is durable after the next fence. ResourceExhausted: no space; nothing was changed. Where it
  // replaces another one, its sequence number is to be greater than `replaced`.
  absl::StatusOr<Offset> AppendRecord(Arena& arena, std::string_view key, std::string_view value,
                                      uint32_t flags = kPlainRecord, uint64_t replaced = 0,
                                      uint32_t expiry = kNeverOver);
  // (What gives back is noexcept, here as below: half of it would leave something neither used nor free.)
  //
  // Takes back records that were never published. What was copied around the caches may still be on its way, and would
  // replace what the next thread writes there: so there is a fence first.
  void DiscardRecords(Arena& arena, std::span<const Offset> records) noexcept;

  // Space for something that no reference will lead to.
  absl::StatusOr<Offset> TakeSpace(Arena& arena, uint64_t bytes);
  // Whoever has used it is through, and nothing is on its way there any more.
  void FreeSpace(Arena& arena, Offset offset, uint64_t bytes) noexcept;

  // Gives up an object that no reference leads to any more. It is freed when no reader can still be looking at it.
  void Retire(Arena& arena, const Retired& object) { Retire(arena, object.offset, object.bytes, object.is_node); }
  // The clock when a record was made, or something earlier.
  uint64_t MadeAt(Offset record) const;

  // Whether ReclaimSome is worth its cost.
  static bool IsReclaimDue(const Arena& arena) { return arena.retired.size() >= arena.reclaim_at; }
  // Frees a few objects that the arena has retired, of those that nobody can see any more; if none is known to be such,
  // finds out which are: so no write has to wait for much of this. The caller has refreshed his own epoch.
  void ReclaimSome(Arena& arena);
  // Between these, whoever calls them finds out for writers what nobody can see any more, by FindUnseenIfWanted, again
  // and again: it takes longer than a write.
  void BeginFindingUnseen() { is_found_elsewhere_.store(true, std::memory_order_relaxed); }
  void EndFindingUnseen() { is_found_elsewhere_.store(false, std::memory_order_relaxed); }
  bool FindUnseenIfWanted();  // whether it was
  // Frees all that the arena has retired and nobody can see any more. The caller has refreshed his own epoch, if he
  // can.
  void Reclaim(Arena& arena) noexcept;

  // The gate is closed: frees what can be freed of what anybody has retired, and takes back what the arenas hold: free
  // nodes, and half-full segments.
  void CollectArenas() noexcept;

  // The gate is closed. Whether there are any; costs a look at each segment.
  bool HasEmptyNodeSegments();
  // The gate is closed. Gives back node segments in which no node is left, for use as anything. Nobody may be looking
  // at one, by a hint either: after CollectArenas, LeafHints::Disable and a grace period. Whether there were any.
  bool ReleaseEmptyNodeSegments();

  // ---- compaction (kv/compactor.h, kv/heap_compaction.cc)

  // What compaction is to be content with.
  enum class Thrift : uint8_t {
    kUsual,      // what costs little; the more, the less space there is
    kAtLeisure,  // what nobody waits for
    kNone,       // anything
    kLeaving,    // all of what is to go (Withhold)
  };
  struct Emptying {
    uint64_t segment = 0;
    uint64_t tail = 0;  // of a record segment: what was appended to it, in bytes
    bool are_nodes = false;
    std::vector<Offset> nodes;  // of a node segment: those in use
  };
  // The segment that is least alive, if it is worth emptying. Nothing is placed in it, and it isn't released, before
  // EndEmptying. What was freed of a node segment before the next CollectArenas may be in use again.
  std::optional<Emptying> BeginEmptying(Thrift thrift);
  void EndEmptying(uint64_t segment, bool is_through) noexcept;
  // Whether of what was moved anything has yet to be freed, as far as that is known since the last CollectArenas.
  bool IsSettling();
  std::vector<Offset> NodesInUse(uint64_t segment);
  // No more segments are free than it takes to finish what compaction has begun.
  bool is_reserve_taken() const { return is_reserve_taken_.load(std::memory_order_relaxed); }
  // After something was moved: what room is left of the last free segment isn't for the arena's own.
  void LeaveReserve(Arena& arena);
  // Whoever used that without moving anything.
  void LeaveAppending(Arena& arena);
  // The gate is closed, after CollectArenas: free segments, and what is left behind the tails of others.
  uint64_t UsableBytes();
  // How many segments that compaction has emptied were given back, up to now.
  uint64_t releases() const { return releases_.load(std::memory_order_acquire); }

  // Of record_bytes_used, about: what is over.
  uint64_t OverBytes();
  // Whether anything in it has an expiry.
  bool may_expire() const { return may_expire_.load(std::memory_order_relaxed); }

  // How many free segments are missing to have a few of them.
  uint32_t shortage() const { return shortage_.load(std::memory_order_relaxed); }
  // Whether something has died since compaction last found nothing to gain.
  bool can_gain() const { return can_gain_.load(std::memory_order_relaxed); }
  // Something has changed that compaction may want to know of; once.
  bool needs_attention() const { return attention_.load(std::memory_order_relaxed); }
  void TakeNotice() { attention_.store(false, std::memory_order_relaxed); }

  // ---- growth (kv/growth.h, kv/heap_growth.cc)

  // So few segments are free that it takes more before the last one is gone.
  bool is_growth_due() const { return growth_is_due_.load(std::memory_order_relaxed); }
  // As of the last one taken or given back.
  uint64_t free_segments() const { return free_segments_.load(std::memory_order_relaxed); }
  // So little is dead that growing is better than compaction. Costs a look at each segment.
  bool IsMostlyAlive();
  // Both.
  bool WantsGrowth();
  // `make_them_there` makes the image larger.
  void AddSegments(absl::FunctionRef<void()> make_them_there);

  // ---- shrinking (kv/heap_growth.cc)

  // Whether what lives from a segment on has room before it, and some is left to go on with.
  bool FitsBefore(uint64_t segment);
  // How many free segments in one piece a value that reaches behind the segment needs, if there is no such piece before
  // it; else 0.
  uint64_t MissingRunBefore(uint64_t segment);
  // Where such a piece is made by moving least, nothing perhaps; all of it is before `end`. Nothing: none can be made:
  // there has to be room elsewhere for what lives there, and it has to be such as can be moved anywhere.
  std::optional<SegmentRange> FindRunToEmpty(uint64_t run_length, uint64_t end);
  // The gate is closed. Nothing is placed there any more, until EndWithholding; what lives there may be moved
  // (Thrift::kLeaving), if it has room elsewhere. It becomes free, but isn't taken, until then.
  void Withhold(SegmentRange range);
  void EndWithholding();
  // Nothing is left there; see ReleaseEmptyNodeSegments for segments of nodes.
  bool AreAllWithheldFree();
  // And then they go: `make_them_go` makes the image smaller.
  void RemoveWithheld(absl::FunctionRef<void()> make_them_go);

  // The background pass after an open (kv/mark.h): counts the live objects of the segments that were in use at open.
  // The gate is closed.
  void BeginMarking();
  void MarkNode(Offset node);
  void MarkRecord(Offset record, uint64_t bytes);
  void FinishMarking() noexcept;
  bool space_is_known() const { return space_is_known_; }

  struct Usage {
    bool space_is_known = false;
    uint64_t segments_free = 0;
    uint64_t segments_nodes = 0;
    uint64_t segments_records = 0;
    uint64_t segments_large = 0;
    uint64_t node_bytes_used = 0;
    uint64_t record_bytes_used = 0;
    uint64_t bytes_retired = 0;
    uint64_t node_bytes_idle = 0;
    uint64_t record_bytes_idle = 0;
    std::array<uint64_t, 10> segments_by_liveness{};
    uint64_t segments_kept = 0;
    uint64_t bytes_moved = 0;
  };
  Usage GetUsage();

  // Calls `visit` for each arena there is. What isn't atomic in them is their holders'.
  void ForEachArena(absl::FunctionRef<void(Arena&)> visit);

 private:
  // One bit per 256 bytes of a node segment, or per 16 bytes of a record segment (no two records start in the same 16).
  using MarkBits = std::vector<bool>;

  Arena& MakeArena(EpochSlot& slot);
  void Retire(Arena& arena, Offset offset, uint64_t bytes, bool is_node);

  // All that follows needs the mutex.
  bool RefillNodes(Arena& arena);
  void PutBackNode(Offset node) noexcept;
  // What doesn't fit the segment that it lies in is left alone: so a damaged store, where an object may have two
  // references or lie anywhere, damages no more than itself.
  void FreeNode(Arena& arena, Offset node) noexcept;
  // `is_record`: else it is space that holds anything.
  void FreeRecord(Arena& arena, Offset record, uint64_t bytes, bool is_record) noexcept;
  bool IsOldestUnseen(const Arena& arena) const {
    return !arena.retired.empty() && arena.retired.front().epoch < unseen_before_.load(std::memory_order_acquire);
  }
  void FindUnseen();  // needs no mutex
  // Whether somebody else will.
  bool MayWaitForUnseen(const Arena& arena);
  void Settle();  // what could be freed has been
  // The first so many, of those that nobody can see any more.
  void FreeRetired(Arena& arena, size_t most) noexcept;
  void MarkRecordLocked(Offset record, uint64_t bytes);
  // Sets the mark of an object in a segment that was in use at open; returns whether it was clear.
  bool SetMark(Offset offset, unsigned granule_bytes);
  bool ClearMark(Offset offset, unsigned granule_bytes);
  void TryToFinishMarking() noexcept;
  void SweepNodes(uint64_t segment);
  void SweepRecords(uint64_t segment);
  void ReleaseIfEmpty(uint64_t segment);
  bool IsEmptyNodeSegment(uint64_t segment);

  // Notes in the segment that what is appended from now on is no older than now.
  void MarkTime(Arena& arena, uint64_t clock);
  absl::StatusOr<Offset> PlaceRecord(Arena& arena, uint64_t bytes);
  absl::StatusOr<Offset> PlaceLargeRecord(Arena& arena, uint64_t bytes);
  absl::Status TakeAppendSegment(Arena& arena, uint64_t bytes);
  uint64_t FindPartialSegment(uint64_t bytes);  // or kNoSegment
  // As many free segments as are being emptied, and one at least, are for what compaction moves: without, nothing that
  // dies would make room any more.
  // Never for nodes: these stay, where records and blobs are left again (LeaveReserve).
  uint64_t Reserve(const Arena& arena, SegmentKind kind) const {
    const bool may_use = arena.may_use_reserve && kind != SegmentKind::kNodes;
    return may_use ? 0 : std::max<uint64_t>(1, emptying_);
  }
  std::optional<uint64_t> TakeSegment(Arena& arena, SegmentKind kind, uint32_t run_length);
  void ReleaseSegment(uint64_t segment) noexcept;
  uint64_t FewSegments() const;
  uint64_t FreeBeforeGrowth() const;
  void NoteSegments();
  void CountLiveness(uint64_t segment, Usage* usage) const;
  void NoteFreed(const SegmentState& state, int64_t bytes);
  int64_t MostLive(Thrift thrift) const;
  int64_t RoomIn(uint64_t segment) const;
  int64_t MostRoomBeside(uint64_t segment) const;
  bool HasRoomFor(uint64_t segment) const;
  std::optional<uint64_t> FindSegmentToEmpty(int64_t most_live, bool takes_large) const;
  bool FitsBelow(uint64_t segment) const;
  bool IsLeaving(uint64_t segment) const { return leaving_.Contains(segment); }
  // Nothing is to be placed there.
  bool IsClosed(uint64_t segment) const {
    return segments_.state(segment).is_being_emptied || settling_.contains(segment) || IsLeaving(segment);
  }
  std::optional<uint64_t> FindLeavingSegment() const;
  bool LeavesFrom(uint64_t segment) const;
  // What is moved to make the segment free; nothing: it can't be.
  std::optional<int64_t> BytesToMove(uint64_t segment) const;
  // Whether so much finds a place in so many free segments.
  bool FitsInto(uint64_t free_segments, int64_t bytes) const;
  // The arena appends to its segment no more.
  void LeaveAppendSegment(Arena& arena) noexcept;
  void SyncSequence(Arena& arena);
  void WriteRecord(std::byte* to, std::string_view key, std::string_view value, uint32_t flags, uint32_t expiry,
                   uint64_t sequence);
  // Of a segment that a record is in, or comes to, which will be over.
  void MakeExpiring(SegmentState& state);
  void NoteOwnExpiring(Offset record, uint64_t bytes, uint32_t expiry);  // needs no mutex
  void ForgetExpiring(SegmentState& state);
  // What lives in a segment and isn't over, about.
  int64_t NotOver(const SegmentState& state, uint32_t now_seconds) const;
  absl::Status NoSpace(uint64_t bytes) const;

  static constexpr unsigned kRecordGranuleBytes = 16;
  // When so many are retired it is found out who may still look at them. That costs as much as to free a few hundred,
  // for another core may have to be interrupted. (More at a time made whoever collects all of it with the gate closed
  // hold writers up for longer, and p99.9 no better.)
  size_t ReclaimBatch() const { return std::clamp<size_t>(image_.segment_bytes() / 2048, 64, 2048); }
  // With so many times as much retired a writer no longer waits for somebody else to find out.
  static constexpr size_t kMostBatches = 4;
  // So many are freed at once, after half as many were retired.
  static constexpr size_t kFreedAtOnce = 32;
  static constexpr uint64_t kNoSegment = Arena::kNoSegment;
  // As many nodes go to an arena at once, and from one that has twice as many.
  static constexpr uint64_t kNodesAtOnce = 32;

  const Image& image_;
  daxfile::Persist& persist_;
  Epochs& epochs_;
  const Versions& versions_;

  WriterLock mutex_;
  Segments segments_;
  std::vector<std::unique_ptr<Arena>> arenas_;
  FreeNodes free_nodes_;
  uint64_t fresh_node_ = 0;  // never used nodes of the newest node segment: [fresh_node_, fresh_node_end_)
  uint64_t fresh_node_end_ = 0;
  std::vector<uint64_t> partial_segments_;  // record segments with room behind their last live record
  uint64_t next_sequence_;                  // no arena was further, when it last came by here
  // Of what was there at open, and is counted by marking.
  OwnedCount<int64_t> marked_node_bytes_;
  OwnedCount<int64_t> marked_record_bytes_;
  bool space_is_known_ = false;
  bool finish_is_due_ = false;  // all is marked, but a reader of another process is there from before the open
  std::unordered_map<uint64_t, MarkBits> marks_;

  std::atomic<bool> is_found_elsewhere_{false};
  std::atomic<bool> is_unseen_wanted_{false};
  std::atomic<uint64_t> unseen_before_{0};  // the epoch: nobody can see what anybody retired before it
  SegmentRange leaving_;                    // Withhold
  uint64_t emptying_ = 0;                   // segments that are being emptied
  std::set<uint64_t> settling_;             // those that were, and of which something is still to be freed
  int64_t freed_since_look_ = 0;            // bytes, since compaction last found nothing to gain
  std::atomic<uint64_t> releases_{0};
  std::atomic<uint32_t> shortage_{0};
  std::atomic<bool> is_reserve_taken_{false};
  std::atomic<bool> growth_is_due_{false};
  std::atomic<uint64_t> free_segments_{0};
  std::atomic<bool> may_expire_{false};
  std::vector<std::unique_ptr<Expiring>> expiring_;  // in use and not
  std::vector<Expiring*> expiring_free_;
  std::atomic<bool> can_gain_{true};
  std::atomic<bool> attention_{false};
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_HEAP_H_
