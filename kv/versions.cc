#include "kv/versions.h"

#include <time.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstring>
#include <mutex>
#include <new>
#include <utility>

#include "kv/make_room.h"
#include "kv/search.h"

namespace sealkv::internal {
namespace {

using Lock = std::lock_guard<WriterLock>;

// To a few milliseconds: enough for an age, and asked for with each snapshot.
std::chrono::nanoseconds CoarseNow() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

void SetVersioned(Node& node) {
  std::atomic_ref<uint64_t>(node.words[Node::kLockWord])
      .store(node.lock().WithVersions(true).raw(), std::memory_order_relaxed);
}

// Whether one of these, which ascend, is in (since, until].
bool AnyIn(std::span<const uint64_t> open, uint64_t since, uint64_t until) {
  const auto found = std::upper_bound(open.begin(), open.end(), since);
  return found != open.end() && *found <= until;
}

}  // namespace

Versions::Versions(const internal::Image& image)
    : image_(image),
      segment_bytes_log2_(static_cast<unsigned>(std::countr_zero(image.segment_bytes()))),
      segment_mask_(image.segment_bytes() - 1),
      segments_(static_cast<std::atomic<History*>*>(std::calloc(image.most_segments(), sizeof(History*)))) {
  if (segments_ == nullptr) throw std::bad_alloc();
}

Versions::~Versions() {
  for (uint64_t segment = 0; segment < image_.most_segments(); ++segment) {
    std::free(segments_.get()[segment].load());
  }
}

Versions::NodeImage* Versions::Shard::NewImage() {
  if (free_images == nullptr) {
    image_memory.push_back(std::make_unique_for_overwrite<NodeImage[]>(kImagesAtOnce));
    AddFree(image_memory.back().get());
  }
  images += 1;
  return std::exchange(free_images, free_images->older);
}

void Versions::Shard::Free(NodeImage* image) {
  images -= 1;
  image->older = std::exchange(free_images, image);
  if (images > 0 || image_memory.size() <= kMostMemoryKept) return;
  image_memory.resize(kMostMemoryKept);
  free_images = nullptr;
  for (const auto& memory : image_memory) AddFree(memory.get());
}

void Versions::Shard::AddFree(NodeImage* memory) {
  for (size_t i = 0; i < kImagesAtOnce; ++i) memory[i].older = std::exchange(free_images, &memory[i]);
}

Versions::History& Versions::MakeHistory(const Node& node) {
  if (History* const history = HistoryOf(node)) return *history;
  std::atomic<History*>& slot = segments_.get()[image_.SegmentOf(image_.OffsetOf(&node))];
  void* const fresh = std::aligned_alloc(alignof(History), image_.segment_bytes() / kNodeBytes * sizeof(History));
  if (fresh == nullptr) throw std::bad_alloc();
  std::memset(fresh, 0, image_.segment_bytes() / kNodeBytes * sizeof(History));
  History* none = nullptr;
  if (!slot.compare_exchange_strong(none, static_cast<History*>(fresh), std::memory_order_acq_rel)) std::free(fresh);
  return *HistoryOf(node);
}

// ---- changes

// Announced first, under the shard's lock: whoever closes a snapshot either is seen here to have done so, or sees that
// there may be something for him to let go of, and comes by when the lock is free.
//
// A snapshot that is being opened may be newer than the change, which it waits for, and sees.
Versions::Announcement::Announcement(Versions& versions, Time now) : kept_count_(versions.kept_count_) {
  kept_count_.fetch_add(1, std::memory_order_seq_cst);
  newest_ = std::min(versions.newest_open_.load(std::memory_order_seq_cst), now.clock());
}

// Memory first: what isn't kept, for want of it, mustn't count as written to.
void Versions::Keep(Node& node, Time now) {
  Shard& shard = ShardOf(node);
  const Lock lock(shard.mutex);
  Announcement announcement(*this, now);
  if (announcement.newest() == 0) return;
  History& history = MakeHistory(node);
  const uint64_t since = history.written_at;
  if (announcement.newest() <= since) {
    history.written_at = now.clock();
    return;
  }
  std::vector<Kept>& kept = shard.kept[now.clock()];
  MakeRoomForOne(kept);
  NodeImage* const image = shard.NewImage();
  CopyNodeWords(node.words, image->words);
  image->since = since;
  image->until = history.written_at = now.clock();
  image->older = history.newest.load(std::memory_order_relaxed);
  history.newest.store(image, std::memory_order_release);
  kept.push_back({&node, {0, Offset::kNone, 0, false}, since});
  announcement.Kept();
  SetVersioned(node);
}

// What was kept of another node in this place stays as long as it must: its numbers say for whom it is.
void Versions::Created(Node& node, Time now) {
  const Lock lock(ShardOf(node).mutex);
  History& history = MakeHistory(node);
  history.made_at = history.written_at = now.clock();
  SetVersioned(node);
}

void Versions::KeepRoot(RootId id, const Node* root, Time now) {
  const Lock lock(mutex_);
  if (!open_.empty()) old_roots_.push_back({id, root, now.clock()});
}

uint64_t Versions::MadeAt(const Node& node) const {
  const Lock lock(ShardOf(node).mutex);
  const History* const history = HistoryOf(node);
  return history != nullptr ? history->made_at : 0;
}

bool Versions::Retain(const Retired& object, uint64_t since, Time now) {
  Shard& shard = ShardOf(Raw(object.offset));
  const Lock lock(shard.mutex);
  Announcement announcement(*this, now);
  if (announcement.newest() <= since) return false;
  shard.kept[now.clock()].push_back({nullptr, object, since});
  announcement.Kept();
  shard.retained_bytes += object.bytes;
  return true;
}

// ---- snapshots

Versions::Snapshot Versions::Open(absl::FunctionRef<void()> wait_for_changes,
                                  absl::FunctionRef<const Node*(RootId)> root) {
  uint64_t number;
  {
    const Lock lock(mutex_);
    number = Now().clock() + 1;
    open_.push_back({number, CoarseNow()});
    newest_open_.store(number, std::memory_order_release);
    // With the locked instruction of a change, between saying that it is under way and reading the time: either it
    // reads this, or we see that it is under way.
    time_.exchange(number << 1 | 1, std::memory_order_seq_cst);
  }
  wait_for_changes();
  // In this order: a change of the root puts the old one on the list, and then changes the word.
  Snapshot snapshot{number, {root(RootId::kKeys), root(RootId::kLog)}};
  const Lock lock(mutex_);
  for (const RootId id : {RootId::kKeys, RootId::kLog}) {
    const auto changed = std::find_if(old_roots_.begin(), old_roots_.end(),
                                      [&](const OldRoot& old) { return old.id == id && old.until >= number; });
    if (changed != old_roots_.end()) snapshot.roots[static_cast<size_t>(id)] = changed->root;
  }
  return snapshot;
}

// Of the snapshots that are opened from now on nobody here knows; but what they need comes later than `last`.
std::optional<Versions::Closed> Versions::Close(uint64_t number) {
  const Lock lock(mutex_);
  std::erase_if(open_, [number](const OpenSnapshot& snapshot) { return snapshot.number == number; });
  newest_open_.store(open_.empty() ? 0 : open_.back().number, std::memory_order_seq_cst);
  const uint64_t clock = Now().clock();
  if (open_.empty()) time_.store(clock << 1, std::memory_order_release);
  const uint64_t oldest = open_.empty() ? ~uint64_t{0} : open_.front().number;
  std::erase_if(old_roots_, [oldest](const OldRoot& old) { return old.until < oldest; });
  if (kept_count_.load(std::memory_order_seq_cst) == 0) return std::nullopt;
  // What came since the snapshot before this one: also what a change that this one came before has kept late.
  Closed closed{0, clock, {}};
  for (const OpenSnapshot& snapshot : open_) {
    if (snapshot.number < number) closed.first = snapshot.number + 1;
    closed.open.push_back(snapshot.number);
  }
  return closed;
}

void Versions::LetGo(const Closed& closed, absl::FunctionRef<void(const Retired&)> retire) {
  for (Shard& shard : shards_) {
    const Lock lock(shard.mutex);
    auto bucket = shard.kept.lower_bound(closed.first);
    while (bucket != shard.kept.end() && bucket->first <= closed.last) {
      std::vector<Kept>& all = bucket->second;
      const size_t before = all.size();
      constexpr size_t kAhead = 8;
      std::erase_if(all, [&](const Kept& kept) {
        if (&all.back() - &kept >= ptrdiff_t{kAhead}) PrefetchKept(*(&kept + kAhead));
        return !StaysKept(shard, bucket->first, kept, closed.open, retire);
      });
      kept_count_.fetch_sub(before - all.size(), std::memory_order_relaxed);
      bucket = all.empty() ? shard.kept.erase(bucket) : std::next(bucket);
    }
  }
}

void Versions::ForEachRetained(absl::FunctionRef<void(const Retired&)> visit) const {
  for (const Shard& shard : shards_) {
    const Lock lock(shard.mutex);
    for (const auto& [until, all] : shard.kept) {
      for (const Kept& kept : all) {
        if (kept.node == nullptr) visit(kept.object);
      }
    }
  }
}

void Versions::PrefetchKept(const Kept& kept) const {
  if (kept.node != nullptr) __builtin_prefetch(HistoryOf(*kept.node));
}

bool Versions::StaysKept(Shard& shard, uint64_t until, const Kept& kept, std::span<const uint64_t> open,
                         absl::FunctionRef<void(const Retired&)> retire) {
  if (AnyIn(open, kept.since, until)) return true;
  if (kept.node == nullptr) {
    shard.retained_bytes -= kept.object.bytes;
    retire(kept.object);
    return false;
  }
  History* const history = HistoryOf(*kept.node);
  NodeImage* newer = nullptr;
  NodeImage* image = history->newest.load(std::memory_order_relaxed);
  while (image->until != until) newer = std::exchange(image, image->older);
  if (newer == nullptr) {
    history->newest.store(image->older, std::memory_order_release);
  } else {
    newer->older = image->older;
  }
  shard.Free(image);
  return false;
}

// ---- readers

bool Versions::Find(const Node& node, uint64_t snapshot, Node* image) const {
  const Lock lock(ShardOf(node).mutex);
  const History* const history = HistoryOf(node);
  if (history == nullptr) return false;
  const NodeImage* seen = nullptr;
  for (const NodeImage* at = history->newest.load(std::memory_order_relaxed); at != nullptr && at->until >= snapshot;
       at = at->older) {
    seen = at;
  }
  if (seen == nullptr) return false;
  CopyNodeWords(seen->words, image->words);
  return true;
}

Versions::Usage Versions::GetUsage() const {
  Usage usage;
  {
    const Lock lock(mutex_);
    usage.snapshots_open = open_.size();
    if (!open_.empty()) {
      const std::chrono::duration<double> age = CoarseNow() - open_.front().opened_at;
      usage.oldest_age_seconds = age.count();
    }
  }
  for (const Shard& shard : shards_) {
    const Lock lock(shard.mutex);
    usage.node_images_bytes += shard.images * sizeof(NodeImage);
    usage.retained_bytes += shard.retained_bytes;
  }
  return usage;
}

}  // namespace sealkv::internal
