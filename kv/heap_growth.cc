// What growth asks of the heap, and tells it.
#include <algorithm>
#include <mutex>

#include "kv/heap.h"

namespace sealkv::internal {
namespace {

using HeapLock = std::lock_guard<WriterLock>;

// A store of which less is dead grows, rather than being compacted: at three quarters alive that costs some three bytes
// written for each byte that is gained, and at more it is no bargain at all.
constexpr uint64_t kDeadPercentToCompact = 30;

}  // namespace

// An eighth: as much as the next part will have, which is then made while this is used up.
uint64_t Heap::FreeBeforeGrowth() const {
  const uint64_t count = std::min(segments_.count(), leaving_from_);
  return std::max<uint64_t>((count - image_.header_segments()) / 8, FewSegments());
}

bool Heap::IsMostlyAlive() {
  const HeapLock lock(mutex_);
  if (!space_is_known_) return false;
  int64_t dead = 0;
  const uint32_t now_seconds = may_expire() ? NowSeconds() : 0;
  for (uint64_t segment = image_.header_segments(); segment < segments_.count(); ++segment) {
    const SegmentState& state = segments_.state(segment);
    if (state.origin != SegmentState::Origin::kCounted || state.is_owned) continue;
    if (state.kind == SegmentKind::kRecords) dead += int64_t{state.tail} - NotOver(state, now_seconds);
    if (state.kind == SegmentKind::kLarge) dead += state.live_bytes - NotOver(state, now_seconds);
    if (state.kind == SegmentKind::kNodes) dead += static_cast<int64_t>(image_.segment_bytes()) - state.live_bytes;
  }
  return static_cast<uint64_t>(std::max<int64_t>(dead, 0)) * 100 < image_.size_bytes() * kDeadPercentToCompact;
}

bool Heap::WantsGrowth() { return is_growth_due() && IsMostlyAlive(); }

void Heap::AddSegments(absl::FunctionRef<void()> make_them_there) {
  const HeapLock lock(mutex_);
  make_them_there();
  segments_.ScanAll();
  NoteSegments();
}

bool Heap::FitsBefore(uint64_t segment) {
  const HeapLock lock(mutex_);
  if (!space_is_known_) return false;
  uint64_t free_before = 0;
  uint64_t run = 0;
  uint64_t longest_run = 0;    // of free ones
  uint64_t longest_large = 0;  // that reaches behind
  int64_t live_behind = 0;
  for (uint64_t each = image_.header_segments(); each < segments_.count(); ++each) {
    const SegmentState& state = segments_.state(each);
    if (each < segment) {
      const bool is_free = state.origin == SegmentState::Origin::kFree;
      free_before += is_free;
      run = is_free ? run + 1 : 0;
      longest_run = std::max(longest_run, run);
    } else {
      live_behind += std::max<int64_t>(state.live_bytes, 0);
    }
    if (state.kind == SegmentKind::kLarge && each + state.run_length > segment) {
      longest_large = std::max<uint64_t>(longest_large, state.run_length);
    }
  }
  if (longest_large > longest_run) return false;
  // With a tenth more, for what doesn't fit into the ends of segments. And without making it due again.
  const uint64_t needed = static_cast<uint64_t>(live_behind) * 11 / 10 / image_.segment_bytes() + 2;
  return free_before >= needed + (segment - image_.header_segments()) / 8 + FewSegments();
}

void Heap::Withhold(uint64_t first) {
  const HeapLock lock(mutex_);
  leaving_from_ = first;
  segments_.Withhold(first);
  if (fresh_node_ < fresh_node_end_ && IsLeaving(image_.SegmentOf(Offset{fresh_node_}))) {
    const uint64_t segment = image_.SegmentOf(Offset{fresh_node_});
    for (; fresh_node_ < fresh_node_end_; fresh_node_ += kNodeBytes) free_nodes_.Put(segment, Offset{fresh_node_});
  }
  for (uint64_t segment = image_.header_segments(); segment < segments_.count(); ++segment) {
    SegmentState& state = segments_.state(segment);
    if (segment + state.run_length > first) state.is_kept = false;  // it may have been for another time's reason
  }
  NoteSegments();
}

void Heap::EndWithholding() {
  const HeapLock lock(mutex_);
  segments_.EndWithholding();
  leaving_from_ = ~uint64_t{0};
  NoteSegments();
}

bool Heap::AreAllWithheldFree() {
  const HeapLock lock(mutex_);
  return segments_.AreAllWithheld();
}

void Heap::RemoveWithheld(absl::FunctionRef<void()> make_them_go) {
  const HeapLock lock(mutex_);
  segments_.ForgetWithheld();
  make_them_go();
}

// One that reaches behind where it should end, however full it is.
std::optional<uint64_t> Heap::FindLeavingSegment() const {
  if (segments_.free_count() <= emptying_ + 1) return std::nullopt;
  for (uint64_t segment = image_.header_segments(); segment < segments_.count(); ++segment) {
    const SegmentState& state = segments_.state(segment);
    const bool reaches = IsLeaving(segment) || (state.kind == SegmentKind::kLarge && state.run_length > 0 &&
                                                IsLeaving(segment + state.run_length - 1));
    if (reaches && state.origin == SegmentState::Origin::kCounted && !state.is_owned && !state.is_being_emptied &&
        !state.is_kept && state.live_bytes > 0) {
      return segment;
    }
  }
  return std::nullopt;
}

}  // namespace sealkv::internal
