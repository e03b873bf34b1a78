// The three commits, and what is written before them. A caller that made anything new reachable has flushed and fenced
// it before. A commit ends with the fence after which its word is durable; until then the node is locked, so that no
// reader returns what a power cut could take back.
#include <algorithm>
#include <cstring>

#include "kv/fingerprint.h"
#include "kv/tree.h"

namespace sealkv::internal {

void Tree::MakeObsolete(Node& node) {
  std::atomic_ref<uint64_t>(node.ref_words[Node::kLockWord])
      .store(node.lock().Locked(generation_).Obsolete().raw(), std::memory_order_release);
  heap_.RetireNode(image_.OffsetOf(&node));
}

void Tree::CommitPerm(Node& node, Perm perm) {
  Lock(node);
  persist_.Store(&node.key_words[Node::kPermWord], perm.raw());
  persist_.Flush(&node.key_words[Node::kPermWord]);
  persist_.Fence();
  Unlock(node);
}

void Tree::CommitReference(Node& node, unsigned slot, uint64_t ref) {
  Lock(node);
  persist_.Store(&node.ref_words[slot], ref);
  persist_.Flush(&node.ref_words[slot]);
  persist_.Fence();
  Unlock(node);
}

void Tree::CommitRoot(Node& new_root) {
  Lock(new_root);  // the root word has no lock of its own: whoever follows it waits at the new root
  uint64_t* word = &image_.superblock().root;
  persist_.Store(word, Raw(image_.OffsetOf(&new_root)));
  persist_.Flush(word);
  persist_.Fence();
  Unlock(new_root);
}

// The slices of slots 2..7 and the kinds lie in the line of `perm`. Within a line stores become durable in their order,
// and perm is stored last: so that line needs no write-back of its own before the commit.
void Tree::WriteFreeSlot(Node& node, Perm perm, const Entry& entry) {
  const unsigned slot = perm.slot(perm.count());
  persist_.Store(&node.ref_words[slot], entry.ref);
  persist_.Flush(&node.ref_words[slot]);
  persist_.Store(&node.key_words[slot], entry.slice);
  constexpr unsigned kSlotsInPermLine = daxfile::kCacheLineBytes / sizeof(uint64_t);
  if (slot >= kSlotsInPermLine) persist_.Flush(&node.key_words[slot]);
  if (!node.is_leaf() || node.kinds().kind(slot) == entry.kind) return;
  persist_.Store(&node.key_words[Node::kKindsWord], node.kinds().With(slot, entry.kind).raw());
}

Node& Tree::WriteNode(unsigned level, std::span<const Entry> entries, PrefixKind prefix_kind, uint64_t prefix_word) {
  Node fresh{};
  Perm perm;
  Kinds kinds(level, prefix_kind);
  for (const Entry& entry : entries) {
    const unsigned slot = perm.slot(perm.count());
    fresh.key_words[slot] = entry.slice;
    fresh.ref_words[slot] = entry.ref;
    if (level == 0) kinds = kinds.With(slot, entry.kind);
    perm = perm.Insert(perm.count());
  }
  fresh.key_words[Node::kPermWord] = perm.raw();
  fresh.key_words[Node::kKindsWord] = kinds.raw();
  fresh.ref_words[Node::kPrefixWord] = prefix_word;
  Node& node = *image_.NodeAt(heap_.TakeNode());
  // The one word that somebody may look at before the node is published: who comes by an old shortcut sees by it that
  // what he looks for is gone.
  persist_.Store(&node.ref_words[Node::kLockWord], node.lock().Renewed(generation_).raw());
  persist_.Copy(&node.key_words, &fresh.key_words, sizeof(fresh.key_words));
  persist_.Copy(&node.ref_words[Node::kPrefixWord], &fresh.ref_words[Node::kPrefixWord],
                sizeof(fresh.ref_words) - sizeof(uint64_t));
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
