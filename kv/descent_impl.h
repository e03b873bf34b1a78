// The descent's code, for one kind of search. Included by the two files that compile it, each for the instructions that
// its search needs; nothing else includes it.
//
// Between the fence of one operation and the first cache miss of the next each instruction counts
// (docs/performance.md), so all of the common way is inlined into one function, and its state (Step) lives in
// registers: nothing that is called takes its address.
#ifndef SEALKV_KV_DESCENT_IMPL_H_
#define SEALKV_KV_DESCENT_IMPL_H_

#include <algorithm>
#include <string_view>

#include "kv/descent.h"
#include "kv/shortcut.h"
#include "kv/tree.h"

namespace sealkv::internal {

#define SEALKV_INLINE [[gnu::always_inline]] inline

// `TreeView` is Tree, but in tests that change the tree between two steps.
template <typename Search, typename TreeView = Tree>
class Descender {
 public:
  Descender(const TreeView& tree, std::string_view key, Purpose purpose, Descent& result)
      : tree_(tree), key_(key), purpose_(purpose), result_(result) {}

  SEALKV_INLINE void Run() const {
    while (Try() == Next::kRestart) continue;
  }

 private:
  enum class Next : uint8_t { kGoOn, kRestart, kDone };

  // A node that the way leads to, and the version that it had.
  struct Step {
    const Node* node = nullptr;
    LockWord version{0};
    size_t depth = 0;  // bytes of the key before this layer's slices
  };
  struct Start {
    Next next;
    Step at;
  };

  // What the way from the root says about the slices that a node covers: which of the nodes may become a shortcut.
  struct Way {
    unsigned shift = 0;
    uint64_t bucket_low = 0;
    uint64_t bucket_high = 0;
    uint64_t low = 0;
    uint64_t high = ~uint64_t{0};
    bool is_below_root = false;
    bool knows_buckets = false;
    const Node* deepest = nullptr;
    LockWord deepest_version{0};
  };

  SEALKV_INLINE Next Try() const {
    const uint64_t slice = SliceAt(key_, 0);
    Step at;
    Next next;
    if (tree_.LookupShortcut(slice, &at.node, &at.version) && Tree::IsUnchanged(*at.node, at.version)) {
      next = WalkToLeaf<false>(slice, at, nullptr);
    } else {
      const Start start = WalkFromRoot(slice);
      at.node = start.at.node;
      at.version = start.at.version;
      next = start.next;
    }
    while (next == Next::kGoOn) next = LookIntoLeaf(at);
    return next;
  }

  [[gnu::noinline]] Start WalkFromRoot(uint64_t slice) const {
    Step at;
    Next next = BeginAtRoot(at);
    if (next == Next::kGoOn) {
      Way way;
      next = WalkToLeaf<true>(slice, at, &way);
      if (next == Next::kGoOn && way.deepest != nullptr) {
        tree_.OfferShortcut(slice, way.shift, *way.deepest, way.deepest_version);
      }
    }
    return {next, at};
  }

  SEALKV_INLINE Next BeginAtRoot(Step& at) const {
    at.node = tree_.Root();
    if (at.node == nullptr) return Damaged(nullptr, "the root word");
    at.version = tree_.StableVersion(*at.node);
    // The root word has no version. So it is looked at again: when this version was read, the node was the root, which
    // it may cease to be without becoming obsolete.
    if (tree_.Root() != at.node) return Next::kRestart;
    if (tree_.IsObsolete(at.version)) return Damaged(at.node, "a node with two references");
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
    }
    at.node = next;
    at.version = version;
    return Next::kGoOn;
  }

  // From a layer's root, or a node further down, to the leaf that covers the slice.
  template <bool kTracksWay>
  SEALKV_INLINE Next WalkToLeaf(uint64_t slice, Step& at, [[maybe_unused]] Way* way) const {
    unsigned level_bound = kMaxLevel + 1;  // a child's level is below its parent's
    for (;;) {
      const unsigned level = at.node->level();
      if (level >= level_bound) [[unlikely]]
        return DamagedAt(at, "a child's level is not below its parent's");
      if (level == 0) return Next::kGoOn;
      level_bound = level;
      const Perm perm = at.node->perm();
      const unsigned position = Search::FindChild(*at.node, perm, slice);
      if constexpr (kTracksWay) Track(*way, at, slice, perm, position);
      const Next next = Enter(tree_.image().NodeAt(at.node->child(perm.slot(position))), at);
      if (next != Next::kGoOn) [[unlikely]]
        return next;
    }
  }

  SEALKV_INLINE void Track(Way& way, const Step& at, uint64_t slice, Perm perm, unsigned position) const {
    const unsigned count = std::min(perm.count(), kSlots);
    if (!way.is_below_root) {
      LearnBuckets(way, at, slice, perm, count);
    } else if (way.knows_buckets && way.low <= way.bucket_low && way.bucket_high <= way.high) {
      way.deepest = at.node;
      way.deepest_version = at.version;
    }
    way.is_below_root = true;
    if (position > 0) way.low = at.node->slice(perm.slot(position));
    if (position + 1 < count) way.high = at.node->slice(perm.slot(position + 1)) - 1;
  }

  // How far the keys spread is seen by the outermost separators two levels down. A hint only: it need not be
  // consistent.
  SEALKV_INLINE void LearnBuckets(Way& way, const Step& root, uint64_t slice, Perm perm, unsigned count) const {
    if (count < 2) return;
    const Node* const left = tree_.image().NodeAt(root.node->child(perm.slot(0)));
    const Node* const right = tree_.image().NodeAt(root.node->child(perm.slot(count - 1)));
    if (left == nullptr || right == nullptr) return;
    const Perm left_perm = left->perm();
    const Perm right_perm = right->perm();
    const unsigned right_count = std::min(right_perm.count(), kSlots);
    if (left_perm.count() < 2 || right_count < 2) return;
    way.shift = tree_.ShortcutShift(left->slice(left_perm.slot(1)), right->slice(right_perm.slot(right_count - 1)));
    way.knows_buckets = true;
    way.bucket_low = Shortcuts::BucketLow(slice, way.shift);
    way.bucket_high = Shortcuts::BucketHigh(slice, way.shift);
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
    result_.outcome = Descent::Outcome::kLeaf;
    result_.node = at.node;
    result_.version = at.version;
    result_.perm = perm;
    result_.slice = slice;
    result_.range = range;
    result_.depth = at.depth;
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
    return WalkToLeaf<false>(SliceAt(key_, at.depth), at, nullptr);
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
