// What compaction asks of the heap: which segment to empty, and that there is somewhere to go.
#include <limits>
#include <mutex>

#include "kv/heap.h"

namespace sealkv::internal {
namespace {

using HeapLock = std::lock_guard<WriterLock>;

// With less than this part of it dead, a segment isn't worth what it costs to move the rest, even if it is the last
// one.
constexpr int64_t kLeastDeadPart = 64;

}  // namespace

std::optional<uint64_t> Heap::FindSegmentToEmpty() const {
  if (!space_is_known_) return std::nullopt;
  std::optional<uint64_t> found;
  int64_t least = std::numeric_limits<int64_t>::max();
  for (uint64_t segment = image_.header_segments(); segment < segments_.count(); ++segment) {
    const SegmentState& state = segments_.state(segment);
    const bool is_candidate = state.kind == SegmentKind::kRecords && state.origin == SegmentState::Origin::kCounted &&
                              !state.is_owned && !state.is_being_emptied && !state.is_kept;
    if (!is_candidate || state.live_bytes >= least) continue;
    // The room behind its tail isn't dead: so each time something is moved there is less that is, and it ends.
    const int64_t dead = int64_t{state.tail} - state.live_bytes;
    if (dead * kLeastDeadPart < static_cast<int64_t>(image_.segment_bytes())) continue;
    least = state.live_bytes;
    found = segment;
  }
  return found;
}

std::optional<Heap::Emptying> Heap::BeginEmptying() {
  const HeapLock lock(mutex_);
  const std::optional<uint64_t> segment = FindSegmentToEmpty();
  if (!segment.has_value()) return std::nullopt;
  SegmentState& state = segments_.state(*segment);
  state.is_being_emptied = true;
  return Emptying{*segment, state.tail};
}

// What was moved is retired, and will be freed; what is still there then is there for a reason, and isn't looked at
// again before something in it has died.
void Heap::EndEmptying(uint64_t segment) {
  const HeapLock lock(mutex_);
  SegmentState& state = segments_.state(segment);
  state.is_being_emptied = false;
  state.is_kept = true;
  ReleaseIfEmpty(segment);
}

bool Heap::IsFree(uint64_t segment) {
  const HeapLock lock(mutex_);
  return segments_.state(segment).origin == SegmentState::Origin::kFree;
}

}  // namespace sealkv::internal
