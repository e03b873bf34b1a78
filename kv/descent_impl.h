// The descent's code, for one kind of search. Included by the two files that compile it, each for the instructions that
// its search needs; nothing else includes it.
//
// Between the fence of one operation and the first cache miss of the next each instruction counts
// (docs/performance-notes.md), so all of the common way is inlined into one function, and its state (Step) lives in
// registers: nothing that is called takes its address.
#ifndef SEALKV_KV_DESCENT_IMPL_H_
#define SEALKV_KV_DESCENT_IMPL_H_

#include <algorithm>
#include <string_view>

#include "kv/descent.h"
#include "kv/tree.h"

namespace sealkv::internal {

#define SEALKV_INLINE [[gnu::always_inline]] inline

// `TreeView` is Tree, but in tests that change the tree between two steps.
template <typename Search, typename TreeView = Tree>
class Descender {
 public:
  // Small enough to be one function without calls and without a frame: whatever it leads to in the rarer cases is out
  // of line.
  SEALKV_INLINE static void Run(const TreeView& tree, std::string_view key, Purpose purpose, Descent& result) {
    if (key.size() < kSliceBytes) return RunFromRoot(tree, key, purpose, result);
    const Hint hint = FollowHint(tree, key, 0, result);
    if (hint != Hint::kLeads) RunAside(tree, key, purpose, hint, result);
  }
  [[gnu::noinline]] static void RunFromRoot(const TreeView& tree, std::string_view key, Purpose purpose,
                                            Descent& result) {
    const Descender descender(tree, key, purpose, result);
    while (descender.Try() == Next::kRestart) continue;
  }

 private:
  enum class Next : uint8_t { kGoOn, kRestart, kDone };
  // kLeadsOn: to the right leaf, but there is a layer below.
  enum class Hint : uint8_t { kLeads, kLeadsOn, kIsTooFarRight, kIsTooFarLeft, kIsVoid };

  Descender(const TreeView& tree, std::string_view key, Purpose purpose, Descent& result)
      : tree_(tree), key_(key), purpose_(purpose), result_(result) {}

  // A node that the way leads to, and the version that it had.
  struct Step {
    const Node* node = nullptr;
    LockWord version{0};
    size_t depth = 0;  // bytes of the key before this layer's slices
  };

  // The leaf that a hint leads to, if it is in the tree and covers the slice; then it is where a descent would have
  // led.
  //
  // It is in the tree: a node is locked from before it is part of the tree until after the commit that makes it so, and
  // from before the commit that replaces it for ever (Tree::Publish, Tree::MakeObsolete). A free lock word was
  // read first and is the same at the end. It is a leaf of the top layer: only these have a bound. It covers the slice:
  // it covers one range of slices, in which lie those of its entries, and what is between the first of these and the
  // bound (node.h, N4 and N6).
  SEALKV_INLINE static Hint FollowHint(const TreeView& tree, std::string_view key, int side, Descent& result) {
    const uint64_t slice = WholeSlice(key.data());
    const Node* const leaf = tree.HintedLeaf(slice, side);
    if (leaf == nullptr) [[unlikely]]
      return Hint::kIsVoid;
    leaf->PrefetchLastLine();
    const LockWord version = leaf->lock();
    const Kinds kinds = leaf->kinds();
    const uint64_t bound = leaf->bound();
    if (version.may_be_held() || !kinds.is_leaf_without_prefix() || bound == 0) [[unlikely]]
      return Hint::kIsVoid;
    const Perm perm = leaf->perm();
    const SliceRange range = Search::FindSlice(*leaf, perm, slice);
    if (range.begin == range.end) {
      if (range.begin == 0) return Hint::kIsTooFarRight;
      if (range.begin >= perm.count() && slice >= bound) return Hint::kIsTooFarLeft;
    }
    SetLeaf(result, *leaf, version, perm, slice, range, 0);
    // An entry that leads to a layer is the last of its slice.
    const bool leads_on =
        key.size() > kSliceBytes && range.begin < range.end && kinds.kind(perm.slot(range.end - 1)) == Kind::kLayer;
    return leads_on ? Hint::kLeadsOn : Hint::kLeads;
  }

  [[gnu::noinline]] static void RunAside(const TreeView& tree, std::string_view key, Purpose purpose, Hint hint,
                                         Descent& result) {
    if (hint == Hint::kIsTooFarRight || hint == Hint::kIsTooFarLeft) {
      hint = FollowHint(tree, key, hint == Hint::kIsTooFarRight ? -1 : 1, result);
      if (hint == Hint::kLeads) return;
    }
    if (hint == Hint::kLeadsOn) {
      const Descender descender(tree, key, purpose, result);
      Step at;
      at.node = result.node;
      at.version = result.version;
      Next next = Next::kGoOn;
      while (next == Next::kGoOn) next = descender.LookIntoLeaf(at);
      if (next == Next::kDone) return;
    }
    RunFromRoot(tree, key, purpose, result);
  }

  SEALKV_INLINE static void SetLeaf(Descent& result, const Node& leaf, LockWord version, Perm perm, uint64_t slice,
                                    SliceRange range, size_t depth) {
    result.outcome = Descent::Outcome::kLeaf;
    result.node = &leaf;
    result.version = version;
    result.perm = perm;
    result.slice = slice;
    result.range = range;
    result.depth = depth;
  }

  Next Try() const {
    const uint64_t slice = SliceAt(key_, 0);
    Step at;
    Next next = BeginAtRoot(at);
    if (next == Next::kGoOn) next = WalkToLeaf(slice, at);
    if (next == Next::kGoOn) tree_.LearnLeaf(slice, *at.node, at.version);
    while (next == Next::kGoOn) next = LookIntoLeaf(at);
    return next;
  }

  SEALKV_INLINE Next BeginAtRoot(Step& at) const {
    at.node = tree_.Root();
    if (at.node == nullptr) return Damaged(nullptr, "the root word");
    at.version = tree_.StableVersion(*at.node);
    // The root word has no version. So it is looked at again: when this version was read, the node was the root, which
    // it may cease to be without becoming obsolete.
    if (tree_.Root() != at.node) return Next::kRestart;
    if (at.version.may_be_held()) [[unlikely]] {
      if (tree_.IsObsolete(at.version)) return Damaged(at.node, "a node with two references");
      if (!tree_.ReadStatus().ok()) return Damaged(at.node, "half a commit");
    }
    return Next::kGoOn;
  }

  // Hand over hand to a child or a layer's root.
  SEALKV_INLINE Next Enter(const Node* next, Step& at) const {
    if (next == nullptr) [[unlikely]]
      return DamagedAt(at, "a reference to a node leads nowhere");
    next->Prefetch();
    LockWord version = next->lock();
    if (!Tree::IsUnchanged(*at.node, at.version)) [[unlikely]]
      return Next::kRestart;
    if (version.may_be_held()) [[unlikely]] {
      version = tree_.StableVersion(*next);
      if (!Tree::IsUnchanged(*at.node, at.version)) return Next::kRestart;
      // It was let go of before it became obsolete, and what led here hasn't changed: the tree has it twice.
      if (tree_.IsObsolete(version)) return Damaged(next, "a node with two references");
      if (!tree_.ReadStatus().ok()) return Damaged(next, "half a commit");
    }
    at.node = next;
    at.version = version;
    return Next::kGoOn;
  }

  // From a layer's root to the leaf that covers the slice.
  SEALKV_INLINE Next WalkToLeaf(uint64_t slice, Step& at) const {
    unsigned level_bound = kMaxLevel + 1;  // a child's level is below its parent's
    for (;;) {
      const unsigned level = at.node->level();
      if (level >= level_bound) [[unlikely]]
        return DamagedAt(at, "a child's level is not below its parent's");
      if (level == 0) return Next::kGoOn;
      level_bound = level;
      const Perm perm = at.node->perm();
      const unsigned position = Search::FindChild(*at.node, perm, slice);
      const Next next = Enter(tree_.image().NodeAt(at.node->child(perm.slot(position))), at);
      if (next != Next::kGoOn) [[unlikely]]
        return next;
    }
  }

  // The leaf is the last one, or leads to a layer.
  SEALKV_INLINE Next LookIntoLeaf(Step& at) const {
    const uint64_t slice = SliceAt(key_, at.depth);
    const Perm perm = at.node->perm();
    const SliceRange range = Search::FindSlice(*at.node, perm, slice);
    const bool goes_on = key_.size() - at.depth > kSliceBytes;
    if (goes_on && range.end > range.begin) {
      // An entry that leads to a layer is the last of its slice.
      const unsigned slot = perm.slot(range.end - 1);
      if (at.node->kinds().kind(slot) == Kind::kLayer) {
        const Next next = Enter(tree_.image().NodeAt(at.node->child(slot)), at);
        return next == Next::kGoOn ? EnterLayer(at) : next;
      }
    }
    SetLeaf(result_, *at.node, at.version, perm, slice, range, at.depth);
    return Next::kDone;
  }

  // The key goes on behind the slice that led to the layer; its keys go on behind the prefix, too.
  SEALKV_INLINE Next EnterLayer(Step& at) const {
    at.depth += kSliceBytes;
    if (at.node->kinds().prefix() != PrefixKind::kNone) {
      if (purpose_ == Purpose::kRead) {
        at.depth += Tree::PrefixBytes(*at.node);
        if (at.depth >= key_.size()) return Done(Descent::Outcome::kAbsent, at);
      } else {
        char inline_bytes[8];
        const auto prefix = tree_.PrefixOf(*at.node, inline_bytes);
        if (!prefix.ok()) return DamagedAt(at, "a layer's prefix can't be read");
        const std::string_view rest = key_.substr(at.depth);
        if (!rest.starts_with(*prefix) || rest.size() == prefix->size()) {
          return Done(Descent::Outcome::kPrefixDiffers, at);
        }
        at.depth += prefix->size();
      }
    }
    return WalkToLeaf(SliceAt(key_, at.depth), at);
  }

  SEALKV_INLINE Next Done(Descent::Outcome outcome, const Step& at) const {
    if (!Tree::IsUnchanged(*at.node, at.version)) return Next::kRestart;
    result_.outcome = outcome;
    return Next::kDone;
  }
  SEALKV_INLINE Next DamagedAt(const Step& at, const char* problem) const {
    return Tree::IsUnchanged(*at.node, at.version) ? Damaged(at.node, problem) : Next::kRestart;
  }
  [[gnu::noinline, gnu::cold]] Next Damaged(const Node* node, const char* problem) const {
    result_.outcome = Descent::Outcome::kDamaged;
    result_.node = node;
    result_.problem = problem;
    return Next::kDone;
  }

  const TreeView& tree_;
  const std::string_view key_;
  const Purpose purpose_;
  // Written field by field, and never copied: a copy would be made of loads wider than the stores before it, and such a
  // load waits until these stores have reached the cache, behind everything before them. It would end all overlap of
  // operations.
  Descent& result_;
};

#undef SEALKV_INLINE

}  // namespace sealkv::internal

#endif  // SEALKV_KV_DESCENT_IMPL_H_
