// Optimistic lookups: read, then make sure that nobody wrote. No store, no lock.
#include <sched.h>

#include "absl/strings/str_cat.h"
#include "kv/fingerprint.h"
#include "kv/search.h"
#include "kv/tree.h"

namespace sealkv::internal {

LockWord Tree::WaitUntilStable(const Node& node) const {
  constexpr unsigned kSpinsBeforeYield = 256;
  for (unsigned spins = 0;; ++spins) {
    const LockWord version = node.lock();
    if (!version.is_locked(generation_) || version.is_obsolete(generation_)) return version;
    if (spins < kSpinsBeforeYield) {
      __builtin_ia32_pause();
    } else {
      sched_yield();  // the writer may wait for msync, or for this very CPU
    }
  }
}

size_t Tree::PrefixBytes(const Node& root) {
  switch (root.kinds().prefix()) {
    case PrefixKind::kInline:
      return kSliceBytes;
    case PrefixKind::kRecord:
      // The word's fingerprint bits hold the length, so that a descent needn't fetch the record to know it.
      return size_t{RecordRef::FromRaw(root.prefix_word()).fingerprint()} * kSliceBytes;
    default:
      return 0;
  }
}

absl::StatusOr<std::string_view> Tree::PrefixOf(const Node& root, char (&inline_bytes)[8]) const {
  switch (root.kinds().prefix()) {
    case PrefixKind::kNone:
      return std::string_view();
    case PrefixKind::kInline: {
      const uint64_t word = root.prefix_word();
      __builtin_memcpy(inline_bytes, &word, sizeof(word));
      return std::string_view(inline_bytes, sizeof(inline_bytes));
    }
    case PrefixKind::kRecord: {
      const RecordView record = image_.RecordAt(RecordRef::FromRaw(root.prefix_word()).offset());
      if (!record.is_null() && record.key().size() == PrefixBytes(root) && record.ChecksumHolds()) return record.key();
    }
  }
  return Damaged(&root, "a layer's prefix can't be read");
}

Tree::LeafStep Tree::FindInLeaf(const Node& leaf, LockWord version, Perm perm, std::string_view key, size_t depth,
                                Found* found, const Node** layer) const {
  const Kinds kinds = leaf.kinds();
  const SliceRange range = FindSlice(leaf, perm, SliceAt(key, depth));
  const Kind wanted = KindAt(key, depth);
  for (unsigned i = range.begin; i < range.end; ++i) {
    const unsigned slot = perm.slot(i);
    const Kind kind = kinds.kind(slot);
    const uint64_t ref = leaf.ref(slot);
    *found = {&leaf, version, kind, ref};
    if (wanted != Kind::kMore) {
      if (kind == wanted || (kind == Kind::kInline && wanted == Kind::kEndsWith8)) return LeafStep::kFound;
    } else if (kind == Kind::kLayer) {
      *layer = image_.NodeAt(static_cast<Offset>(ref));
      return LeafStep::kLayer;
    } else if (kind == Kind::kMore) {
      if (RecordRef::FromRaw(ref).fingerprint() != Fingerprint(key.substr(depth + kSliceBytes))) continue;
      // Nearly always the one; if it is the last, the caller's look at the record decides.
      if (i + 1 == range.end) return LeafStep::kFound;
      if (!IsUnchanged(leaf, version)) return LeafStep::kRestart;
      const RecordView record = image_.RecordAt(RecordRef::FromRaw(ref).offset());
      if (record.is_null() || record.key() == key) return LeafStep::kFound;
    }
  }
  return LeafStep::kAbsent;
}

absl::StatusOr<bool> Tree::Find(std::string_view key, Found* found) const {
restart:
  const Node* node = Root();
  if (node == nullptr) return DamagedAt(Offset{64}, "the root word");
  const Node* referrer = nullptr;
  LockWord referrer_version{0};
  size_t depth = 0;
  unsigned level_bound = kMaxLevel + 1;  // a child's level is below its parent's; a layer's root may have any
  for (;;) {
    const LockWord version = StableVersion(*node);
    if (IsObsolete(version)) [[unlikely]] {
      // It was let go of before it became obsolete; if what led here didn't change since, the tree had it twice.
      const bool is_referred_to = referrer == nullptr ? Root() == node : IsUnchanged(*referrer, referrer_version);
      if (is_referred_to) return Damaged(node, "a node with two references");
      goto restart;
    }
    const unsigned level = node->level();
    const bool is_inner_layer_root = level_bound > kMaxLevel && depth > 0;
    if (is_inner_layer_root) depth += PrefixBytes(*node);
    const bool may_be_here = depth < key.size() || !is_inner_layer_root;  // a layer's keys go on beyond its prefix
    if (!may_be_here || level >= level_bound) [[unlikely]] {
      if (!IsUnchanged(*node, version)) goto restart;
      if (!may_be_here) return false;
      return Damaged(node, "a child's level is not below its parent's");
    }
    const Perm perm = node->perm();
    const Node* next = nullptr;
    if (level > 0) {
      next = image_.NodeAt(node->child(perm.slot(FindChild(*node, perm, SliceAt(key, depth)))));
      level_bound = level;
    } else {
      const LeafStep step = FindInLeaf(*node, version, perm, key, depth, found, &next);
      if (step == LeafStep::kRestart) goto restart;
      if (step != LeafStep::kLayer) {
        if (!IsUnchanged(*node, version)) goto restart;
        return step == LeafStep::kFound;
      }
      depth += kSliceBytes;
      level_bound = kMaxLevel + 1;
    }
    if (next != nullptr) next->Prefetch();
    if (!IsUnchanged(*node, version)) [[unlikely]] goto restart;
    if (next == nullptr) return Damaged(node, "a reference to a node leads nowhere");
    referrer = node;
    referrer_version = version;
    node = next;
  }
}

absl::Status Tree::DamagedAt(Offset offset, const char* what) const {
  return absl::DataLossError(absl::StrCat("store damaged at offset ", Raw(offset), ": ", what,
                                          ". Run `kvdump check` to learn how much is affected."));
}

absl::Status Tree::Damaged(const void* where, const char* what) const {
  return DamagedAt(image_.OffsetOf(where), what);
}

}  // namespace sealkv::internal
