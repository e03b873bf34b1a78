// Layers: made when more keys share a slice than a leaf may hold as ties; given a shorter prefix when a key comes that
// doesn't share all of it.
#include <algorithm>
#include <array>

#include "kv/tree.h"

namespace sealkv::internal {
namespace {

constexpr size_t FloorToSlices(size_t bytes) { return bytes / kSliceBytes * kSliceBytes; }

struct KeyedRecord {
  std::string_view key;
  Offset record;
};

// How many bytes from `depth` on all these keys share, in whole slices, so that each keeps at least one byte beyond.
// The keys ascend, so what the first and the last share all share.
size_t CommonPrefixBytes(std::span<const KeyedRecord> keys, size_t depth) {
  size_t shortest = SIZE_MAX;
  for (const KeyedRecord& key : keys) shortest = std::min(shortest, key.key.size());
  const std::string_view first = keys.front().key;
  const std::string_view last = keys.back().key;
  size_t shared = 0;
  while (depth + shared + 1 < shortest && first[depth + shared] == last[depth + shared]) ++shared;
  return FloorToSlices(shared);
}

}  // namespace

absl::StatusOr<Tree::Prefix> Tree::MakePrefix(Change& change, std::string_view bytes) {
  if (bytes.empty()) return Prefix{};
  if (bytes.size() == kSliceBytes) {
    Prefix prefix{PrefixKind::kInline, 0};
    __builtin_memcpy(&prefix.word, bytes.data(), sizeof(prefix.word));
    return prefix;
  }
  const absl::StatusOr<Offset> record = change.AppendRecord(bytes, {}, kPrefixRecord);
  if (!record.ok()) return record.status();
  return Prefix{PrefixKind::kRecord, RecordRef(*record, static_cast<uint16_t>(bytes.size() / kSliceBytes)).raw()};
}

void Tree::RetirePrefix(Change& change, const Node& root) const {
  if (root.kinds().prefix() != PrefixKind::kRecord) return;
  const Offset record = RecordRef::FromRaw(root.prefix_word()).offset();
  if (!image_.RecordAt(record).is_null()) change.RetiresRecord(record);
}

// Five keys share a slice: four ties and the new one. They move to a layer, whose root is one leaf.
absl::Status Tree::InsertIntoNewLayer(Change& change, Location& location, std::string_view key, NewValue value) {
  if (location.leaf().perm.free_count() == 0) {
    if (absl::Status status = CompletePath(key, change, &location); !status.ok()) return status;
    return MakeRoomInLeaf(change, location);
  }
  const PathStep& leaf = location.leaf();
  Node& node = *leaf.node;
  const Perm perm = leaf.perm;
  if (absl::Status status = change.ReserveNodes(1); !status.ok()) return status;

  std::array<KeyedRecord, kMaxTies + 1> keys;
  size_t count = 0;
  for (unsigned i = location.ties_begin; i < location.ties_end && count < kMaxTies; ++i) {
    const Offset record = node.record(perm.slot(i)).offset();
    const RecordView view = image_.RecordAt(record);
    if (view.is_null() || view.key().size() <= leaf.depth + kSliceBytes) {
      return Damaged(leaf.home, "a tie's record doesn't fit its entry");
    }
    keys[count++] = {view.key(), record};
  }
  if (count != location.ties_end - location.ties_begin) return Damaged(leaf.home, "more ties than a leaf may hold");
  const absl::StatusOr<Offset> new_record = change.AppendRecord(key, value.bytes, record_flags(), 0, value.expiry);
  if (!new_record.ok()) return new_record.status();
  const unsigned at = leaf.position - location.ties_begin;
  std::move_backward(keys.begin() + at, keys.begin() + count, keys.begin() + count + 1);
  keys[at] = {key, *new_record};

  const size_t depth = leaf.depth + kSliceBytes;
  const size_t prefix_bytes = CommonPrefixBytes(keys, depth);
  const absl::StatusOr<Prefix> prefix = MakePrefix(change, key.substr(depth, prefix_bytes));
  if (!prefix.ok()) return prefix.status();
  std::array<Entry, kMaxTies + 1> entries;
  std::transform(keys.begin(), keys.end(), entries.begin(),
                 [&](const KeyedRecord& keyed) { return RecordEntry(keyed.key, keyed.record, depth + prefix_bytes); });
  change.Begin();
  const uint64_t root = WriteNode(change, 0, entries, prefix->kind, prefix->word);
  WriteFreeSlot(change, node, perm, {location.slice, Kind::kLayer, root});
  change.Fence();
  Perm with_layer = perm.Insert(location.ties_begin);
  for (size_t i = 0; i < kMaxTies; ++i) with_layer = with_layer.Remove(location.ties_begin + 1);
  CommitPerm(change, node, with_layer);
  return absl::OkStatus();
}

// The key shares only the beginning of a layer's prefix (or ends within it). A new root takes the shared part, in whole
// slices, as its prefix, and holds the new key beside the old layer, whose root is copied with what is left of the
// prefix behind the slice that leads to it.
absl::Status Tree::InsertBesidePrefix(Change& change, Location& location, std::string_view key, NewValue value) {
  Path& path = location.path;
  const size_t i = path.size() - 1;
  if (!TakeOwner(change, path, i)) return Restart();
  const Node& old_root = *path[i].node;
  const size_t depth = path[i].depth;
  char inline_bytes[8];
  const absl::StatusOr<std::string_view> prefix = PrefixOf(old_root, inline_bytes);
  if (!prefix.ok()) return prefix.status();
  // The key keeps at least one byte beyond the new prefix.
  const size_t shared = FloorToSlices(std::min(location.prefix_bytes_shared, key.size() - depth - 1));
  if (absl::Status status = change.ReserveNodes(2); !status.ok()) return status;

  const absl::StatusOr<Entry> entry = MakeEntry(change, key, value, depth + shared);
  if (!entry.ok()) return entry.status();
  const absl::StatusOr<Prefix> upper = MakePrefix(change, prefix->substr(0, shared));
  if (!upper.ok()) return upper.status();
  const absl::StatusOr<Prefix> lower = MakePrefix(change, prefix->substr(shared + kSliceBytes));
  if (!lower.ok()) return lower.status();
  change.Begin();
  const uint64_t copy = WriteNode(change, old_root.level(), EntriesOf(old_root), lower->kind, lower->word);
  const Entry layer{SliceAt(*prefix, shared), Kind::kLayer, copy};
  const bool key_is_first =
      std::pair(entry->slice, KindRank(entry->kind)) < std::pair(layer.slice, KindRank(layer.kind));
  const Entry entries[] = {key_is_first ? *entry : layer, key_is_first ? layer : *entry};
  const uint64_t new_root = WriteNode(change, 0, entries, upper->kind, upper->word);
  change.Fence();
  RetirePrefix(change, old_root);
  change.Replaces(path[i].home);
  SwingLayerRoot(change, path, i, new_root);
  return absl::OkStatus();
}

}  // namespace sealkv::internal
