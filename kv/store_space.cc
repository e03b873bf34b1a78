// Space, as StoreImpl looks after it: the pass after an open that finds what is in use, and what is done for a write
// that finds no space.
#include <sched.h>

#include <mutex>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include "kv/compactor.h"
#include "kv/store_impl.h"
#include "kv/wait.h"

namespace sealkv::internal {
namespace {

constexpr unsigned kEntriesPerStep = 256;
constexpr int kYieldsPerStep = 64;

}  // namespace

// A small store is counted at once; a large one by a thread.
void StoreImpl::BeginBackgroundPass() {
  const std::lock_guard<WriterLock> lock(background_lock_);
  if (background_has_begun_) return;
  const bool is_done = StepBackgroundPass();
  background_has_begun_.store(true, std::memory_order_release);
  if (is_done) return;
  try {
    background_ = std::thread([this] { RunBackgroundPass(); });
  } catch (const std::system_error&) {
    while (!StepBackgroundPass()) continue;  // no thread to be had: this write takes longer
  }
}

bool StoreImpl::StepBackgroundPass() {
  const ClosedGate closed(gate_);
  if (marker_.is_done()) return true;
  if (!marker_.Step(kEntriesPerStep)) return false;
  ReleaseNodeSpace();
  return true;
}

bool StoreImpl::FindSpace(bool* has_collected) {
  if (!marker_.is_done()) {
    while (!StepBackgroundPass()) continue;
    return true;
  }
  // Once: what the attempt takes for its nodes would be released again, and again.
  if (std::exchange(*has_collected, true)) return Compact();
  const ClosedGate closed(gate_);
  heap_.CollectArenas();
  ReleaseNodeSpace();
  return true;
}

bool StoreImpl::ReleaseNodeSpace() {
  if (!marker_.status().ok()) return false;
  heap_.CollectArenas();
  if (!heap_.HasEmptyNodeSegments()) return false;
  tree_.hints().Disable();
  epochs_.Advance();
  // A reader from before may still follow a hint, or leave one. A call ends soon; a pinned value or an iterator may
  // stay: then not now.
  bool nobody_reads = false;
  for (int i = 0; i < kYieldsPerStep && !nobody_reads; ++i) {
    if (i > 0 && !WaitInTest()) sched_yield();
    nobody_reads = epochs_.Oldest() >= epochs_.current();
  }
  heap_.CollectArenas();
  bool has_released = false;
  if (nobody_reads) {
    tree_.hints().Clear();
    has_released = heap_.ReleaseEmptyNodeSegments();
  }
  tree_.hints().Enable();
  return has_released;
}

// One at a time: who comes second may find that there is space now. Segment after segment until one has become free;
// that it took another one for what lived in it doesn't matter: the next one then finds that half empty.
bool StoreImpl::Compact() {
  const std::lock_guard<WriterLock> lock(compaction_lock_);
  Compactor compactor(image_, heap_);
  for (;;) {
    const absl::StatusOr<std::optional<uint64_t>> emptied =
        compactor.EmptyOneSegment([this](Offset record) { return Relocate(record); });
    if (!emptied.ok() || !emptied->has_value()) return false;
    // A call that may be looking at what was moved ends soon; a pinned value or an iterator may stay.
    for (int i = 0; i < kYieldsPerStep; ++i) {
      if (i > 0 && !WaitInTest()) sched_yield();
      const ClosedGate closed(gate_);
      heap_.CollectArenas();
      if (heap_.IsFree(**emptied)) return true;
    }
  }
}

absl::Status StoreImpl::Relocate(Offset record) {
  const std::string_view key = image_.RecordAt(record).key();
  {
    // Most of what is looked at is dead, and says so without being locked.
    const EpochGuard guard(epochs_);
    Descent descent;
    Found found;
    absl::StatusOr<Tree::LeafStep> step;
    do {
      tree_.Descend(key, Purpose::kRead, descent);
      step = tree_.Find(descent, key, &found);
    } while (step.ok() && *step == Tree::LeafStep::kRestart);
    if (!step.ok()) return step.status();
    if (*step == Tree::LeafStep::kAbsent) return absl::OkStatus();
    if (!IsRecord(found.kind) || RecordRef::FromRaw(found.ref).offset() != record) return absl::OkStatus();
  }
  return WriteInSpace(key, [&](Change& change, Location& location) {
    if (location.outcome != Location::Outcome::kFound || !IsRecord(location.kind)) return absl::OkStatus();
    const PathStep& leaf = location.leaf();
    if (leaf.node->record(leaf.perm.slot(leaf.position)).offset() != record) return absl::OkStatus();
    change.arena().may_use_reserve = true;
    const absl::Status moved = tree_.MoveRecord(change, location, key);
    change.arena().may_use_reserve = false;
    return moved;
  });
}

void StoreImpl::RunBackgroundPass() {
  for (bool done = false; !done && !closing_;) {
    // Writers go first, within reason.
    for (int i = 0; i < kYieldsPerStep && gate_.IsBusy() && !closing_; ++i) sched_yield();
    done = StepBackgroundPass();
  }
}

absl::Status StoreImpl::WaitUntilSpaceIsKnown() {
  if (generation_ == 0) return absl::OkStatus();
  background_has_begun_ = true;
  while (!StepBackgroundPass()) continue;
  const ClosedGate closed(gate_);
  heap_.CollectArenas();
  return marker_.status();
}

}  // namespace sealkv::internal
