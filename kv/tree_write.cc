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

// Walks down to the leaf where the key belongs; then finds its place among the entries of its slice.
absl::Status Tree::Locate(std::string_view key, Location* location) const {
  Path& path = location->path;
  path.clear();
  location->has_path = true;
  auto* node = const_cast<Node*>(Root());
  if (node == nullptr) return DamagedAt(Offset{64}, "the root word");
  size_t depth = 0;
  uint64_t lowest_slice = 0;
  bool is_layer_root = true;
  unsigned level_bound = kMaxLevel + 1;
  for (;;) {
    if (is_layer_root && depth > 0) {
      char inline_bytes[8];
      const absl::StatusOr<std::string_view> prefix = PrefixOf(*node, inline_bytes);
      if (!prefix.ok()) return prefix.status();
      const size_t shared = SharedBytes(key.substr(depth), *prefix);
      if (shared < prefix->size() || key.size() == depth + shared) {
        path.push_back({node, 0, 0, depth, true});
        location->outcome = Location::Outcome::kPrefixDiffers;
        location->prefix_bytes_shared = shared;
        return absl::OkStatus();
      }
      depth += prefix->size();
    }
    const Perm perm = node->perm();
    const unsigned level = node->level();
    if (level >= level_bound) return Damaged(node, "a child's level is not below its parent's");
    // What is written next may take any of these nodes' free slots.
    if (!perm.IsWellFormed()) return Damaged(node, "the permutation word");
    if (IsObsolete(node->lock())) return Damaged(node, "a node with two references");
    const uint64_t slice = SliceAt(key, depth);
    path.push_back({node, 0, lowest_slice, depth, is_layer_root});
    PathStep& step = path.back();
    Node* next = nullptr;
    if (level > 0) {
      if (perm.count() == 0) return Damaged(node, "an inner node without children");
      step.position = FindChild(*node, perm, slice);
      const unsigned slot = perm.slot(step.position);
      if (step.position > 0) lowest_slice = node->slice(slot);
      next = image_.NodeAt(node->child(slot));
      level_bound = level;
      is_layer_root = false;
    } else {
      if (absl::Status status = PlaceInLeaf(key, FindSlice(*node, perm, slice), location); !status.ok()) return status;
      if (location->outcome == Location::Outcome::kFound && location->kind == Kind::kLayer) {
        next = image_.NodeAt(node->child(perm.slot(path.back().position)));
        depth += kSliceBytes;
        lowest_slice = 0;
        level_bound = kMaxLevel + 1;
        is_layer_root = true;
      } else {
        return absl::OkStatus();
      }
    }
    if (next == nullptr) return Damaged(node, "a reference to a node leads nowhere");
    next->Prefetch();
    node = next;
  }
}

absl::Status Tree::LocateInLeaf(std::string_view key, const Descent& descent, Location* location) const {
  if (!descent.perm.IsWellFormed()) return Damaged(descent.node, "the permutation word");
  location->has_path = false;
  location->path.clear();
  location->path.push_back({const_cast<Node*>(descent.node), 0, 0, descent.depth, false});
  return PlaceInLeaf(key, descent.range, location);
}

absl::Status Tree::CompletePath(std::string_view key, Location* location) const {
  if (location->has_path) return absl::OkStatus();
  const PathStep leaf = location->leaf();
  const Location::Outcome outcome = location->outcome;
  if (absl::Status status = Locate(key, location); !status.ok()) return status;
  const bool is_the_same =
      location->leaf().node == leaf.node && location->leaf().position == leaf.position && location->outcome == outcome;
  return is_the_same ? absl::OkStatus() : Damaged(leaf.node, "a node with two references");
}

// The place in the leaf at the end of the path, among the entries of the key's slice.
absl::Status Tree::PlaceInLeaf(std::string_view key, SliceRange range, Location* location) const {
  PathStep& step = location->path.back();
  const Node& leaf = *step.node;
  const Perm perm = leaf.perm();
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
    if (record.is_null()) return Damaged(&leaf, "a reference to a record leads nowhere");
    if (record.key() != key) return Damaged(&leaf, "an entry leads to the record of another key");
  }
  if (kind != Kind::kMore) {
    location->kind = kind;
    location->outcome = Location::Outcome::kFound;
    return absl::OkStatus();
  }
  for (; step.position < range.end; ++step.position) {
    const RecordView record = image_.RecordAt(leaf.record(perm.slot(step.position)).offset());
    if (record.is_null()) return Damaged(&leaf, "a reference to a record leads nowhere");
    const int order = record.key().compare(key);
    if (order == 0) location->outcome = Location::Outcome::kFound;
    if (order >= 0) break;
  }
  return absl::OkStatus();
}

absl::Status Tree::Insert(Location& location, std::string_view key, std::string_view value) {
  if (location.outcome == Location::Outcome::kPrefixDiffers) return InsertBesidePrefix(location, key, value);
  PathStep& leaf = location.leaf();
  const Perm perm = leaf.node->perm();
  const bool is_tie = location.kind == Kind::kMore;
  if (is_tie && location.ties_end - location.ties_begin >= kMaxTies) {
    return InsertIntoNewLayer(location, key, value);
  }
  if (perm.free_count() == 0) {
    if (absl::Status status = CompletePath(key, &location); !status.ok()) return status;
    return InsertIntoFullLeaf(location, key, value);
  }
  const absl::StatusOr<Entry> entry = MakeEntry(key, value, leaf.depth);
  if (!entry.ok()) return entry.status();
  InsertEntry(*leaf.node, perm, leaf.position, *entry);
  return absl::OkStatus();
}

uint64_t* Tree::ValueWord(const Location& location) const {
  const PathStep& step = location.path.back();
  const unsigned slot = step.node->perm().slot(step.position);
  if (location.kind == Kind::kInline) return &step.node->ref_word(slot);
  const RecordView record = image_.RecordAt(step.node->record(slot).offset());
  return !record.is_null() && record.has_word_value() ? record.value_word() : nullptr;
}

absl::Status Tree::Update(Location& location, std::string_view key, std::string_view value) {
  if (value.size() == sizeof(uint64_t)) {
    if (uint64_t* word = ValueWord(location)) {
      uint64_t new_value;
      std::memcpy(&new_value, value.data(), sizeof(new_value));
      StoreValueWord(*location.leaf().node, word, new_value);
      return absl::OkStatus();
    }
  }
  const bool changes_kind = location.kind == Kind::kInline;
  while (changes_kind && location.leaf().node->perm().free_count() == 0) {
    if (absl::Status status = CompletePath(key, &location); !status.ok()) return status;
    if (absl::Status status = MakeRoomInLeaf(location); !status.ok()) return status;
    if (absl::Status status = Locate(key, &location); !status.ok()) return status;
  }
  PathStep& leaf = location.leaf();
  const Perm perm = leaf.node->perm();
  const unsigned slot = perm.slot(leaf.position);
  const Offset old_record = leaf.node->record(slot).offset();
  if (!changes_kind && image_.RecordAt(old_record).is_null()) {
    return Damaged(leaf.node, "a reference to a record leads nowhere");
  }
  const absl::StatusOr<Offset> record = heap_.AppendRecord(key, value);
  if (!record.ok()) return record.status();
  const Entry entry = RecordEntry(key, *record, leaf.depth);
  if (changes_kind) {
    // The kind isn't covered by the store of the reference, so the entry moves to a new slot.
    WriteFreeSlot(*leaf.node, perm, entry);
    persist_.Fence();
    CommitPerm(*leaf.node, perm.Insert(leaf.position).Remove(leaf.position + 1));
    return absl::OkStatus();
  }
  persist_.Fence();
  CommitReference(*leaf.node, slot, entry.ref);
  heap_.RetireRecord(old_record);
  return absl::OkStatus();
}

absl::Status Tree::Erase(Location& location, std::string_view key) {
  PathStep& leaf = location.leaf();
  const Perm perm = leaf.node->perm();
  const unsigned slot = perm.slot(leaf.position);
  const Offset record = leaf.node->record(slot).offset();
  const bool has_record = IsRecord(location.kind);
  if (has_record && image_.RecordAt(record).is_null()) {
    return Damaged(leaf.node, "a reference to a record leads nowhere");
  }
  // The way is needed for what follows the commit, after which nothing may fail.
  if (perm.count() - 1 <= kSparseCount) {
    if (absl::Status status = CompletePath(key, &location); !status.ok()) return status;
  }
  Node& node = *location.leaf().node;
  CommitPerm(node, perm.Remove(location.leaf().position));
  if (has_record) heap_.RetireRecord(record);
  if (location.has_path) Rebalance(location.path);
  return absl::OkStatus();
}

}  // namespace sealkv::internal
