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
  return std::max<uint64_t>((segments_.count() - image_.header_segments()) / 8, FewSegments());
}

bool Heap::IsMostlyAlive() {
  const HeapLock lock(mutex_);
  if (!space_is_known_) return false;
  int64_t dead = 0;
  for (uint64_t segment = image_.header_segments(); segment < segments_.count(); ++segment) {
    const SegmentState& state = segments_.state(segment);
    if (state.origin != SegmentState::Origin::kCounted || state.is_owned) continue;
    if (state.kind == SegmentKind::kRecords) dead += int64_t{state.tail} - state.live_bytes;
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

}  // namespace sealkv::internal
