// One atomic change of the tree on its way: the nodes that it holds, what it has written that nobody can see yet, and
// the commit that makes it so.
//
// An operation first claims each node that it is going to write to (Claim), in any order and without waiting: if one of
// them has changed, or is held by somebody else, it gives up what it holds, and starts again. Then it begins (Begin):
// from here on only space can be missing. It writes what isn't visible yet, flushes and fences it; then comes the
// commit, one word; then the change is over, and everything is let go of.
//
// What can go wrong later:
//
// Memory. An exception before the commit gives all back. From the commit on, in a batch from where readers are locked
// out, everything is noexcept: half of a change can't be given back. The process ends then, and the next one finds the
// store as after any crash.
//
// msync, on tier msync. A commit isn't made where it isn't sure that what it makes reachable is durable; and after a
// failure nothing is freed that the words on the disk may still lead to, and nothing stored that a batch which is done
// again counts on. The store takes no more writes.
//
// In a batch the same operations run one after another on copies of the nodes that they claim: what they call a commit
// is a store to a copy, and all becomes visible by the batch's own commit (kv/batch_commit.cc). So a node has a home,
// where it lies in the file, and a place to work on, which is the same but in a batch.
//
// Thread safety: one thread's, inside of the gate and in an epoch.
#ifndef SEALKV_KV_CHANGE_H_
#define SEALKV_KV_CHANGE_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daxfile/persist.h"
#include "kv/batch_state.h"
#include "kv/heap.h"
#include "kv/image.h"
#include "kv/node.h"
#include "kv/node_locks.h"
#include "kv/record_table.h"
#include "kv/versions.h"

namespace sealkv::internal {

// What every change needs of the store.
struct ChangeContext {
  const Image& image;
  daxfile::Persist& persist;
  Heap& heap;
  NodeLocks& locks;
  Versions& versions;
  RecordTable& table;
  const bool keeps_log;
};

// "Others were in the way: nothing was changed, try again." Never leaves kv/.
inline absl::Status Restart() { return absl::Status(absl::StatusCode::kAborted, ""); }
inline bool IsRestart(const absl::Status& status) {
  return status.code() == absl::StatusCode::kAborted && status.message().empty();
}

// "There is room now, locate again."
inline absl::Status Again() { return absl::Status(absl::StatusCode::kOutOfRange, ""); }
inline bool IsAgain(const absl::Status& status) { return status.code() == absl::StatusCode::kOutOfRange; }

// A node slot, locked, that holds anything; its lock word. Needs a reservation.
struct LockedNode {
  Node* home;
  LockWord lock;
};
LockedNode TakeLockedNode(const ChangeContext& context, Arena& arena);
// All of a node but its lock; durable after the next fence.
void WriteContent(daxfile::Persist& persist, Node& node, const Node& content);
// Both: a new node, no part of the tree.
LockedNode WriteFreshNode(const ChangeContext& context, Arena& arena, const Node& content);

class Change {
 public:
  Change(const ChangeContext& context, Arena& arena) : context_(context), arena_(arena) {}
  // Of a batch.
  Change(const ChangeContext& context, Arena& arena, BatchState* batch)
      : context_(context), arena_(arena), batch_(batch), outer_batch_(std::exchange(batch_of_thread_, this)) {}
  ~Change() {
    if (!IsOver() || is_waited_for_) Abort();
    if (batch_ != nullptr) batch_of_thread_ = outer_batch_;
  }
  Change(const Change&) = delete;
  Change& operator=(const Change&) = delete;

  // Of a batch, that is going to change so many keys.
  void Reserve(size_t nodes);
  bool is_batch() const { return batch_ != nullptr; }
  BatchState* batch() const { return batch_; }
  Arena& arena() const { return arena_; }

  // ---- claims

  // Takes the node if it still has this version, or is held already; returns where to work on it. nullptr: it has
  // changed since, or is held by somebody else.
  Node* Claim(Node* home, LockWord version);
  // In a batch: takes a leaf of which no more than some words change, for now: Note() says which. Saves the copy.
  bool ClaimForWords(Node* home, LockWord version);
  void Note(uint64_t* word, uint64_t value) { batch_->words().push_back({context_.image.OffsetOf(word), value}); }
  // Where to work on a node that is held, nullptr if it isn't.
  Node* FindHeld(const Node* home) const {
    if (batch_ != nullptr) [[unlikely]]
      return FindHeldInBatch(home);
    for (const Held& held : held_) {
      if (held.home == home) return held.place;
    }
    return nullptr;
  }
  // Whether the calling thread's batch has made the node, and nobody else can have got there: it is locked until the
  // batch is over, and a way that leads to it before is a damaged one. For whoever has waited for it for a while.
  static bool IsMadeByThisThread(const Node* home);
  // Whether what leads to the node now, in the file, may not lead there for the batch whose change this is.
  bool IsLeftBehind(const Node* home) const;
  bool HoldsAny() const { return !held_.empty(); }
  // A node that couldn't be claimed, or entered: for whoever waits before he tries again.
  void set_blocker(const Node* home) { blocker_ = home; }
  const Node* blocker() const { return blocker_; }

  // All is claimed. What the nodes are now is kept, where a snapshot needs it.
  void Begin();

  // After Begin: the clock.
  Versions::Time now() const { return now_; }
  // After Begin: whether a snapshot is open. Then what it sees isn't to be changed in place.
  bool has_snapshots() const { return now_.has_snapshots(); }

  // After a commit that was to make room. An error: msync has failed, and there is none.
  absl::Status Again() const { return context_.persist.is_ok() ? internal::Again() : context_.persist.status(); }

  // The top layer's root of a tree, as it will be.
  Node* Root(RootId id) const;

  // ---- what isn't visible before the commit

  absl::Status ReserveNodes(unsigned count) { return context_.heap.ReserveNodes(arena_, count); }
  // Writes a node that holds what `content` does, but for the lock; returns its home. Durable after the next fence;
  // locked until the change is over. Needs a reservation.
  Node* WriteNode(const Node& content);
  // Durable after the next fence. `replaced`: the sequence number of the record that this one takes the place of.
  absl::StatusOr<Offset> AppendRecord(std::string_view key, std::string_view value, uint32_t flags = kPlainRecord,
                                      uint64_t replaced = 0, uint32_t expiry = kNeverOver);

  // To a node that is held. If msync has failed nothing is stored: a batch that let go of the node may be done again by
  // the next open, and counts on finding it as it was. (Commit gives up then.)
  void Store(uint64_t* word, uint64_t value, daxfile::Site site = daxfile::Site::current()) {
    if (batch_ == nullptr) [[likely]] {
      if (context_.persist.is_ok()) [[likely]]
        context_.persist.Store(word, value, site);
    } else {
      *word = value;
    }
  }
  void Flush(uint64_t* word, daxfile::Site site = daxfile::Site::current()) {
    if (batch_ == nullptr) context_.persist.Flush(word, site);
  }
  void Fence(daxfile::Site site = daxfile::Site::current()) {
    if (batch_ == nullptr) context_.persist.Fence(site);
  }

  // For whoever is going to change the key.
  void PrefetchTable(std::string_view key) const {
    if (RecordTable::Takes(key)) context_.table.Prefetch(RecordTable::Hash(key));
  }

  // For the log, if one is kept: the batch does this.
  void LogPut(std::string_view key, std::string_view value, uint32_t expiry) {
    if (context_.keeps_log) [[unlikely]]
      batch_->log_entry().Put(key, value, expiry);
  }
  void LogDelete(std::string_view key) {
    if (context_.keeps_log) [[unlikely]]
      batch_->log_entry().Delete(key);
  }

  // ---- the commit, and what follows from it

  // The node is part of the tree no more.
  void Replaces(const Node* home);
  // The node covers less than before.
  void Narrows(const Node* home);
  // The record will be referred to no more; the leaf that does is held, or, of a layer's prefix, its root. Of a key's
  // record: before anything is written, for the table takes a lock, and a locked instruction waits for all stores.
  void RetiresRecord(Offset record);

  // Stores a word of a node that is held, or of a record that such a one refers to (but not in a batch). Everything
  // that it makes reachable is durable. When this returns the word is, too, and the change is over. If msync has failed
  // nothing is stored; Persist::status() says so.
  void Commit(uint64_t* word, uint64_t value) noexcept;
  // The same for a root word.
  void CommitRoot(RootId id, Node* home);

  // Of a batch: makes all that was done so far durable and visible, as one. ResourceExhausted: nothing was changed.
  // Cost: the lines of its records and new nodes, a line for each 4 words that change in nodes, the lines that these
  // are in, and 2; at most 4 fences. (kv/batch_commit.cc)
  //
  // `is_still_true` is asked when it is certain that nobody can miss the changes any more, and be told that they are
  // visible: Restart() if it says no.
  absl::Status CommitBatch(absl::FunctionRef<bool()> is_still_true);

 private:
  struct Held {
    Node* home;
    Node* place;
    bool is_replaced;
    bool is_fresh;
    LockWord lock{0};  // but in a batch: what it was locked by
    bool is_narrowed = false;
    bool has_words = false;   // claimed by ClaimForWords
    uint32_t first_word = 0;  // then: of those that it noted
  };

  bool IsOver() const {
    return held_.empty() && fresh_nodes_.empty() && fresh_records_.empty() && retired_records_.empty();
  }
  void StoreCommitWord(uint64_t* word, uint64_t value);
  void Finish() noexcept;
  void Unlock(Node& node, LockWord lock) const;
  void Abort();
  void Forget();
  void RetireNode(const Node& node);
  void RetireRecord(Offset record);
  // In a batch: its place in held_.
  const uint32_t* IndexOfHeld(const Node* home) const;
  Node* FindHeldInBatch(const Node* home) const;
  std::span<RedoWord> WordsOf(size_t held_index) const;
  void MakeCopy(Held& held) const;
  void Hold(Node* home, Node* place, bool is_fresh, LockWord lock = LockWord(0));

  // The steps of a batch's commit.
  struct Blob {
    Offset first;
    absl::InlinedVector<std::pair<Offset, uint64_t>, 2> chunks;  // where, and how many bytes
  };
  absl::Status CommitLockingOut(std::span<const RedoWord> words, const Blob& blob, std::optional<size_t> lane,
                                absl::FunctionRef<bool()> is_still_true) noexcept;
  absl::Status CommitByLane(std::span<const RedoWord> words, const Blob& blob, size_t lane);
  absl::Status CommitByOneWord(std::span<const RedoWord> words);
  void WriteFreshNodes();
  std::vector<RedoWord> CollectRedo() const;
  absl::StatusOr<Blob> WriteBlob(std::span<const RedoWord> words);
  void CommitLane(uint64_t* lane, LaneWord word);
  void ClearLane(uint64_t* lane);
  void FreeBlob(const Blob& blob);
  void LockOutReaders();
  void UnlockUnchanged();
  void KeepForSnapshots();
  void Apply(std::span<const RedoWord> words);
  void LetReadersIn();
  void LetGoOfBatch();
  void LeaveUndecided();

  const ChangeContext& context_;
  Arena& arena_;
  BatchState* const batch_ = nullptr;
  Change* const outer_batch_ = nullptr;
  static thread_local Change* batch_of_thread_;
  const Node* blocker_ = nullptr;
  Versions::Time now_;
  bool is_waited_for_ = false;  // by new snapshots, since Begin
  mutable absl::InlinedVector<Held, 6> held_;
  absl::InlinedVector<LockedNode, 4> fresh_nodes_;
  absl::InlinedVector<Offset, 3> fresh_records_;
  absl::InlinedVector<Offset, 3> retired_records_;
  // Of what was appended, but in a batch: what the table takes when it is its key's.
  struct Tabled {
    uint64_t hash;
    Offset record;
  };
  absl::InlinedVector<Tabled, 1> tabled_;
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_CHANGE_H_
