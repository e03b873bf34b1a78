// Batches: many words of the store change as one, whatever happens. What they are to be is written to a blob first; the
// commit is one store, of the blob's offset, into a lane: one of a few words in the superblock (kv/lane_word.h). Then
// the words are stored, and when they are durable the lane is cleared. After a crash in between, the store is opened by
// doing it again, which changes nothing where it was done already. Whoever is about to change one of the words waits
// until the lane is clear, durably: what is done again must not undo anything.
//
// Prior art: the redo log of libpmemobj's transactions (ulog), and "intentions lists" (Lampson, Sturgis, 1976).
//
// A blob is a chain of chunks, each within one record segment, or in a large run. Persistent format of a chunk:
//
//   OFFSET     SIZE  NAME      MEANING
//   0          8     checksum  XXH3-64 of all that follows
//   8          8     next      offset of the next chunk; 0: this is the last
//   16         8     count     of words
//   24         16·n  words     where (offset in the file, a multiple of 8), what
#ifndef SEALKV_KV_LANES_H_
#define SEALKV_KV_LANES_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "daxfile/persist.h"
#include "kv/image.h"
#include "kv/lane_word.h"
#include "kv/reference.h"

namespace sealkv::internal {

struct RedoWord {
  Offset where;
  uint64_t value;
};
static_assert(sizeof(RedoWord) == 16);

struct RedoChunk {
  uint64_t checksum;
  uint64_t next;
  uint64_t count;

  RedoWord* words() { return reinterpret_cast<RedoWord*>(this + 1); }
  const RedoWord* words() const { return reinterpret_cast<const RedoWord*>(this + 1); }
  uint64_t bytes() const { return sizeof(*this) + count * sizeof(RedoWord); }
};
static_assert(sizeof(RedoChunk) == 24);

uint64_t RedoChecksum(const RedoChunk& chunk);
// The chunk at an offset; nullptr if none can be there, or it isn't whole.
const RedoChunk* RedoChunkAt(const Image& image, Offset offset);

// Which lanes are in use, by the threads of this process. Volatile.
class Lanes {
 public:
  // Waits until one is free. Whoever has one waits for nothing. nullopt: msync has failed; lanes that were in use then
  // aren't given back.
  std::optional<size_t> Take(const daxfile::Persist& persist);
  void GiveBack(size_t lane) { is_taken_[lane].store(false, std::memory_order_release); }

 private:
  std::atomic<bool> is_taken_[Superblock::kLanes] = {};
};

// Whether a committed batch is to be done again before the store is read; or can't be, for its lane is damaged.
bool HasCommittedLanes(const Image& image);

// A lane that is set, and names no batch that could be done again.
struct DamagedLane {
  Offset at;  // of its word
  std::string why;
};

// The batches that the lanes name. All of them are read before anything is stored: what is stored may not damage what
// is to be read. Lanes have no word in common, so what one of them names may be done again whatever the others are.
class CommittedBatches {
 public:
  explicit CommittedBatches(const Image& image);

  uint64_t count() const { return count_; }  // those that can be done again
  const std::vector<DamagedLane>& damaged() const { return damaged_; }
  // OK, or DataLoss: the first of the damaged ones.
  absl::Status status() const;
  // Does them again, and clears their lanes, which is durable after the caller's next fence: nothing else may be
  // written before that. Lanes that are damaged stay. Nothing is flushed where there is nothing to do; else the cost is
  // that of the batches, and a fence.
  absl::Status Finish(daxfile::Persist& persist);
  // Makes durable the pages that it will store in, as they are (kv/settle.cc): for who is going to have copies of them.
  void PersistPages(daxfile::Persist& persist) const;

 private:
  const Image& image_;
  std::vector<const RedoChunk*> chunks_;
  std::vector<uint64_t*> lanes_;
  uint64_t count_ = 0;
  std::vector<DamagedLane> damaged_;
};

// Finishes all of them, as CommittedBatches::Finish; DataLoss, and nothing was changed: one is damaged.
absl::Status RedoCommittedLanes(const Image& image, daxfile::Persist& persist);

}  // namespace sealkv::internal

#endif  // SEALKV_KV_LANES_H_
