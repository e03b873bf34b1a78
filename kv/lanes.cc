#include "kv/lanes.h"

#include <sched.h>

#include <bit>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "kv/wait.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace sealkv::internal {
namespace {

bool CanBeRedone(const Image& image, const RedoWord& word) {
  const uint64_t header_bytes = Raw(image.SegmentStart(image.header_segments()));
  const bool is_root =
      Raw(word.where) == RootWordOffset(RootId::kKeys) || Raw(word.where) == RootWordOffset(RootId::kLog);
  return Raw(word.where) % 8 == 0 && (is_root || Raw(word.where) >= header_bytes) &&
         Raw(word.where) <= image.size_bytes() - sizeof(uint64_t);
}

std::string Hex(uint64_t number) { return absl::StrCat("0x", absl::Hex(number)); }

// Adds the chunks of the blob that a lane names. Empty, or why that can't be done.
std::string ReadLane(const Image& image, uint64_t index, std::vector<const RedoChunk*>* chunks) {
  const LaneWord word(Node::Load(image.superblock().lanes[index].word));
  if (!word.IsWellFormed(index)) {
    return std::popcount(word.raw()) == 1 ? "with one bit set, which no batch has: most likely none was committed there"
                                          : "whose check doesn't fit";
  }
  uint64_t count = 0;
  for (Offset offset = word.blob(); offset != Offset::kNone;) {
    const RedoChunk* const chunk = RedoChunkAt(image, offset);
    if (chunk == nullptr) return absl::StrCat("and at ", Hex(Raw(offset)), " is no part of a batch");
    for (uint64_t i = 0; i < chunk->count; ++i) {
      if (!CanBeRedone(image, chunk->words()[i]))
        return absl::StrCat("and the part of a batch at ", Hex(Raw(offset)), " leads out of the store");
    }
    if (++count > image.size_bytes() / sizeof(RedoChunk)) return "and its batch has no end";
    chunks->push_back(chunk);
    offset = Offset{chunk->next};
  }
  return "";
}

}  // namespace

const RedoChunk* RedoChunkAt(const Image& image, Offset offset) {
  const uint64_t at = Raw(offset);
  const uint64_t size = image.size_bytes();
  if (at % 8 != 0 || at < Raw(image.SegmentStart(image.header_segments())) || at >= size ||
      size - at < sizeof(RedoChunk)) {
    return nullptr;
  }
  const auto* const chunk = reinterpret_cast<const RedoChunk*>(image.base() + at);
  const uint64_t most = (size - at - sizeof(RedoChunk)) / sizeof(RedoWord);
  return chunk->count <= most && RedoChecksum(*chunk) == chunk->checksum ? chunk : nullptr;
}

uint64_t RedoChecksum(const RedoChunk& chunk) {
  return XXH3_64bits(&chunk.next, chunk.bytes() - offsetof(RedoChunk, next));
}

std::optional<size_t> Lanes::Take(const daxfile::Persist& persist) {
  while (persist.is_ok()) {
    for (size_t lane = 0; lane < Superblock::kLanes; ++lane) {
      if (!is_taken_[lane].load(std::memory_order_relaxed) &&
          !is_taken_[lane].exchange(true, std::memory_order_acquire)) {
        return lane;
      }
    }
    if (!WaitInTest()) sched_yield();
  }
  return std::nullopt;
}

bool HasCommittedLanes(const Image& image) {
  for (const Superblock::Lane& lane : image.superblock().lanes) {
    if (!LaneWord(Node::Load(lane.word)).is_free()) return true;
  }
  return false;
}

CommittedBatches::CommittedBatches(const Image& image) : image_(image) {
  for (uint64_t index = 0; index < Superblock::kLanes; ++index) {
    uint64_t& lane = image.superblock().lanes[index].word;
    const LaneWord word(Node::Load(lane));
    if (word.is_free()) continue;
    const size_t chunks_before = chunks_.size();
    if (const std::string why = ReadLane(image, index, &chunks_); !why.empty()) {
      chunks_.resize(chunks_before);
      damaged_.push_back({image.OffsetOf(&lane), absl::StrCat("the lane says ", Hex(word.raw()), ", ", why)});
      continue;
    }
    lanes_.push_back(&lane);
    ++count_;
  }
}

absl::Status CommittedBatches::status() const {
  if (damaged_.empty()) return absl::OkStatus();
  const DamagedLane& first = damaged_.front();
  return absl::DataLossError(
      absl::StrCat("store damaged at offset ", Raw(first.at), ": ", first.why,
                   ". A committed batch may be missing in part. Run `kvdump check`, or save what "
                   "can be saved with `kvdump salvage`."));
}

absl::Status CommittedBatches::Finish(daxfile::Persist& persist) {
  if (lanes_.empty()) return persist.status();
  for (const RedoChunk* const chunk : chunks_) {
    for (uint64_t i = 0; i < chunk->count; ++i) {
      const RedoWord& redo = chunk->words()[i];
      auto* const word = reinterpret_cast<uint64_t*>(image_.base() + Raw(redo.where));
      persist.Store(word, redo.value);
      persist.Flush(word);
    }
  }
  persist.Fence();
  // If it can't be made sure that the words are durable (msync fails) the lanes must go on to name them.
  if (!persist.is_ok()) return persist.status();
  for (uint64_t* const lane : lanes_) {
    persist.Store(lane, LaneWord::kFreeRaw);
    persist.Flush(lane);
  }
  return persist.status();
}

absl::Status RedoCommittedLanes(const Image& image, daxfile::Persist& persist) {
  if (!HasCommittedLanes(image)) return absl::OkStatus();
  CommittedBatches batches(image);
  if (absl::Status status = batches.status(); !status.ok()) return status;
  return batches.Finish(persist);
}

}  // namespace sealkv::internal
