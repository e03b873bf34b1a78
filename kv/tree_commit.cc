// The three commits, and what is written before them. A caller that made anything new reachable has flushed and fenced
// it before. A commit ends with the fence after which its word is durable; until then the node is locked, and all new
// nodes that it makes reachable, so that no reader returns what a power cut could take back.
#include <algorithm>
#include <cstring>

#include "kv/fingerprint.h"
#include "kv/tree.h"

namespace sealkv::internal {

void Tree::MakeObsolete(Node& node) {
  std::atomic_ref<uint64_t>(node.words[Node::kLockWord])
      .store(node.lock().Locked(generation_).Obsolete().raw(), std::memory_order_release);
  heap_.RetireNode(image_.OffsetOf(&node));
}

void Tree::Publish() {
  for (Node* node : fresh_nodes_) Unlock(*node);
  fresh_nodes_.clear();
}

void Tree::CommitPerm(Node& node, Perm perm) {
  Lock(node);
  persist_.Store(&node.words[Node::kPermWord], perm.raw());
  persist_.Flush(&node.words[Node::kPermWord]);
  persist_.Fence();
  if (!fresh_nodes_.empty()) Publish();
  Unlock(node);
}

void Tree::CommitReference(Node& node, unsigned slot, uint64_t ref) {
  Lock(node);
  persist_.Store(&node.ref_word(slot), ref);
  persist_.Flush(&node.ref_word(slot));
  persist_.Fence();
  if (!fresh_nodes_.empty()) Publish();
  Unlock(node);
}

// A commit too: the word is the value, and makes nothing else reachable.
void Tree::StoreValueWord(Node& leaf, uint64_t* word, uint64_t value) {
  Lock(leaf);
  persist_.Store(word, value);
  persist_.Flush(word);
  persist_.Fence();
  Unlock(leaf);
}

void Tree::CommitRoot(Node& new_root) {
  Lock(new_root);  // the root word has no lock of its own: whoever follows it waits at the new root
  uint64_t* word = &image_.superblock().root;
  persist_.Store(word, Raw(image_.OffsetOf(&new_root)));
  persist_.Flush(word);
  persist_.Fence();
  Publish();
  Unlock(new_root);
}

// The kinds lie in the line of `perm`, and so do slots 2..4. Within a line stores become durable in their order, and
// perm is stored last: so that line needs no write-back of its own before the commit.
[[gnu::always_inline]] inline void Tree::WriteSlot(Node& node, unsigned slot, const Entry& entry) {
  persist_.Store(&node.ref_word(slot), entry.ref);
  persist_.Store(&node.slice_word(slot), entry.slice);
  if (node.is_leaf() && node.kinds().kind(slot) != entry.kind) {
    persist_.Store(&node.words[Node::kKindsWord], node.kinds().With(slot, entry.kind).raw());
  }
}

[[gnu::always_inline]] inline void Tree::FlushSlot(Node& node, unsigned slot) {
  if (Node::IsInPermLine(slot)) return;
  persist_.Flush(&node.ref_word(slot));
  if (slot >= 8) persist_.Flush(&node.slice_word(slot));  // slots 5..7 have both in one line
}

void Tree::WriteFreeSlot(Node& node, Perm perm, const Entry& entry) {
  const unsigned slot = perm.slot(perm.count());
  WriteSlot(node, slot, entry);
  FlushSlot(node, slot);
}

void Tree::InsertEntry(Node& node, Perm perm, unsigned position, const Entry& entry) {
  unsigned slot = perm.slot(perm.count());
  for (unsigned other = kFirstSlot; !Node::IsInPermLine(slot) && Node::IsInPermLine(other); ++other) {
    if (perm.PositionOf(other) < perm.count()) continue;
    perm = perm.Exchange(slot, other);
    slot = other;
  }
  if (!Node::IsInPermLine(slot)) perm = ClearPermLine(node, perm);
  WriteSlot(node, slot, entry);
  FlushSlot(node, slot);
  if (!Node::IsInPermLine(slot) || IsRecord(entry.kind)) persist_.Fence();
  CommitPerm(node, perm.Insert(position));
}

bool Tree::InsertInlineWord(const Descent& descent, uint64_t value) {
  const Perm perm = descent.perm;
  if (descent.range.begin != descent.range.end || perm.count() >= kSlots) return false;
  const bool is_in_line = Node::IsInPermLine(perm.slot(perm.count()));
  if (!(is_in_line ? perm.NamesFreeSlotOnce() : perm.IsWellFormed())) return false;
  InsertEntry(const_cast<Node&>(*descent.node), perm, descent.range.begin, {descent.slice, Kind::kInline, value});
  return true;
}

// All free slots are outside the line. What moves goes to lines that the new entry touches anyway, and that are flushed
// with it.
Perm Tree::ClearPermLine(Node& node, Perm perm) {
  const unsigned first_free = perm.count();
  const Kinds kinds = node.kinds();
  for (unsigned i = 1; i <= kPermLineSlots && first_free + i < kSlots; ++i) {
    const unsigned to = perm.slot(first_free + i);
    if (!Node::ShareLines(perm.slot(first_free), to)) break;
    const unsigned from = kFirstSlot + i - 1;
    WriteSlot(node, to, {node.slice(from), kinds.kind(from), node.ref(from)});
    perm = perm.Exchange(from, to);
  }
  return perm;
}

Node& Tree::WriteNode(unsigned level, std::span<const Entry> entries, PrefixKind prefix_kind, uint64_t prefix_word) {
  Node fresh{};
  const Perm perm = Perm::ForNew(static_cast<unsigned>(entries.size()));
  Kinds kinds(level, prefix_kind);
  for (unsigned i = 0; i < entries.size(); ++i) {
    const unsigned slot = perm.slot(i);
    fresh.slice_word(slot) = entries[i].slice;
    fresh.ref_word(slot) = entries[i].ref;
    if (level == 0) kinds = kinds.With(slot, entries[i].kind);
  }
  fresh.words[Node::kPermWord] = perm.raw();
  fresh.words[Node::kKindsWord] = kinds.raw();
  fresh.words[Node::kPrefixWord] = prefix_word;
  Node& node = *image_.NodeAt(heap_.TakeNode());
  // The one word that somebody may look at: who comes by an old hint sees by it that nothing is to be found here. It
  // was locked for good when it was retired; or this place was never used.
  persist_.Store(&node.words[Node::kLockWord], node.lock().Locked(generation_).raw());
  fresh_nodes_.push_back(&node);
  persist_.Copy(&node.words[0], &fresh.words[0], Node::kLockWord * sizeof(uint64_t));
  persist_.Copy(&node.words[Node::kPrefixWord], &fresh.words[Node::kPrefixWord],
                sizeof(fresh) - Node::kPrefixWord * sizeof(uint64_t));
  persist_.Flush(&node, sizeof(node));
  return node;
}

absl::InlinedVector<Entry, kSlots + 1> Tree::EntriesOf(const Node& node) const {
  absl::InlinedVector<Entry, kSlots + 1> entries;
  const Perm perm = node.perm();
  const Kinds kinds = node.kinds();
  for (unsigned i = 0; i < std::min(perm.count(), kSlots); ++i) {
    const unsigned slot = perm.slot(i);
    entries.push_back({node.slice(slot), kinds.kind(slot), node.ref(slot)});
  }
  return entries;
}

Entry Tree::RecordEntry(std::string_view key, Offset record, size_t depth) {
  const Kind kind = KindAt(key, depth);
  const uint16_t fingerprint = kind == Kind::kMore ? Fingerprint(key.substr(depth + kSliceBytes)) : uint16_t{0};
  return {SliceAt(key, depth), kind, RecordRef(record, fingerprint).raw()};
}

absl::StatusOr<Entry> Tree::MakeEntry(std::string_view key, std::string_view value, size_t depth) {
  if (depth == 0 && key.size() == kSliceBytes && value.size() == sizeof(uint64_t)) {
    uint64_t word;
    std::memcpy(&word, value.data(), sizeof(word));
    return Entry{SliceAt(key, 0), Kind::kInline, word};
  }
  const absl::StatusOr<Offset> record = heap_.AppendRecord(key, value);
  if (!record.ok()) return record.status();
  return RecordEntry(key, *record, depth);
}

void Tree::DiscardEntry(const Entry& entry) {
  if (IsRecord(entry.kind)) heap_.DiscardRecord(RecordRef::FromRaw(entry.ref).offset());
}

}  // namespace sealkv::internal
