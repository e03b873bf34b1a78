// Compaction, as StoreImpl has it done: by a thread of its own, by writers where that one is late, and for a write that
// finds no space.
#include <sched.h>

#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "kv/let_others_run.h"
#include "kv/quiet_thread.h"
#include "kv/store_impl.h"
#include "kv/write_scope.h"

namespace sealkv::internal {
namespace {

constexpr size_t kObjectsAtOnce = 8;
// What a writer moves with each of its own writes, while there are fewer free segments than there should be: more than
// dies by one, so that it is the last segment that nobody waits for.
constexpr size_t kObjectsPerWrite = 3;
constexpr int kMostTries = 3;
constexpr int kMostWaitsForNode = 8;
constexpr std::chrono::milliseconds kUntilLeisure(200);
// At leisure a fifth of the time: readers are not to notice.
constexpr int kSharesBeforeRest = 64;  // about a millisecond
constexpr std::chrono::milliseconds kRest(4);
constexpr std::chrono::seconds kUntilMoreIsOver(10);

}  // namespace

StoreImpl::Compacted StoreImpl::CompactSome(Heap::Thrift thrift) noexcept {
  if (!file_.persist().is_ok()) return Compacted::kNothing;
  const std::optional<Compactor::Share> share = compactor_.Take(kObjectsAtOnce, thrift);
  return share.has_value() ? Move(*share) : Compacted::kNothing;
}

// What can't be moved because of damage stays, and its segment.
StoreImpl::Compacted StoreImpl::Move(const Compactor::Share& share) noexcept {
  bool has_space = true;
  for (const Offset object : share.objects) {
    if (!file_.persist().is_ok()) has_space = false;
    if (!has_space) break;
    const absl::Status status = share.are_nodes ? MoveNode(object) : MoveRecord(object);
    has_space = !absl::IsResourceExhausted(status);
  }
  const bool is_last = compactor_.Done(share, has_space);
  if (!has_space) return Compacted::kNoSpace;
  return is_last ? Compacted::kSegment : Compacted::kShare;
}

// Segment after segment until there is more space than before; that one took another for what lived in it doesn't
// matter: the next one then finds that half empty. Others may take what was made, but not for ever.
bool StoreImpl::CompactForSpace(uint64_t* most_usable) {
  uint64_t segments_left = image_.segment_count();
  for (int tries_left = kMostTries; tries_left > 0 && segments_left > 0;) {
    const Compacted compacted = CompactSome(Heap::Thrift::kNone);
    if (compacted == Compacted::kShare) continue;
    if (compacted == Compacted::kNothing && compactor_.IsBusy()) {
      LetOthersRun(/*for_longer=*/false);
      continue;
    }
    // A call that may be looking at what was moved ends soon; a pinned value or an iterator may stay.
    for (int i = 0; i < kYieldsPerStep + kMostSleeps; ++i) {
      if (i > 0) LetOthersRun(i > kYieldsPerStep);
      if (HasMoreSpace(most_usable)) return true;
      if (i >= kYieldsPerStep && !epochs_.IsHeldBackByCalls()) break;
    }
    // Others who have moved something may have left room.
    if (compacted == Compacted::kSegment) {
      --segments_left;
    } else {
      --tries_left;
    }
  }
  return false;
}

absl::Status StoreImpl::MoveRecord(Offset at) {
  const std::string_view key = image_.RecordAt(at).key();
  Tree& tree = image_.RecordAt(at).header().flags() == kLogRecord ? log_tree_ : tree_;
  if (tree.Root() == nullptr) return absl::OkStatus();
  {
    // Most of what is looked at is dead, and says so without being locked.
    const EpochGuard guard(epochs_);
    Descent descent;
    Found found;
    absl::StatusOr<Tree::LeafStep> step;
    do {
      tree.Descend(key, Purpose::kRead, descent);
      step = tree.Find(descent, key, &found);
    } while (step.ok() && *step == Tree::LeafStep::kRestart);
    if (!step.ok()) return step.status();
    if (*step == Tree::LeafStep::kAbsent) return absl::OkStatus();
    if (!IsRecord(found.kind) || RecordRef::FromRaw(found.ref).offset() != at) return absl::OkStatus();
  }
  std::optional<std::string> sparse_at;  // the key itself may be gone before the tree is tidied up
  const auto move = [&](Change& change, Location& location) {
    if (location.outcome != Location::Outcome::kFound || !IsRecord(location.kind)) return absl::OkStatus();
    const PathStep& leaf = location.leaf();
    if (leaf.node->record(leaf.perm.slot(leaf.position)).offset() != at) return absl::OkStatus();
    if (tree.IsOverAt(location)) {
      if (Tree::IsSparse(leaf.perm.Remove(leaf.position))) sparse_at.emplace(key);
      return tree.Erase(change, location);
    }
    change.arena().may_use_reserve = true;
    const absl::Status moved = tree.MoveRecord(change, location, key);
    change.arena().may_use_reserve = false;
    if (moved.ok()) change.arena().bytes_moved.Add(image_.RecordAt(at).bytes());
    heap_.LeaveReserve(change.arena());
    return moved;
  };
  // Most of a move is preparation, and the thread may lose its CPU anywhere.
  const absl::Status status = WriteInSpace(tree, key, move, Gate::Kind::kPrepares);
  if (status.ok() && sparse_at.has_value()) Rebalance(tree, *sparse_at, Gate::Kind::kPrepares);
  return status;
}

// Which tree it is of isn't written anywhere: the way of one leads to it.
absl::Status StoreImpl::TryMoveNode(Change& change, const Node* node) {
  unsigned budget = kMostEntriesLookedAt;
  std::optional<std::string> key = tree_.KeyBelow(*node, &budget);
  // An empty tree's root leads to no key, and is on the way to each.
  if (!key.has_value() && (tree_.Root() == node || log_tree_.Root() == node)) key.emplace();
  if (!key.has_value()) return absl::OkStatus();
  for (Tree* const tree : {&tree_, &log_tree_}) {
    if (tree->Root() == nullptr) continue;
    const absl::Status status = tree->MoveNode(change, *key, node);
    if (!status.ok()) return status;
    if (!node->lock().is_obsolete(generation_)) continue;
    change.arena().bytes_moved.Add(kNodeBytes);
    break;
  }
  return absl::OkStatus();
}

absl::Status StoreImpl::MoveNode(Offset at) {
  const Node* const node = image_.NodeAt(at);
  WriteScope scope(*this, Gate::Kind::kPrepares);
  absl::Status status;
  for (int turned_back = 0; turned_back < kMostTurnedBack;) {
    const Node* blocker = nullptr;
    {
      // It may have become part of something that isn't there yet; or somebody is about to change it.
      if (node->lock().is_obsolete(generation_)) return absl::OkStatus();
      if (node->lock().is_locked(generation_)) {
        if (++turned_back > kMostWaitsForNode) return absl::OkStatus();
        scope.WaitFor(nullptr);
        continue;
      }
      Change change(context_, scope.arena());
      status = TryMoveNode(change, node);
      blocker = change.blocker();
    }
    if (!IsRestart(status)) break;
    ++turned_back;
    scope.WaitFor(blocker);
  }
  scope.ReclaimIfDue();
  return IsRestart(status) ? absl::OkStatus() : status;
}

absl::Status StoreImpl::Compact() {
  if (!IsWritable()) return NotWritableError();
  if (absl::Status status = WaitUntilSpaceIsKnown(); !status.ok()) return status;
  uint64_t segments_left = image_.segment_count();  // beside writers there may be more to gain for ever
  for (bool goes_on = true; goes_on;) {
    goes_on = false;
    while (segments_left > 0) {
      const Compacted compacted = CompactSome(Heap::Thrift::kAtLeisure);
      if (compacted == Compacted::kSegment) goes_on = --segments_left > 0;
      if (compacted == Compacted::kShare || compacted == Compacted::kSegment) continue;
      if (!compactor_.IsBusy()) break;
      LetOthersRun(/*for_longer=*/false);
    }
    const ClosedGate closed(gate_);
    ReleaseNodeSpace();
  }
  return file_.persist().status();
}

void StoreImpl::LookAfterSpace(size_t pairs) {
  if (!compacts_in_background_ || !file_.persist().is_ok()) return;
  if (heap_.needs_attention()) {
    heap_.TakeNotice();
    WakeBackground();
  }
  growth_.Pace();
  for (; pairs > 0 && heap_.shortage() > 0 && heap_.can_gain() && !heap_.is_reserve_taken(); --pairs) {
    const std::optional<Compactor::Share> share = compactor_.TryToTake(kObjectsPerWrite, Heap::Thrift::kUsual);
    if (!share.has_value()) return;
    Move(*share);
  }
}

void StoreImpl::WakeBackground() {
  bell_.Ring();
  if (background_runs_.load(std::memory_order_acquire)) return;
  const std::lock_guard<WriterLock> lock(background_lock_);
  if (background_runs_) return;
  background_ = StartQuietThread([this] { RunInBackground(); });
  // Without one writers make space when they find none.
  if (background_.joinable()) background_runs_.store(true, std::memory_order_release);
}

void StoreImpl::RunInBackground() {
  RunBackgroundPass();
  while (compacts_in_background_ && !closing_) {
    GrowAhead();
    CompactInBackground(Heap::Thrift::kUsual);
    bool has_rung = bell_.Wait(kUntilLeisure) || CompactInBackground(Heap::Thrift::kAtLeisure);
    // What has an expiry dies without anybody's doing.
    while (!has_rung && heap_.may_expire()) {
      has_rung = bell_.Wait(kUntilMoreIsOver) || CompactInBackground(Heap::Thrift::kAtLeisure);
    }
    if (!has_rung) bell_.Wait();
  }
}

bool StoreImpl::CompactInBackground(Heap::Thrift thrift) {
  const bool is_at_leisure = thrift == Heap::Thrift::kAtLeisure;
  bool has_emptied = false;
  bool has_rung = false;
  heap_.BeginFindingUnseen();
  for (int shares = 1; !closing_ && !has_rung && file_.persist().is_ok(); ++shares) {
    heap_.FindUnseenIfWanted();
    if (is_at_leisure && shares % kSharesBeforeRest == 0) has_rung = bell_.Wait(kRest);
    const Compacted compacted = CompactSome(thrift);
    if (compacted == Compacted::kNothing || compacted == Compacted::kNoSpace) {
      if (!compactor_.IsBusy()) break;
      sched_yield();
    }
    if (compacted != Compacted::kSegment) continue;
    has_emptied = true;
    GrowAhead();
  }
  heap_.EndFindingUnseen();
  // What writers have emptied, too, when they have come to rest.
  const bool is_left = has_emptied || (is_at_leisure && heap_.IsSettling());
  if (!is_left || closing_) return has_rung;
  // The rest of what was moved, and nodes' segments.
  const ClosedGate closed(gate_);
  ReleaseNodeSpace();
  return has_rung;
}

}  // namespace sealkv::internal
