// Optimistic lookups: read, then make sure that nobody wrote. No store, no lock.
#include <sched.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "kv/fingerprint.h"
#include "kv/search.h"
#include "kv/tree.h"
#include "kv/wait.h"

namespace sealkv::internal {

LockWord Tree::WaitUntilStable(const Node& node) const {
  if (generation_ == 0) return Settle(node);
  constexpr unsigned kSpinsBeforeYield = 256;
  for (unsigned spins = 0;; ++spins) {
    const LockWord version = Settle(node);
    if (!version.is_locked(generation_) || version.is_obsolete(generation_)) return version;
    if (WaitInTest()) continue;
    if (spins < kSpinsBeforeYield) {
      __builtin_ia32_pause();
    } else if (spins == kSpinsBeforeYield && Change::IsMadeByThisThread(&node)) {
      return version.Obsolete();
    } else {
      sched_yield();  // the writer may wait for msync, or for this very CPU
    }
  }
}

// How far the keys spread is seen by the outermost separators two levels below the root. No more than a hint: it need
// not be consistent.
void Tree::FitHints(uint64_t slice_of_a_key) const {
  const Node* const root = Root();
  const Perm perm = root == nullptr ? Perm() : root->perm();
  if (perm.count() < 2 || root->level() < 2) return;
  const Node* const left = image_.NodeAt(root->child(perm.slot(0)));
  const Node* const right = image_.NodeAt(root->child(perm.slot(std::min(perm.count(), kSlots) - 1)));
  if (left == nullptr || right == nullptr) return;
  const Perm left_perm = left->perm();
  const Perm right_perm = right->perm();
  const unsigned right_count = std::min(right_perm.count(), kSlots);
  if (left_perm.count() < 2 || right_count < 2) return;
  hints_.Fit(left->slice(left_perm.slot(1)), right->slice(right_perm.slot(right_count - 1)), slice_of_a_key);
}

void Tree::LearnLeaf(uint64_t slice, const Node& leaf, LockWord version) const {
  const Perm perm = leaf.perm();
  const uint64_t bound = leaf.bound();
  const uint64_t slice_of_a_key = perm.count() > 0 ? leaf.slice(perm.slot(0)) : slice;
  if (bound == 0 || !IsUnchanged(leaf, version)) return;
  if (perm.count() > 0) FitHints(slice_of_a_key);  // the slice itself may be no key's
  const uint64_t end = slice < bound ? bound : slice + (slice < kUnbounded);
  hints_.Learn(slice, std::min(slice_of_a_key, slice), end, image_.OffsetOf(&leaf), image_.size_bytes());
}

size_t Tree::PrefixBytes(Kinds kinds, uint64_t prefix_word) {
  switch (kinds.prefix()) {
    case PrefixKind::kInline:
      return kSliceBytes;
    case PrefixKind::kRecord:
      // The word's fingerprint bits hold the length, so that a descent needn't fetch the record to know it.
      return size_t{RecordRef::FromRaw(prefix_word).fingerprint()} * kSliceBytes;
    default:
      return 0;
  }
}

absl::StatusOr<std::string_view> Tree::PrefixOf(const Node& home, Kinds kinds, uint64_t prefix_word,
                                                char (&inline_bytes)[8]) const {
  switch (kinds.prefix()) {
    case PrefixKind::kNone:
      return std::string_view();
    case PrefixKind::kInline:
      __builtin_memcpy(inline_bytes, &prefix_word, sizeof(prefix_word));
      return std::string_view(inline_bytes, sizeof(inline_bytes));
    case PrefixKind::kRecord: {
      const RecordView record = image_.RecordAt(RecordRef::FromRaw(prefix_word).offset());
      if (!record.is_null() && record.key().size() == PrefixBytes(kinds, prefix_word) && record.ChecksumHolds()) {
        return record.key();
      }
    }
  }
  return Damaged(&home, "a layer's prefix can't be read");
}

Tree::LeafStep Tree::FindInLeaf(const Descent& descent, std::string_view key, Found* found) const {
  const Node& leaf = *descent.node;
  const Kinds kinds = leaf.kinds();
  const Kind wanted = KindAt(key, descent.depth);
  for (unsigned i = descent.range.begin; i < descent.range.end; ++i) {
    const unsigned slot = descent.perm.slot(i);
    const Kind kind = kinds.kind(slot);
    const uint64_t ref = leaf.ref(slot);
    *found = {kind, ref};
    if (wanted != Kind::kMore) {
      if (kind == wanted || (kind == Kind::kInline && wanted == Kind::kEndsWith8)) return LeafStep::kFound;
    } else if (kind == Kind::kMore) {
      if (RecordRef::FromRaw(ref).fingerprint() != Fingerprint(key.substr(descent.depth + kSliceBytes))) continue;
      // Nearly always the one; if it is the last, the caller's look at the record decides.
      if (i + 1 == descent.range.end) return LeafStep::kFound;
      if (!IsUnchanged(leaf, descent.version)) return LeafStep::kRestart;
      const RecordView record = image_.RecordAt(RecordRef::FromRaw(ref).offset());
      if (record.is_null() || record.key() == key) return LeafStep::kFound;
    }
  }
  return LeafStep::kAbsent;
}

absl::StatusOr<Tree::LeafStep> Tree::Find(const Descent& descent, std::string_view key, Found* found) const {
  if (descent.outcome == Descent::Outcome::kAbsent) return LeafStep::kAbsent;
  if (descent.outcome == Descent::Outcome::kDamaged) return Damaged(descent);
  const LeafStep step = FindInLeaf(descent, key, found);
  return IsUnchanged(*descent.node, descent.version) ? step : LeafStep::kRestart;
}

// ---- at a snapshot

// What a snapshot sees isn't given up while it is open, so no epoch is needed on the way; nor does it change any more
// once it was replaced. (What stands as replaced, and wasn't, is a node of the thread's own batch, which a damaged tree
// leads to: see WaitUntilStable.)
void Tree::ReadAt(const Node& node, const SnapshotView& at, Node* content) const {
  for (;;) {
    const LockWord version = StableVersion(node);
    if (version.is_versioned(generation_) && at.versions->Find(node, at.number, content)) return;
    CopyNode(node, content);
    if (IsUnchanged(node, version) || IsObsolete(version)) return;
  }
}

[[gnu::noinline]] static bool ReadKept(const Node& node, const SnapshotView& at, OrderedNode* content) {
  Node image;
  if (!at.versions->Find(node, at.number, &image)) return false;
  content->Read(image);
  return true;
}

void Tree::ReadAt(const Node& node, const SnapshotView& at, OrderedNode* content) const {
  for (;;) {
    const LockWord version = StableVersion(node);
    if (version.is_versioned(generation_) && ReadKept(node, at, content)) return;
    content->Read(node);
    if (IsUnchanged(node, version) || IsObsolete(version)) return;
  }
}

absl::StatusOr<bool> Tree::FindAt(std::string_view key, const SnapshotView& at, Found* found) const {
  const Node* home = at.root(id_);
  Descent descent;
  descent.depth = 0;
  unsigned level_bound = kMaxLevel + 1;
  Node node;
  for (;;) {
    if (home == nullptr) return DamagedAt(Offset{RootWordOffset(id_)}, "a reference to a node leads nowhere");
    home->Prefetch();
    ReadAt(*home, at, &node);
    const unsigned level = node.level();
    if (level >= level_bound) return Damaged(home, "a child's level is not below its parent's");
    if (level_bound > kMaxLevel && descent.depth > 0) {  // a layer's root
      descent.depth += PrefixBytes(node);
      if (descent.depth >= key.size()) return false;
    }
    const Perm perm = node.perm();
    const uint64_t slice = SliceAt(key, descent.depth);
    if (level > 0) {
      level_bound = level;
      home = image_.NodeAt(node.child(perm.slot(FindChild(node, perm, slice))));
      continue;
    }
    const SliceRange range = FindSlice(node, perm, slice);
    if (range.begin < range.end && key.size() - descent.depth > kSliceBytes) {
      const unsigned slot = perm.slot(range.end - 1);
      if (node.kinds().kind(slot) == Kind::kLayer) {
        descent.depth += kSliceBytes;
        level_bound = kMaxLevel + 1;
        home = image_.NodeAt(node.child(slot));
        continue;
      }
    }
    descent.node = &node;
    descent.version = node.lock();
    descent.perm = perm;
    descent.range = range;
    return FindInLeaf(descent, key, found) == LeafStep::kFound;
  }
}

// ---- damage

absl::Status Tree::Damaged(const Descent& descent) const {
  if (absl::Status status = ReadStatus(); !status.ok()) return status;
  return descent.node != nullptr ? Damaged(descent.node, descent.problem)
                                 : DamagedAt(Offset{RootWordOffset(id_)}, descent.problem);
}

absl::Status Tree::DamagedAt(Offset offset, const char* what) const {
  return absl::DataLossError(absl::StrCat("store damaged at offset ", Raw(offset), ": ", what,
                                          ". Run `kvdump check` to learn how much is affected."));
}

absl::Status Tree::Damaged(const void* where, const char* what) const {
  return DamagedAt(image_.OffsetOf(where), what);
}

}  // namespace sealkv::internal
