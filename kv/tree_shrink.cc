// After a delete: nodes that became nearly empty are merged, empty ones dropped, layers of one key pulled up, roots of
// one child replaced by it. Each is one commit. None is needed for a correct tree, so each is left undone where it
// would need space that isn't there.
#include "kv/fingerprint.h"
#include "kv/tree.h"

namespace sealkv::internal {
namespace {

// A sparse node is merged with a sibling if this many entries at most come together: far enough from full not to be
// split again at once.
constexpr unsigned kMergedCountMax = 9;

}  // namespace

// Goes up from the leaf as long as the node above lost an entry too.
void Tree::Rebalance(Path& path) {
  for (size_t i = path.size() - 1;;) {
    const unsigned count = path[i].node->perm().count();
    if (count > kSparseCount) return;
    if (count == 0) {
      if (!DropEmpty(path, &i)) return;
    } else if (path[i].is_layer_root) {
      ShrinkLayer(path, i);
      return;
    } else {
      if (!MergeWithSibling(path, i)) return;
      --i;
    }
  }
}

// Drops the node path[*i], and the nodes above it that have no other child, from the node above these. Sets *i to that
// one; false if there is none.
bool Tree::DropEmpty(Path& path, size_t* i) {
  const size_t bottom = *i;
  size_t top = bottom;
  while (!path[top].is_layer_root && path[top - 1].node->perm().count() == 1) --top;
  if (top == 0) {  // the whole store is empty: the empty leaf becomes the root
    if (bottom == 0) return false;
    CommitRoot(*path[bottom].node);
    for (size_t above = 0; above < bottom; ++above) MakeObsolete(*path[above].node);
    return false;
  }
  const PathStep& owner = path[top - 1];
  CommitPerm(*owner.node, owner.node->perm().Remove(owner.position));
  if (path[top].is_layer_root) RetirePrefix(*path[top].node);
  for (size_t gone = top; gone <= bottom; ++gone) MakeObsolete(*path[gone].node);
  *i = top - 1;
  return true;
}

// Merges path[i] with a neighbour in its parent into a new node: the parent's perm drops two children and names one.
bool Tree::MergeWithSibling(Path& path, size_t i) {
  const PathStep& parent = path[i - 1];
  const Perm perm = parent.node->perm();
  if (perm.free_count() == 0) return false;
  for (const unsigned left_position : {parent.position - 1, parent.position}) {
    // At position 0 the first of these wraps round: there is no left neighbour.
    if (left_position >= perm.count() || left_position + 1 >= perm.count()) continue;
    const unsigned left_slot = perm.slot(left_position);
    const unsigned right_slot = perm.slot(left_position + 1);
    Node* left = image_.NodeAt(parent.node->child(left_slot));
    Node* right = image_.NodeAt(parent.node->child(right_slot));
    if (left == nullptr || right == nullptr || left == right || left->level() != right->level()) continue;
    if (left->perm().count() + right->perm().count() > kMergedCountMax) continue;
    if (!heap_.ReserveNodes(1).ok()) return false;

    auto entries = EntriesOf(*left);
    auto right_entries = EntriesOf(*right);
    // In its own node the first child's slice isn't looked at; behind others it is the bound that the parent had for
    // it.
    if (left->level() > 0 && !right_entries.empty()) right_entries[0].slice = parent.node->slice(right_slot);
    entries.insert(entries.end(), right_entries.begin(), right_entries.end());
    const bool has_bound = left->level() == 0 && path[i].depth == 0;
    const Node& merged = WriteNode(left->level(), entries, PrefixKind::kNone, has_bound ? right->bound() : 0);
    WriteFreeSlot(*parent.node, perm, {parent.node->slice(left_slot), Kind::kEndsWith0, Raw(image_.OffsetOf(&merged))});
    persist_.Fence();
    Lock(*left);
    Lock(*right);
    CommitPerm(*parent.node, perm.Insert(left_position).Remove(left_position + 1).Remove(left_position + 1));
    MakeObsolete(*left);
    MakeObsolete(*right);
    return true;
  }
  return false;
}

// The root path[i] of a layer has few entries. An inner one with one child gives way to it; a leaf with one key gives
// the key back to the entry that leads to the layer.
void Tree::ShrinkLayer(Path& path, size_t i) {
  Node* root = path[i].node;
  while (root->level() > 0 && root->perm().count() == 1) {
    Node* child = image_.NodeAt(root->child(root->perm().slot(0)));
    if (child == nullptr || child->level() >= root->level()) return;
    Node* new_root = child;
    const Kinds kinds = root->kinds();
    if (kinds.prefix() != PrefixKind::kNone) {
      if (!heap_.ReserveNodes(1).ok()) return;
      new_root = &WriteNode(child->level(), EntriesOf(*child), kinds.prefix(), root->prefix_word());
      persist_.Fence();
    }
    SwingLayerRoot(path, i, *new_root);
    MakeObsolete(*root);
    if (new_root != child) MakeObsolete(*child);
    root = new_root;
    path[i].node = root;
  }
  if (i > 0 && root->level() == 0 && root->perm().count() == 1) PullUpLastKey(path, i);
}

void Tree::PullUpLastKey(Path& path, size_t i) {
  Node& root = *path[i].node;
  const PathStep& owner = path[i - 1];
  const Perm perm = owner.node->perm();
  const unsigned slot = root.perm().slot(0);
  if (perm.free_count() == 0 || !IsRecord(root.kinds().kind(slot))) return;
  const Offset offset = root.record(slot).offset();
  const RecordView record = image_.RecordAt(offset);
  if (record.is_null() || record.key().size() <= owner.depth + kSliceBytes) return;
  WriteFreeSlot(*owner.node, perm, RecordEntry(record.key(), offset, owner.depth));
  persist_.Fence();
  CommitPerm(*owner.node, perm.Insert(owner.position).Remove(owner.position + 1));
  RetirePrefix(root);
  MakeObsolete(root);
}

}  // namespace sealkv::internal
