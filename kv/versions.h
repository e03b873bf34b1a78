// Snapshots, and what they need that is no longer there: what nodes held before they were written to, and objects that
// the tree has given up.
//
// A snapshot is a number. Opening one advances the clock, and waits for the changes that are under way; a change reads
// the clock once, when it has locked all that it changes, and a snapshot sees the changes that read less than its
// number. While no snapshot is open that is all: one load. While one is, a change keeps a copy of each node before it
// writes to it, unless a copy as of the newest snapshot is kept already, and what it retires is retained for those who
// may see it. So the versions of the store are versions of its nodes: a reader at a snapshot walks the tree as it was,
// by nodes as they were. (Copies of blocks before they are first written to after a snapshot: as in a copy-on-write
// volume. Which of many snapshots needs an object follows from its birth and its end, as in ZFS's dead lists.)
//
// All of this is volatile, and in DRAM: after a restart there are no snapshots, and what they needed is garbage. So
// neither the format nor any commit knows of them. A node is kept at most once for each snapshot, however often it is
// written to.
//
// Numbers: an image of a node is what snapshots in (since, until] see; an object that was made at clock `since` and
// given up at `until` is seen by those. `since` may be less than it was: then things are held longer.
//
// Thread safety: any.
#ifndef SEALKV_KV_VERSIONS_H_
#define SEALKV_KV_VERSIONS_H_

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "absl/functional/function_ref.h"
#include "kv/arena.h"
#include "kv/image.h"
#include "kv/node.h"
#include "kv/writer_lock.h"

namespace sealkv::internal {

class Versions {
  // Of memory that is zero at first, and costs nothing before it is touched.
  struct FreeMemory {
    void operator()(void* memory) const { std::free(memory); }
  };

 public:
  explicit Versions(const internal::Image& image);
  ~Versions();
  Versions(const Versions&) = delete;
  Versions& operator=(const Versions&) = delete;

  // The clock as a change reads it, and whether any snapshot is open.
  class Time {
   public:
    constexpr explicit Time(uint64_t raw = 0) : raw_(raw) {}
    constexpr bool has_snapshots() const { return (raw_ & 1) != 0; }
    constexpr uint64_t clock() const { return raw_ >> 1; }
    constexpr uint64_t raw() const { return raw_; }

   private:
    uint64_t raw_;
  };
  Time Now() const { return Time(time_.load(std::memory_order_acquire)); }

  // ---- changes

  // The node, which the caller has locked, is about to be written to.
  void Keep(Node& node, Time now);
  // The node, which nobody has seen yet, was written.
  void Created(Node& node, Time now);
  // A root word is about to be changed.
  void KeepRoot(RootId id, const Node* root, Time now);
  // The object, made no earlier than `since`, is referred to no more. Whether it is retained; else the caller retires
  // it.
  bool Retain(const Retired& object, uint64_t since, Time now);
  // When a node was made, or something earlier: for Retain.
  uint64_t MadeAt(const Node& node) const;

  // ---- snapshots

  struct Snapshot {
    uint64_t number;
    std::array<const Node*, kRoots> roots;
  };
  // `wait_for_changes` returns when all changes are over that were under way when it was called; `root` reads a root
  // word.
  Snapshot Open(absl::FunctionRef<void()> wait_for_changes, absl::FunctionRef<const Node*(RootId)> root);
  // Ends it. Whether there is something to let go of, by LetGo; then nothing else does that.
  struct Closed {
    uint64_t first;  // what came here before this, or after `last`, is none of its business
    uint64_t last;
    std::vector<uint64_t> open;  // the other snapshots
  };
  std::optional<Closed> Close(uint64_t number);
  // `retire` is called for each object that nobody needs any more.
  void LetGo(const Closed& closed, absl::FunctionRef<void(const Retired&)> retire);

  // Calls `visit` for each object that is retained. Nobody writes, or lets go of anything.
  void ForEachRetained(absl::FunctionRef<void(const Retired&)> visit) const;

  // ---- readers

  // The node as a snapshot sees it, if that isn't as it is now. Needed only where the lock word says that there may be
  // something (LockWord::is_versioned).
  bool Find(const Node& node, uint64_t snapshot, Node* image) const;

  // For whoever is going to read the node at a snapshot: first what says whether there is something for him, and later
  // that.
  void PrefetchHistory(const Node& node) const {
    const History* const history = HistoryOf(node);
    if (history == nullptr) return;
    __builtin_prefetch(history);
    __builtin_prefetch(&ShardOf(node), /*for writing*/ 1);
  }
  void PrefetchImage(const Node& node) const {
    const History* const history = HistoryOf(node);
    if (history == nullptr) return;
    const NodeImage* const newest = history->newest.load(std::memory_order_relaxed);
    if (newest == nullptr) return;
    for (size_t word = 0; word < sizeof(NodeImage) / sizeof(uint64_t); word += 8) {
      __builtin_prefetch(reinterpret_cast<const uint64_t*>(newest) + word);
    }
  }

  struct Usage {
    uint64_t snapshots_open = 0;
    double oldest_age_seconds = 0;
    uint64_t node_images_bytes = 0;  // in DRAM
    uint64_t retained_bytes = 0;     // in the store
  };
  Usage GetUsage() const;

 private:
  struct alignas(64) NodeImage {
    uint64_t words[kNodeBytes / sizeof(uint64_t)];
    uint64_t since;
    uint64_t until;
    NodeImage* older;  // of those that are free: the next
  };
  // Of a node that was written to, or made, while a snapshot was open: when it was last, and what is kept of it. What
  // happens to it while none is open isn't known here, nor does it matter to anybody.
  struct alignas(32) History {
    std::atomic<NodeImage*> newest;  // read without the shard's lock by prefetches only
    uint64_t made_at;
    uint64_t written_at;
  };
  // The histories of a segment's nodes. Made when the first is needed.
  // What may be let go of when a snapshot is closed, by the clock when it came here (`until`).
  struct Kept {
    const Node* node;  // an image of this; or
    Retired object;    // this
    uint64_t since;
  };
  // Images come and go by the hundred thousand. When there are none, little of their memory stays.
  struct alignas(64) Shard {
    static constexpr size_t kImagesAtOnce = 64;
    static constexpr size_t kMostMemoryKept = 8;  // times 20 KiB

    NodeImage* NewImage();
    void Free(NodeImage* image);
    void AddFree(NodeImage* memory);

    mutable WriterLock mutex;
    std::map<uint64_t, std::vector<Kept>> kept;
    uint64_t images = 0;
    uint64_t retained_bytes = 0;
    NodeImage* free_images = nullptr;
    std::vector<std::unique_ptr<NodeImage[]>> image_memory;
  };
  struct OpenSnapshot {
    uint64_t number;
    std::chrono::nanoseconds opened_at;  // CoarseNow
  };
  struct OldRoot {
    RootId id;
    const Node* root;
    uint64_t until;
  };
  static constexpr size_t kShards = 64;
  Shard& ShardOf(uint64_t address) const { return shards_[(address * 0x9e3779b97f4a7c15) >> 58]; }
  Shard& ShardOf(const Node& node) const { return ShardOf(reinterpret_cast<uintptr_t>(&node) / kNodeBytes); }
  // That something is going to be kept, if it is old enough; taken back if it wasn't.
  class Announcement {
   public:
    Announcement(Versions& versions, Time now);
    ~Announcement() {
      if (!is_kept_) kept_count_.fetch_sub(1, std::memory_order_relaxed);
    }
    Announcement(const Announcement&) = delete;
    Announcement& operator=(const Announcement&) = delete;

    // The newest snapshot that the change came after; 0: none.
    uint64_t newest() const { return newest_; }
    void Kept() { is_kept_ = true; }

   private:
    std::atomic<uint64_t>& kept_count_;
    uint64_t newest_;
    bool is_kept_ = false;
  };
  // What letting go of this is going to look at.
  void PrefetchKept(const Kept& kept) const;
  // Lets go of it if nobody needs it. Whether it stays.
  bool StaysKept(Shard& shard, uint64_t until, const Kept& kept, std::span<const uint64_t> open,
                 absl::FunctionRef<void(const Retired&)> retire);

  // nullptr: none of its segment's nodes has one.
  History* HistoryOf(const Node& node) const {
    const uint64_t at = Raw(image_.OffsetOf(&node));
    History* const histories = segments_.get()[at >> segment_bytes_log2_].load(std::memory_order_acquire);
    return histories == nullptr ? nullptr : &histories[(at & segment_mask_) / kNodeBytes];
  }
  History& MakeHistory(const Node& node);

  const internal::Image& image_;
  const unsigned segment_bytes_log2_;
  const uint64_t segment_mask_;
  std::unique_ptr<std::atomic<History*>[], FreeMemory> segments_;
  std::atomic<uint64_t> time_{2};         // Time
  std::atomic<uint64_t> newest_open_{0};  // 0: none
  std::atomic<uint64_t> kept_count_{0};   // in all shards
  mutable WriterLock mutex_;              // guards what follows, and changes of time_ and newest_open_
  std::vector<OpenSnapshot> open_;        // ascending
  std::vector<OldRoot> old_roots_;        // ascending
  mutable std::array<Shard, kShards> shards_;
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_VERSIONS_H_
