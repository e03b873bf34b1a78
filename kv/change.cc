#include "kv/change.h"

#include <algorithm>

namespace sealkv::internal {

Node* Change::FindHeld(const Node* home) const {
  const auto found = std::find_if(held_.rbegin(), held_.rend(), [home](const Held& held) { return held.home == home; });
  return found != held_.rend() ? found->place : nullptr;
}

Node* Change::Claim(Node* home, LockWord version) {
  if (Node* const place = FindHeld(home)) return place;
  if (!context_.locks.TryLock(*home, version)) {
    blocker_ = home;
    return nullptr;
  }
  held_.push_back({home, home, false, false});
  return home;
}

void Change::Begin() {}

Node* Change::Root() const {
  return context_.image.NodeAt(static_cast<Offset>(Node::Load(context_.image.superblock().root)));
}

Node* Change::WriteNode(const Node& content) {
  Node& node = *context_.image.NodeAt(context_.heap.TakeNode(arena_));
  daxfile::Persist& persist = context_.persist;
  // The one word that somebody may look at: who comes by an old hint sees by it that nothing is to be found here. It
  // was locked for good when it was retired; or this place was never used.
  persist.Store(&node.words[Node::kLockWord], node.lock().LockedAsNew(context_.locks.generation()).raw());
  fresh_nodes_.push_back(&node);
  persist.Copy(&node.words[0], &content.words[0], Node::kLockWord * sizeof(uint64_t));
  persist.Copy(&node.words[Node::kPrefixWord], &content.words[Node::kPrefixWord],
               sizeof(content) - Node::kPrefixWord * sizeof(uint64_t));
  persist.Flush(&node, sizeof(node));
  return &node;
}

absl::StatusOr<Offset> Change::AppendRecord(std::string_view key, std::string_view value, uint32_t flags,
                                            uint64_t replaced) {
  absl::StatusOr<Offset> record = context_.heap.AppendRecord(arena_, key, value, flags, replaced);
  if (record.ok()) fresh_records_.push_back(*record);
  return record;
}

void Change::Replaces(const Node* home) {
  for (Held& held : held_) {
    if (held.home == home) held.is_replaced = true;
  }
}

void Change::StoreCommitWord(uint64_t* word, uint64_t value) {
  context_.persist.Store(word, value);
  context_.persist.Flush(word);
  context_.persist.Fence();
}

void Change::Commit(uint64_t* word, uint64_t value) {
  StoreCommitWord(word, value);
  Finish();
}

void Change::CommitRecordWord(uint64_t* word, uint64_t value) { Commit(word, value); }

// The root word has no lock of its own: whoever follows it waits at the new root, which is held.
void Change::CommitRoot(const Node* home) {
  Commit(&context_.image.superblock().root, Raw(context_.image.OffsetOf(home)));
}

// What is new is let go of before its parent is. What is replaced is locked since before the commit, and stays so.
void Change::Finish() {
  for (Node* const node : fresh_nodes_) context_.locks.Unlock(*node);
  for (const Held& held : held_) {
    if (held.is_replaced) {
      context_.locks.MakeObsolete(*held.home);
      context_.heap.RetireNode(arena_, context_.image.OffsetOf(held.home));
    } else {
      context_.locks.Unlock(*held.home);
    }
  }
  for (const Offset record : retired_records_) context_.heap.RetireRecord(arena_, record);
  Forget();
}

void Change::Abort() {
  for (const Held& held : held_) context_.locks.Unlock(*held.home);
  for (const Node* const node : fresh_nodes_) context_.heap.DiscardNode(arena_, context_.image.OffsetOf(node));
  for (const Offset record : fresh_records_) context_.heap.DiscardRecord(arena_, record);
  Forget();
}

void Change::Forget() {
  held_.clear();
  fresh_nodes_.clear();
  fresh_records_.clear();
  retired_records_.clear();
}

}  // namespace sealkv::internal
