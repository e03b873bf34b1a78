// Space, as StoreImpl looks after it: the pass after an open that finds what is in use, and what a write that finds no
// space does first.
#include <sched.h>

#include <algorithm>
#include <mutex>
#include <system_error>
#include <utility>

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
    background_ = std::thread([this] { RunInBackground(); });
    background_runs_.store(true, std::memory_order_release);
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

// Each time there must be more than there ever was before: what an attempt that failed has written is dead, and to gain
// that again is no progress.
bool StoreImpl::FindSpace(uint64_t* most_usable) {
  if (!marker_.is_done()) {
    while (!StepBackgroundPass()) continue;
    return true;
  }
  return HasMoreSpace(most_usable) || CompactForSpace(most_usable);
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
    if (i > 0 && !WaitInTest()) sched_yield();
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
