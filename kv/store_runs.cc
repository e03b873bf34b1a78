// Segments in one piece, as StoreImpl has them emptied: the last part, to make the store smaller, and a run for a large
// value.
#include "kv/let_others_run.h"
#include "kv/store_impl.h"

namespace sealkv::internal {
namespace {

constexpr int kLeastSleeps = 20;
constexpr uint64_t kSegmentsOfOthers = 256;  // that these may empty meanwhile, beside three times as many as wanted

}  // namespace

absl::Status StoreImpl::Shrink() {
  if (absl::Status status = Compact(); !status.ok()) return status;
  return growth_.Shrink([this](SegmentRange range) { return Empty(range); });
}

uint64_t StoreImpl::RunBytes(uint64_t record_bytes) const {
  const uint64_t segment_bytes = image_.segment_bytes();
  return record_bytes > segment_bytes / 2 ? (record_bytes + segment_bytes - 1) / segment_bytes * segment_bytes : 0;
}

bool StoreImpl::MakeRun(uint64_t bytes) {
  // Of what somebody may look at for long nothing is free after it was moved: then that would only take space.
  if (versions_.Now().has_snapshots()) return false;
  epochs_.Advance();
  if (epochs_.Oldest() < epochs_.current() && !epochs_.IsHeldBackByCalls()) return false;
  const uint64_t run_length = bytes / image_.segment_bytes();
  return growth_.MakeRun(run_length, [this](SegmentRange range) { return Empty(range); });
}

absl::Status StoreImpl::Empty(SegmentRange range) {
  {
    const ClosedGate closed(gate_);
    heap_.CollectArenas();
    heap_.Withhold(range);
  }
  // Others compact meanwhile, for ever perhaps.
  uint64_t segments_left = 4 * range.count() + kSegmentsOfOthers;
  // What was moved is free when calls that may be looking at it have ended, and then there is room for more. A pinned
  // value or an iterator may stay.
  for (int idle = 0; idle < kYieldsPerStep + kMostSleeps; ++idle) {
    Compacted compacted;
    while ((compacted = CompactSome(Heap::Thrift::kLeaving)) == Compacted::kShare || compacted == Compacted::kSegment) {
      idle = 0;
      if (compacted == Compacted::kSegment && --segments_left == 0) break;
      if (growth_.IsGrowthWanted()) break;
    }
    if (segments_left == 0) break;
    if (growth_.IsGrowthWanted()) return absl::AbortedError("not made smaller: writers needed the space");
    if (!file_.persist().is_ok()) return file_.persist().status();
    {
      const ClosedGate closed(gate_);
      ReleaseNodeSpace();
      heap_.CollectArenas();
    }
    if (heap_.AreAllWithheldFree()) return absl::OkStatus();
    if (idle >= kYieldsPerStep + kLeastSleeps && !epochs_.IsHeldBackByCalls() && !compactor_.IsBusy()) break;
    LetOthersRun(idle > kYieldsPerStep);
  }
  return absl::FailedPreconditionError(
      "not made smaller: in the way lies what can't be moved now: a snapshot, an iterator or a pinned value may "
      "look at it, or a load is under way; or it is a layer's prefix, which is never moved, or a large value for which "
      "there is no room in one piece");
}

}  // namespace sealkv::internal
