// The commits, and what is written before them. A caller that made anything new reachable has flushed and fenced it
// before. A commit ends with the fence after which its word is durable; until then the node is locked, and all new
// nodes that it makes reachable, so that no reader returns what a power cut could take back.
#include <algorithm>
#include <array>
#include <cstring>

#include "kv/fingerprint.h"
#include "kv/tree.h"

namespace sealkv::internal {
namespace {

// Where words are stored: by a change, or, on the shortest way, straight to the file.
struct Directly {
  daxfile::Persist& persist;
  void Store(uint64_t* word, uint64_t value, daxfile::Site site = daxfile::Site::current()) const {
    persist.Store(word, value, site);
  }
  void Flush(uint64_t* word, daxfile::Site site = daxfile::Site::current()) const { persist.Flush(word, site); }
  void Fence(daxfile::Site site = daxfile::Site::current()) const { persist.Fence(site); }
};

// Writes an entry into a free slot, which isn't visible until a perm that names it is committed.
//
// The kinds lie in the line of `perm`, and so do slots 2..4. Within a line stores become durable in their order, and
// perm is stored last: so that line needs no write-back of its own before the commit.
template <typename Writer>
[[gnu::always_inline]] inline void WriteSlot(Writer& writer, Node& node, unsigned slot, const Entry& entry) {
  writer.Store(&node.ref_word(slot), entry.ref);
  writer.Store(&node.slice_word(slot), entry.slice);
  if (node.is_leaf() && node.kinds().kind(slot) != entry.kind) {
    writer.Store(&node.words[Node::kKindsWord], node.kinds().With(slot, entry.kind).raw());
  }
}

// Starts the write-back of what a slot holds, but for the perm's own line.
template <typename Writer>
[[gnu::always_inline]] inline void FlushSlot(Writer& writer, Node& node, unsigned slot) {
  if (Node::IsInPermLine(slot)) return;
  writer.Flush(&node.ref_word(slot));
  if (slot >= 8) writer.Flush(&node.slice_word(slot));  // slots 5..7 have both in one line
}

// The same node with another entry's slot free: moves entries out of the line of `perm`, as many as find room beside
// the first free slot. All free slots are outside the line. What moves goes to lines that the new entry touches anyway,
// and that are flushed with it; none of it is named by any permutation in the node yet.
template <typename Writer>
Perm ClearPermLine(Writer& writer, Node& node, Perm perm) {
  const unsigned first_free = perm.count();
  const Kinds kinds = node.kinds();
  for (unsigned i = 1; i <= kPermLineSlots && first_free + i < kSlots; ++i) {
    const unsigned to = perm.slot(first_free + i);
    if (!Node::ShareLines(perm.slot(first_free), to)) break;
    const unsigned from = kFirstSlot + i - 1;
    WriteSlot(writer, node, to, {node.slice(from), kinds.kind(from), node.ref(from)});
    perm = perm.Exchange(from, to);
  }
  return perm;
}

// Writes an entry, and returns the permutation that is to be committed.
template <typename Writer>
[[gnu::always_inline]] inline Perm PlaceEntry(Writer& writer, Node& node, Perm perm, unsigned position,
                                              const Entry& entry) {
  unsigned slot = perm.slot(perm.count());
  for (unsigned other = kFirstSlot; !Node::IsInPermLine(slot) && Node::IsInPermLine(other); ++other) {
    if (perm.PositionOf(other) < perm.count()) continue;
    perm = perm.Exchange(slot, other);
    slot = other;
  }
  if (!Node::IsInPermLine(slot)) perm = ClearPermLine(writer, node, perm);
  WriteSlot(writer, node, slot, entry);
  FlushSlot(writer, node, slot);
  if (!Node::IsInPermLine(slot) || IsRecord(entry.kind)) writer.Fence();
  return perm.Insert(position);
}

}  // namespace

void Tree::CommitPerm(Change& change, Node& node, Perm perm) {
  change.Commit(&node.words[Node::kPermWord], perm.raw());
}

void Tree::CommitReference(Change& change, Node& node, unsigned slot, uint64_t ref) {
  change.Commit(&node.ref_word(slot), ref);
}

// A commit too: the word is the value, and makes nothing else reachable.
absl::Status Tree::StoreValueWord(Change& change, Location& location, std::string_view key, uint64_t* word,
                                  uint64_t value) {
  const bool is_in_record = location.kind != Kind::kInline;
  // A batch keeps to words of nodes.
  if (is_in_record && change.is_batch())
    return ReplaceRecord(change, location, key, {BytesOf(value), ExpiryOf(location)});
  change.Begin();
  if (is_in_record && change.has_snapshots())
    return ReplaceRecord(change, location, key, {BytesOf(value), ExpiryOf(location)});
  change.Commit(word, value);
  return absl::OkStatus();
}

void Tree::StoreInlineWord(uint64_t* word, uint64_t value) {
  persist_.Store(word, value);
  persist_.Flush(word);
  persist_.Fence();
}

void Tree::WriteFreeSlot(Change& change, Node& node, Perm perm, const Entry& entry) {
  const unsigned slot = perm.slot(perm.count());
  WriteSlot(change, node, slot, entry);
  FlushSlot(change, node, slot);
}

void Tree::InsertEntry(Change& change, Node& node, Perm perm, unsigned position, const Entry& entry) {
  CommitPerm(change, node, PlaceEntry(change, node, perm, position, entry));
}

namespace {

// Whether a permutation that may be damaged can be told to name its first free slot.
bool HasUsableSlot(Perm perm) {
  if (perm.count() >= kSlots) return false;
  return Node::IsInPermLine(perm.slot(perm.count())) ? perm.NamesFreeSlotOnce() : IsWellFormed(perm);
}

// Whether the line of `perm` has a free slot: then nothing has to move to make one.
bool HasSlotInPermLine(Perm perm) {
  for (unsigned slot = kFirstSlot; Node::IsInPermLine(slot); ++slot) {
    if (perm.PositionOf(slot) >= perm.count()) return true;
  }
  return false;
}

// What would be stored is noted. So what is read again must not have been stored meanwhile.
struct Noting {
  Change& change;
  void Store(uint64_t* word, uint64_t value) const { change.Note(word, value); }
  void Flush(uint64_t*) const {}
  void Fence() const {}
};

}  // namespace

bool Tree::PutInlineWordInBatch(Change& change, const Descent& descent, std::string_view key, uint64_t value) {
  if (descent.outcome != Descent::Outcome::kLeaf) return false;
  auto& leaf = const_cast<Node&>(*descent.node);
  if (uint64_t* const word = InlineWord(descent, key)) {
    if (!change.ClaimForWords(&leaf, descent.version)) return false;
    change.Note(word, value);
    return true;
  }
  const bool is_new = descent.range.begin == descent.range.end;
  if (!is_new || !IsWellFormed(descent.perm) || descent.perm.count() >= kSlots) return false;
  if (!HasSlotInPermLine(descent.perm) || !change.ClaimForWords(&leaf, descent.version)) return false;
  Noting writer{change};
  const Entry entry{descent.slice, Kind::kInline, value};
  change.Note(&leaf.words[Node::kPermWord], PlaceEntry(writer, leaf, descent.perm, descent.range.begin, entry).raw());
  return true;
}

bool Tree::InsertInlineWord(const Descent& descent, uint64_t value) {
  const Perm perm = descent.perm;
  if (descent.range.begin != descent.range.end || !HasUsableSlot(perm)) return false;
  auto& leaf = const_cast<Node&>(*descent.node);
  Directly writer{persist_};
  const Entry entry{descent.slice, Kind::kInline, value};
  StoreInlineWord(&leaf.words[Node::kPermWord], PlaceEntry(writer, leaf, perm, descent.range.begin, entry).raw());
  return true;
}

Node Tree::ContentOf(unsigned level, std::span<const Entry> entries, PrefixKind prefix_kind, uint64_t prefix_word) {
  Node fresh{};
  static constexpr auto kPerms = [] {
    std::array<Perm, kSlots + 1> perms;
    for (unsigned count = 0; count <= kSlots; ++count) perms[count] = Perm::ForNew(count);
    return perms;
  }();
  const Perm perm = kPerms[entries.size()];
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
  return fresh;
}

uint64_t Tree::WriteNode(Change& change, unsigned level, std::span<const Entry> entries, PrefixKind prefix_kind,
                         uint64_t prefix_word) const {
  return Raw(image_.OffsetOf(change.WriteNode(ContentOf(level, entries, prefix_kind, prefix_word))));
}

absl::InlinedVector<Entry, kSlots + 1> Tree::EntriesOf(const Node& node) {
  const Perm perm = node.perm();
  const Kinds kinds = node.kinds();
  absl::InlinedVector<Entry, kSlots + 1> entries(std::min(perm.count(), kSlots));
  unsigned position = 0;
  for (Entry& entry : entries) {
    const unsigned slot = perm.slot(position++);
    entry = {node.slice(slot), kinds.kind(slot), node.ref(slot)};
  }
  return entries;
}

Entry Tree::RecordEntry(std::string_view key, Offset record, size_t depth) {
  const Kind kind = KindAt(key, depth);
  const uint16_t fingerprint = kind == Kind::kMore ? Fingerprint(key.substr(depth + kSliceBytes)) : uint16_t{0};
  return {SliceAt(key, depth), kind, RecordRef(record, fingerprint).raw()};
}

absl::StatusOr<Entry> Tree::MakeEntry(Change& change, std::string_view key, NewValue value, size_t depth) const {
  if (depth == 0 && key.size() == kSliceBytes && value.is_word()) {
    uint64_t word;
    std::memcpy(&word, value.bytes.data(), sizeof(word));
    return Entry{SliceAt(key, 0), Kind::kInline, word};
  }
  const absl::StatusOr<Offset> record = change.AppendRecord(key, value.bytes, record_flags(), 0, value.expiry);
  if (!record.ok()) return record.status();
  return RecordEntry(key, *record, depth);
}

}  // namespace sealkv::internal
