// Objects that no reference leads to any more: retired, and free when nobody can see them; and segments that are given
// back when nothing lives there.
#include <algorithm>
#include <mutex>

#include "kv/heap.h"

namespace sealkv::internal {
namespace {

using HeapLock = std::lock_guard<WriterLock>;

}  // namespace

// Made in place: a copy would be loaded in pieces wider than it was stored, and such a load waits for the fence.
void Heap::Retire(Arena& arena, Offset offset, uint64_t bytes, bool is_node) {
  arena.retired.emplace_back(epochs_.current(), offset, bytes, is_node);
  arena.bytes_retired.Add(static_cast<int64_t>(bytes));
}

// What one thread finds out is true of what all have retired: whatever is given up stands behind a lock that was taken
// by a locked instruction, before the epoch was read for it. So who comes in a later epoch sees that, or what came
// after.
void Heap::FindUnseen() {
  epochs_.Advance();
  unseen_before_.store(epochs_.Oldest(), std::memory_order_release);
}

void Heap::ReclaimSome(Arena& arena) {
  if (IsOldestUnseen(arena)) {
    const HeapLock lock(mutex_);
    FreeRetired(arena, kFreedAtOnce);
    SyncSequence(arena);
  } else if (MayWaitForUnseen(arena)) {
    is_unseen_wanted_.store(true, std::memory_order_relaxed);
    arena.reclaim_at = arena.retired.size() + kFreedAtOnce;
    return;
  } else {
    FindUnseen();
  }
  arena.reclaim_at = arena.retired.size() + (IsOldestUnseen(arena) ? kFreedAtOnce / 2 : ReclaimBatch());
}

bool Heap::MayWaitForUnseen(const Arena& arena) {
  return is_found_elsewhere_.load(std::memory_order_relaxed) && arena.retired.size() < kMostBatches * ReclaimBatch();
}

bool Heap::FindUnseenIfWanted() {
  if (!is_unseen_wanted_.load(std::memory_order_relaxed)) return false;
  is_unseen_wanted_.store(false, std::memory_order_relaxed);
  FindUnseen();
  return true;
}

void Heap::Reclaim(Arena& arena) noexcept {
  if (!arena.retired.empty()) {
    FindUnseen();
    const HeapLock lock(mutex_);
    FreeRetired(arena, arena.retired.size());
    SyncSequence(arena);
  }
  arena.reclaim_at = arena.retired.size() + ReclaimBatch();
}

void Heap::FreeRetired(Arena& arena, size_t most) noexcept {
  for (; most > 0 && IsOldestUnseen(arena); --most) {
    const Retired retired = arena.retired.front();
    arena.retired.pop_front();
    arena.bytes_retired.Add(-static_cast<int64_t>(retired.bytes));
    if (retired.is_node) {
      FreeNode(arena, retired.offset);
    } else {
      FreeRecord(arena, retired.offset, retired.bytes, /*is_record=*/true);
    }
  }
}

void Heap::FreeNode(Arena& arena, Offset node) noexcept {
  SegmentState& state = segments_.state(image_.SegmentOf(node));
  if (state.kind != SegmentKind::kNodes || state.live_bytes < int64_t{kNodeBytes}) return;
  if (state.origin != SegmentState::Origin::kCounted) {
    // Not counted yet: without its mark the sweep finds it free.
    if (!ClearMark(node, kNodeBytes)) return;
    state.live_bytes -= kNodeBytes;
  } else if (IsClosed(image_.SegmentOf(node))) {
    if (state.live_bytes <= state.kept_live_bytes) state.is_kept = false;
    PutBackNode(node);
  } else {
    if (state.live_bytes <= state.kept_live_bytes) state.is_kept = false;
    arena.free_nodes.push_back(node);
    image_.NodeAt(node)->Prefetch();  // it is the next to be taken
    if (arena.free_nodes.size() >= 2 * kNodesAtOnce) {
      for (uint64_t i = 0; i < kNodesAtOnce; ++i) {
        PutBackNode(arena.free_nodes.back());
        arena.free_nodes.pop_back();
      }
    }
  }
  arena.node_bytes_used.Add(-int64_t{kNodeBytes});
}

void Heap::FreeRecord(Arena& arena, Offset record, uint64_t record_bytes, bool is_record) noexcept {
  const auto bytes = static_cast<int64_t>(record_bytes);
  const uint64_t segment = image_.SegmentOf(record);
  SegmentState& state = segments_.state(segment);
  const bool holds_records = state.kind == SegmentKind::kRecords || state.kind == SegmentKind::kLarge;
  if (!holds_records || (state.live_bytes < bytes && !state.is_owned)) return;
  if (state.origin != SegmentState::Origin::kCounted && !ClearMark(record, kRecordGranuleBytes)) return;
  if (is_record && state.expiring != nullptr) {
    const RecordView view = image_.RecordAt(record);  // damaged, it may have become anything since it was retired
    if (!view.is_null() && view.header().expiry != kNeverOver)
      state.expiring->Remove(record_bytes, view.header().expiry);
  }
  state.live_bytes -= bytes;
  if (state.live_bytes < state.kept_live_bytes) state.is_kept = false;
  arena.record_bytes_used.Add(-bytes);
  if (state.origin != SegmentState::Origin::kCounted) return;
  NoteFreed(state, bytes);
  if (!state.is_owned) {
    ReleaseIfEmpty(segment);
  } else if (segment == arena.append_segment && state.live_bytes + arena.appended_bytes.get() == 0) {
    state.live_bytes = 0;
    arena.appended_bytes.Set(0);
    state.tail = 0;
    ForgetExpiring(state);
    MarkTime(arena, versions_.Now().clock());
  } else if (segment == arena.append_segment && !is_record &&
             Raw(record) + record_bytes == Raw(image_.SegmentStart(segment)) + state.tail) {
    state.tail -= static_cast<uint32_t>(record_bytes);  // a batch's blob: what room there is stays, however many come
  }
}

void Heap::ReleaseIfEmpty(uint64_t segment) {
  const SegmentState& state = segments_.state(segment);
  if (state.live_bytes == 0 && !state.is_being_emptied) ReleaseSegment(segment);
}

bool Heap::IsEmptyNodeSegment(uint64_t segment) {
  const SegmentState& state = segments_.state(segment);
  return state.kind == SegmentKind::kNodes && state.origin == SegmentState::Origin::kCounted && state.live_bytes == 0 &&
         !state.is_being_emptied;
}

bool Heap::HasEmptyNodeSegments() {
  const HeapLock lock(mutex_);
  for (uint64_t segment = image_.header_segments(); segment < segments_.count(); ++segment) {
    if (IsEmptyNodeSegment(segment)) return true;
  }
  return false;
}

bool Heap::ReleaseEmptyNodeSegments() {
  const HeapLock lock(mutex_);
  if (fresh_node_ < fresh_node_end_ && segments_.state(image_.SegmentOf(Offset{fresh_node_})).live_bytes == 0) {
    fresh_node_ = fresh_node_end_;
  }
  const uint64_t free_before = segments_.free_count();
  for (uint64_t segment = image_.header_segments(); segment < segments_.count(); ++segment) {
    if (!IsEmptyNodeSegment(segment)) continue;
    free_nodes_.Forget(segment);
    ReleaseSegment(segment);
  }
  return segments_.free_count() > free_before;
}

}  // namespace sealkv::internal
