// What a writer that was killed has stored, and not yet made durable. It is visible to whoever comes next, for the
// caches don't know that he is dead; a power cut would take it back. So the next writer doesn't act on it before it is
// durable (invariant 4 of docs/design.md).
//
// Where it is can be told without looking for it. A node is locked from before a commit's word is stored in it until
// that is durable; so a node that a killed writer left locked is written back by whoever meets it first. The superblock
// is written back at each open, and the table of segments line by line as it is looked at. After a power cut there is
// nothing of the kind: what is written back here was durable before.
//
// Not so yet: processes that only read, which can't mark a node as done, and would write it back each time. See "Known
// limits" in docs/design.md.
#include <algorithm>
#include <atomic>

#include "kv/recovery.h"
#include "kv/segments.h"
#include "kv/tree.h"

namespace sealkv::internal {

void PersistSuperblock(const Image& image, daxfile::Persist& persist) {
  persist.Flush(&image.superblock(), sizeof(Superblock));
  persist.Fence();
}

// Each line with the first of its words, or with the first of all. The fence follows before a segment is taken, and at
// the end of the background pass's scan: who uses a segment isn't always who looked at its word.
void Segments::WriteBackTable(uint64_t first, uint64_t end) {
  constexpr uint64_t kWordsInLine = daxfile::kCacheLineBytes / sizeof(uint64_t);
  for (uint64_t segment = first; segment < end; ++segment) {
    if (segment % kWordsInLine != 0 && segment != image_.header_segments()) continue;
    persist_.Flush(&image_.segment_words()[segment]);
    is_written_back_ = false;
  }
}

void Segments::AwaitWriteBack() {
  if (is_written_back_) return;
  persist_.Fence();
  is_written_back_ = true;
}

// With the 8-byte values that its records hold: those change in place, under the lock of their leaf.
void Tree::PersistLeftLocked(const Node& node) const {
  persist_.Flush(&node, kNodeBytes);
  const Perm perm = node.perm();
  for (unsigned i = 0; node.is_leaf() && i < std::min(perm.count(), kSlots); ++i) {
    const unsigned slot = perm.slot(i);
    if (!IsRecord(node.kinds().kind(slot))) continue;
    const RecordView record = image_.RecordAt(node.record(slot).offset());
    if (!record.is_null() && record.has_word_value()) persist_.Flush(record.value_word());
  }
  persist_.Fence();
}

LockWord Tree::Settle(const Node& node) const {
  LockWord version = node.lock();
  while (generation_ != 0 && version.is_left_locked(generation_)) {
    PersistLeftLocked(node);
    if (!persist_.is_ok()) break;
    uint64_t seen = version.raw();
    std::atomic_ref<uint64_t>(const_cast<uint64_t&>(node.words[Node::kLockWord]))
        .compare_exchange_strong(seen, version.Settled(generation_).raw(), std::memory_order_acq_rel);
    version = node.lock();
  }
  return version;
}

}  // namespace sealkv::internal
