#include "kv/lanes.h"

#include <sched.h>

#include <vector>

#include "absl/strings/str_cat.h"
#include "kv/wait.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace sealkv::internal {
namespace {

absl::Status DamagedBlob(Offset offset) {
  return absl::DataLossError(absl::StrCat("store damaged at offset ", Raw(offset),
                                          ": a committed batch can't be read, so part of it may be missing. Run "
                                          "`kvdump check`, or save what can be saved with `kvdump salvage`."));
}

// The chunk at an offset, if there can be one, and it is whole.
const RedoChunk* ChunkAt(const Image& image, Offset offset) {
  const uint64_t at = Raw(offset);
  const uint64_t size = image.size_bytes();
  if (at % 8 != 0 || at < Raw(image.SegmentStart(image.header_segments())) || at > size - sizeof(RedoChunk)) {
    return nullptr;
  }
  const auto* const chunk = reinterpret_cast<const RedoChunk*>(image.base() + at);
  const uint64_t most = (size - at - sizeof(RedoChunk)) / sizeof(RedoWord);
  return chunk->count <= most && RedoChecksum(*chunk) == chunk->checksum ? chunk : nullptr;
}

bool CanBeRedone(const Image& image, const RedoWord& word) {
  const uint64_t header_bytes = Raw(image.SegmentStart(image.header_segments()));
  const bool is_root = Raw(word.where) == offsetof(Superblock, root);
  return Raw(word.where) % 8 == 0 && (is_root || Raw(word.where) >= header_bytes) &&
         Raw(word.where) <= image.size_bytes() - sizeof(uint64_t);
}

// All chunks of a blob; or a damaged one's offset.
absl::Status ReadBlob(const Image& image, Offset first, std::vector<const RedoChunk*>* chunks) {
  for (Offset offset = first; offset != Offset::kNone;) {
    const RedoChunk* const chunk = ChunkAt(image, offset);
    if (chunk == nullptr || chunks->size() > image.size_bytes() / sizeof(RedoChunk)) return DamagedBlob(offset);
    for (uint64_t i = 0; i < chunk->count; ++i) {
      if (!CanBeRedone(image, chunk->words()[i])) return DamagedBlob(offset);
    }
    chunks->push_back(chunk);
    offset = Offset{chunk->next};
  }
  return absl::OkStatus();
}

}  // namespace

uint64_t RedoChecksum(const RedoChunk& chunk) {
  return XXH3_64bits(&chunk.next, chunk.bytes() - offsetof(RedoChunk, next));
}

size_t Lanes::Take() {
  for (;;) {
    for (size_t lane = 0; lane < Superblock::kLanes; ++lane) {
      if (!is_taken_[lane].load(std::memory_order_relaxed) &&
          !is_taken_[lane].exchange(true, std::memory_order_acquire)) {
        return lane;
      }
    }
    if (!WaitInTest()) sched_yield();
  }
}

bool HasCommittedLanes(const Image& image) {
  for (const Superblock::Lane& lane : image.superblock().lanes) {
    if (Node::Load(lane.blob) != 0) return true;
  }
  return false;
}

// All is read before anything is stored: what is stored may not damage what is to be read.
absl::Status RedoCommittedLanes(const Image& image, daxfile::Persist& persist) {
  if (!HasCommittedLanes(image)) return absl::OkStatus();
  std::vector<const RedoChunk*> chunks;
  for (const Superblock::Lane& lane : image.superblock().lanes) {
    if (absl::Status status = ReadBlob(image, Offset{lane.blob}, &chunks); !status.ok()) return status;
  }
  for (const RedoChunk* const chunk : chunks) {
    for (uint64_t i = 0; i < chunk->count; ++i) {
      const RedoWord& redo = chunk->words()[i];
      auto* const word = reinterpret_cast<uint64_t*>(image.base() + Raw(redo.where));
      persist.Store(word, redo.value);
      persist.Flush(word);
    }
  }
  persist.Fence();
  for (Superblock::Lane& lane : image.superblock().lanes) {
    if (lane.blob == 0) continue;
    persist.Store(&lane.blob, 0);
    persist.Flush(&lane.blob);
  }
  persist.Fence();
  return persist.status();
}

}  // namespace sealkv::internal
