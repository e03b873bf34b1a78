// What the background pass after an open tells the heap: which objects of the segments that were in use at open are
// alive. The rest of these segments is free when it is through.
#include <algorithm>
#include <mutex>

#include "kv/heap.h"

namespace sealkv::internal {
namespace {

using HeapLock = std::lock_guard<WriterLock>;

}  // namespace

void Heap::BeginMarking() {
  const HeapLock lock(mutex_);
  segments_.ScanAll();
  for (uint64_t segment = image_.header_segments(); segment < segments_.count(); ++segment) {
    const SegmentState& state = segments_.state(segment);
    if (state.origin != SegmentState::Origin::kUnknown) continue;
    // The bits come with the first mark: there may be gigabytes of them in all, and this is somebody's first write.
    if (state.kind != SegmentKind::kFree) marks_[segment];
    if (state.kind == SegmentKind::kLarge) segment += state.run_length - 1;
  }
}

bool Heap::SetMark(Offset offset, unsigned granule_bytes) {
  const uint64_t segment = image_.SegmentOf(offset);
  const auto found = marks_.find(segment);
  if (found == marks_.end()) return false;
  const SegmentState& state = segments_.state(segment);
  if (found->second.empty()) {
    const unsigned granule = state.kind == SegmentKind::kNodes ? kNodeBytes : kRecordGranuleBytes;
    found->second.resize(state.kind == SegmentKind::kLarge ? 1 : image_.segment_bytes() / granule);
  }
  const uint64_t bit = (Raw(offset) - Raw(image_.SegmentStart(segment))) / granule_bytes;
  if (bit >= found->second.size() || found->second[bit]) return false;
  found->second[bit] = true;
  return true;
}

bool Heap::ClearMark(Offset offset, unsigned granule_bytes) {
  const uint64_t segment = image_.SegmentOf(offset);
  const auto found = marks_.find(segment);
  if (found == marks_.end()) return false;
  const uint64_t bit = (Raw(offset) - Raw(image_.SegmentStart(segment))) / granule_bytes;
  if (bit >= found->second.size() || !found->second[bit]) return false;
  found->second[bit] = false;
  return true;
}

void Heap::MarkNode(Offset node) {
  if (!SetMark(node, kNodeBytes)) return;
  segments_.state(image_.SegmentOf(node)).live_bytes += kNodeBytes;
  marked_node_bytes_.Add(kNodeBytes);
}

void Heap::MarkRecord(Offset record, uint64_t bytes) {
  const RecordView view = image_.RecordAt(record);
  std::unique_lock<WriterLock> lock(mutex_, std::defer_lock);
  if (!view.is_null() && view.header().expiry != kNeverOver) lock.lock();
  MarkRecordLocked(record, bytes);
}

// The mutex is needed for those with an expiry only.
void Heap::MarkRecordLocked(Offset record, uint64_t bytes) {
  const uint64_t segment = image_.SegmentOf(record);
  SegmentState& state = segments_.state(segment);
  const RecordView view = image_.RecordAt(record);
  const bool expires = !view.is_null() && view.header().expiry != kNeverOver;
  if (expires && marks_.contains(segment)) MakeExpiring(state);  // before the mark: it won't be looked at again
  if (!SetMark(record, kRecordGranuleBytes)) return;
  state.live_bytes += static_cast<int64_t>(bytes);
  marked_record_bytes_.Add(static_cast<int64_t>(bytes));
  const uint64_t end =
      std::min(Raw(record) + bytes - Raw(image_.SegmentStart(segment)), image_.segment_bytes());  // damaged: beyond
  if (expires) state.expiring->Add(bytes, view.header().expiry);
  state.has_prefix |= !view.is_null() && view.header().flags() == kPrefixRecord;
  if (state.kind == SegmentKind::kRecords) state.tail = std::max(state.tail, static_cast<uint32_t>(end));
}

// A node segment stays one, even if nothing lives in it: a reader may still follow a hint there.
void Heap::SweepNodes(uint64_t segment) {
  const MarkBits& marks = marks_[segment];  // empty if nothing was met
  for (uint64_t i = image_.segment_bytes() / kNodeBytes; i-- > 0;) {
    if (marks.empty() || !marks[i]) free_nodes_.Put(segment, image_.SegmentStart(segment) + i * kNodeBytes);
  }
}

void Heap::SweepRecords(uint64_t segment) {
  const SegmentState& state = segments_.state(segment);
  if (state.live_bytes == 0) {
    ReleaseSegment(segment);
  } else if (state.kind == SegmentKind::kRecords && state.tail < image_.segment_bytes()) {
    partial_segments_.push_back(segment);
  }
}

// noexcept: what was swept in part wouldn't be swept again.
void Heap::FinishMarking() noexcept {
  const HeapLock lock(mutex_);
  TryToFinishMarking();
}

void Heap::TryToFinishMarking() noexcept {
  finish_is_due_ = !epochs_.AreAllReadersFromNow();
  if (finish_is_due_) return;  // what no mark is on may still be looked at: CollectArenas tries again
  // What is unlinked but may still be looked at keeps its place until it is freed.
  const auto mark = [this](const Retired& retired) {
    if (retired.is_node) {
      MarkNode(retired.offset);
    } else {
      MarkRecordLocked(retired.offset, retired.bytes);
    }
  };
  for (const auto& arena : arenas_) std::for_each(arena->retired.begin(), arena->retired.end(), mark);
  versions_.ForEachRetained(mark);
  for (uint64_t segment = image_.header_segments(); segment < segments_.count(); ++segment) {
    SegmentState& state = segments_.state(segment);
    if (state.origin != SegmentState::Origin::kUnknown || state.kind == SegmentKind::kFree) continue;
    const uint32_t run_length = state.run_length;
    for (uint32_t i = 0; i < run_length; ++i) segments_.state(segment + i).origin = SegmentState::Origin::kCounted;
    if (state.kind == SegmentKind::kNodes) {
      SweepNodes(segment);
    } else {
      SweepRecords(segment);
    }
    segment += run_length - 1;
  }
  marks_.clear();
  space_is_known_ = true;
  NoteSegments();
  attention_.store(true, std::memory_order_relaxed);
}

}  // namespace sealkv::internal
