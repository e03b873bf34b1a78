// The way to a key for a writer, and the operations that change one entry.
#include <algorithm>
#include <cstring>

#include "kv/fingerprint.h"
#include "kv/search.h"
#include "kv/tree.h"

namespace sealkv::internal {
namespace {

size_t SharedBytes(std::string_view a, std::string_view b) {
  const size_t limit = std::min(a.size(), b.size());
  return std::mismatch(a.begin(), a.begin() + limit, b.begin()).first - a.begin();
}

}  // namespace

// A node that somebody changes right now: who holds nothing waits for him, who does starts again.
absl::Status Tree::VersionOf(const Node& home, Change& change, LockWord* version) const {
  *version = Settle(home);
  if (!version->is_locked(generation_) || version->is_obsolete(generation_)) return absl::OkStatus();
  if (change.FindHeld(&home) != nullptr) return absl::OkStatus();
  if (change.HoldsAny()) {
    change.set_blocker(&home);
    return Restart();
  }
  *version = WaitUntilStable(home);
  return absl::OkStatus();
}

absl::Status Tree::DamagedUnlessChanged(const PathStep& step, const Change& change, const char* what) const {
  return IsCurrent(step, change) ? Damaged(step.home, what) : Restart();
}

// Walks down to the leaf where the key belongs, hand over hand (kv/descent.h); then finds its place among the entries
// of its slice.
absl::Status Tree::Locate(std::string_view key, Change& change, Location* location) const {
  Path& path = location->path;
  path.clear();
  location->has_path = true;
  Node* home = change.Root(id_);
  if (home == nullptr) return DamagedAt(Offset{RootWordOffset(id_)}, "the root word");
  LockWord version(0);
  if (absl::Status status = VersionOf(*home, change, &version); !status.ok()) return status;
  if (change.Root(id_) != home) return Restart();
  size_t depth = 0;
  uint64_t lowest_slice = 0;
  bool is_layer_root = true;
  unsigned level_bound = kMaxLevel + 1;
  for (;;) {
    // Whatever is held isn't free.
    Node* const held = version.is_free(generation_) ? nullptr : change.FindHeld(home);
    Node* const node = held != nullptr ? held : home;
    path.push_back({node, home, version, node->perm(), 0, lowest_slice, depth, is_layer_root});
    PathStep& step = path.back();
    // Nobody led here but what hasn't changed since.
    if (version.is_obsolete(generation_)) return DamagedUnlessChanged(step, change, "a node with two references");
    if (is_layer_root && depth > 0) {
      char inline_bytes[8];
      const absl::StatusOr<std::string_view> prefix = PrefixOf(*node, inline_bytes);
      if (!IsCurrent(step, change)) return Restart();
      if (!prefix.ok()) return prefix.status();
      const size_t shared = SharedBytes(key.substr(depth), *prefix);
      if (shared < prefix->size() || key.size() == depth + shared) {
        location->outcome = Location::Outcome::kPrefixDiffers;
        location->prefix_bytes_shared = shared;
        return absl::OkStatus();
      }
      depth += prefix->size();
      step.depth = depth;
    }
    const unsigned level = node->level();
    if (level >= level_bound) return DamagedUnlessChanged(step, change, "a child's level is not below its parent's");
    // What is written next may take any of these nodes' free slots.
    if (!IsWellFormed(step.perm)) return DamagedUnlessChanged(step, change, "the permutation word");
    const uint64_t slice = SliceAt(key, depth);
    Node* next = nullptr;
    if (level > 0) {
      if (step.perm.count() == 0) return DamagedUnlessChanged(step, change, "an inner node without children");
      step.position = FindChild(*node, step.perm, slice);
      const unsigned slot = step.perm.slot(step.position);
      if (step.position > 0) lowest_slice = node->slice(slot);
      next = image_.NodeAt(node->child(slot));
      level_bound = level;
      is_layer_root = false;
    } else {
      const absl::Status status = PlaceInLeaf(key, FindSlice(*node, step.perm, slice), location);
      if (!status.ok()) return IsCurrent(step, change) ? status : Restart();
      if (location->outcome != Location::Outcome::kFound || location->kind != Kind::kLayer) return absl::OkStatus();
      next = image_.NodeAt(node->child(step.perm.slot(step.position)));
      depth += kSliceBytes;
      lowest_slice = 0;
      level_bound = kMaxLevel + 1;
      is_layer_root = true;
    }
    if (next == nullptr) return DamagedUnlessChanged(step, change, "a reference to a node leads nowhere");
    next->Prefetch();
    if (absl::Status status = VersionOf(*next, change, &version); !status.ok()) return status;
    if (!IsCurrent(step, change)) return Restart();
    home = next;
  }
}

absl::Status Tree::LocateInLeaf(std::string_view key, const Descent& descent, Change& change,
                                Location* location) const {
  auto* const home = const_cast<Node*>(descent.node);
  Node* const node = change.FindHeld(home);
  const Perm perm = node->perm();
  if (!IsWellFormed(perm)) return Damaged(home, "the permutation word");
  location->has_path = false;
  location->path.clear();
  location->path.push_back({node, home, descent.version, perm, 0, 0, descent.depth, false});
  const SliceRange range = node == home ? descent.range : FindSlice(*node, perm, descent.slice);
  return PlaceInLeaf(key, range, location);
}

absl::Status Tree::CompletePath(std::string_view key, Change& change, Location* location) const {
  if (location->has_path) return absl::OkStatus();
  const PathStep leaf = location->leaf();
  const Location::Outcome outcome = location->outcome;
  if (absl::Status status = Locate(key, change, location); !status.ok()) return status;
  const bool is_the_same =
      location->leaf().home == leaf.home && location->leaf().position == leaf.position && location->outcome == outcome;
  return is_the_same ? absl::OkStatus() : Damaged(leaf.home, "a node with two references");
}

bool Tree::TakeAll(Change& change, Path& path, size_t first, size_t last) {
  for (size_t i = last + 1; i-- > first;) {
    if (!Take(change, path[i])) return false;
  }
  return true;
}

// The place in the leaf at the end of the path, among the entries of the key's slice.
absl::Status Tree::PlaceInLeaf(std::string_view key, SliceRange range, Location* location) const {
  PathStep& step = location->path.back();
  const Node& leaf = *step.node;
  const Perm perm = step.perm;
  const Kinds kinds = leaf.kinds();
  location->slice = SliceAt(key, step.depth);
  location->kind = KindAt(key, step.depth);
  location->outcome = Location::Outcome::kAbsent;
  const unsigned rank = KindRank(location->kind);
  unsigned position = range.begin;
  while (position < range.end && KindRank(kinds.kind(perm.slot(position))) < rank) ++position;
  step.position = position;
  location->ties_begin = position;
  location->ties_end = range.end;
  if (position == range.end) return absl::OkStatus();
  const Kind kind = kinds.kind(perm.slot(position));
  if (KindRank(kind) > rank) return absl::OkStatus();
  if (IsEnd(kind)) {
    // Its record is about to be changed or retired, so it had better be this key's.
    const RecordView record = image_.RecordAt(leaf.record(perm.slot(position)).offset());
    if (record.is_null()) return Damaged(step.home, "a reference to a record leads nowhere");
    if (record.key() != key) return Damaged(step.home, "an entry leads to the record of another key");
  }
  if (kind != Kind::kMore) {
    location->kind = kind;
    location->outcome = Location::Outcome::kFound;
    return absl::OkStatus();
  }
  for (; step.position < range.end; ++step.position) {
    const RecordView record = image_.RecordAt(leaf.record(perm.slot(step.position)).offset());
    if (record.is_null()) return Damaged(step.home, "a reference to a record leads nowhere");
    const int order = record.key().compare(key);
    if (order == 0) location->outcome = Location::Outcome::kFound;
    if (order >= 0) break;
  }
  return absl::OkStatus();
}

absl::Status Tree::Insert(Change& change, Location& location, std::string_view key, NewValue value) {
  if (location.outcome == Location::Outcome::kPrefixDiffers) return InsertBesidePrefix(change, location, key, value);
  PathStep& leaf = location.leaf();
  const bool is_tie = location.kind == Kind::kMore;
  if (is_tie && location.ties_end - location.ties_begin >= kMaxTies) {
    return InsertIntoNewLayer(change, location, key, value);
  }
  if (leaf.perm.free_count() == 0) {
    if (absl::Status status = CompletePath(key, change, &location); !status.ok()) return status;
    return InsertIntoFullLeaf(change, location, key, value);
  }
  const absl::StatusOr<Entry> entry = MakeEntry(change, key, value, leaf.depth);
  if (!entry.ok()) return entry.status();
  change.Begin();
  InsertEntry(change, *leaf.node, leaf.perm, leaf.position, *entry);
  return absl::OkStatus();
}

uint32_t Tree::ExpiryOf(const Location& location) const {
  if (!IsRecord(location.kind)) return kNeverOver;
  const PathStep& step = location.path.back();
  const RecordView record = image_.RecordAt(step.node->record(step.perm.slot(step.position)).offset());
  return record.is_null() ? kNeverOver : record.header().expiry;
}

bool Tree::IsOverAt(const Location& location) const {
  if (!IsOver(ExpiryOf(location))) return false;
  const PathStep& step = location.path.back();
  return image_.RecordAt(step.node->record(step.perm.slot(step.position)).offset()).ChecksumHolds();
}

uint64_t* Tree::ValueWord(const Location& location) const {
  const PathStep& step = location.path.back();
  const unsigned slot = step.perm.slot(step.position);
  if (location.kind == Kind::kInline) return &step.node->ref_word(slot);
  const RecordView record = image_.RecordAt(step.node->record(slot).offset());
  return !record.is_null() && record.has_word_value() ? record.value_word() : nullptr;
}

absl::Status Tree::Update(Change& change, Location& location, std::string_view key, NewValue value) {
  if (value.bytes.size() == sizeof(uint64_t) && ExpiryOf(location) == value.expiry) {
    if (uint64_t* word = ValueWord(location)) {
      uint64_t new_value;
      std::memcpy(&new_value, value.bytes.data(), sizeof(new_value));
      return StoreValueWord(change, location, key, word, new_value);
    }
  }
  if (location.kind != Kind::kInline) return ReplaceRecord(change, location, key, value);
  if (location.leaf().perm.free_count() == 0) {
    if (absl::Status status = CompletePath(key, change, &location); !status.ok()) return status;
    return MakeRoomInLeaf(change, location);
  }
  // The kind isn't covered by the store of the reference, so the entry moves to a new slot.
  const PathStep& leaf = location.leaf();
  const absl::StatusOr<Offset> record = change.AppendRecord(key, value.bytes, record_flags(), 0, value.expiry);
  if (!record.ok()) return record.status();
  change.Begin();
  WriteFreeSlot(change, *leaf.node, leaf.perm, RecordEntry(key, *record, leaf.depth));
  change.Fence();
  CommitPerm(change, *leaf.node, leaf.perm.Insert(leaf.position).Remove(leaf.position + 1));
  return absl::OkStatus();
}

absl::Status Tree::ReplaceRecord(Change& change, Location& location, std::string_view key, NewValue value) {
  const PathStep& leaf = location.leaf();
  const unsigned slot = leaf.perm.slot(leaf.position);
  const Offset old_record = leaf.node->record(slot).offset();
  const RecordView old_view = image_.RecordAt(old_record);
  if (old_view.is_null()) return Damaged(leaf.home, "a reference to a record leads nowhere");
  const uint64_t old_sequence = old_view.header().sequence;
  change.RetiresRecord(old_record);
  const absl::StatusOr<Offset> record =
      change.AppendRecord(key, value.bytes, record_flags(), old_sequence, value.expiry);
  if (!record.ok()) return record.status();
  change.Begin();
  change.Fence();
  CommitReference(change, *leaf.node, slot, RecordEntry(key, *record, leaf.depth).ref);
  return absl::OkStatus();
}

absl::Status Tree::Erase(Change& change, Location& location) {
  PathStep& leaf = location.leaf();
  const unsigned slot = leaf.perm.slot(leaf.position);
  const Offset record = leaf.node->record(slot).offset();
  if (IsRecord(location.kind)) {
    if (image_.RecordAt(record).is_null()) return Damaged(leaf.home, "a reference to a record leads nowhere");
    change.RetiresRecord(record);
  }
  change.Begin();
  CommitPerm(change, *leaf.node, leaf.perm.Remove(leaf.position));
  return absl::OkStatus();
}

}  // namespace sealkv::internal
