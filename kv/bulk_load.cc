#include "kv/bulk_load.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "kv/make_room.h"

namespace sealkv::internal {
namespace {

// How many bytes from `depth` on all keys share, in whole slices, so that each keeps at least one byte beyond.
size_t SharedPrefixBytes(std::string_view first, std::string_view last, size_t shortest, size_t depth) {
  size_t shared = 0;
  while (depth + shared + 1 < shortest && first[depth + shared] == last[depth + shared]) ++shared;
  return shared / kSliceBytes * kSliceBytes;
}

// Of the top layer: there are no keys.
bool IsEmptyRoot(const Node& root) { return root.is_leaf() && root.perm().count() == 0; }

}  // namespace

absl::Status StoreIsNotEmpty() {
  return absl::FailedPreconditionError("a bulk load needs an empty store, and there are keys in this one. Use Write.");
}

absl::StatusOr<uint64_t> BulkLoad::WriteNode(Arena& arena, const Node& content) {
  if (absl::Status status = context_.heap.ReserveNodes(arena, 1); !status.ok()) return status;
  MakeRoomForOne(nodes_);
  Node* const node = WriteFreshNode(context_, arena, content).home;
  nodes_.push_back(node);
  return Raw(context_.image.OffsetOf(node));
}

absl::Status BulkLoad::Add(Arena& arena, std::string_view key, NewValue value) {
  if (has_last_key_ && key <= std::string_view(last_key_)) {
    return absl::InvalidArgumentError("the keys of a bulk load must ascend: one isn't greater than the one before");
  }
  const uint64_t slice = SliceAt(key, 0);
  if (group_.is_open && group_.slice != slice) {
    if (absl::Status status = CloseGroup(arena, group_, 0, top_); !status.ok()) return status;
  }
  if (key.size() == kSliceBytes && value.is_word()) {
    uint64_t word;
    std::memcpy(&word, value.bytes.data(), sizeof(word));
    group_.is_open = true;
    group_.slice = slice;
    group_.ends.push_back({slice, Kind::kInline, word});
  } else {
    MakeRoomForOne(group_.ends);
    MakeRoomForOne(group_.going_on);
    const absl::StatusOr<Offset> record =
        context_.heap.AppendRecord(arena, key, value.bytes, kPlainRecord, 0, value.expiry);
    if (!record.ok()) return record.status();
    Append(group_, key, *record, 0);
  }
  last_key_.assign(key);
  has_last_key_ = true;
  return absl::OkStatus();
}

void BulkLoad::Append(Group& group, std::string_view key, Offset record, size_t depth) {
  group.is_open = true;
  group.slice = SliceAt(key, depth);
  if (KindAt(key, depth) == Kind::kMore) {
    group.going_on.push_back(record);
  } else {
    group.ends.push_back(Tree::RecordEntry(key, record, depth));
  }
}

// What fails may be tried again: then a layer that was built is there already, as the one thing that goes on; and of
// one that wasn't nothing is left.
absl::Status BulkLoad::CloseGroup(Arena& arena, Group& group, size_t depth, LayerBuilder& builder) {
  if (group.going_on.size() > kMaxTies) {
    const size_t nodes_before = nodes_.size();
    const size_t prefixes_before = prefixes_.size();
    const absl::StatusOr<uint64_t> layer = BuildLayer(arena, group.going_on, depth + kSliceBytes);
    if (!layer.ok()) {
      Discard(arena, nodes_before, prefixes_before);
      return layer.status();
    }
    group.ends.push_back({group.slice, Kind::kLayer, *layer});
    group.going_on.clear();
  }
  absl::InlinedVector<Entry, kSlots> entries = group.ends;
  for (const Offset record : group.going_on) entries.push_back(Tree::RecordEntry(KeyOf(record), record, depth));
  const auto write = [&](const Node& content) { return WriteNode(arena, content); };
  if (absl::Status status = builder.Add(entries, write); !status.ok()) return status;
  group.is_open = false;
  group.ends.clear();
  group.going_on.clear();
  return absl::OkStatus();
}

void BulkLoad::Discard(Arena& arena, size_t first_node, size_t first_prefix) {
  context_.heap.DiscardRecords(arena, std::span(prefixes_).subspan(first_prefix));
  for (const Node* const node : std::span(nodes_).subspan(first_node)) {
    context_.heap.DiscardNode(arena, context_.image.OffsetOf(node));
  }
  nodes_.resize(first_node);
  prefixes_.resize(first_prefix);
}

absl::StatusOr<uint64_t> BulkLoad::BuildLayer(Arena& arena, std::span<const Offset> records, size_t depth) {
  size_t shortest = SIZE_MAX;
  for (const Offset record : records) shortest = std::min(shortest, KeyOf(record).size());
  const std::string_view first = KeyOf(records.front());
  const size_t prefix_bytes = SharedPrefixBytes(first, KeyOf(records.back()), shortest, depth);
  const std::string_view prefix = first.substr(depth, prefix_bytes);
  depth += prefix_bytes;
  const auto write = [&](const Node& content) { return WriteNode(arena, content); };
  LayerBuilder builder(/*is_top=*/false);
  Group group;
  for (const Offset record : records) {
    const std::string_view key = KeyOf(record);
    if (group.is_open && group.slice != SliceAt(key, depth)) {
      if (absl::Status status = CloseGroup(arena, group, depth, builder); !status.ok()) return status;
    }
    Append(group, key, record, depth);
  }
  if (absl::Status status = CloseGroup(arena, group, depth, builder); !status.ok()) return status;
  if (prefix.empty()) return builder.Finish(PrefixKind::kNone, 0, write);
  if (prefix.size() == kSliceBytes) {
    uint64_t word;
    std::memcpy(&word, prefix.data(), sizeof(word));
    return builder.Finish(PrefixKind::kInline, word, write);
  }
  MakeRoomForOne(prefixes_);
  const absl::StatusOr<Offset> record = context_.heap.AppendRecord(arena, prefix, {}, kPrefixRecord);
  if (!record.ok()) return record.status();
  prefixes_.push_back(*record);
  return builder.Finish(PrefixKind::kRecord,
                        RecordRef(*record, static_cast<uint16_t>(prefix.size() / kSliceBytes)).raw(), write);
}

// Nothing is visible until the old root is locked, found to be an empty leaf, and replaced.
absl::Status BulkLoad::Commit(Arena& arena) {
  if (!has_last_key_) return absl::OkStatus();
  if (group_.is_open) {
    if (absl::Status status = CloseGroup(arena, group_, 0, top_); !status.ok()) return status;
  }
  if (root_ == 0) {
    const auto write = [&](const Node& content) { return WriteNode(arena, content); };
    const absl::StatusOr<uint64_t> root = top_.Finish(PrefixKind::kNone, 0, write);
    if (!root.ok()) return root.status();
    root_ = *root;
  }
  context_.persist.Fence();
  Change change(context_, arena);
  Node* const old_root = change.Root(RootId::kKeys);
  if (old_root == nullptr || change.Claim(old_root, old_root->lock()) == nullptr ||
      change.Root(RootId::kKeys) != old_root) {
    return Restart();
  }
  if (!IsEmptyRoot(*old_root)) return StoreIsNotEmpty();
  change.Begin();
  // Else who reads at a snapshot would take a leaf that was never written to since for one that was always there.
  if (change.now().has_snapshots()) {
    for (Node* const node : nodes_) context_.versions.Created(*node, change.now());
  }
  change.Replaces(old_root);
  Node* const new_root = context_.image.NodeAt(Offset{root_});
  change.CommitRoot(RootId::kKeys, new_root);
  if (change.Root(RootId::kKeys) != new_root) return context_.persist.status();  // msync has failed
  for (Node* const node : nodes_) context_.locks.Unlock(*node);
  return absl::OkStatus();
}

void BulkLoad::Abort(Arena& arena) {
  std::vector<Offset> records = std::move(prefixes_);
  const auto add = [&](const Entry& entry) {
    if (IsRecord(entry.kind)) records.push_back(RecordRef::FromRaw(entry.ref).offset());
  };
  for (const Node* const node : nodes_) {
    if (!node->is_leaf()) continue;
    for (const Entry& entry : Tree::EntriesOf(*node)) add(entry);
  }
  for (const Entry& entry : top_.pending()) add(entry);
  for (const Entry& entry : group_.ends) add(entry);
  records.insert(records.end(), group_.going_on.begin(), group_.going_on.end());
  // What a layer that wasn't finished has written already is there twice: in its leaves, and among those that go on.
  std::sort(records.begin(), records.end());
  records.erase(std::unique(records.begin(), records.end()), records.end());
  context_.heap.DiscardRecords(arena, records);
  for (const Node* const node : nodes_) context_.heap.DiscardNode(arena, context_.image.OffsetOf(node));
  nodes_.clear();
}

}  // namespace sealkv::internal
