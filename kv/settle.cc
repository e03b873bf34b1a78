// What a writer that was killed has stored, and not yet made durable. It is visible to whoever comes next, for the
// caches don't know that he is dead; a power cut would take it back. So nobody acts on it before it is durable
// (invariant 4 of docs/design.md).
//
// Where it is can be told without looking for it. A node is locked from before a commit's word is stored in it until
// that is durable; so a node that a killed writer left locked is written back by whoever meets it first. The superblock
// is written back at each open, and the table of segments line by line as it is looked at. After a power cut there is
// nothing of the kind: what is written back here was durable before.
//
// Processes that only read do the same: what can be read can be written back. They can't mark a node as done, so they
// remember it (kv/written_back.h). A new root is held, so with a node goes the root word.
#include <algorithm>
#include <atomic>

#include "kv/lanes.h"
#include "kv/recovery.h"
#include "kv/segments.h"
#include "kv/tree.h"
#include "kv/written_back.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace sealkv::internal {

void PersistSuperblock(const Image& image, daxfile::Persist& persist) {
  persist.Flush(&image.superblock(), sizeof(Superblock));
  persist.Fence();
}

// Each line with the first of its words, or with the first of all. The fence follows before a segment is taken, and at
// the end of the background pass's scan: who uses a segment isn't always who looked at its word.
void Segments::WriteBackTable(uint64_t first, uint64_t end) {
  constexpr uint64_t kWordsInLine = daxfile::kCacheLineBytes / sizeof(uint64_t);
  for (uint64_t segment = first; segment < std::min(end, count_at_open_); ++segment) {
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

void CommittedBatches::PersistPages(daxfile::Persist& persist) const {
  constexpr uint64_t kPageBytes = 4096;
  for (const RedoChunk* const chunk : chunks_) {
    for (uint64_t i = 0; i < chunk->count; ++i) {
      persist.Flush(image_.base() + Raw(chunk->words()[i].where) / kPageBytes * kPageBytes, kPageBytes);
    }
  }
  persist.Fence();
}

// With the 8-byte values that its records hold: those change in place, under the lock of their leaf. False: one can't
// be reached now (it lies in a part that can't be mapped, or the node is damaged).
bool Tree::FlushLeftLocked(const Node& node) const {
  persist_.Flush(&node, kNodeBytes);
  const Perm perm = node.perm();
  bool is_all = true;
  for (unsigned i = 0; node.is_leaf() && i < std::min(perm.count(), kSlots); ++i) {
    const unsigned slot = perm.slot(i);
    if (!IsRecord(node.kinds().kind(slot))) continue;
    const RecordView record = image_.RecordAt(node.record(slot).offset());
    if (record.is_null()) {
      is_all = false;
    } else if (record.has_word_value()) {
      persist_.Flush(record.value_word());
    }
  }
  return is_all;
}

// The root word, too: a new root is held until the word that leads there is durable.
void Tree::WriteBackOnce(const Node& node, LockWord version) const {
  if (persist_.mode() == daxfile::Persist::Mode::kMsync) return SyncOnce(version);
  const uint64_t place = Raw(image_.OffsetOf(&node)) / kNodeBytes;
  if (generation_ == 0 && written_back_.Contains(place, version.raw())) return;
  persist_.Flush(&RootWord(image_.superblock(), id_));
  const bool is_all = FlushLeftLocked(node);
  persist_.Fence();
  if (generation_ == 0 && is_all) written_back_.Add(place, version.raw());
}

// A sync takes as long for a node as for all that there is, and then nothing is left of the generations that are over;
// but for what lies in parts that a reader hadn't mapped yet. A writer's parts are there, or its own.
void Tree::SyncOnce(LockWord version) const {
  const auto is_synced = [&] {
    const uint64_t synced = synced_.load(std::memory_order_acquire);
    const bool has_all_parts = generation_ != 0 || static_cast<uint32_t>(synced) >= image_.segment_count();
    return has_all_parts && synced >> 32 >= version.generation();
  };
  if (is_synced() || !persist_.is_ok()) return;
  const std::lock_guard<std::mutex> lock(sync_mutex_);
  if (is_synced() || !persist_.is_ok()) return;
  image_.MapAll();
  const uint64_t segments = image_.segment_count();
  // The one in force isn't over, unless this version, which is of one that is, is of it.
  const auto in_force = static_cast<uint32_t>(Node::Load(image_.superblock().generation));
  const uint64_t last = std::max<uint64_t>(version.generation(), in_force - 1);
  persist_.Flush(image_.base(), image_.size_bytes());
  persist_.Fence();
  if (persist_.is_ok()) synced_.store(last << 32 | segments, std::memory_order_release);
}

LockWord Tree::Settle(const Node& node) const {
  if (generation_ == 0) {
    const LockWord version = live_reader_ == nullptr ? node.lock() : live_reader_->WaitUntilStable(node);
    if (version.is_left_locked(generation_)) WriteBackOnce(node, version);
    return version;
  }
  LockWord version = node.lock();
  while (version.is_left_locked(generation_)) {
    WriteBackOnce(node, version);
    if (!persist_.is_ok()) break;
    uint64_t seen = version.raw();
    std::atomic_ref<uint64_t>(const_cast<uint64_t&>(node.words[Node::kLockWord]))
        .compare_exchange_strong(seen, version.Settled(generation_).raw(), std::memory_order_acq_rel);
    version = node.lock();
  }
  return version;
}

uint64_t WrittenBack::Hash(uint64_t place, uint64_t what) {
  const uint64_t pair[] = {place, what};
  return XXH3_64bits(pair, sizeof(pair)) | 1;
}

}  // namespace sealkv::internal
