// Moving what is alive: each by one commit, as every other change.
#include <optional>
#include <string>
#include <string_view>

#include "kv/tree.h"

namespace sealkv::internal {

absl::Status Tree::MoveRecord(Change& change, Location& location, std::string_view key) {
  const PathStep& leaf = location.leaf();
  const RecordView record = image_.RecordAt(leaf.node->record(leaf.perm.slot(leaf.position)).offset());
  if (record.is_null()) return Damaged(leaf.home, "a reference to a record leads nowhere");
  if (!record.has_word_value()) return ReplaceRecord(change, location, key, {record.value(), record.header().expiry});
  const uint64_t word = Node::Load(*record.value_word());  // the leaf is locked: it doesn't change
  return ReplaceRecord(change, location, key, {BytesOf(word), record.header().expiry});
}

absl::Status Tree::MoveNode(Change& change, std::string_view key, const Node* home) {
  Location location;
  if (absl::Status status = Locate(key, change, &location); !status.ok()) return status;
  Path& path = location.path;
  size_t i = 0;
  while (i < path.size() && path[i].home != home) ++i;
  if (i == path.size()) return absl::OkStatus();
  if (!Take(change, path[i]) || !TakeOwner(change, path, i)) return Restart();
  if (absl::Status status = change.ReserveNodes(1); !status.ok()) return status;
  change.Begin();
  const uint64_t copy = Raw(image_.OffsetOf(change.WriteNode(*path[i].node)));
  change.Fence();
  change.Replaces(path[i].home);
  SwingLayerRoot(change, path, i, copy);
  return absl::OkStatus();
}

// The first that is found, below any child. A node that has become something else meanwhile leads anywhere, but not for
// long; whoever takes the key has to look whether it leads back.
std::optional<std::string> Tree::KeyBelow(const Node& node, unsigned* budget) const {
  const Perm perm = node.perm();
  if (!perm.IsWellFormed()) return std::nullopt;
  const Kinds kinds = node.kinds();
  for (unsigned position = 0; position < perm.count() && *budget > 0; ++position) {
    --*budget;
    const unsigned slot = perm.slot(position);
    const Kind kind = node.level() > 0 ? Kind::kLayer : kinds.kind(slot);
    if (kind == Kind::kInline) {
      const uint64_t bytes = __builtin_bswap64(node.slice(slot));
      return std::string(BytesOf(bytes));
    }
    if (kind == Kind::kLayer) {
      const Node* const child = image_.NodeAt(node.child(slot));
      std::optional<std::string> key = child != nullptr ? KeyBelow(*child, budget) : std::nullopt;
      if (key.has_value()) return key;
      continue;
    }
    const Offset at = node.record(slot).offset();
    const RecordView record = image_.RecordAt(at);
    if (record.is_null()) continue;
    // Somebody may be writing something else there: its length is looked at once.
    const uint64_t key_bytes = record.header().key_bytes();
    if (Raw(at) + sizeof(RecordHeader) + key_bytes <= image_.size_bytes()) {
      return std::string(record.key().data(), key_bytes);
    }
  }
  return std::nullopt;
}

}  // namespace sealkv::internal
