#include "kv/versions.h"

#include <algorithm>
#include <mutex>
#include <utility>

namespace sealkv::internal {
namespace {

using Lock = std::lock_guard<WriterLock>;

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

// One after another: a chain of them may be longer than the stack is deep.
Versions::~Versions() {
  for (Shard& shard : shards_) {
    for (auto& [node, history] : shard.histories) {
      while (history.newest != nullptr) history.newest = std::move(history.newest->older);
    }
  }
}

// ---- changes

// Announced first, under the shard's lock: whoever closes a snapshot either is seen here to have done so, or sees that
// there may be something for him to let go of, and comes by when the lock is free.
//
// A snapshot that is being opened may be newer than the change, which it waits for, and sees.
uint64_t Versions::NewestForWhichToKeep(Time now) {
  kept_count_.fetch_add(1, std::memory_order_seq_cst);
  return std::min(newest_open_.load(std::memory_order_seq_cst), now.clock());
}

void Versions::KeepNothing() { kept_count_.fetch_sub(1, std::memory_order_relaxed); }

void Versions::Keep(Node& node, Time now) {
  Shard& shard = ShardOf(node);
  const Lock lock(shard.mutex);
  const uint64_t newest = NewestForWhichToKeep(now);
  if (newest == 0) return KeepNothing();
  History& history = shard.histories[&node];
  const uint64_t since = std::exchange(history.written_at, now.clock());
  if (newest <= since) return KeepNothing();
  auto image = std::make_unique<Image>();
  for (size_t i = 0; i < std::size(node.words); ++i) image->words[i] = Node::Load(node.words[i]);
  image->since = since;
  image->until = now.clock();
  image->older = std::move(history.newest);
  history.newest = std::move(image);
  shard.images += 1;
  shard.kept[now.clock()].push_back({&node, {0, Offset::kNone, 0, false}, since});
  SetVersioned(node);
}

void Versions::Created(Node& node, Time now) {
  Shard& shard = ShardOf(node);
  const Lock lock(shard.mutex);
  if (NewestForWhichToKeep(now) == 0) return KeepNothing();
  // What was kept of another node in this place stays as long as it must: its numbers say for whom it is.
  History& history = shard.histories[&node];
  history.made_at = history.written_at = now.clock();
  shard.kept[now.clock()].push_back({&node, {0, Offset::kNone, 0, false}, now.clock()});
  SetVersioned(node);
}

void Versions::KeepRoot(const Node* root, Time now) {
  const Lock lock(mutex_);
  if (!open_.empty()) old_roots_.push_back({root, now.clock()});
}

uint64_t Versions::MadeAt(const Node& node) const {
  const Shard& shard = ShardOf(node);
  const Lock lock(shard.mutex);
  const auto found = shard.histories.find(&node);
  return found != shard.histories.end() ? found->second.made_at : 0;
}

bool Versions::Retain(const Retired& object, uint64_t since, Time now) {
  Shard& shard = ShardOf(Raw(object.offset));
  const Lock lock(shard.mutex);
  if (NewestForWhichToKeep(now) <= since) {
    KeepNothing();
    return false;
  }
  shard.kept[now.clock()].push_back({nullptr, object, since});
  shard.retained_bytes += object.bytes;
  return true;
}

// ---- snapshots

Versions::Snapshot Versions::Open(absl::FunctionRef<void()> wait_for_changes, absl::FunctionRef<const Node*()> root) {
  uint64_t number;
  {
    const Lock lock(mutex_);
    number = Now().clock() + 1;
    open_.push_back({number, std::chrono::steady_clock::now()});
    newest_open_.store(number, std::memory_order_release);
    // With the locked instruction of a change, between saying that it is under way and reading the time: either it
    // reads this, or we see that it is under way.
    time_.exchange(number << 1 | 1, std::memory_order_seq_cst);
  }
  wait_for_changes();
  // In this order: a change of the root puts the old one on the list, and then changes the word.
  const Node* root_then = root();
  const Lock lock(mutex_);
  const auto changed = std::lower_bound(old_roots_.begin(), old_roots_.end(), number,
                                        [](const OldRoot& old, uint64_t at) { return old.until < at; });
  if (changed != old_roots_.end()) root_then = changed->root;
  return {number, root_then};
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
  Closed closed{open_.empty() ? 0 : number, clock, {}};
  for (const OpenSnapshot& snapshot : open_) closed.open.push_back(snapshot.number);
  return closed;
}

void Versions::LetGo(const Closed& closed, absl::FunctionRef<void(const Retired&)> retire) {
  for (Shard& shard : shards_) {
    const Lock lock(shard.mutex);
    auto bucket = shard.kept.lower_bound(closed.first);
    while (bucket != shard.kept.end() && bucket->first <= closed.last) {
      std::vector<Kept>& all = bucket->second;
      const size_t before = all.size();
      std::erase_if(all,
                    [&](const Kept& kept) { return !StaysKept(shard, bucket->first, kept, closed.open, retire); });
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

bool Versions::StaysKept(Shard& shard, uint64_t until, const Kept& kept, std::span<const uint64_t> open,
                         absl::FunctionRef<void(const Retired&)> retire) {
  if (kept.node == nullptr) {
    if (AnyIn(open, kept.since, until)) return true;
    shard.retained_bytes -= kept.object.bytes;
    retire(kept.object);
    return false;
  }
  const auto found = shard.histories.find(kept.node);
  if (found == shard.histories.end()) return false;
  History& history = found->second;
  if (kept.since < until) {
    if (AnyIn(open, kept.since, until)) return true;
    for (std::unique_ptr<Image>* link = &history.newest; *link != nullptr; link = &(*link)->older) {
      if ((*link)->until != until) continue;
      *link = std::move((*link)->older);
      shard.images -= 1;
      break;
    }
  }
  // Of a node that was last written before all snapshots there is nothing to know.
  if (history.newest == nullptr && (open.empty() || history.written_at < open.front())) {
    shard.histories.erase(found);
    return false;
  }
  // The news of its making, while there is somebody older; else an image will see to the history.
  return kept.since == until && (history.newest == nullptr || (!open.empty() && open.front() <= until));
}

// ---- readers

bool Versions::Find(const Node& node, uint64_t snapshot, Node* image) const {
  const Shard& shard = ShardOf(node);
  const Lock lock(shard.mutex);
  const auto found = shard.histories.find(&node);
  if (found == shard.histories.end()) return false;
  const Image* seen = nullptr;
  for (const Image* at = found->second.newest.get(); at != nullptr && at->until >= snapshot; at = at->older.get()) {
    seen = at;
  }
  if (seen == nullptr) return false;
  for (size_t i = 0; i < std::size(seen->words); ++i) image->words[i] = seen->words[i];
  return true;
}

Versions::Usage Versions::GetUsage() const {
  Usage usage;
  {
    const Lock lock(mutex_);
    usage.snapshots_open = open_.size();
    if (!open_.empty()) {
      const std::chrono::duration<double> age = std::chrono::steady_clock::now() - open_.front().opened_at;
      usage.oldest_age_seconds = age.count();
    }
  }
  for (const Shard& shard : shards_) {
    const Lock lock(shard.mutex);
    usage.node_images_bytes += shard.images * sizeof(Image);
    usage.retained_bytes += shard.retained_bytes;
  }
  return usage;
}

}  // namespace sealkv::internal
