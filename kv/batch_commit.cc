// The commit of a batch. Its steps, and what a power cut after each leaves:
//
//   1  records, new nodes and the blob are written; fence          nothing of it
//   2  readers are locked out of the nodes; the clock is read
//   3  the lane names the blob; fence                              all of it, by redo (this store is the commit)
//   4  the words are stored, readers are let in: it is durable
//   5  fence; the lane is cleared; fence                           all of it, by redo or without
//   6  writers are let in again
//
// Readers come to see all at once: none of the words is seen before every node is locked, and none is left unseen when
// the first is free again. They are out before the clock is read, so that nobody sees the old state after one that a
// snapshot, which sees the new one, doesn't see. Writers wait until 6, for a redo must not undo what they do.
//
// A transaction makes sure of what it has read between 2 and 3: then its writes can't be missed any more, and who
// writes what it has read comes after it, in the order of the clock too (Tu et al., "Speedy transactions in multicore
// in-memory databases", SOSP 2013, for a validation of this kind).
#include <algorithm>
#include <array>
#include <cstring>

#include "absl/cleanup/cleanup.h"
#include "kv/asymmetric_fence.h"
#include "kv/change.h"
#include "kv/gate.h"

namespace sealkv::internal {
namespace {

// So that a blob needs no large run of segments, nor a large buffer.
constexpr uint64_t kMostChunkWords = 1 << 16;

// Of the records that are retired one after the other: how long each is.
constexpr size_t kFetchedAhead = 8;
// By assembly: gcc would take this function for one without effect.
void PrefetchHeader(const Image& image, Offset record) {
  asm volatile("prefetcht0 %0" : : "m"(image.base()[Raw(record)]));
}

}  // namespace

absl::Status Change::CommitBatch(absl::FunctionRef<bool()> is_still_true) {
  const std::vector<RedoWord> words = CollectRedo();
  if (words.empty()) {
    const bool is_true = is_still_true();
    Abort();
    return is_true ? absl::OkStatus() : Restart();
  }
  const bool needs_lane = words.size() > 1;
  Blob blob{};
  if (needs_lane) {
    absl::StatusOr<Blob> written = WriteBlob(words);
    if (!written.ok()) return written.status();
    blob = *std::move(written);
  }
  WriteFreshNodes();
  context_.persist.Fence();
  absl::Status status = context_.persist.status();
  if (!status.ok()) {  // a lane must name nothing that isn't there
    FreeBlob(blob);
    return status;
  }
  // Before readers are locked out: they wait for nobody else's batch.
  const std::optional<size_t> lane = needs_lane ? batch_->lanes().Take(context_.persist) : std::nullopt;
  if (needs_lane && !lane.has_value()) {
    FreeBlob(blob);
    return context_.persist.status();
  }
  return CommitLockingOut(words, blob, lane, is_still_true);
}

absl::Status Change::CommitLockingOut(std::span<const RedoWord> words, const Blob& blob, std::optional<size_t> lane,
                                      absl::FunctionRef<bool()> is_still_true) noexcept {
  absl::Status status;
  LockOutReaders();
  if (is_still_true()) {
    KeepForSnapshots();
    status = lane.has_value() ? CommitByLane(words, blob, *lane) : CommitByOneWord(words);
  } else {
    UnlockUnchanged();
    FreeBlob(blob);
    Abort();
    status = Restart();
    if (lane.has_value()) batch_->lanes().GiveBack(*lane);
  }
  Gate::EndChange(arena_);
  return status;
}

// If msync fails (and the store takes no more writes) the lane stays as it is, and is nobody else's; so does the blob,
// and what it leads to.
absl::Status Change::CommitByLane(std::span<const RedoWord> words, const Blob& blob, size_t lane) {
  uint64_t* const lane_word = &context_.image.superblock().lanes[lane].word;
  CommitLane(lane_word, LaneWord(blob.first, lane));
  // Whether it was committed is for the next open to find out. Without it none of the words may get to the disk.
  if (!context_.persist.is_ok()) [[unlikely]] {
    LeaveUndecided();
    return context_.persist.status();
  }
  Apply(words);
  LetReadersIn();
  context_.persist.Fence();
  if (context_.persist.is_ok()) ClearLane(lane_word);
  if (context_.persist.is_ok()) {
    FreeBlob(blob);
    batch_->lanes().GiveBack(lane);
  }
  LetGoOfBatch();
  return context_.persist.status();
}

// The one word is the commit, and isn't durable before the fence.
absl::Status Change::CommitByOneWord(std::span<const RedoWord> words) {
  Apply(words);
  context_.persist.Fence();
  LetReadersIn();
  LetGoOfBatch();
  return context_.persist.status();
}

void Change::WriteFreshNodes() {
  for (const Held& held : held_) {
    if (held.is_fresh && !held.is_replaced) WriteContent(context_.persist, *held.home, *held.place);
  }
}

// Where a node's copy differs from it; or the words that were noted. In order within a node, so that a line's words are
// together.
std::vector<RedoWord> Change::CollectRedo() const {
  std::vector<RedoWord> words;
  words.reserve(held_.size() * 4);
  for (size_t index = 0; index < held_.size(); ++index) {
    const Held& held = held_[index];
    if (held.is_fresh || held.is_replaced) continue;
    if (held.place == nullptr) {
      const std::span<RedoWord> noted = WordsOf(index);
      std::sort(noted.begin(), noted.end(), [](const RedoWord& a, const RedoWord& b) { return a.where < b.where; });
      words.insert(words.end(), noted.begin(), noted.end());
      continue;
    }
    const uint64_t base = Raw(context_.image.OffsetOf(held.home));
    for (unsigned i = 0; i < std::size(held.home->words); ++i) {
      const uint64_t value = held.place->words[i];
      if (i == Node::kLockWord || value == Node::Load(held.home->words[i])) continue;
      words.push_back({Offset{base + i * sizeof(uint64_t)}, value});
    }
  }
  for (const RootId id : {RootId::kKeys, RootId::kLog}) {
    if (batch_->root(id) == nullptr) continue;
    words.push_back({Offset{RootWordOffset(id)}, Raw(context_.image.OffsetOf(batch_->root(id)))});
  }
  return words;
}

// The last chunk first, for each names the next one. All have their places before any is written: so what has to be
// given back, if there aren't enough, has nothing on its way to it.
absl::StatusOr<Change::Blob> Change::WriteBlob(std::span<const RedoWord> words) {
  Blob blob{Offset::kNone, {}};
  const uint64_t fits = (context_.image.segment_bytes() / 2 - sizeof(RedoChunk)) / sizeof(RedoWord);
  const uint64_t most = std::min(fits, kMostChunkWords);
  const auto count_of = [most](size_t end) { return (end - 1) % most + 1; };
  // Memory before space: an exception would leave that taken.
  std::vector<uint64_t> buffer((sizeof(RedoChunk) + std::min(most, words.size()) * sizeof(RedoWord)) /
                               sizeof(uint64_t));
  blob.chunks.reserve((words.size() + most - 1) / most);
  absl::Cleanup free_blob = [&] { FreeBlob(blob); };
  for (size_t end = words.size(); end > 0; end -= count_of(end)) {
    const uint64_t bytes = sizeof(RedoChunk) + count_of(end) * sizeof(RedoWord);
    const absl::StatusOr<Offset> place = context_.heap.TakeSpace(arena_, bytes);
    if (!place.ok()) return place.status();
    blob.chunks.push_back({*place, bytes});
  }
  size_t end = words.size();
  for (const auto& [place, bytes] : blob.chunks) {
    const size_t count = count_of(end);
    end -= count;
    auto* const chunk = reinterpret_cast<RedoChunk*>(buffer.data());
    *chunk = {0, Raw(blob.first), count};
    std::memcpy(chunk->words(), words.subspan(end, count).data(), count * sizeof(RedoWord));
    chunk->checksum = RedoChecksum(*chunk);
    context_.persist.CopyNonTemporal(context_.image.base() + Raw(place), chunk, bytes);
    blob.first = place;
  }
  std::move(free_blob).Cancel();
  return blob;
}

void Change::CommitLane(uint64_t* lane, LaneWord word) {
  context_.persist.Store(lane, word.raw());
  context_.persist.Flush(lane);
  context_.persist.Fence();
}

// Before anybody changes one of the words, or writes where the blob is.
void Change::ClearLane(uint64_t* lane) {
  context_.persist.Store(lane, LaneWord::kFreeRaw);
  context_.persist.Flush(lane);
  context_.persist.Fence();
}

void Change::FreeBlob(const Blob& blob) {
  for (const auto& [offset, bytes] : blob.chunks) context_.heap.FreeSpace(arena_, offset, bytes);
}

// From here on new snapshots wait for it. Between saying so and looking at the clock there is a full fence.
void Change::LockOutReaders() {
  Gate::BeginChange(arena_);
  for (const Held& held : held_) {
    if (!held.is_fresh) context_.locks.Lock(*held.home);
  }
  FullFence();
  now_ = context_.versions.Now();
}

void Change::UnlockUnchanged() {
  for (const Held& held : held_) {
    if (!held.is_fresh) context_.locks.UnlockForReaders(*held.home);
  }
}

void Change::LeaveUndecided() {
  UnlockUnchanged();
  for (const Held& held : held_) {
    if (!held.is_fresh) context_.locks.Unclaim(*held.home);
  }
  Forget();
}

void Change::KeepForSnapshots() {
  if (!now_.has_snapshots()) return;
  for (const RootId id : {RootId::kKeys, RootId::kLog}) {
    if (batch_->root(id) == nullptr) continue;
    const Offset root{Node::Load(RootWord(context_.image.superblock(), id))};
    context_.versions.KeepRoot(id, context_.image.NodeAt(root), now_);
  }
  for (const Held& held : held_) {
    if (held.is_replaced) continue;
    if (held.is_fresh) {
      context_.versions.Created(*held.home, now_);
    } else {
      context_.versions.Keep(*held.home, now_);
    }
  }
}

// A line is flushed once, when the last word of it is stored: the words are in order.
void Change::Apply(std::span<const RedoWord> words) {
  uint64_t* last = nullptr;
  for (const RedoWord& redo : words) {
    auto* const word = reinterpret_cast<uint64_t*>(context_.image.base() + Raw(redo.where));
    const bool is_next_line = last != nullptr && (reinterpret_cast<uintptr_t>(last) ^
                                                  reinterpret_cast<uintptr_t>(word)) >= daxfile::kCacheLineBytes;
    if (is_next_line) context_.persist.Flush(last);
    context_.persist.Store(word, redo.value);
    last = word;
  }
  context_.persist.Flush(last);
}

void Change::LetReadersIn() {
  for (const Held& held : held_) {
    if (!held.is_replaced) {
      context_.locks.UnlockForReaders(*held.home);
    } else if (!held.is_fresh) {
      context_.locks.MakeObsolete(*held.home);
    }
  }
}

void Change::LetGoOfBatch() {
  for (const Held& held : held_) {
    if (!held.is_replaced) {
      context_.locks.Unclaim(*held.home);
    } else if (held.is_fresh) {
      context_.heap.DiscardNode(arena_, context_.image.OffsetOf(held.home));
    } else {
      RetireNode(*held.home);
    }
  }
  for (size_t i = 0; i < retired_records_.size(); ++i) {
    if (i + kFetchedAhead < retired_records_.size())
      PrefetchHeader(context_.image, retired_records_[i + kFetchedAhead]);
    RetireRecord(retired_records_[i]);
  }
  Forget();
}

}  // namespace sealkv::internal
