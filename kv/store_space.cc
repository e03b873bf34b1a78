// Space, as StoreImpl looks after it: the pass after an open that finds what is in use, and what a write that finds no
// space does first.
#include <sched.h>

#include <algorithm>
#include <mutex>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "kv/let_others_run.h"
#include "kv/quiet_thread.h"
#include "kv/store_impl.h"

namespace sealkv::internal {
namespace {

constexpr unsigned kEntriesPerStep = 256;

}  // namespace

// A small store is counted at once; a large one by a thread.
void StoreImpl::BeginBackgroundPass() {
  const std::lock_guard<WriterLock> lock(background_lock_);
  if (background_has_begun_) return;
  const bool is_done = StepBackgroundPass();
  background_has_begun_.store(true, std::memory_order_release);
  if (is_done) return;
  background_ = StartQuietThread([this] { RunInBackground(); });
  if (background_.joinable()) {
    background_runs_.store(true, std::memory_order_release);
  } else {
    while (!StepBackgroundPass()) continue;  // this write takes longer
  }
}

bool StoreImpl::StepBackgroundPass() {
  const ClosedGate closed(gate_);
  if (marker_.is_done()) return true;
  if (!marker_.Step(kEntriesPerStep)) return false;
  ReleaseNodeSpace();
  return true;
}

// Each time there must be more than there ever was before: what an attempt that failed has written is dead, and to gain
// that again is no progress.
bool StoreImpl::FindSpace(SpaceSought* sought, const SpaceWanted& wanted) {
  if (!marker_.is_done()) {
    while (!StepBackgroundPass()) continue;
    return true;
  }
  if (HasMoreSpace(&sought->most_usable)) return true;
  // A large record needs a run of segments, which compaction isn't after.
  const bool grows_first = wanted.run_bytes > 0 || heap_.IsMostlyAlive();
  if (grows_first && GrowForSpace(sought, wanted)) return true;
  if (wanted.run_bytes > 0 && sought->tries_left > 0) {
    if (MakeRun(wanted.run_bytes)) return sought->tries_left-- > 0;
    sought->works_done = growth_.works_done();  // that was this one
  }
  if (CompactForSpace(&sought->most_usable)) return true;
  if (!grows_first && GrowForSpace(sought, wanted)) return true;
  // What others had withheld may be there since.
  const uint64_t works_done = growth_.works_done();
  return works_done != std::exchange(sought->works_done, works_done) && sought->tries_left-- > 0;
}

// This write waits until the part is there. The store's thread is ahead of most.
bool StoreImpl::GrowForSpace(SpaceSought* sought, const SpaceWanted& wanted) {
  if (growth_.AwaitWithheld()) return true;
  if (!growth_.IsPossible()) return false;
  writes_that_grew_.fetch_add(1, std::memory_order_relaxed);
  if (!growth_.Grow(image_.size_bytes(), wanted.bytes, nullptr).ok()) return false;
  HasMoreSpace(&sought->most_usable);
  return true;  // though others may have used it up: it can't grow for ever
}

absl::Status StoreImpl::WithGrowthError(const absl::Status& status) const {
  if (!absl::IsResourceExhausted(status)) return status;
  const std::string why = growth_.IsPossible() ? growth_.last_error() : "";
  const std::string remedy = why.empty() ? " Delete something, or make a larger store." : " It can't grow: " + why;
  return absl::ResourceExhaustedError(absl::StrCat(status.message(), remedy));
}

absl::Status StoreImpl::Grow() {
  if (!IsWritable()) return NotWritableError();
  return growth_.Grow(image_.size_bytes(), 0, nullptr);
}

void StoreImpl::GrowAhead() {
  if (!growth_.IsPossible()) return;
  while (!closing_ && !growth_.IsWithholding() && heap_.WantsGrowth()) {
    const uint64_t size_bytes = image_.size_bytes();
    if (!growth_.Grow(size_bytes, 0, [this] { return !closing_.load(); }).ok()) return;
  }
}

bool StoreImpl::HasMoreSpace(uint64_t* most_usable) {
  const ClosedGate closed(gate_);
  heap_.CollectArenas();
  ReleaseNodeSpace();
  const uint64_t usable = heap_.UsableBytes();
  return usable > std::exchange(*most_usable, std::max(*most_usable, usable));
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
    if (i > 0) LetOthersRun(/*for_longer=*/false);
    nobody_reads = epochs_.Oldest() >= epochs_.current();
    if (!nobody_reads && !epochs_.IsHeldBackByCalls()) break;
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
