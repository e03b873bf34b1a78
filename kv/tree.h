// The tree: lookups, and every commit that changes what a lookup finds.
//
// A tree of trees (Masstree): inside a layer, keys are 8-byte integers (slices); where several keys share a slice and
// go on, the entry leads to another layer, that compares the next 8 bytes. See kv/node.h for the node and
// docs/design.md for the argument why each commit is safe.
//
// Every change becomes visible by exactly one of three commits, each one aligned 8-byte store:
//   CommitPerm       a node's perm word: insert, delete, split, merge, a layer made or dropped
//   CommitReference  an entry's reference word: update, a layer's root replaced
//   CommitRoot       the superblock's root word: the top layer's root replaced
//
// Thread safety: Find and Descend may be called by any thread that is in an epoch; everything else needs the writer
// lock.
#ifndef SEALKV_KV_TREE_H_
#define SEALKV_KV_TREE_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daxfile/persist.h"
#include "kv/descent.h"
#include "kv/heap.h"
#include "kv/image.h"
#include "kv/leaf_hints.h"
#include "kv/live_reader.h"
#include "kv/node.h"

namespace sealkv::internal {

// An entry on its way into a node.
struct Entry {
  uint64_t slice;
  Kind kind;  // looked at in leaves only
  uint64_t ref;
};

// One node on the way from the root to a leaf, with what the way says about it.
struct PathStep {
  Node* node;
  unsigned position;      // of the entry that the way goes on through (in the last leaf: where the key is or would be)
  uint64_t lowest_slice;  // lower bound of the node's slices
  size_t depth;           // bytes of the key before this layer's slices
  bool is_layer_root;
};
using Path = absl::InlinedVector<PathStep, 24>;

// Where a key is, or would be. The path is the whole way, or, while `has_path` is false, the leaf alone: most writes
// need no more.
struct Location {
  enum class Outcome : uint8_t {
    kFound,          // path.back() is at its entry
    kAbsent,         // path.back() is where its entry would go
    kPrefixDiffers,  // path.back() is the root of a layer whose prefix the key doesn't share
  };
  Path path;
  bool has_path = false;
  Outcome outcome = Outcome::kAbsent;
  uint64_t slice = 0;
  Kind kind = Kind::kEndsWith0;  // of the entry found, or of the one to be made
  unsigned ties_begin = 0;       // kAbsent and kMore: positions of the entries that share the slice and go on
  unsigned ties_end = 0;
  size_t prefix_bytes_shared = 0;  // kPrefixDiffers

  PathStep& leaf() { return path.back(); }
};

// What a lookup found in the leaf that a descent led to.
struct Found {
  Kind kind;
  uint64_t ref;
};

class Tree {
 public:
  Tree(const Image& image, daxfile::Persist& persist, Heap& heap, uint32_t generation)
      : image_(image), persist_(persist), heap_(heap), generation_(generation), hints_(image.size_bytes()) {}

  // ---- readers (kv/tree_read.cc, kv/descent_impl.h)

  // To the leaf where the key is or would be.
  void Descend(std::string_view key, Purpose purpose, Descent& result) const {
    kHasAvx512 ? DescendAvx512(key, purpose, result) : DescendScalar(key, purpose, result);
  }

  // Whether the key may be there, and by which entry, given a descent for reading. What goes on behind its slice is
  // only told apart by its record: the caller compares. kRestart: the leaf has changed, descend again. DataLoss.
  enum class LeafStep : uint8_t { kRestart, kAbsent, kFound };
  absl::StatusOr<LeafStep> Find(const Descent& descent, std::string_view key, Found* found) const;

  // Waits until no writer holds the node; obsolete nodes are returned at once.
  LockWord StableVersion(const Node& node) const {
    const LockWord version = node.lock();
    return version.may_be_held() ? WaitUntilStable(node) : version;
  }
  bool IsObsolete(LockWord version) const {
    if (!version.may_be_held()) [[likely]]
      return false;
    return live_reader_ == nullptr ? version.is_obsolete(generation_) : live_reader_->IsObsolete(version);
  }
  // Before anything else, where another process may write: that one's lock words are judged by `live_reader`. There are
  // no hints, for the writer couldn't take them away before it uses node segments otherwise.
  void ReadBeside(const LiveReader* live_reader) {
    live_reader_ = live_reader;
    hints_.Disable();
  }
  // Whether what a lock word that may_be_held() leads to makes sense: see LiveReader::status.
  absl::Status ReadStatus() const { return live_reader_ == nullptr ? absl::OkStatus() : live_reader_->status(); }
  // Whether all that was read of the node since it had this version was read of that version.
  static bool IsUnchanged(const Node& node, LockWord version) {
    std::atomic_signal_fence(std::memory_order_seq_cst);  // vector loads must not sink below the one that follows
    return node.lock().raw() == version.raw();
  }
  const Node* Root() const { return image_.NodeAt(static_cast<Offset>(Node::Load(image_.superblock().root))); }
  const Image& image() const { return image_; }

  // The prefix of a layer, given its root. DataLoss if there is none where the root says. `inline_bytes` backs the
  // result of 8-byte prefixes.
  absl::StatusOr<std::string_view> PrefixOf(const Node& root, char (&inline_bytes)[8]) const;
  // Its length alone, without touching a record.
  static size_t PrefixBytes(const Node& root);

  // Hints (kv/leaf_hints.h).
  const Node* HintedLeaf(uint64_t slice, int side) const { return image_.NodeAt(hints_.Lookup(slice, side)); }
  void FitHints(uint64_t first, uint64_t last) const { hints_.Fit(first, last); }
  // The leaf had this version when a descent from the root led to it.
  void LearnLeaf(uint64_t slice, const Node& leaf, LockWord version) const;
  LeafHints& hints() const { return hints_; }

  // ---- writers

  // Where the key is or would be, by walking down; and the place among its slice's entries in the leaf reached.
  absl::Status Locate(std::string_view key, Location* location) const;
  // The same without the way, given a descent (for writing) to a leaf that hasn't changed since.
  absl::Status LocateInLeaf(std::string_view key, const Descent& descent, Location* location) const;

  // What most writes of 8-byte values come down to, with no more than the leaf that a descent (for writing) led to, and
  // that hasn't changed since.
  //
  // The value of an 8-byte key, in the leaf; nullptr if it isn't there, or not alone with its slice.
  static uint64_t* InlineWord(const Descent& descent, std::string_view key) {
    if (descent.outcome != Descent::Outcome::kLeaf || key.size() != kSliceBytes) return nullptr;
    if (descent.range.end - descent.range.begin != 1) return nullptr;
    const unsigned slot = descent.perm.slot(descent.range.begin);
    const bool is_inline = descent.node->kinds().kind(slot) == Kind::kInline;
    return is_inline ? &const_cast<Node*>(descent.node)->ref_word(slot) : nullptr;
  }
  // Inserts an 8-byte key. False, and nothing was changed: not without more ado.
  bool InsertInlineWord(const Descent& descent, uint64_t value);
  void StoreValueWord(Node& leaf, uint64_t* word, uint64_t value);

  // The key must be where `location` says, and nothing has changed since. (kv/tree_write.cc)
  absl::Status Insert(Location& location, std::string_view key, std::string_view value);
  absl::Status Update(Location& location, std::string_view key, std::string_view value);
  absl::Status Erase(Location& location, std::string_view key);
  // The 8-byte value of the entry at kFound, or nullptr if its value has another size.
  uint64_t* ValueWord(const Location& location) const;

 private:
  // ---- commits (kv/tree_commit.cc). All that the stored word makes reachable was flushed and fenced by the caller.
  void CommitPerm(Node& node, Perm perm);
  void CommitReference(Node& node, unsigned slot, uint64_t ref);
  void CommitRoot(Node& new_root);

  void Lock(Node& node) {
    // One writer at a time: nobody else changes the word. It is volatile, so it doesn't pass the seam.
    // Relaxed is enough: Persist::Store is a release, so a reader that sees any later store also sees the lock.
    std::atomic_ref<uint64_t>(node.words[Node::kLockWord])
        .store(node.lock().Locked(generation_).raw(), std::memory_order_relaxed);
  }
  void Unlock(Node& node) {
    std::atomic_ref<uint64_t>(node.words[Node::kLockWord])
        .store(node.lock().Unlocked().raw(), std::memory_order_release);
  }
  void MakeObsolete(Node& node);  // it stays locked for ever, and is retired
  // Unlocks the nodes written since the last commit: they are part of the tree, durably, and nobody was there before.
  void Publish();

  // Makes an entry part of a node with a free slot. If it refers to anything new, that must have been flushed.
  void InsertEntry(Node& node, Perm perm, unsigned position, const Entry& entry);
  // The same node with another entry's slot free: moves entries out of the line of `perm`, as many as find room beside
  // the first free slot. What it writes is not yet named by any permutation in the node.
  Perm ClearPermLine(Node& node, Perm perm);
  // Writes an entry into a free slot, which isn't visible until a perm that names it is committed.
  void WriteSlot(Node& node, unsigned slot, const Entry& entry);
  // Starts the write-back of what a slot holds, but for the perm's own line.
  void FlushSlot(Node& node, unsigned slot);
  // Both, with the first free slot.
  void WriteFreeSlot(Node& node, Perm perm, const Entry& entry);
  // Writes a new node; durable after the next fence. Needs a reservation. It is locked until the next commit, which
  // must make it part of the tree.
  Node& WriteNode(unsigned level, std::span<const Entry> entries, PrefixKind prefix_kind = PrefixKind::kNone,
                  uint64_t prefix_word = 0);
  // A node's entries in order.
  absl::InlinedVector<Entry, kSlots + 1> EntriesOf(const Node& node) const;

  // The entry for a new key at this depth; appends its record where it needs one.
  absl::StatusOr<Entry> MakeEntry(std::string_view key, std::string_view value, size_t depth);
  static Entry RecordEntry(std::string_view key, Offset record, size_t depth);
  void DiscardEntry(const Entry& entry);

  // ---- growing (kv/tree_grow.cc)
  absl::Status InsertIntoFullLeaf(Location& location, std::string_view key, std::string_view value);
  absl::Status AppendAtRightEdge(Location& location, const Entry& entry);
  bool IsAtRightEdge(const Location& location) const;
  // Durable after the next fence. The leaf stays locked: what it covers is about to shrink.
  void LowerBound(Node& leaf, uint64_t bound);
  // Splits the lowest full node above path[i] whose own parent has room, or the root.
  absl::Status MakeRoomAbove(Path& path, size_t i);
  absl::Status SplitNode(Path& path, size_t i, std::span<const Entry> entries);
  // Splits the leaf, or what has to be split before it. The caller locates again.
  absl::Status MakeRoomInLeaf(Location& location);
  // Replaces path[i] by `children` in its parent, or by a new root above them.
  void ReplaceByChildren(Path& path, size_t i, std::span<const Entry> children);
  // Makes `new_root` the root of the layer that path[i] is the root of.
  void SwingLayerRoot(Path& path, size_t i, Node& new_root);

  // ---- layers (kv/tree_layer.cc)
  absl::Status InsertIntoNewLayer(Location& location, std::string_view key, std::string_view value);
  absl::Status InsertBesidePrefix(Location& location, std::string_view key, std::string_view value);
  // The words for a prefix; appends a record if it is longer than 8 bytes.
  struct Prefix {
    PrefixKind kind = PrefixKind::kNone;
    uint64_t word = 0;
  };
  absl::StatusOr<Prefix> MakePrefix(std::string_view bytes);
  void RetirePrefix(const Node& root);

  // ---- shrinking (kv/tree_shrink.cc)
  // A node is merged when it has at most so many entries.
  static constexpr unsigned kSparseCount = 4;
  void Rebalance(Path& path);
  bool DropEmpty(Path& path, size_t* i);
  bool MergeWithSibling(Path& path, size_t i);
  void ShrinkLayer(Path& path, size_t i);
  void PullUpLastKey(Path& path, size_t i);

  // The whole way, if only the leaf is known.
  absl::Status CompletePath(std::string_view key, Location* location) const;
  absl::Status PlaceInLeaf(std::string_view key, SliceRange range, Location* location) const;
  LockWord WaitUntilStable(const Node& node) const;
  void DescendScalar(std::string_view key, Purpose purpose, Descent& result) const;
  void DescendAvx512(std::string_view key, Purpose purpose, Descent& result) const;

  LeafStep FindInLeaf(const Descent& descent, std::string_view key, Found* found) const;

  absl::Status Damaged(const void* where, const char* what) const;
  absl::Status Damaged(const Descent& descent) const;
  absl::Status DamagedAt(Offset offset, const char* what) const;

  const Image& image_;
  daxfile::Persist& persist_;
  Heap& heap_;
  const uint32_t generation_;
  const LiveReader* live_reader_ = nullptr;
  mutable LeafHints hints_;
  // Written, and not yet part of the tree: locked until the commit that makes them so.
  absl::InlinedVector<Node*, kMaxLevel + 3> fresh_nodes_;
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_TREE_H_
