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

absl::Status Tree::InsertIntoFullLeaf(Location& location, std::string_view key, std::string_view value) {
  const size_t i = location.path.size() - 1;
  const bool at_right_edge = IsAtRightEdge(location);
  if (!at_right_edge) {
    if (absl::Status status = MakeRoomAbove(location.path, i); !status.ok()) return status;
    if (location.path.empty()) {  // something above was split: the way is another now
      if (absl::Status status = Locate(key, &location); !status.ok()) return status;
      return Insert(location, key, value);
    }
  }
  // Nodes first: once the record is written nothing may fail.
  constexpr unsigned kMostNodes = kMaxLevel + 3;
  const unsigned nodes = at_right_edge ? std::min<unsigned>(kMostNodes, location.path.size() + 2) : 3;
  if (absl::Status status = heap_.ReserveNodes(nodes); !status.ok()) return status;
  if (at_right_edge && location.path[LayerRootIndex(location.path)].node->level() >= kMaxLevel) {
    return Damaged(location.leaf().node, "below a node of the highest level");
  }
  const absl::StatusOr<Entry> entry = MakeEntry(key, value, location.leaf().depth);
  if (!entry.ok()) return entry.status();
  if (at_right_edge) return AppendAtRightEdge(location, *entry);
  auto entries = EntriesOf(*location.leaf().node);
  entries.insert(entries.begin() + location.leaf().position, *entry);
  const absl::Status status = SplitNode(location.path, i, entries);
  if (!status.ok()) DiscardEntry(*entry);
  return status;
}

bool Tree::IsAtRightEdge(const Location& location) const {
  const PathStep& leaf = location.path.back();
  const Perm perm = leaf.node->perm();
  if (leaf.position != perm.count()) return false;
  if (leaf.node->slice(perm.slot(perm.count() - 1)) == location.slice) return false;  // equal slices stay together
  for (size_t i = location.path.size(); !location.path[--i].is_layer_root;) {
    const PathStep& parent = location.path[i - 1];
    if (parent.position + 1 != parent.node->perm().count()) return false;
  }
  return true;
}

// An ascending load: the full nodes stay as they are, and full; one new leaf (below new inner nodes, where the old ones
// are full too) joins the lowest ancestor with a free slot. What the old nodes covered behind their last key is the new
// leaf's from the commit on, so they are locked across it: their versions change, and with these whoever was on his way
// to them. So the old leaf's bound must be down before, as durable as the new nodes: it is true already that no key
// lies beyond it.
absl::Status Tree::AppendAtRightEdge(Location& location, const Entry& entry) {
  Path& path = location.path;
  size_t i = path.size() - 1;
  const bool is_top = path[i].depth == 0;
  const Node& new_leaf = WriteNode(0, {&entry, 1}, PrefixKind::kNone, is_top ? kUnbounded : 0);
  Entry added{entry.slice, Kind::kEndsWith0, Raw(image_.OffsetOf(&new_leaf))};
  if (is_top) LowerBound(*path[i].node, entry.slice);
  for (; !path[i].is_layer_root; --i) {
    const PathStep& parent = path[i - 1];
    const Perm perm = parent.node->perm();
    if (perm.free_count() > 0) {
      WriteFreeSlot(*parent.node, perm, added);
      persist_.Fence();
      for (size_t below = i; below < path.size(); ++below) Lock(*path[below].node);
      CommitPerm(*parent.node, perm.Insert(perm.count()));
      for (size_t below = i; below < path.size(); ++below) Unlock(*path[below].node);
      if (is_top) hints_.Offer(entry.slice, kUnbounded, image_.OffsetOf(&new_leaf));
      return absl::OkStatus();
    }
    added.ref = Raw(image_.OffsetOf(&WriteNode(parent.node->level(), {&added, 1})));
  }
  // Full up to the root: a new root above the old one. Only a layer's root has a prefix, so one with a prefix is
  // copied.
  Node& old_root = *path[i].node;
  const Kinds kinds = old_root.kinds();
  Node* left = &old_root;
  if (kinds.prefix() != PrefixKind::kNone) left = &WriteNode(kinds.level(), EntriesOf(old_root));
  const Entry children[] = {{0, Kind::kEndsWith0, Raw(image_.OffsetOf(left))}, added};
  Node& new_root = WriteNode(kinds.level() + 1, children, kinds.prefix(), old_root.layer_prefix_word());
  persist_.Fence();
  for (size_t below = i; below < path.size(); ++below) Lock(*path[below].node);
  SwingLayerRoot(path, i, new_root);
  for (size_t below = i; below < path.size(); ++below) Unlock(*path[below].node);
  if (left != &old_root) MakeObsolete(old_root);
  if (is_top) hints_.Offer(entry.slice, kUnbounded, image_.OffsetOf(&new_leaf));
  return absl::OkStatus();
}

void Tree::LowerBound(Node& leaf, uint64_t bound) {
  if (leaf.bound() <= bound) return;
  Lock(leaf);
  persist_.Store(&leaf.words[Node::kPrefixWord], bound);
  persist_.Flush(&leaf.words[Node::kPrefixWord]);
}

// Replacing a child by two takes two free slots in its parent. Where there aren't two, the parent is split first, for
// which its own parent needs two… Splits the topmost that must be; each is a commit of its own. Clears `path` if it
// did.
absl::Status Tree::MakeRoomAbove(Path& path, size_t i) {
  const size_t leaf = i;
  while (!path[i].is_layer_root && path[i - 1].node->perm().count() > kMaxChildrenToSplitBelow) --i;
  if (i == leaf) return absl::OkStatus();
  if (path[i].node->level() >= kMaxLevel) return Damaged(path[i].node, "a node of the highest level is full");
  if (absl::Status status = heap_.ReserveNodes(3); !status.ok()) return status;
  const auto entries = EntriesOf(*path[i].node);
  const absl::Status status = SplitNode(path, i, entries);
  path.clear();
  return status;
}

// Replaces path[i] by two nodes that hold `entries`: its own, and perhaps a new one.
absl::Status Tree::SplitNode(Path& path, size_t i, std::span<const Entry> entries) {
  const Node& old_node = *path[i].node;
  const unsigned level = old_node.level();
  const size_t at = SplitPoint(entries);
  if (at == 0) return Damaged(&old_node, "a node full of one slice");
  const bool has_bound = level == 0 && path[i].depth == 0;
  const uint64_t middle = entries[at].slice;
  const uint64_t bound = old_node.bound();
  const Node& left = WriteNode(level, entries.first(at), PrefixKind::kNone, has_bound ? middle : 0);
  const Node& right = WriteNode(level, entries.subspan(at), PrefixKind::kNone, has_bound ? bound : 0);
  const uint64_t lowest_slice = path[i].lowest_slice;
  const Entry children[] = {{lowest_slice, Kind::kEndsWith0, Raw(image_.OffsetOf(&left))},
                            {middle, Kind::kEndsWith0, Raw(image_.OffsetOf(&right))}};
  ReplaceByChildren(path, i, children);
  if (has_bound) {
    hints_.Offer(lowest_slice, middle - 1, image_.OffsetOf(&left));
    if (bound != 0) hints_.Offer(middle, std::max(entries.back().slice, bound - 1), image_.OffsetOf(&right));
  }
  return absl::OkStatus();
}

absl::Status Tree::MakeRoomInLeaf(Location& location) {
  const size_t i = location.path.size() - 1;
  if (absl::Status status = MakeRoomAbove(location.path, i); !status.ok()) return status;
  if (location.path.empty()) return absl::OkStatus();
  if (absl::Status status = heap_.ReserveNodes(3); !status.ok()) return status;
  const auto entries = EntriesOf(*location.leaf().node);
  return SplitNode(location.path, i, entries);
}

void Tree::ReplaceByChildren(Path& path, size_t i, std::span<const Entry> children) {
  Node& old_node = *path[i].node;
  if (path[i].is_layer_root) {
    const Kinds kinds = old_node.kinds();
    Node& new_root = WriteNode(kinds.level() + 1, children, kinds.prefix(), old_node.layer_prefix_word());
    persist_.Fence();
    Lock(old_node);
    SwingLayerRoot(path, i, new_root);
    MakeObsolete(old_node);
    return;
  }
  const PathStep& parent = path[i - 1];
  const Perm old_perm = parent.node->perm();
  Perm perm = old_perm;
  unsigned position = parent.position;
  for (const Entry& child : children) {
    WriteFreeSlot(*parent.node, perm, child);
    perm = perm.Insert(position++);
  }
  persist_.Fence();
  Lock(old_node);
  CommitPerm(*parent.node, perm.Remove(position));
  MakeObsolete(old_node);
}

void Tree::SwingLayerRoot(Path& path, size_t i, Node& new_root) {
  if (i == 0) {
    CommitRoot(new_root);
    return;
  }
  const PathStep& owner = path[i - 1];
  CommitReference(*owner.node, owner.node->perm().slot(owner.position), Raw(image_.OffsetOf(&new_root)));
}

}  // namespace sealkv::internal
