// Making room: splits, at any level, each by one commit in the parent (or of the root).
#include <algorithm>
#include <cstdlib>

#include "kv/tree.h"

namespace sealkv::internal {
namespace {

// Where to part the entries: as near to the middle as can be without parting equal slices. A slice has at most 13
// entries (9 ends and 4 ties), so 14 can always be parted.
size_t SplitPoint(std::span<const Entry> entries) {
  size_t best = 0;
  for (size_t i = 1; i < entries.size(); ++i) {
    if (entries[i - 1].slice == entries[i].slice) continue;
    const auto distance = [&](size_t at) {
      return std::abs(2 * static_cast<long>(at) - static_cast<long>(entries.size()));
    };
    if (best == 0 || distance(i) < distance(best)) best = i;
  }
  return best;
}

size_t LayerRootIndex(const Path& path) {
  size_t i = path.size() - 1;
  while (!path[i].is_layer_root) --i;
  return i;
}

}  // namespace

absl::Status Tree::InsertIntoFullLeaf(Change& change, Location& location, std::string_view key, NewValue value) {
  if (IsAtRightEdge(location)) return AppendAtRightEdge(change, location, key, value);
  Path& path = location.path;
  const size_t i = path.size() - 1;
  if (const size_t first = FirstToSplit(path, i); first != i) return SplitForRoom(change, path, first);
  if (absl::Status status = PrepareSplit(change, path, i); !status.ok()) return status;
  const absl::StatusOr<Entry> entry = MakeEntry(change, key, value, location.leaf().depth);
  if (!entry.ok()) return entry.status();
  auto entries = EntriesOf(*location.leaf().node);
  entries.insert(entries.begin() + location.leaf().position, *entry);
  return SplitNode(change, path, i, entries);
}

// The path is of one moment: that at which its leaf was read (kv/descent.h), and the leaf has been held since. Nobody
// gets past the right edge without the last leaf, so it is still there.
bool Tree::IsAtRightEdge(const Location& location) {
  const PathStep& leaf = location.path.back();
  if (leaf.position != leaf.perm.count()) return false;
  if (leaf.node->slice(leaf.perm.slot(leaf.perm.count() - 1)) == location.slice) return false;  // these stay together
  for (size_t i = location.path.size(); !location.path[--i].is_layer_root;) {
    const PathStep& parent = location.path[i - 1];
    if (parent.position + 1 != parent.perm.count()) return false;
  }
  return true;
}

// An ascending load: the full nodes stay as they are, and full; one new leaf (below new inner nodes, where the old ones
// are full too) joins the lowest ancestor with a free slot. What the old nodes covered behind their last key is the new
// leaf's from the commit on, so they are held across it: their versions change, and with these whoever was on his way
// to them. So the old leaf's bound must be down before, as durable as the new nodes: it is true already that no key
// lies beyond it.
absl::Status Tree::AppendAtRightEdge(Change& change, Location& location, std::string_view key, NewValue value) {
  Path& path = location.path;
  const size_t leaf = path.size() - 1;
  const size_t root = LayerRootIndex(path);
  if (path[root].node->level() >= kMaxLevel) return Damaged(path[leaf].home, "below a node of the highest level");
  // The last one that stays as it is; above it is the one that gets a new child, if it isn't the root.
  size_t top = leaf;
  while (top > root && path[top - 1].perm.free_count() == 0) --top;
  if (!TakeAll(change, path, top == root ? root : top - 1, leaf)) return Restart();
  if (top == root && !TakeOwner(change, path, root)) return Restart();
  // Nodes first: once the record is written nothing may fail.
  if (absl::Status status = change.ReserveNodes(static_cast<unsigned>(leaf - top) + 3); !status.ok()) return status;
  const absl::StatusOr<Entry> entry = MakeEntry(change, key, value, path[leaf].depth);
  if (!entry.ok()) return entry.status();
  change.Begin();
  for (size_t i = top; i <= leaf; ++i) change.Narrows(path[i].home);

  const bool has_bound = HasBound(path[leaf].depth);
  const uint64_t new_leaf = WriteNode(change, 0, {&*entry, 1}, PrefixKind::kNone, has_bound ? kUnbounded : 0);
  if (has_bound) LowerBound(change, *path[leaf].node, entry->slice);
  Entry added{entry->slice, Kind::kEndsWith0, new_leaf};
  for (size_t i = leaf; i > top; --i) added.ref = WriteNode(change, path[i - 1].node->level(), {&added, 1});
  if (top > root) {
    const PathStep& parent = path[top - 1];
    WriteFreeSlot(change, *parent.node, parent.perm, added);
    change.Fence();
    CommitPerm(change, *parent.node, parent.perm.Insert(parent.perm.count()));
  } else {
    // Full up to the root: a new root above the old one. Only a layer's root has a prefix, so one with a prefix is
    // copied.
    const Node& old_root = *path[root].node;
    const Kinds kinds = old_root.kinds();
    uint64_t left = Raw(image_.OffsetOf(path[root].home));
    if (kinds.prefix() != PrefixKind::kNone) {
      left = WriteNode(change, kinds.level(), EntriesOf(old_root));
      change.Replaces(path[root].home);
    }
    const Entry children[] = {{0, Kind::kEndsWith0, left}, added};
    const uint64_t new_root =
        WriteNode(change, kinds.level() + 1, children, kinds.prefix(), old_root.layer_prefix_word());
    change.Fence();
    SwingLayerRoot(change, path, root, new_root);
  }
  if (has_bound) OfferHint(change, entry->slice, kUnbounded, new_leaf);
  return absl::OkStatus();
}

void Tree::OfferHint(Change& change, uint64_t first, uint64_t bound, uint64_t leaf) {
  if (BatchState* const batch = change.batch()) {
    batch->hint_offers().push_back({first, bound, Offset{leaf}});
  } else {
    hints_.Offer(first, bound, Offset{leaf});
  }
}

void Tree::LowerBound(Change& change, Node& leaf, uint64_t bound) {
  if (leaf.bound() <= bound) return;
  change.Store(&leaf.words[Node::kPrefixWord], bound);
  change.Flush(&leaf.words[Node::kPrefixWord]);
}

// Replacing a child by two takes two free slots in its parent. Where there aren't two, the parent is split first, for
// which its own parent needs two…
size_t Tree::FirstToSplit(const Path& path, size_t i) {
  while (!path[i].is_layer_root && path[i - 1].perm.count() > kMaxChildrenToSplitBelow) --i;
  return i;
}

absl::Status Tree::PrepareSplit(Change& change, Path& path, size_t i) const {
  if (path[i].node->level() >= kMaxLevel) return Damaged(path[i].home, "a node of the highest level is full");
  if (!Take(change, path[i]) || !TakeOwner(change, path, i)) return Restart();
  return change.ReserveNodes(3);
}

absl::Status Tree::SplitForRoom(Change& change, Path& path, size_t i) {
  if (absl::Status status = PrepareSplit(change, path, i); !status.ok()) return status;
  const auto entries = EntriesOf(*path[i].node);
  const absl::Status status = SplitNode(change, path, i, entries);
  return status.ok() ? change.Again() : status;
}

absl::Status Tree::MakeRoomInLeaf(Change& change, Location& location) {
  return SplitForRoom(change, location.path, FirstToSplit(location.path, location.path.size() - 1));
}

// Replaces path[i] by two nodes that hold `entries`: its own, and perhaps a new one.
absl::Status Tree::SplitNode(Change& change, Path& path, size_t i, std::span<const Entry> entries) {
  const Node& old_node = *path[i].node;
  const unsigned level = old_node.level();
  const size_t at = SplitPoint(entries);
  if (at == 0) return Damaged(path[i].home, "a node full of one slice");
  const bool has_bound = level == 0 && HasBound(path[i].depth);
  const uint64_t middle = entries[at].slice;
  const uint64_t bound = old_node.bound();
  change.Begin();
  const uint64_t left = WriteNode(change, level, entries.first(at), PrefixKind::kNone, has_bound ? middle : 0);
  const uint64_t right = WriteNode(change, level, entries.subspan(at), PrefixKind::kNone, has_bound ? bound : 0);
  const uint64_t lowest_slice = path[i].lowest_slice;
  const Entry children[] = {{lowest_slice, Kind::kEndsWith0, left}, {middle, Kind::kEndsWith0, right}};
  ReplaceByChildren(change, path, i, children);
  if (has_bound) {
    OfferHint(change, lowest_slice, middle, left);
    if (bound != 0) OfferHint(change, middle, std::max(entries.back().slice, bound), right);
  }
  return absl::OkStatus();
}

void Tree::ReplaceByChildren(Change& change, Path& path, size_t i, std::span<const Entry> children) {
  const Node& old_node = *path[i].node;
  change.Replaces(path[i].home);
  if (path[i].is_layer_root) {
    const Kinds kinds = old_node.kinds();
    const uint64_t new_root =
        WriteNode(change, kinds.level() + 1, children, kinds.prefix(), old_node.layer_prefix_word());
    change.Fence();
    SwingLayerRoot(change, path, i, new_root);
    return;
  }
  const PathStep& parent = path[i - 1];
  Perm perm = parent.perm;
  unsigned position = parent.position;
  for (const Entry& child : children) {
    WriteFreeSlot(change, *parent.node, perm, child);
    perm = perm.Insert(position++);
  }
  change.Fence();
  CommitPerm(change, *parent.node, perm.Remove(position));
}

void Tree::SwingLayerRoot(Change& change, const Path& path, size_t i, uint64_t new_root) const {
  if (i == 0) return change.CommitRoot(id_, image_.NodeAt(Offset{new_root}));
  const PathStep& owner = path[i - 1];
  CommitReference(change, *owner.node, owner.perm.slot(owner.position), new_root);
}

}  // namespace sealkv::internal
