// The tree: lookups, and every commit that changes what a lookup finds.
//
// A tree of trees (Masstree): inside a layer, keys are 8-byte integers (slices); where several keys share a slice and
// go on, the entry leads to another layer, that compares the next 8 bytes. See kv/node.h for the node and
// docs/design.md for the argument why each commit is safe.
//
// Every change becomes visible by exactly one of three commits, each one aligned 8-byte store:
//   CommitPerm       a node's perm word: insert, delete, split, merge, a layer made or dropped
//   CommitReference  an entry's reference word: update, a layer's root replaced
//   CommitRoot       a root word of the superblock: the top layer's root replaced
//
// Thread safety: all of it may be called by any thread that is in an epoch; writers are inside of the gate. What an
// operation changes it has claimed (kv/change.h): the way down is walked optimistically, and only the nodes that are
// written to are locked.
#ifndef SEALKV_KV_TREE_H_
#define SEALKV_KV_TREE_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daxfile/persist.h"
#include "kv/change.h"
#include "kv/descent.h"
#include "kv/expiry.h"
#include "kv/image.h"
#include "kv/leaf_hints.h"
#include "kv/live_reader.h"
#include "kv/node.h"
#include "kv/ordered_node.h"
#include "kv/written_back.h"

namespace sealkv::internal {

// An entry on its way into a node.
struct Entry {
  uint64_t slice;
  Kind kind;  // looked at in leaves only
  uint64_t ref;
};

// What is to be put.
struct NewValue {
  NewValue(std::string_view bytes, uint32_t expiry = kNeverOver) : bytes(bytes), expiry(expiry) {}
  // Whether it can lie in a leaf, if its key can.
  bool is_word() const { return bytes.size() == sizeof(uint64_t) && expiry == kNeverOver; }

  std::string_view bytes;
  uint32_t expiry;
};

// One node on the way from the root to a leaf, with what the way says about it.
struct PathStep {
  Node* node;        // where to work on it, once it is claimed (kv/change.h)
  Node* home;        // where it lies
  LockWord version;  // all here was read of this version
  Perm perm;
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

// A snapshot, for whoever reads at it.
struct SnapshotView {
  uint64_t number = 0;
  std::array<const Node*, kRoots> roots{};
  uint32_t seconds = 0;  // when it was opened: kv/expiry.h
  const Versions* versions = nullptr;

  const Node* root(RootId id) const { return roots[static_cast<size_t>(id)]; }
};

class Tree {
 public:
  // Only that of the keys has hints, and bounds by which they are proven.
  Tree(RootId id, const Image& image, daxfile::Persist& persist, uint32_t generation)
      : id_(id),
        image_(image),
        persist_(persist),
        generation_(generation),
        written_back_(image.most_segments() * image.segment_bytes() / kNodeBytes),
        hints_(image.most_segments() * image.segment_bytes()) {
    if (id_ != RootId::kKeys) hints_.Disable();
  }

  // ---- readers (kv/tree_read.cc, kv/descent_impl.h)

  // To the leaf where the key is or would be.
  void Descend(std::string_view key, Purpose purpose, Descent& result) const {
    if (kVectors == Vectors::kAvx512) return DescendAvx512(key, purpose, result);
    if (kVectors == Vectors::kAvx2) return DescendAvx2(key, purpose, result);
    DescendScalar(key, purpose, result);
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
  // Whether a snapshot may see something else than the node as it is.
  bool MayHaveVersions(LockWord version) const { return version.is_versioned(generation_); }
  // Before anything else, where another process may write: that one's lock words are judged by `live_reader`. There are
  // no hints, for the writer couldn't take them away before it uses node segments otherwise.
  void ReadBeside(const LiveReader* live_reader) {
    live_reader_ = live_reader;
    hints_.Disable();
  }
  // Whether what a lock word that may_be_held() leads to makes sense, and is durable: see LiveReader::status.
  absl::Status ReadStatus() const {
    if (generation_ == 0 && !persist_.is_ok()) return persist_.status();  // what it shows might not be durable
    return live_reader_ == nullptr ? absl::OkStatus() : live_reader_->status();
  }
  // Whether all that was read of the node since it had this version was read of that version.
  static bool IsUnchanged(const Node& node, LockWord version) {
    std::atomic_signal_fence(std::memory_order_seq_cst);  // vector loads must not sink below the one that follows
    return node.lock().raw() == version.raw();
  }
  // A node as a snapshot sees it.
  void ReadAt(const Node& node, const SnapshotView& at, Node* content) const;
  void ReadAt(const Node& node, const SnapshotView& at, OrderedNode* content) const;
  // Whether the key may be there then, as Find.
  absl::StatusOr<bool> FindAt(std::string_view key, const SnapshotView& at, Found* found) const;

  RootId id() const { return id_; }
  const Node* Root() const {
    return image_.NodeAt(static_cast<Offset>(Node::Load(RootWord(image_.superblock(), id_))));
  }
  const Image& image() const { return image_; }

  // The prefix of a layer, given its root. DataLoss if there is none where the root says. `inline_bytes` backs the
  // result of 8-byte prefixes.
  absl::StatusOr<std::string_view> PrefixOf(const Node& root, char (&inline_bytes)[8]) const {
    return PrefixOf(root, root.kinds(), root.prefix_word(), inline_bytes);
  }
  // Of a root that was read: `home` is where it lies.
  absl::StatusOr<std::string_view> PrefixOf(const Node& home, Kinds kinds, uint64_t prefix_word,
                                            char (&inline_bytes)[8]) const;
  // Its length alone, without touching a record.
  static size_t PrefixBytes(const Node& root) { return PrefixBytes(root.kinds(), root.prefix_word()); }
  static size_t PrefixBytes(Kinds kinds, uint64_t prefix_word);

  // Hints (kv/leaf_hints.h).
  const Node* HintedLeaf(uint64_t slice, int side) const { return image_.NodeAt(hints_.Lookup(slice, side)); }
  // For whoever is going to descend to the key: first what may say where its leaf is, and later the leaf.
  void PrefetchHint(std::string_view key) const {
    if (key.size() >= kSliceBytes) hints_.Prefetch(WholeSlice(key.data()));
  }
  void PrefetchLeaf(std::string_view key) const {
    if (key.size() < kSliceBytes) return;
    if (const Node* const leaf = HintedLeaf(WholeSlice(key.data()), 0)) leaf->Prefetch();
  }
  // The leaf had this version when a descent from the root led to it.
  void LearnLeaf(uint64_t slice, const Node& leaf, LockWord version) const;
  void FitHints(uint64_t slice_of_a_key) const;
  LeafHints& hints() const { return hints_; }

  // ---- writers. All but the first two need what they change to be claimed, and claim what else they need. Restart():
  // somebody was in the way, nothing was changed. Again(): nodes were split to make room, and the change is over.

  // Where the key is or would be, by walking down; and the place among its slice's entries in the leaf reached. That is
  // true of the versions in the path.
  absl::Status Locate(std::string_view key, Change& change, Location* location) const;
  // Takes the leaf that a descent (for writing) led to. False: not as it was.
  static bool ClaimLeaf(const Descent& descent, Change& change) {
    return change.Claim(const_cast<Node*>(descent.node), descent.version) != nullptr;
  }
  // Takes the node at the end of the path.
  static bool ClaimLast(Location& location, Change& change) { return Take(change, location.path.back()); }
  // Where the key is in the leaf that was claimed, without the way to it.
  absl::Status LocateInLeaf(std::string_view key, const Descent& descent, Change& change, Location* location) const;

  // What most writes of 8-byte values come down to, with no more than the leaf that a descent (for writing) led to, and
  // that is locked since, unchanged.
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
  // Puts an 8-byte key, in a batch, into a leaf that it doesn't hold yet. False: not without more ado.
  bool PutInlineWordInBatch(Change& change, const Descent& descent, std::string_view key, uint64_t value);
  // The word is the value: nothing has to be durable before it.
  void StoreInlineWord(uint64_t* word, uint64_t value);

  // The key is where `location` says, and the node at the end of its path is claimed. (kv/tree_write.cc)
  absl::Status Insert(Change& change, Location& location, std::string_view key, NewValue value);
  absl::Status Update(Change& change, Location& location, std::string_view key, NewValue value);
  // Writes the key's record anew, with the value that it has.
  // (kv/tree_move.cc)
  absl::Status MoveRecord(Change& change, Location& location, std::string_view key);
  absl::Status Erase(Change& change, Location& location);
  // An 8-byte value where it lies; or, in a record that a snapshot may see, in a new one.
  absl::Status StoreValueWord(Change& change, Location& location, std::string_view key, uint64_t* word, uint64_t value);
  static std::string_view BytesOf(const uint64_t& word) { return {reinterpret_cast<const char*>(&word), sizeof(word)}; }
  // When the value of the entry at kFound is over.
  uint32_t ExpiryOf(const Location& location) const;
  // Whether it is, now. A damaged record isn't believed to be.
  bool IsOverAt(const Location& location) const;
  // The 8-byte value of the entry at kFound, or nullptr if its value has another size.
  uint64_t* ValueWord(const Location& location) const;

  // Copies a node that the way to the key leads through, and leads it through the copy. Claims what it needs. Nothing
  // is done if the way doesn't lead there.
  absl::Status MoveNode(Change& change, std::string_view key, const Node* home);
  // A key that the node leads to; looks at `*budget` entries at most. The caller is in an epoch.
  std::optional<std::string> KeyBelow(const Node& node, unsigned* budget) const;

  // What a new node with these entries holds, but for its lock.
  static Node ContentOf(unsigned level, std::span<const Entry> entries, PrefixKind prefix_kind, uint64_t prefix_word);
  // A node's entries in order.
  static absl::InlinedVector<Entry, kSlots + 1> EntriesOf(const Node& node);
  // The entry for a key that has a record.
  static Entry RecordEntry(std::string_view key, Offset record, size_t depth);

  // After a delete that has left few entries: one step towards a tree without nearly empty nodes, if there is any to
  // make so many steps above the leaf where the key would be. Again(): there may be more, at `*height` as it is then.
  // (kv/tree_shrink.cc)
  static bool IsSparse(Perm perm) { return perm.count() <= kSparseCount; }
  absl::Status Rebalance(Change& change, std::string_view key, unsigned* height);

 private:
  static bool Take(Change& change, PathStep& step) {
    Node* const place = change.Claim(step.home, step.version);
    if (place == nullptr) return false;
    step.node = place;
    return true;
  }
  // Takes path[first … last].
  static bool TakeAll(Change& change, Path& path, size_t first, size_t last);

  // ---- commits (kv/tree_commit.cc). All that the stored word makes reachable was flushed and fenced by the caller.
  static void CommitPerm(Change& change, Node& node, Perm perm);
  static void CommitReference(Change& change, Node& node, unsigned slot, uint64_t ref);

  // Makes an entry part of a node with a free slot. If it refers to anything new, that must have been flushed.
  static void InsertEntry(Change& change, Node& node, Perm perm, unsigned position, const Entry& entry);
  // Writes an entry into the first free slot, which isn't visible until a perm that names it is committed, and starts
  // its write-back.
  static void WriteFreeSlot(Change& change, Node& node, Perm perm, const Entry& entry);
  // Writes a new node, and returns its reference.
  uint64_t WriteNode(Change& change, unsigned level, std::span<const Entry> entries,
                     PrefixKind prefix_kind = PrefixKind::kNone, uint64_t prefix_word = 0) const;

  absl::Status ReplaceRecord(Change& change, Location& location, std::string_view key, NewValue value);
  // The entry for a new key at this depth; appends its record where it needs one.
  absl::StatusOr<Entry> MakeEntry(Change& change, std::string_view key, NewValue value, size_t depth) const;

  // ---- growing (kv/tree_grow.cc)
  absl::Status InsertIntoFullLeaf(Change& change, Location& location, std::string_view key, NewValue value);
  absl::Status AppendAtRightEdge(Change& change, Location& location, std::string_view key, NewValue value);
  static bool IsAtRightEdge(const Location& location);
  // Durable after the next fence.
  static void LowerBound(Change& change, Node& leaf, uint64_t bound);
  // Whether a leaf whose slices begin so far into the key has a bound.
  bool HasBound(size_t depth) const { return depth == 0 && id_ == RootId::kKeys; }
  uint32_t record_flags() const { return id_ == RootId::kKeys ? kPlainRecord : kLogRecord; }
  // The lowest node that can be split now, to make room for a split of path[i].
  static size_t FirstToSplit(const Path& path, size_t i);
  // Claims what a split of path[i] writes to.
  absl::Status PrepareSplit(Change& change, Path& path, size_t i) const;
  absl::Status SplitNode(Change& change, Path& path, size_t i, std::span<const Entry> entries);
  // Splits path[i] as it is, for want of room in it or below. Again().
  absl::Status SplitForRoom(Change& change, Path& path, size_t i);
  // Splits the leaf, or what has to be split before it. Again().
  absl::Status MakeRoomInLeaf(Change& change, Location& location);
  // The leaf was made, and covers these slices.
  void OfferHint(Change& change, uint64_t first, uint64_t bound, uint64_t leaf);
  // Replaces path[i] by `children` in its parent, or by a new root above them.
  void ReplaceByChildren(Change& change, Path& path, size_t i, std::span<const Entry> children);
  // Whoever makes another node the root of the layer that path[i] is the root of holds this; nothing if the top
  // layer's.
  static bool TakeOwner(Change& change, Path& path, size_t i) { return i == 0 || Take(change, path[i - 1]); }
  void SwingLayerRoot(Change& change, const Path& path, size_t i, uint64_t new_root) const;

  // ---- layers (kv/tree_layer.cc)
  absl::Status InsertIntoNewLayer(Change& change, Location& location, std::string_view key, NewValue value);
  absl::Status InsertBesidePrefix(Change& change, Location& location, std::string_view key, NewValue value);
  // The words for a prefix; appends a record if it is longer than 8 bytes.
  struct Prefix {
    PrefixKind kind = PrefixKind::kNone;
    uint64_t word = 0;
  };
  static absl::StatusOr<Prefix> MakePrefix(Change& change, std::string_view bytes);
  void RetirePrefix(Change& change, const Node& root) const;

  // ---- shrinking (kv/tree_shrink.cc)
  // A node is merged when it has at most so many entries.
  static constexpr unsigned kSparseCount = 4;
  absl::Status DropEmpty(Change& change, Path& path, size_t bottom, unsigned* height);
  absl::Status MergeWithSibling(Change& change, Path& path, size_t i);
  absl::Status ShrinkLayer(Change& change, Path& path, size_t i, unsigned* height);
  absl::Status PullUpLastKey(Change& change, Path& path, size_t i);

  // The whole way, if only the leaf is known.
  absl::Status CompletePath(std::string_view key, Change& change, Location* location) const;
  absl::Status PlaceInLeaf(std::string_view key, SliceRange range, Location* location) const;
  // The version of a node that the way leads to.
  absl::Status VersionOf(const Node& home, Change& change, LockWord* version) const;
  static bool IsCurrent(const PathStep& step, const Change& change) {
    return IsUnchanged(*step.home, step.version) || change.FindHeld(step.home) != nullptr;
  }
  absl::Status DamagedUnlessChanged(const PathStep& step, const Change& change, const char* what) const;
  LockWord WaitUntilStable(const Node& node) const;
  // The lock word; if a killed writer had left the node locked, all that he stored there is durable then, and so is
  // what leads there (kv/settle.cc).
  LockWord Settle(const Node& node) const;
  void WriteBackOnce(const Node& node, LockWord version) const;
  void SyncOnce(LockWord version) const;
  bool FlushLeftLocked(const Node& node) const;
  void DescendScalar(std::string_view key, Purpose purpose, Descent& result) const;
  void DescendAvx2(std::string_view key, Purpose purpose, Descent& result) const;
  void DescendAvx512(std::string_view key, Purpose purpose, Descent& result) const;

  LeafStep FindInLeaf(const Descent& descent, std::string_view key, Found* found) const;

  absl::Status Damaged(const void* where, const char* what) const;
  absl::Status Damaged(const Descent& descent) const;
  absl::Status DamagedAt(Offset offset, const char* what) const;

  const RootId id_;
  const Image& image_;
  daxfile::Persist& persist_;
  const uint32_t generation_;
  const LiveReader* live_reader_ = nullptr;
  mutable WrittenBack written_back_;         // in a process that only reads
  mutable std::mutex sync_mutex_;            // of who syncs
  mutable std::atomic<uint64_t> synced_{0};  // the newest generation << 32 | so many segments: see SyncOnce
  mutable LeafHints hints_;
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_TREE_H_
