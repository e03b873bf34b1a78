#include "kv/cursor.h"

#include <algorithm>
#include <cstring>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "kv/sealkv.h"
#include "kv/search.h"

namespace sealkv::internal {

Cursor::Cursor(const Tree& tree, Epochs& epochs, WalkObserver* observer)
    : tree_(tree), epochs_(epochs), observer_(observer), at_snapshot_(false), seconds_(NowSeconds()) {}

Cursor::Cursor(const Tree& tree, Epochs& epochs, const SnapshotView& snapshot)
    : tree_(tree),
      epochs_(epochs),
      observer_(nullptr),
      at_snapshot_(true),
      snapshot_(snapshot),
      seconds_(snapshot.seconds) {}

Cursor::~Cursor() { Stop(); }

void Cursor::Stop() {
  is_valid_ = false;
  ahead_ = {};
  DropFrames();
  if (slot_ != nullptr) Epochs::Exit(std::exchange(slot_, nullptr));
}

void Cursor::Renew() {
  if (at_snapshot_) return;
  if (slot_ == nullptr) {
    slot_ = epochs_.Enter();
  } else if (slot_->epoch() != epochs_.current()) {
    epochs_.Refresh(slot_, epochs_.current());
  }
}

Cursor::Result Cursor::Fail(const void* where, const char* what) {
  status_ = absl::DataLossError(absl::StrCat("store damaged at offset ", Raw(tree_.image().OffsetOf(where)), ": ", what,
                                             ". Run `kvdump check` to learn how much is affected."));
  return Result::kFailed;
}

// ---- moving

void Cursor::SeekToFirst() { Reach(Goal::kFirst, {}); }
void Cursor::SeekToLast() { Reach(Goal::kLast, {}); }
void Cursor::Seek(std::string_view key) { Reach(Goal::kAtOrAfter, key); }
void Cursor::SeekAfter(std::string_view key) { Reach(Goal::kAfter, key); }
void Cursor::SeekBefore(std::string_view key) { Reach(Goal::kBefore, key); }

void Cursor::SeekForPrev(std::string_view key_view) {
  const std::string key(key_view);  // which may be this cursor's own
  Reach(Goal::kAtOrAfter, key);
  if (!status_.ok() || (is_valid_ && key_ == key)) return;
  Reach(Goal::kBefore, key);
}

[[gnu::always_inline]] inline Cursor::Result Cursor::ReadRecord(const Frame& frame) {
  const Offset at = frame.record().offset();
  const RecordView record = tree_.image().RecordAt(at);
  if (record.is_null()) [[unlikely]]
    return Fail(frame.home, "a reference to a record leads nowhere");
  const std::string_view key = record.key();
  // A record that another entry should lead to would make the walk jump, and whoever pages through a store go in
  // circles.
  if (key.size() < frame.depth || SliceAt(key, frame.depth) != frame.slice()) [[unlikely]] {
    return Fail(frame.home, "an entry leads to the record of another key");
  }
  if (observer_ != nullptr) [[unlikely]] {
    observer_->OnRecord(at, record.bytes());
    key_ = key;
    return Result::kOk;
  }
  const std::string_view value = record.value();
  usual_record_bytes_ = record.bytes();
  if (!record.ChecksumHolds()) [[unlikely]]
    return Fail(record.data(), "a record's checksum");
  expiry_ = record.header().expiry;
  if (IsOver(expiry_, seconds_)) [[unlikely]]
    return Result::kIsOver;
  if (value.size() == sizeof(word_value_)) {
    // It may be changing in place. It is durable if its leaf was left alone until after it was read.
    word_value_ = Node::Load(*record.value_word());
    if (!IsCurrent(frame)) return Result::kChanged;
    value_ = {reinterpret_cast<const char*>(&word_value_), sizeof(word_value_)};
  } else {
    value_ = value;
  }
  key_ = key;
  return Result::kOk;
}

void Cursor::NextFrom() {
  // Most steps stay inside of a leaf: what Settle does then, without its loop.
  const Frame& frame = top();
  const bool is_entered = !frame.is_at_entry() && EnterNextLeaf();
  if (frame.node.IsRecord(frame.position)) [[likely]] {
    FetchAhead(frame, Direction::kForward);
    if (ReadRecord(frame) == Result::kOk) [[likely]]
      return;
  } else if (is_entered && frame.node.IsInline(0)) {
    return ShowInlineValue(frame);
  }
  Result result = Settle(Direction::kForward);
  if (result == Result::kChanged) return Reach(Goal::kAfter, key_);
  if (result == Result::kOk && std::exchange(has_left_leaf_, false) && key_ <= left_key_) {
    result = Fail(top().home, "keys out of order");
  }
  if (result != Result::kOk) Stop();
}

void Cursor::Prev() {
  top().position -= 1;
  Result result = Settle(Direction::kBackward);
  if (result == Result::kChanged) return Reach(Goal::kBefore, key_);
  if (result == Result::kOk && std::exchange(has_left_leaf_, false) && key_ >= left_key_) {
    result = Fail(top().home, "keys out of order");
  }
  if (result != Result::kOk) Stop();
}

void Cursor::Reach(Goal goal, std::string_view key) {
  // The key may lie in a record that only this cursor's epoch keeps.
  if (key.data() != anchor_.data()) anchor_.assign(key);
  status_ = absl::OkStatus();
  is_valid_ = false;
  has_left_leaf_ = false;
  may_skim_ = observer_ == nullptr;
  Result result;
  do {
    DropFrames();
    ahead_ = {};
    empty_steps_ = 0;
    Renew();
    result = TryReach(goal, anchor_);
    if (at_snapshot_) may_skim_ = false;  // once turned back, it needn't be again
  } while (result == Result::kChanged);
  is_valid_ = result == Result::kOk;
  if (!is_valid_) Stop();
}

Cursor::Result Cursor::TryReach(Goal goal, std::string_view key) {
  if (goal == Goal::kFirst || goal == Goal::kLast) {
    if (const Result result = PushRoot(Way::kWalk); result != Result::kOk) return result;
    const bool backward = goal == Goal::kLast;
    if (backward) top().position = static_cast<int>(top().node.count()) - 1;
    return Settle(backward ? Direction::kBackward : Direction::kForward);
  }
  const Direction direction = goal == Goal::kBefore ? Direction::kBackward : Direction::kForward;
  if (const Result result = DescendTo(key, direction); result != Result::kOk) return result;
  if (goal == Goal::kBefore) {
    top().position -= 1;
    return Settle(Direction::kBackward);
  }
  Result result = Settle(Direction::kForward);
  if (goal == Goal::kAfter && result == Result::kOk && key_ == key) {
    top().position += 1;
    result = Settle(Direction::kForward);
  }
  return result;
}

// ---- the way down

bool Cursor::ReadNode(Frame& frame) const {
  if (at_snapshot_) {
    tree_.ReadAt(*frame.home, snapshot_, &frame.node);
  } else {
    frame.node.Read(*frame.home);
  }
  frame.is_read = true;
  frame.perm = frame.node.perm();
  frame.level = static_cast<uint8_t>(frame.node.level());
  return at_snapshot_ || Tree::IsUnchanged(*frame.home, frame.version);
}

bool Cursor::Skim(Frame& frame) const {
  const Node& node = *frame.home;
  if (at_snapshot_) frame.version = tree_.StableVersion(node);
  const bool may_differ = at_snapshot_ && tree_.MayHaveVersions(frame.version);
  if (frame.version.may_be_held() || may_differ || node.level() == 0) return false;
  frame.is_read = false;
  frame.perm = node.perm();
  frame.level = static_cast<uint8_t>(node.level());
  return Tree::IsUnchanged(node, frame.version);
}

bool Cursor::ReadSkimmed(Frame& frame) const {
  if (frame.is_read) return true;
  const Perm perm = frame.perm;
  const unsigned level = frame.level;
  // What a snapshot sees doesn't change.
  return ReadNode(frame) && frame.perm == perm && frame.level == level;
}

Cursor::Result Cursor::Push(const Node* node, bool is_layer_root, size_t depth, Way way) {
  if (node == nullptr) return Fail(tree_.image().base(), "a reference to a node leads nowhere");
  node->Prefetch();
  Frame& frame = AddFrame();
  const Frame* const referrer = frames_.size() > 1 ? &frame_below_top() : nullptr;
  frame.home = node;
  if (!at_snapshot_) {
    frame.version = tree_.StableVersion(*node);
    if (tree_.IsObsolete(frame.version)) {
      // It was let go of before it became obsolete; if what led here didn't change since, the tree had it twice.
      const bool is_referred_to = referrer == nullptr ? tree_.Root() == node : IsCurrent(*referrer);
      return is_referred_to ? Fail(node, "a node with two references") : Result::kChanged;
    }
    // Until now it may have been given what a neighbour covered; or it was a root, and no longer is. (What a layer's
    // root covers is always the layer.)
    const bool covers_the_same = referrer == nullptr ? tree_.Root() == node : is_layer_root || IsCurrent(*referrer);
    if (!covers_the_same) return Result::kChanged;
  }
  if (!at_snapshot_ && frame.version.may_be_held()) {
    if (status_ = tree_.ReadStatus(); !status_.ok()) return Result::kFailed;
  }
  const bool has_prefix = is_layer_root && depth > 0;
  const bool may_skim = may_skim_ && way == Way::kSearch && !has_prefix;
  if (!(may_skim && Skim(frame)) && !ReadNode(frame)) return Result::kChanged;
  frame.depth = depth;
  frame.is_layer_root = is_layer_root;
  if (has_prefix) frame.depth += Tree::PrefixBytes(frame.node.kinds(), frame.node.prefix_word());
  if (frame.is_read ? !frame.node.IsWellFormed() : !IsWellFormed(frame.perm)) return Fail(node, "the permutation word");
  if (!is_layer_root && frame.level >= referrer->level) return Fail(node, "a child's level is not below its parent's");
  // Within a layer levels descend.
  if (is_layer_root && frame.depth > kMaxKeyBytes) return Fail(node, "the tree is deeper than any key");
  if (observer_ != nullptr) {
    if (const Result result = Observe(frame, referrer); result != Result::kOk) return result;
  }
  if (frame.level == 0) {
    if (!LeafAscends(frame)) return IsCurrent(frame) ? Fail(node, "entries out of order") : Result::kChanged;
    if (leaves_read_ != nullptr) leaves_read_->push_back({node, frame.version});
  }
  return Result::kOk;
}

Cursor::Result Cursor::Observe(Frame& frame, const Frame* referrer) {
  if (!frame.is_layer_root) {
    const auto position = static_cast<unsigned>(referrer->position);
    frame.low = position > 0 ? referrer->slice() : referrer->low;
    frame.high = position + 1 < referrer->node.count() ? referrer->node.slice(position + 1) - 1 : referrer->high;
  }
  if (!LiesWithin(frame)) return Fail(frame.home, "slices out of order, or out of the node's bounds");
  observer_->OnNode(tree_.image().OffsetOf(frame.home));
  if (frame.is_layer_root && frame.node.kinds().prefix() == PrefixKind::kRecord) {
    const Offset prefix = RecordRef::FromRaw(frame.node.prefix_word()).offset();
    const RecordView record = tree_.image().RecordAt(prefix);
    if (record.is_null()) return Fail(frame.home, "a layer's prefix can't be read");
    observer_->OnRecord(prefix, record.bytes());
  }
  return Result::kOk;
}

// By slice, then by kind; of entries that go on several may share a slice, and their keys ascend.
bool Cursor::LeafAscends(const Frame& frame) const {
  const OrderedNode& leaf = frame.node;
  if (leaf.AscendsStrictly()) return true;
  for (unsigned i = 1; i < leaf.count(); ++i) {
    if (leaf.slice(i - 1) < leaf.slice(i)) continue;
    if (leaf.slice(i - 1) > leaf.slice(i)) return false;
    if (KindRank(leaf.kind(i - 1)) < KindRank(leaf.kind(i))) continue;
    if (leaf.kind(i - 1) != Kind::kMore || leaf.kind(i) != Kind::kMore) return false;
    const RecordView first = tree_.image().RecordAt(leaf.record(i - 1).offset());
    const RecordView second = tree_.image().RecordAt(leaf.record(i).offset());
    if (first.is_null() || second.is_null() || first.key() >= second.key()) return false;
  }
  return true;
}

// Whether a node's slices ascend, and lie between its bounds. Where they don't, a seek may pass by what a walk finds;
// so the background pass, which counts by both, must know.
bool Cursor::LiesWithin(const Frame& frame) const {
  uint64_t least = frame.low;
  // An inner node's first slice isn't looked at.
  for (unsigned i = frame.level == 0 ? 0 : 1; i < frame.node.count(); ++i) {
    const uint64_t slice = frame.node.slice(i);
    if (slice < least || slice > frame.high) return false;
    least = slice;
  }
  return true;
}

Cursor::Result Cursor::PushRoot(Way way) {
  return Push(at_snapshot_ ? snapshot_.root(tree_.id()) : tree_.Root(), true, 0, way);
}

Cursor::Result Cursor::PushChild(Direction direction, Way way) {
  const Frame& parent = top();
  const Node* const child = tree_.image().NodeAt(parent.child());
  if (child != nullptr) child->Prefetch();
  if (parent.level == 1 && child != nullptr) PrefetchLeavesAhead(parent, child, direction);
  if (!IsCurrent(parent)) return Result::kChanged;
  if (child == nullptr) return Fail(parent.home, "a reference to a node leads nowhere");
  return Push(child, false, parent.depth, way);
}

// Goes down to the first entry >= key, and will go on in the direction from there: the topmost frame is a leaf then,
// its position perhaps one past its last entry.
Cursor::Result Cursor::DescendTo(std::string_view key, Direction direction) {
  if (const Result result = PushRoot(Way::kSearch); result != Result::kOk) return result;
  for (;;) {
    Frame& frame = top();
    if (frame.is_layer_root && frame.depth > 0) {
      char inline_bytes[8];
      const absl::StatusOr<std::string_view> prefix =
          tree_.PrefixOf(*frame.home, frame.node.kinds(), frame.node.prefix_word(), inline_bytes);
      if (!IsCurrent(frame)) return Result::kChanged;
      if (!prefix.ok()) {
        status_ = prefix.status();
        return Result::kFailed;
      }
      const std::string_view rest = key.substr(frame.depth - prefix->size());
      const int order = rest.substr(0, prefix->size()).compare(*prefix);
      // All keys of the layer share the prefix and go on: they come after a key that is smaller, or that ends in it.
      if (order < 0 || (order == 0 && rest.size() == prefix->size())) return Result::kOk;
      if (order > 0) {
        DropFrame();
        top().position += 1;
        ahead_ = top().ahead;
        return Result::kOk;
      }
    }
    if (frame.level > 0) {
      if (frame.count() == 0) return Fail(frame.home, "an inner node without children");
      const uint64_t slice = SliceAt(key, frame.depth);
      frame.position =
          static_cast<int>(frame.is_read ? frame.node.FindChild(slice) : FindChild(*frame.home, frame.perm, slice));
      if (const Result result = PushChild(direction, Way::kSearch); result != Result::kOk) return result;
      continue;
    }
    bool enters_layer = false;
    if (const Result result = PositionInLeaf(key, &enters_layer); result != Result::kOk || !enters_layer) return result;
    const size_t depth = frame.depth + kSliceBytes;
    const Node* root = tree_.image().NodeAt(frame.child());
    frame.ahead = std::exchange(ahead_, {});
    if (const Result result = Push(root, true, depth, Way::kSearch); result != Result::kOk) return result;
  }
}

Cursor::Result Cursor::PositionInLeaf(std::string_view key, bool* enters_layer) {
  Frame& frame = top();
  const unsigned rank = KindRank(KindAt(key, frame.depth));
  const SliceRange range = frame.node.FindSlice(SliceAt(key, frame.depth));
  unsigned position = range.begin;
  for (; position < range.end; ++position) {
    const Kind kind = frame.node.kind(position);
    if (KindRank(kind) > rank) break;
    if (KindRank(kind) < rank) continue;
    if (kind == Kind::kLayer) *enters_layer = true;
    if (kind != Kind::kMore) break;
    const RecordView record = tree_.image().RecordAt(frame.node.record(position).offset());
    if (record.is_null()) return Fail(frame.home, "a reference to a record leads nowhere");
    if (record.key() >= key) break;
  }
  frame.position = static_cast<int>(position);
  return Result::kOk;
}

// ---- along the order

Cursor::Result Cursor::Settle(Direction direction) {
  for (;;) {
    Frame& frame = top();
    if (!frame.is_at_entry()) {
      if (const Result result = StepUp(direction); result != Result::kOk) return result;
      continue;
    }
    if (frame.level > 0) {
      if (const Result result = PushChild(direction, Way::kWalk); result != Result::kOk) return result;
    } else {
      if (frame.kind() != Kind::kInline) FetchAhead(frame, direction);
      if (frame.kind() != Kind::kLayer) {
        const Result result = ReadEntry();
        if (result != Result::kIsOver) {
          empty_steps_ = 0;
          return result;
        }
        frame.position += static_cast<int>(direction);
        continue;
      }
      const size_t depth = frame.depth + kSliceBytes;
      frame.ahead = std::exchange(ahead_, {});
      const Result result = Push(tree_.image().NodeAt(frame.child()), true, depth, Way::kWalk);
      if (result != Result::kOk) return result;
    }
    Frame& entered = top();
    if (direction == Direction::kBackward) entered.position = static_cast<int>(entered.node.count()) - 1;
    // A damaged tree may share empty nodes in ways that no walk would end in.
    if (++empty_steps_ > tree_.image().size_bytes() / kNodeBytes) return Fail(entered.home, "nodes without end");
  }
}

// The topmost node is through: goes on in the one above, if that is still as it was.
Cursor::Result Cursor::StepUp(Direction direction) {
  const bool leaves_layer = top().is_layer_root;
  DropFrame();
  if (frames_.empty()) return Result::kEnd;
  if (leaves_layer) ahead_ = top().ahead;
  if (is_valid_ && !has_left_leaf_) KeepKey();
  if (slot_ != nullptr && slot_->epoch() != epochs_.current()) {
    // Let go of what was freed meanwhile, if all that is remembered is still part of the tree. In this order: what was
    // so after `now` was read is retired no earlier than that.
    const uint64_t now = epochs_.current();
    if (!FramesAreCurrent()) return Result::kChanged;
    ahead_ = {};
    for (Frame& frame : frames_) frame.ahead = {};
    epochs_.Refresh(slot_, now);
  }
  Frame& frame = top();
  if (!ReadSkimmed(frame) || !IsCurrent(frame)) return Result::kChanged;
  frame.position += static_cast<int>(direction);
  return Result::kOk;
}

bool Cursor::EnterNextLeaf() {
  Frame& leaf = top();
  if (!at_snapshot_ || leaf.is_layer_root || leaf.count() == 0) return false;
  Frame& parent = frame_below_top();
  const auto next = static_cast<unsigned>(parent.position + 1);
  if (!parent.is_read || next >= parent.count() || parent.level != 1) return false;
  const Node* const node = tree_.image().NodeAt(parent.node.child(next));
  if (node == nullptr) return false;
  const LockWord version = node->lock();
  if (version.may_be_held() || tree_.MayHaveVersions(version)) return false;
  // Of the leaf that was left nothing but its end is needed any more.
  const uint64_t last_slice = leaf.node.slice(leaf.count() - 1);
  leaf.node.Read(*node);
  const Perm perm = leaf.node.perm();
  const bool is_sound = leaf.node.IsWellFormed() && leaf.node.level() == 0 && leaf.node.AscendsStrictly();
  if (!Tree::IsUnchanged(*node, version) || !is_sound || perm.count() == 0 || leaf.node.slice(0) <= last_slice) {
    leaf.position = static_cast<int>(kSlots);
    return false;
  }
  parent.position = static_cast<int>(next);
  leaf.home = node;
  leaf.perm = perm;
  leaf.position = 0;
  PrefetchLeavesAhead(parent, node, Direction::kForward);
  return true;
}

// The one here, to be compared with the next: a record stays where it is for a snapshot.
void Cursor::KeepKey() {
  if (key_.data() == inline_key_) {
    __builtin_memcpy(left_inline_key_, inline_key_, sizeof(inline_key_));
    key_ = {left_inline_key_, sizeof(left_inline_key_)};
  } else if (!at_snapshot_) {
    anchor_.assign(key_);
    key_ = anchor_;
  }
  left_key_ = key_;
  has_left_leaf_ = true;
}

bool Cursor::FramesAreCurrent() const {
  return std::all_of(frames_.begin(), frames_.end(), [this](const Frame& frame) { return IsCurrent(frame); });
}

Cursor::Result Cursor::ReadEntry() {
  const Frame& frame = top();
  const Kind kind = frame.kind();
  if (IsRecord(kind)) return ReadRecord(frame);
  if (kind != Kind::kInline) return Fail(frame.home, "an entry of unknown kind");
  ShowInlineValue(frame);
  return Result::kOk;
}

absl::Status Cursor::CheckRecord() {
  const Frame& frame = top();
  if (!IsRecord(frame.kind())) return absl::OkStatus();
  const RecordView record = tree_.image().RecordAt(frame.record().offset());
  if (!record.is_null() && record.ChecksumHolds()) return absl::OkStatus();
  (void)Fail(frame.home, "a record's checksum");
  return status_;
}

}  // namespace sealkv::internal
