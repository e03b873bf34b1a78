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
  const uint64_t all = segments_.count() - image_.header_segments();
  const uint64_t count = all - std::min(all, leaving_.count());
  return std::max<uint64_t>(count / 8, FewSegments());
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
  int64_t live_behind = 0;
  for (uint64_t each = image_.header_segments(); each < segments_.count(); ++each) {
    const SegmentState& state = segments_.state(each);
    if (each < segment) {
      free_before += state.origin == SegmentState::Origin::kFree;
    } else {
      live_behind += std::max<int64_t>(state.live_bytes, 0);
    }
  }
  // Without making growth due again.
  const uint64_t left_free = (segment - image_.header_segments()) / 8 + FewSegments();
  return free_before >= left_free && FitsInto(free_before - left_free, live_behind);
}

// With a tenth more, for what doesn't fit into the ends of segments.
bool Heap::FitsInto(uint64_t free_segments, int64_t bytes) const {
  return free_segments >= static_cast<uint64_t>(bytes) * 11 / 10 / image_.segment_bytes() + 2;
}

uint64_t Heap::MissingRunBefore(uint64_t segment) {
  const HeapLock lock(mutex_);
  uint64_t run = 0;
  uint64_t longest_run = 0;    // of free ones
  uint64_t longest_large = 0;  // that reaches behind
  for (uint64_t each = image_.header_segments(); each < segments_.count(); ++each) {
    const SegmentState& state = segments_.state(each);
    run = each < segment && state.origin == SegmentState::Origin::kFree ? run + 1 : 0;
    longest_run = std::max(longest_run, run);
    if (state.kind == SegmentKind::kLarge && each + state.run_length > segment) {
      longest_large = std::max<uint64_t>(longest_large, state.run_length);
    }
  }
  return longest_large > longest_run ? longest_large : 0;
}

std::optional<int64_t> Heap::BytesToMove(uint64_t segment) const {
  const SegmentState& state = segments_.state(segment);
  if (state.origin == SegmentState::Origin::kFree) return 0;
  const bool is_movable =
      state.kind == SegmentKind::kNodes || (state.kind == SegmentKind::kRecords && !state.has_prefix);
  if (state.origin != SegmentState::Origin::kCounted || !is_movable || state.is_kept) return std::nullopt;
  return std::max<int64_t>(state.live_bytes, 0);
}

std::optional<SegmentRange> Heap::FindRunToEmpty(uint64_t run_length, uint64_t end) {
  const HeapLock lock(mutex_);
  if (!space_is_known_) return std::nullopt;
  std::optional<SegmentRange> found;
  int64_t least = 0;
  uint64_t free_in_found = 0;
  uint64_t free_before_end = 0;
  uint64_t first = image_.header_segments();
  // Of [first, each]:
  int64_t bytes = 0;
  uint64_t free = 0;
  const auto is_free = [this](uint64_t segment) {
    return segments_.state(segment).origin == SegmentState::Origin::kFree;
  };
  for (uint64_t each = first; each < end; ++each) {
    free_before_end += is_free(each);
    const std::optional<int64_t> bytes_to_move = BytesToMove(each);
    if (!bytes_to_move.has_value()) {
      first = each + 1;
      bytes = 0;
      free = 0;
      continue;
    }
    bytes += *bytes_to_move;
    free += is_free(each);
    if (each + 1 - first < run_length) continue;
    if (free == run_length) return SegmentRange{first, each + 1};
    if (!found.has_value() || bytes < least) {
      found = SegmentRange{first, each + 1};
      least = bytes;
      free_in_found = free;
    }
    bytes -= *BytesToMove(first);
    free -= is_free(first);
    ++first;
  }
  if (found.has_value() && !FitsInto(free_before_end - free_in_found, least)) return std::nullopt;
  return found;
}

void Heap::Withhold(SegmentRange range) {
  const HeapLock lock(mutex_);
  leaving_ = range;
  segments_.Withhold(range);
  if (fresh_node_ < fresh_node_end_ && IsLeaving(image_.SegmentOf(Offset{fresh_node_}))) {
    const uint64_t segment = image_.SegmentOf(Offset{fresh_node_});
    for (; fresh_node_ < fresh_node_end_; fresh_node_ += kNodeBytes) free_nodes_.Put(segment, Offset{fresh_node_});
  }
  for (uint64_t segment = image_.header_segments(); segment < segments_.count(); ++segment) {
    SegmentState& state = segments_.state(segment);
    if (LeavesFrom(segment)) state.is_kept = false;  // it may have been for another time's reason
  }
  NoteSegments();
}

void Heap::EndWithholding() {
  const HeapLock lock(mutex_);
  segments_.EndWithholding();
  leaving_ = {};
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

// One that is withheld, or begins a large record that reaches there, however full it is. The largest first, before
// others take what it needs in one piece.
std::optional<uint64_t> Heap::FindLeavingSegment() const {
  if (segments_.free_count() <= emptying_ + 1) return std::nullopt;
  std::optional<uint64_t> found;
  for (uint64_t segment = image_.header_segments(); segment < segments_.count(); ++segment) {
    const SegmentState& state = segments_.state(segment);
    const bool is_candidate = LeavesFrom(segment) && state.origin == SegmentState::Origin::kCounted &&
                              !state.is_owned && !state.is_being_emptied && !state.is_kept && state.live_bytes > 0;
    if (is_candidate && (!found.has_value() || state.run_length > segments_.state(*found).run_length)) found = segment;
  }
  return found;
}

bool Heap::LeavesFrom(uint64_t segment) const {
  const SegmentState& state = segments_.state(segment);
  return IsLeaving(segment) ||
         (state.kind == SegmentKind::kLarge && state.run_length > 0 && IsLeaving(segment + state.run_length - 1));
}

}  // namespace sealkv::internal
