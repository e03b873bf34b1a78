#include "kv/change.h"

#include <algorithm>

#include "kv/asymmetric_fence.h"
#include "kv/gate.h"
#include "kv/make_room.h"
#include "kv/search.h"

namespace sealkv::internal {

// The lock is the one word that somebody may look at: who comes by an old hint sees by it that nothing is to be found
// here. It was locked for good when the node was retired; or this place was never used.
LockedNode TakeLockedNode(const ChangeContext& context, Arena& arena) {
  Node* const node = context.image.NodeAt(context.heap.TakeNode(arena));
  const LockWord lock = node->lock().LockedAsNew(context.locks.generation());
  context.persist.Store(&node->words[Node::kLockWord], lock.raw());
  return {node, lock};
}

void WriteContent(daxfile::Persist& persist, Node& node, const Node& content) {
  persist.Copy(&node.words[0], &content.words[0], Node::kLockWord * sizeof(uint64_t));
  persist.Copy(&node.words[Node::kPrefixWord], &content.words[Node::kPrefixWord],
               sizeof(content) - Node::kPrefixWord * sizeof(uint64_t));
  persist.Flush(&node, sizeof(node));
}

LockedNode WriteFreshNode(const ChangeContext& context, Arena& arena, const Node& content) {
  const LockedNode node = TakeLockedNode(context, arena);
  WriteContent(context.persist, *node.home, content);
  return node;
}

void Change::Reserve(size_t nodes) {
  held_.reserve(nodes);
  batch_->words().reserve(4 * nodes);
}

const uint32_t* Change::IndexOfHeld(const Node* home) const {
  while (batch_->noted() < held_.size()) {
    batch_->NoteHeld(context_.image.OffsetOf(held_[batch_->noted()].home));
  }
  return batch_->FindHeld(context_.image.OffsetOf(home));
}

Node* Change::FindHeldInBatch(const Node* home) const {
  // Nobody's: most that it is asked of.
  if (home->lock().is_free(context_.locks.generation())) return nullptr;
  const uint32_t* const index = IndexOfHeld(home);
  if (index == nullptr) return nullptr;
  Held& held = held_[*index];
  if (held.place == nullptr) MakeCopy(held);
  return held.place;
}

// Those that were noted between the claims of this and of the next such node.
std::span<RedoWord> Change::WordsOf(size_t held_index) const {
  std::vector<RedoWord>& words = batch_->words();
  size_t end = words.size();
  for (size_t next = held_index + 1; next < held_.size(); ++next) {
    if (!held_[next].has_words) continue;
    end = held_[next].first_word;
    break;
  }
  return std::span(words).subspan(held_[held_index].first_word, end - held_[held_index].first_word);
}

void Change::MakeCopy(Held& held) const {
  held.place = batch_->NewCopy();
  CopyNode(*held.home, held.place);
  const uint64_t base = Raw(context_.image.OffsetOf(held.home));
  for (RedoWord& redo : WordsOf(static_cast<size_t>(&held - held_.data()))) {
    held.place->words[(Raw(redo.where) - base) / sizeof(uint64_t)] = redo.value;
    redo.where = Offset::kNone;
  }
}

// What is taken and not noted would never be given back: so there is room for the note first.
bool Change::ClaimForWords(Node* home, LockWord version) {
  MakeRoomForOne(held_);
  if (!context_.locks.TryClaim(*home, version)) return false;
  Hold(home, nullptr, /*is_fresh=*/false);
  held_.back().has_words = true;
  held_.back().first_word = static_cast<uint32_t>(batch_->words().size());
  return true;
}

thread_local Change* Change::batch_of_thread_ = nullptr;

bool Change::IsMadeByThisThread(const Node* home) {
  if (batch_of_thread_ == nullptr) return false;
  return std::any_of(batch_of_thread_->held_.begin(), batch_of_thread_->held_.end(),
                     [home](const Held& held) { return held.is_fresh && held.home == home; });
}

bool Change::IsLeftBehind(const Node* home) const {
  if (batch_ == nullptr || home->lock().is_free(context_.locks.generation())) return false;
  const uint32_t* const index = IndexOfHeld(home);
  return index != nullptr && (held_[*index].is_replaced || held_[*index].is_narrowed);
}

void Change::Narrows(const Node* home) {
  if (batch_ != nullptr) held_[*IndexOfHeld(home)].is_narrowed = true;
}

void Change::Hold(Node* home, Node* place, bool is_fresh, LockWord lock) {
  held_.push_back({home, place, false, is_fresh, lock});
}

Node* Change::Claim(Node* home, LockWord version) {
  if (Node* const place = FindHeld(home)) return place;
  MakeRoomForOne(held_);
  Node* const place = batch_ == nullptr ? home : batch_->NewCopy();
  const bool is_claimed =
      batch_ == nullptr ? context_.locks.TryLock(*home, version) : context_.locks.TryClaim(*home, version);
  if (!is_claimed) {
    blocker_ = home;
    return nullptr;
  }
  if (batch_ != nullptr) CopyNode(*home, place);
  Hold(home, place, /*is_fresh=*/false, version.Locked(context_.locks.generation()));
  return place;
}

void Change::Begin() {
  if (batch_ != nullptr) return;
  // A scope that prepares: from here on new snapshots wait for it.
  if (!Gate::IsInChange(arena_)) [[unlikely]] {
    Gate::BeginChange(arena_);
    FullFence();
    is_waited_for_ = true;
  }
  now_ = context_.versions.Now();
  if (!now_.has_snapshots()) [[likely]]
    return;
  for (const Held& held : held_) context_.versions.Keep(*held.home, now_);
}

Node* Change::Root(RootId id) const {
  if (batch_ != nullptr && batch_->root(id) != nullptr) return batch_->root(id);
  return context_.image.NodeAt(static_cast<Offset>(Node::Load(RootWord(context_.image.superblock(), id))));
}

Node* Change::WriteNode(const Node& content) {
  if (batch_ == nullptr) {
    MakeRoomForOne(fresh_nodes_);
    fresh_nodes_.push_back(WriteFreshNode(context_, arena_, content));
    return fresh_nodes_.back().home;
  }
  MakeRoomForOne(held_);
  Node* const copy = batch_->NewCopy();
  *copy = content;
  Node* const node = TakeLockedNode(context_, arena_).home;
  Hold(node, copy, /*is_fresh=*/true);
  return node;
}

absl::StatusOr<Offset> Change::AppendRecord(std::string_view key, std::string_view value, uint32_t flags,
                                            uint64_t replaced, uint32_t expiry) {
  const bool is_tabled = batch_ == nullptr && flags == kPlainRecord && RecordTable::Takes(key, value.size());
  MakeRoomForOne(fresh_records_);
  MakeRoomForOne(tabled_);
  if (is_tabled) context_.table.MakeRoom();
  absl::StatusOr<Offset> record = context_.heap.AppendRecord(arena_, key, value, flags, replaced, expiry);
  if (!record.ok()) return record;
  fresh_records_.push_back(*record);
  if (is_tabled) tabled_.push_back({RecordTable::Hash(key), *record});
  return record;
}

void Change::Replaces(const Node* home) {
  if (batch_ != nullptr) {
    held_[*IndexOfHeld(home)].is_replaced = true;
    return;
  }
  for (Held& held : held_) {
    if (held.home == home) held.is_replaced = true;
  }
}

void Change::RetiresRecord(Offset record) {
  retired_records_.push_back(record);
  const RecordView view = context_.image.RecordAt(record);
  if (view.is_null() || view.header().flags() != kPlainRecord || !RecordTable::Takes(view.key())) return;
  context_.table.Remove(RecordTable::Hash(view.key()), record);
}

void Change::StoreCommitWord(uint64_t* word, uint64_t value) {
  context_.persist.Store(word, value);
  context_.persist.Flush(word);
  context_.persist.Fence();
}

void Change::Commit(uint64_t* word, uint64_t value) noexcept {
  if (batch_ != nullptr) {
    *word = value;
    return;
  }
  if (!context_.persist.is_ok()) [[unlikely]]
    return Abort();
  StoreCommitWord(word, value);
  Finish();
}

// The root word has no lock of its own: whoever follows it waits at the new root, which is held.
void Change::CommitRoot(RootId id, Node* home) {
  if (batch_ != nullptr) return batch_->set_root(id, home);
  if (now_.has_snapshots()) context_.versions.KeepRoot(id, Root(id), now_);
  Commit(&RootWord(context_.image.superblock(), id), Raw(context_.image.OffsetOf(home)));
}

// What is new is let go of before its parent is. What is replaced is locked since before the commit, and stays so.
void Change::Finish() noexcept {
  for (const Tabled& tabled : tabled_) context_.table.Add(tabled.hash, tabled.record);
  for (const LockedNode& node : fresh_nodes_) {
    if (now_.has_snapshots()) context_.versions.Created(*node.home, now_);
    Unlock(*node.home, node.lock);
  }
  for (const Held& held : held_) {
    if (held.is_replaced) {
      context_.locks.MakeObsolete(*held.home);
      RetireNode(*held.home);
    } else {
      Unlock(*held.home, held.lock);
    }
  }
  for (const Offset record : retired_records_) RetireRecord(record);
  Forget();
}

// Only what is kept for snapshots makes a mark in a lock word while it is locked.
void Change::Unlock(Node& node, LockWord lock) const {
  context_.locks.Unlock(node, now_.has_snapshots() ? node.lock() : lock);
}

// If msync has failed the words on the disk may go on to lead there.
void Change::RetireNode(const Node& node) {
  if (!context_.persist.is_ok()) [[unlikely]]
    return;
  const Retired object{0, context_.image.OffsetOf(&node), kNodeBytes, /*is_node=*/true};
  if (now_.has_snapshots() && context_.versions.Retain(object, context_.versions.MadeAt(node), now_)) return;
  context_.heap.Retire(arena_, object);
}

void Change::RetireRecord(Offset record) {
  if (!context_.persist.is_ok()) [[unlikely]]
    return;
  const Retired object{0, record, context_.image.RecordAt(record).bytes(), /*is_node=*/false};
  if (now_.has_snapshots() && context_.versions.Retain(object, context_.heap.MadeAt(record), now_)) return;
  context_.heap.Retire(arena_, object);
}

void Change::Abort() {
  for (const Held& held : held_) {
    if (held.is_fresh) {
      context_.heap.DiscardNode(arena_, context_.image.OffsetOf(held.home));
    } else if (batch_ != nullptr) {
      context_.locks.Unclaim(*held.home);
    } else {
      context_.locks.Unlock(*held.home);
    }
  }
  for (const LockedNode& node : fresh_nodes_) {
    context_.heap.DiscardNode(arena_, context_.image.OffsetOf(node.home));
  }
  context_.heap.DiscardRecords(arena_, fresh_records_);
  Forget();
}

void Change::Forget() {
  if (is_waited_for_) [[unlikely]]
    Gate::EndChange(arena_);
  is_waited_for_ = false;
  held_.clear();
  fresh_nodes_.clear();
  fresh_records_.clear();
  retired_records_.clear();
  tabled_.clear();
}

}  // namespace sealkv::internal
