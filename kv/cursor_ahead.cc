// What comes next, fetched by the time that the cursor is there: leaves, four of them ahead (two, where they lead to
// records), also across the end of their parent; and those records, ten of them ahead.
#include <algorithm>
#include <array>

#include "kv/cursor.h"

namespace sealkv::internal {
namespace {

constexpr int kLeavesPerStep = 2;
constexpr unsigned kMostLeavesWithRecords = 2;
constexpr int kLeavesFromUncle = 6;          // so many before the end of a parent the next one is fetched
constexpr uint64_t kMostBytesFetched = 512;  // of a record, ahead
constexpr int kFetchedPerStep = 2;
constexpr int kFetchedAtFirst = 4;

}  // namespace

const Node* Cursor::NextParent(const Frame& parent, Direction direction) const {
  if (parent.is_layer_root || &parent == frames_.data()) return nullptr;
  const Frame& above = (&parent)[-1];
  const int next = above.position + static_cast<int>(direction);
  if (next < 0 || next >= static_cast<int>(above.count())) return nullptr;
  const Node* const node = tree_.image().NodeAt(above.child_at(static_cast<unsigned>(next)));
  return IsCurrent(above) ? node : nullptr;  // else nothing may keep it
}

inline const Node* Cursor::ChildAhead(const Frame& parent, int distance, Direction direction) {
  const auto position = static_cast<unsigned>(parent.position + distance * static_cast<int>(direction));
  if (position < parent.count()) return tree_.image().NodeAt(parent.child_at(position));
  const int beyond =
      direction == Direction::kForward ? static_cast<int>(position - parent.count()) : static_cast<int>(~position);
  return ChildOfNextParent(parent, beyond, direction);
}

const Node* Cursor::ChildOfNextParent(const Frame& parent, int beyond, Direction direction) {
  const Node* const uncle = NextParent(parent, direction);
  if (uncle == nullptr) return nullptr;
  // What hangs from it now may be newer than the snapshot, and then nothing keeps it.
  if (at_snapshot_ && next_parent_home_ != uncle) {
    if (uncle->lock().may_be_held()) return nullptr;  // it isn't worth waiting for
    tree_.ReadAt(*uncle, snapshot_, &next_parent_);
    next_parent_home_ = uncle;
  }
  if (at_snapshot_ && (!next_parent_.IsWellFormed() || next_parent_.level() != parent.level)) return nullptr;
  const Perm perm = at_snapshot_ ? next_parent_.perm() : uncle->perm();
  const int position = direction == Direction::kForward ? beyond : static_cast<int>(perm.count()) - 1 - beyond;
  if (position < 0 || position >= static_cast<int>(perm.count())) return nullptr;
  const auto at = static_cast<unsigned>(position);
  return tree_.image().NodeAt(at_snapshot_ ? next_parent_.child(at) : uncle->child(perm.slot(at)));
}

// By the time that they are read they are here. At first two: whoever wants a few records only isn't to pay for more.
void Cursor::PrefetchLeavesAhead(const Frame& parent, const Node* leaf, Direction direction) {
  const bool goes_on = ahead_.leaf_count > 0 && ahead_.leaves[0] == leaf;
  if (goes_on) std::copy(ahead_.leaves.begin() + 1, ahead_.leaves.end(), ahead_.leaves.begin());
  ahead_.leaf_count = goes_on ? ahead_.leaf_count - 1 : 0;
  // Where records are fetched, too, more would be in their way.
  const unsigned most = ahead_.fetched.leaf == nullptr ? Ahead::kMostLeaves : kMostLeavesWithRecords;
  for (int budget = kLeavesPerStep; budget > 0 && ahead_.leaf_count < most; --budget) {
    const Node* const next = ChildAhead(parent, static_cast<int>(ahead_.leaf_count) + 1, direction);
    if (next == nullptr) break;
    ahead_.leaves[ahead_.leaf_count++] = next;
    next->Prefetch();
    if (at_snapshot_) snapshot_.versions->PrefetchHistory(*next);
  }
  if (at_snapshot_ && ahead_.leaf_count > 0) snapshot_.versions->PrefetchImage(*ahead_.leaves[0]);
  // What these are asked of, soon.
  const int left =
      direction == Direction::kForward ? static_cast<int>(parent.count()) - 1 - parent.position : parent.position;
  if (left >= kLeavesFromUncle || (goes_on && left < kLeavesFromUncle - 1)) return;
  if (const Node* const uncle = NextParent(parent, direction)) uncle->Prefetch();
}

void Cursor::PrefetchRecord(RecordRef record) const {
  // As many lines for all records of a size, wherever they lie: that the CPU can foretell.
  tree_.image().PrefetchRecord(record.offset(), std::min(usual_record_bytes_, kMostBytesFetched));
}

// A few with each step, and never many at once: whoever asks for more than the core can wait for at a time waits
// himself.
void Cursor::FetchMore(const Frame& frame, Direction direction) {
  Ahead::Fetched& fetched = ahead_.fetched;
  int budget = kFetchedPerStep;
  if (fetched.count > 0 && ahead_.direction == direction) [[likely]] {
    --fetched.count;  // the cursor moves on by one
  } else {
    BeginFetching(frame, direction);
    budget = kFetchedAtFirst;
  }
  for (; budget > 0; --budget, ++fetched.count) {
    if (!IsUpcoming(fetched.position) || fetched.leaf != upcoming_.home) [[unlikely]] {
      if (!FindUpcoming(frame)) break;
    }
    const unsigned slot = upcoming_.perm.slot(static_cast<unsigned>(fetched.position));
    fetched.position += static_cast<int>(direction);
    const Kind kind = upcoming_.kinds.kind(slot);
    if (IsRecord(kind)) [[likely]] {
      PrefetchRecord(upcoming_.home->record(slot));
    } else if (kind == Kind::kLayer) {
      if (const Node* const root = tree_.image().NodeAt(upcoming_.home->child(slot))) root->Prefetch();
    }
  }
}

void Cursor::BeginFetching(const Frame& frame, Direction direction) {
  ahead_.fetched = {frame.home, frame.position, -1};
  ahead_.direction = direction;
  upcoming_.home = nullptr;
}

const Node* Cursor::LeafAfter(const Node* leaf, const Frame& frame) const {
  if (leaf == frame.home) return ahead_.leaf_count > 0 ? ahead_.leaves[0] : nullptr;
  for (unsigned i = 0; i + 1 < ahead_.leaf_count; ++i) {
    if (leaf == ahead_.leaves[i]) return ahead_.leaves[i + 1];
  }
  return nullptr;
}

// Reads the leaf that the next entry to be fetched is in. False: it isn't known yet.
bool Cursor::FindUpcoming(const Frame& frame) {
  Ahead::Fetched& fetched = ahead_.fetched;
  for (unsigned hops = 0; hops <= ahead_.leaf_count; ++hops) {
    if (fetched.leaf != upcoming_.home) upcoming_ = {fetched.leaf, fetched.leaf->perm(), fetched.leaf->kinds()};
    if (IsUpcoming(fetched.position)) return true;
    const Node* const next = LeafAfter(fetched.leaf, frame);
    if (next == nullptr) return false;
    fetched.leaf = next;
    fetched.position = ahead_.direction == Direction::kForward ? 0 : static_cast<int>(next->perm().count()) - 1;
  }
  return false;
}

}  // namespace sealkv::internal
