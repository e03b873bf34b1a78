// After a delete: nodes that became nearly empty are merged, empty ones dropped, layers of one key pulled up, roots of
// one child replaced by it. Each is one commit, and a change of its own. None is needed for a correct tree, so each is
// left undone where it would need space that isn't there.
#include <algorithm>

#include "kv/fingerprint.h"
#include "kv/tree.h"

namespace sealkv::internal {
namespace {

// A sparse node is merged with a sibling if this many entries at most come together: far enough from full not to be
// split again at once.
constexpr unsigned kMergedCountMax = 9;

}  // namespace

// Looks at the nodes from the leaf upwards, as long as the one above may have lost an entry too: `*height` steps above
// the leaf to begin with.
absl::Status Tree::Rebalance(Change& change, std::string_view key, unsigned* height) {
  Location location;
  if (absl::Status status = Locate(key, change, &location); !status.ok()) return status;
  Path& path = location.path;
  if (location.outcome == Location::Outcome::kPrefixDiffers || *height >= path.size()) return absl::OkStatus();
  const size_t i = path.size() - 1 - *height;
  const unsigned count = path[i].perm.count();
  if (count > kSparseCount) return absl::OkStatus();
  if (count == 0) return DropEmpty(change, path, i, height);
  if (path[i].is_layer_root) return ShrinkLayer(change, path, i, height);
  *height += 1;  // the node above is one entry poorer then
  return MergeWithSibling(change, path, i);
}

// Drops the empty leaf path[bottom], and the nodes above it that have no other child, from the node above these.
absl::Status Tree::DropEmpty(Change& change, Path& path, size_t bottom, unsigned* height) {
  size_t top = bottom;
  while (!path[top].is_layer_root && path[top - 1].perm.count() == 1) --top;
  if (top == 0 && bottom == 0) return absl::OkStatus();
  if (!TakeAll(change, path, top == 0 ? 0 : top - 1, bottom)) return Restart();
  change.Begin();
  if (top == 0) {  // the whole store is empty: the empty leaf becomes the root
    for (size_t above = 0; above < bottom; ++above) change.Replaces(path[above].home);
    change.CommitRoot(id_, path[bottom].home);
    return absl::OkStatus();
  }
  for (size_t gone = top; gone <= bottom; ++gone) change.Replaces(path[gone].home);
  if (path[top].is_layer_root) RetirePrefix(change, *path[top].node);
  const PathStep& owner = path[top - 1];
  CommitPerm(change, *owner.node, owner.perm.Remove(owner.position));
  // The owner may be sparse now. If it is a leaf, the way ends there.
  *height = path[top].is_layer_root ? 0 : static_cast<unsigned>(bottom - top) + 1;
  return change.Again();
}

// Merges path[i] with a neighbour in its parent into a new node: the parent's perm drops two children and names one.
absl::Status Tree::MergeWithSibling(Change& change, Path& path, size_t i) {
  PathStep& parent = path[i - 1];
  const Perm perm = parent.perm;
  if (perm.free_count() == 0) return absl::OkStatus();
  for (const unsigned left_position : {parent.position - 1, parent.position}) {
    // At position 0 the first of these wraps round: there is no left neighbour.
    if (left_position >= perm.count() || left_position + 1 >= perm.count()) continue;
    const unsigned left_slot = perm.slot(left_position);
    const unsigned right_slot = perm.slot(left_position + 1);
    const bool is_left = left_position == parent.position;
    Node* const sibling_home = image_.NodeAt(parent.node->child(is_left ? right_slot : left_slot));
    if (sibling_home == nullptr || sibling_home == path[i].home) continue;
    LockWord version(0);
    if (absl::Status status = VersionOf(*sibling_home, change, &version); !status.ok()) return status;
    Node* const held = change.FindHeld(sibling_home);
    const Node& seen = held != nullptr ? *held : *sibling_home;
    const bool is_too_full = seen.perm().count() + path[i].perm.count() > kMergedCountMax;
    if (seen.level() != path[i].node->level() || is_too_full) continue;
    Node* const sibling = change.Claim(sibling_home, version);
    if (sibling == nullptr || !Take(change, path[i]) || !Take(change, parent)) return Restart();
    if (!change.ReserveNodes(1).ok()) return absl::OkStatus();

    const Node& left = is_left ? *path[i].node : *sibling;
    const Node& right = is_left ? *sibling : *path[i].node;
    auto entries = EntriesOf(left);
    auto right_entries = EntriesOf(right);
    if (entries.size() + right_entries.size() > kSlots) return absl::OkStatus();
    // In its own node the first child's slice isn't looked at; behind others it is the bound that the parent had for
    // it.
    if (left.level() > 0 && !right_entries.empty()) right_entries[0].slice = parent.node->slice(right_slot);
    entries.insert(entries.end(), right_entries.begin(), right_entries.end());
    change.Begin();
    const bool has_bound = left.level() == 0 && HasBound(path[i].depth);
    const uint64_t merged = WriteNode(change, left.level(), entries, PrefixKind::kNone, has_bound ? right.bound() : 0);
    WriteFreeSlot(change, *parent.node, perm, {parent.node->slice(left_slot), Kind::kEndsWith0, merged});
    change.Fence();
    change.Replaces(path[i].home);
    change.Replaces(sibling_home);
    CommitPerm(change, *parent.node, perm.Insert(left_position).Remove(left_position + 1).Remove(left_position + 1));
    return change.Again();
  }
  return absl::OkStatus();
}

// The root path[i] of a layer has few entries. An inner one with one child gives way to it; a leaf with one key gives
// the key back to the entry that leads to the layer.
absl::Status Tree::ShrinkLayer(Change& change, Path& path, size_t i, unsigned* height) {
  const PathStep& root = path[i];
  if (root.perm.count() != 1) return absl::OkStatus();
  if (root.node->level() == 0) return i > 0 ? PullUpLastKey(change, path, i) : absl::OkStatus();
  // The way goes on through the only child.
  PathStep& child = path[i + 1];
  if (child.node->level() >= root.node->level()) return absl::OkStatus();
  if (!TakeAll(change, path, i, i + 1) || !TakeOwner(change, path, i)) return Restart();
  const Kinds kinds = root.node->kinds();
  uint64_t new_root = Raw(image_.OffsetOf(child.home));
  const bool has_prefix = kinds.prefix() != PrefixKind::kNone;
  if (has_prefix && !change.ReserveNodes(1).ok()) return absl::OkStatus();
  change.Begin();
  if (has_prefix) {
    new_root = WriteNode(change, child.node->level(), EntriesOf(*child.node), kinds.prefix(), root.node->prefix_word());
    change.Fence();
    change.Replaces(child.home);
  }
  change.Replaces(root.home);
  SwingLayerRoot(change, path, i, new_root);
  *height -= 1;
  return change.Again();
}

absl::Status Tree::PullUpLastKey(Change& change, Path& path, size_t i) {
  PathStep& owner = path[i - 1];
  if (!Take(change, path[i]) || !Take(change, owner)) return Restart();
  const Node& root = *path[i].node;
  const Perm perm = owner.perm;
  const unsigned slot = path[i].perm.slot(0);
  if (perm.free_count() == 0 || !IsRecord(root.kinds().kind(slot))) return absl::OkStatus();
  const Offset offset = root.record(slot).offset();
  const RecordView record = image_.RecordAt(offset);
  if (record.is_null() || record.key().size() <= owner.depth + kSliceBytes) return absl::OkStatus();
  change.Begin();
  WriteFreeSlot(change, *owner.node, perm, RecordEntry(record.key(), offset, owner.depth));
  change.Fence();
  RetirePrefix(change, root);
  change.Replaces(path[i].home);
  CommitPerm(change, *owner.node, perm.Insert(owner.position).Remove(owner.position + 1));
  return absl::OkStatus();
}

}  // namespace sealkv::internal
