// A position in the key order. A node is read once, into a copy in key order, when the cursor reaches it (those that a
// search only passes through, when the walk comes back to them); records are read where they lie. What comes next is
// fetched ahead: leaves, also those of the next parent, and their records, a few with each step (kv/cursor_ahead.cc).
//
// At a snapshot the copies are of the nodes as the snapshot sees them, and everything that they lead to stays for as
// long as it is open. Without one the cursor moves optimistically: it shows each leaf as of one moment; where a node on
// its way has changed since it was read, it finds its place again by key. Then its epoch keeps all that it points to;
// it is renewed from leaf to leaf.
//
// Thread safety: one thread at a time.
#ifndef SEALKV_KV_CURSOR_H_
#define SEALKV_KV_CURSOR_H_

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "kv/epoch.h"
#include "kv/tree.h"

namespace sealkv::internal {

// Sees what a cursor walks over: the background pass counts with it. Called while the gate is closed, when nothing
// changes under the cursor.
class WalkObserver {
 public:
  virtual ~WalkObserver() = default;
  virtual void OnNode(Offset node) = 0;
  virtual void OnRecord(Offset record, uint64_t bytes) = 0;
};

// What an entry leads to, to be compared with what it led to at another time. The same record is the same value while a
// snapshot is open that sees it: then nothing changes in place, and its place isn't used again.
struct EntryIdentity {
  bool is_inline = false;
  uint64_t value_or_record = 0;
  friend bool operator==(const EntryIdentity&, const EntryIdentity&) = default;
};
inline EntryIdentity IdentityOf(Kind kind, uint64_t ref) {
  if (kind == Kind::kInline) return {true, ref};
  return {false, Raw(RecordRef::FromRaw(ref).offset())};
}

// A leaf that was read, and its version then.
struct LeafRead {
  const Node* leaf;
  LockWord version;
};

class Cursor {
 public:
  Cursor(const Tree& tree, Epochs& epochs, WalkObserver* observer = nullptr);
  Cursor(const Tree& tree, Epochs& epochs, const SnapshotView& snapshot);
  ~Cursor();
  Cursor(const Cursor&) = delete;
  Cursor& operator=(const Cursor&) = delete;

  bool Valid() const { return is_valid_; }
  const absl::Status& status() const { return status_; }

  void SeekToFirst();
  void SeekToLast();
  void Seek(std::string_view key);         // first >= key
  void SeekAfter(std::string_view key);    // first > key
  void SeekForPrev(std::string_view key);  // last <= key
  void SeekBefore(std::string_view key);   // last < key
  void Next() {
    Frame& frame = top();
    frame.position += 1;
    if (frame.node.IsInline(frame.position)) {
      ShowInlineValue(frame);
    } else {
      NextFrom();
    }
  }
  // Next, if that goes from one inline value of a leaf to another: key() and value() lie then where they lay. False: it
  // doesn't, and nothing was done.
  bool NextInline() {
    Frame& frame = top();
    if (!frame.node.AreInline(static_cast<unsigned>(frame.position))) return false;
    frame.position += 1;
    CopyInlineValue(frame);
    return true;
  }
  void Prev();
  void Stop();  // stands on no key any more, and holds nothing

  // With an observer records aren't verified; this does it for the one here. OK for an inline value.
  absl::Status CheckRecord();

  // Each leaf that is read from now on is added to the list. Not at a snapshot.
  void NoteLeaves(std::vector<LeafRead>* leaves) { leaves_read_ = leaves; }
  EntryIdentity identity() const {
    const Frame& frame = top();
    return IdentityOf(frame.kind(), frame.ref());
  }
  std::string_view key() const { return key_; }
  std::string_view value() const { return value_; }
  uint32_t expiry() const { return expiry_; }
  // Shows what is not over then. Default: when the snapshot was opened; without one, when the cursor was made.
  void ShowAsOf(uint32_t seconds) { seconds_ = seconds; }

 private:
  enum class Direction : int8_t { kForward = 1, kBackward = -1 };
  // Where to go on when the way has changed.
  enum class Goal : uint8_t { kFirst, kLast, kAtOrAfter, kAfter, kBefore };

  // What is known of what comes next in a layer. Leaves may change, or have changed since the snapshot: all of this is
  // only to have the right things fetched.
  struct Ahead {  // zero: nothing
    static constexpr unsigned kMostLeaves = 4;
    std::array<const Node*, kMostLeaves> leaves;  // the next ones, as many as are known
    unsigned leaf_count;
    struct Fetched {
      const Node* leaf;  // the cursor's, or one of those
      int position;      // there, of the next one to be fetched
      int count;         // so many are, from the cursor's position on
    };
    Fetched fetched;  // up to where what entries lead to has been fetched
    Direction direction;
  };

  struct Frame {
    Frame() {}  // and nothing is zeroed that is about to be read
    unsigned count() const { return perm.count(); }
    // May be anything where the node isn't read, and has changed.
    Offset child_at(unsigned at) const { return is_read ? node.child(at) : home->child(perm.slot(at)); }
    // Of the entry at the position, if there is one.
    bool is_at_entry() const { return static_cast<unsigned>(position) < count(); }
    uint64_t slice() const { return node.slice(static_cast<unsigned>(position)); }
    uint64_t ref() const { return node.ref(static_cast<unsigned>(position)); }
    Kind kind() const { return node.kind(static_cast<unsigned>(position)); }
    Offset child() const { return child_at(static_cast<unsigned>(position)); }
    RecordRef record() const { return RecordRef::FromRaw(ref()); }

    const Node* home;
    bool is_read;  // an inner node that a search passed through isn't, and `node` is nothing
    Perm perm;
    OrderedNode node;
    LockWord version{0};
    int position = 0;
    size_t depth = 0;  // bytes of the key before this layer's slices
    uint8_t level = 0;
    bool is_layer_root = false;
    Ahead ahead;       // while the cursor is in one of its layers
    uint64_t low = 0;  // with an observer: the slices that the node covers
    uint64_t high = ~uint64_t{0};
  };
  enum class Result : uint8_t { kOk, kEnd, kChanged, kFailed, kIsOver };

  Frame& top() const { return *top_; }
  Frame& frame_below_top() const { return top_[-1]; }
  Frame& AddFrame() { return *(top_ = &frames_.emplace_back()); }
  void DropFrame() {
    frames_.pop_back();
    top_ = frames_.empty() ? nullptr : &frames_.back();
  }
  void DropFrames() {
    frames_.clear();
    top_ = nullptr;
  }

  static constexpr int kFetchedAhead = 10;  // records: some 30 lines, about what a core can wait for at a time

  void Reach(Goal goal, std::string_view key);
  Result TryReach(Goal goal, std::string_view key);
  // Walks from the topmost frame in one direction to the nearest entry that is a key, and reads it.
  Result Settle(Direction direction);
  Result StepUp(Direction direction);
  // From the end of a leaf to the next one of the same parent: at once what Settle does one by one, where a snapshot
  // sees that leaf as it is now. False: that is for Settle to do, from the end of a leaf as before.
  bool EnterNextLeaf();
  Result DescendTo(std::string_view key, Direction direction);
  // Adds a frame for the root, or for what the topmost frame leads to: a child or a layer's root. A search reads no
  // more of an inner node than it must.
  enum class Way : uint8_t { kSearch, kWalk };
  Result Push(const Node* node, bool is_layer_root, size_t depth, Way way);
  Result PushRoot(Way way);
  Result PushChild(Direction direction, Way way);
  // For the observer, who is shown what the node holds.
  Result Observe(Frame& frame, const Frame* referrer);
  // Reads the node. False: it changed meanwhile.
  bool ReadNode(Frame& frame) const;
  // False: the node must be read, for it is a leaf, or changes, or a snapshot may see something else.
  bool Skim(Frame& frame) const;
  // Reads what was skimmed. False: it isn't what it was.
  bool ReadSkimmed(Frame& frame) const;

  // What comes next (kv/cursor_ahead.cc).
  //
  // The node that will be `distance` children further than the one at the parent's position; nullptr if that isn't
  // known.
  const Node* ChildAhead(const Frame& parent, int distance, Direction direction);
  const Node* ChildOfNextParent(const Frame& parent, int beyond, Direction direction);
  const Node* NextParent(const Frame& parent, Direction direction) const;
  // Those that come after `leaf`, the one at the parent's position, which is about to be entered.
  void PrefetchLeavesAhead(const Frame& parent, const Node* leaf, Direction direction);
  // The cursor is about to go where the entry at its position leads: has some of those fetched that come next.
  void FetchAhead(const Frame& frame, Direction direction) {
    if (ahead_.fetched.count >= kFetchedAhead && ahead_.direction == direction) {
      --ahead_.fetched.count;
    } else {
      FetchMore(frame, direction);
    }
  }
  void FetchMore(const Frame& frame, Direction direction);
  void BeginFetching(const Frame& frame, Direction direction);
  bool FindUpcoming(const Frame& frame);
  bool IsUpcoming(int position) const { return static_cast<unsigned>(position) < upcoming_.perm.count(); }
  const Node* LeafAfter(const Node* leaf, const Frame& frame) const;
  void PrefetchRecord(RecordRef record) const;

  void NextFrom();
  void KeepKey();
  void CopyInlineValue(const Frame& frame) {
    const uint64_t key_bytes = __builtin_bswap64(frame.slice());
    __builtin_memcpy(inline_key_, &key_bytes, sizeof(inline_key_));
    word_value_ = frame.ref();
  }
  void ShowInlineValue(const Frame& frame) {
    CopyInlineValue(frame);
    expiry_ = kNeverOver;
    key_ = {inline_key_, sizeof(inline_key_)};
    value_ = {reinterpret_cast<const char*>(&word_value_), sizeof(word_value_)};
  }
  bool LeafAscends(const Frame& frame) const;
  bool LiesWithin(const Frame& frame) const;
  Result ReadEntry();
  Result ReadRecord(const Frame& frame);
  Result PositionInLeaf(std::string_view key, bool* enters_layer);
  void Renew();
  Result Fail(const void* where, const char* what);
  // Whether what was read of the node is still so.
  bool IsCurrent(const Frame& frame) const {
    return (at_snapshot_ && frame.is_read) || Tree::IsUnchanged(*frame.home, frame.version);
  }
  bool FramesAreCurrent() const;

  const Tree& tree_;
  Epochs& epochs_;
  WalkObserver* const observer_;
  const bool at_snapshot_;
  const SnapshotView snapshot_;
  uint32_t seconds_;
  std::vector<LeafRead>* leaves_read_ = nullptr;
  EpochSlot* slot_ = nullptr;
  // As deep as most trees are: whoever makes many cursors isn't to ask for memory each time.
  static constexpr size_t kUsualDepth = 16;
  absl::InlinedVector<Frame, kUsualDepth> frames_;
  Frame* top_ = nullptr;  // the last of them
  unsigned empty_steps_ = 0;
  bool may_skim_ = false;

  Ahead ahead_{};  // of the topmost leaf
  // The leaf `ahead_.fetched` is in, as it was when fetching got there.
  struct Upcoming {
    const Node* home = nullptr;
    Perm perm;
    Kinds kinds;
  };
  Upcoming upcoming_;
  OrderedNode next_parent_;  // at a snapshot: as that sees it
  const Node* next_parent_home_ = nullptr;
  uint64_t usual_record_bytes_ = 128;  // of the last record that was read

  bool is_valid_ = false;
  absl::Status status_;
  std::string_view key_;
  std::string_view value_;
  char inline_key_[8];
  uint64_t word_value_ = 0;
  uint32_t expiry_ = 0;
  std::string anchor_;  // the key that the cursor looks for
  // While has_left_leaf_: the last key of the leaf it came from. Keys must go on ascending (or descending) from there,
  // which also ends every walk through a damaged tree.
  std::string_view left_key_;
  char left_inline_key_[8];
  bool has_left_leaf_ = false;
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_CURSOR_H_
