// The shortest ways to write: an 8-byte value where it lies, and an 8-byte key with one.
#include "kv/tree.h"

namespace sealkv::internal {

// A commit too: the word is the value, and makes nothing else reachable.
void Tree::StoreValueWord(Node& leaf, uint64_t* word, uint64_t value) {
  Lock(leaf);
  persist_.Store(word, value);
  persist_.Flush(word);
  persist_.Fence();
  Unlock(leaf);
}

bool Tree::InsertInlineWord(const Descent& descent, uint64_t value) {
  const Perm perm = descent.perm;
  if (descent.range.begin != descent.range.end || perm.count() >= kSlots) return false;
  const bool is_in_line = Node::IsInPermLine(perm.slot(perm.count()));
  if (!(is_in_line ? perm.NamesFreeSlotOnce() : perm.IsWellFormed())) return false;
  InsertEntry(const_cast<Node&>(*descent.node), perm, descent.range.begin, {descent.slice, Kind::kInline, value});
  return true;
}

}  // namespace sealkv::internal
