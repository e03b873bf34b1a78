// What stands behind Store: the mapped file, the tree and heap in it, the way that every write takes, the background
// pass.
#ifndef SEALKV_KV_STORE_IMPL_H_
#define SEALKV_KV_STORE_IMPL_H_

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>
#include <thread>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daxfile/dax_file.h"
#include "kv/bell.h"
#include "kv/change.h"
#include "kv/compactor.h"
#include "kv/epoch.h"
#include "kv/foreign_readers.h"
#include "kv/gate.h"
#include "kv/growth.h"
#include "kv/heap.h"
#include "kv/image.h"
#include "kv/key_changes.h"
#include "kv/lanes.h"
#include "kv/mark.h"
#include "kv/read_set.h"
#include "kv/record_table.h"
#include "kv/sealkv.h"
#include "kv/snapshot.h"
#include "kv/tree.h"
#include "kv/validation.h"
#include "kv/writer_lock.h"

namespace sealkv::internal {

inline bool SizesFit(std::string_view key, size_t value_bytes) {
  return key.size() <= kMaxKeyBytes && value_bytes <= kMaxValueBytes;
}
absl::Status SizeError(std::string_view key, size_t value_bytes);
inline absl::Status KeyNotFound() { return absl::NotFoundError("no such key"); }

class StoreImpl {
 public:
  // `generation` 0: read-only.
  StoreImpl(daxfile::DaxFile file, const Image& image, uint32_t generation, Background background);
  ~StoreImpl();

  absl::Status Put(std::string_view key, std::string_view value, bool only_if_absent);
  // With an expiry, if it isn't kNeverOver. FailedPrecondition: the store is of a format that knows none.
  absl::Status PutNewValue(std::string_view key, NewValue value);
  absl::Status CheckExpiry(uint32_t expiry) const;
  absl::StatusOr<uint32_t> GetExpiry(std::string_view key) const;
  absl::Status Delete(std::string_view key);
  absl::StatusOr<uint64_t> Add(std::string_view key, uint64_t delta);
  absl::StatusOr<uint64_t> CompareAndSwap(std::string_view key, uint64_t expected, uint64_t desired);

  absl::Status Write(KeyChanges changes);
  // Sorted and folded.
  absl::Status WriteChanges(const KeyChanges& changes, Validation* validation);
  absl::Status Update(std::string_view key,
                      const std::function<std::optional<std::string>(std::optional<std::string_view>)>& update);

  absl::Status Get(std::string_view key, std::string* value) const;
  absl::StatusOr<PinnedValue> GetPinned(std::string_view key) const;
  absl::StatusOr<bool> Exists(std::string_view key) const;
  // `use` is told of each key, by its place among them: OK and the value, which is good for the length of the call, or
  // why there is none.
  using UseOfMany = absl::FunctionRef<void(size_t, const absl::Status&, std::string_view)>;
  void MultiGet(std::span<const std::string_view> keys, UseOfMany use) const;
  std::unique_ptr<Iterator> NewIterator(Range&& range);
  bool is_read_only() const { return generation_ == 0; }
  // Open for reading, while another process may write.
  bool is_beside_writer() const { return live_reader_ != nullptr; }

  absl::StatusOr<std::shared_ptr<const OpenSnapshot>> NewSnapshot();
  void CloseSnapshot(uint64_t number);
  // Says what the key's entry leads to, if that is asked for.
  absl::Status GetAt(const SnapshotView& at, std::string_view key, std::string* value,
                     std::optional<EntryIdentity>* identity = nullptr, uint32_t* expiry = nullptr) const;
  void MakeReadSet(const SnapshotView& at, std::optional<ReadSet>* reads) {
    reads->emplace(tree_, epochs_, context_, at);
  }
  absl::Status DeleteRange(Range range);
  absl::Status Load(absl::FunctionRef<bool(std::string_view* key, NewValue* value)> next);
  // For whoever was turned back often.
  WriterLock& patience() { return patience_; }
  std::unique_ptr<Iterator> NewIteratorAt(Range&& range, std::shared_ptr<const OpenSnapshot> snapshot) const;

  Stats GetStats();
  absl::Status WaitUntilSpaceIsKnown();
  absl::Status Compact();
  absl::Status Grow();
  absl::Status Shrink();

  // The log (kv/store_log.cc).
  bool keeps_log() const { return context_.keeps_log; }
  const LogTerms& log_terms() const { return image_.superblock().log_terms; }
  absl::Status ReadLog(uint64_t since, absl::FunctionRef<bool(const CommittedChange&)> visit) const;
  // Where it ends. Now, or as a snapshot sees it.
  absl::StatusOr<LogEnd> LogEndAt(const OpenSnapshot* at) const;
  // Of a store that was loaded, before anybody else sees it: it is one of this lineage, as of there.
  absl::Status BeginLogAt(uint64_t lineage, const LogEnd& end);
  // Up to that change.
  absl::Status CatchUpWith(const StoreImpl& other, const std::function<bool(uint64_t changes)>& go_on, uint64_t last);

 private:
  // Reads, by a caller who is in an epoch. The value of an 8-byte key, if it lies in the leaf.
  bool ReadInlineWord(std::string_view key, uint64_t* value) const;
  // The record or value of a key goes to `use`, a callable (std::string_view value, bool is_word, uint32_t expiry): a
  // word's bytes are a copy on the caller's stack.
  template <typename Use>
  absl::Status Read(std::string_view key, Use use) const;

  bool IsWritable() const { return generation_ != 0 && file_.persist().is_ok(); }
  absl::Status NotWritableError() const;

  // What a key's entry leads to, once it was found. kRestart: the leaf, if there is one, has changed. kAbsent, too, if
  // that is over: at `seconds`, or now (0).
  template <typename Use>
  bool ReadTabled(std::string_view key, uint64_t hash, Use use) const;
  void AddToTable(uint64_t hash, const Descent& descent, const Found& found) const;
  template <typename Use>
  absl::StatusOr<Tree::LeafStep> ReadFound(std::string_view key, const Found& found, const Descent* descent,
                                           uint32_t seconds, Use use) const;
  // A get on its way, beside others (kv/store_read.cc).
  struct Sought;
  void FetchFirst(Sought& sought, std::string_view key) const;
  void FetchSecond(const Sought& sought) const;
  void FetchRecord(Sought& sought, uint64_t record_bytes) const;
  void Answer(const Sought& sought, size_t place, UseOfMany use) const;
  // For writers: whether the key is there, and not over.
  bool IsThere(const Location& location) const {
    return location.outcome == Location::Outcome::kFound && !tree_.IsOverAt(location);
  }

  // Who was turned back so often goes alone.
  static constexpr int kMostTurnedBack = 100;
  static constexpr unsigned kMostEntriesLookedAt = 200;

  // Everything common to all writes of one key: to the leaf, the operation, and again while others are in the way.
  using Operation = absl::FunctionRef<absl::Status(Change&, Location&)>;
  // `bytes`: of the record that it may have to write.
  absl::Status Write(std::string_view key, uint64_t bytes, Operation operation);
  // The same, but ResourceExhausted is the end of it.
  absl::Status WriteInSpace(Tree& tree, std::string_view key, Operation operation,
                            Gate::Kind kind = Gate::Kind::kChanges);
  // One attempt, by whoever is inside of the gate. What it waits for, if it has to, is left in `blocker`.
  absl::Status TryWrite(Tree& tree, Arena& arena, std::string_view key, Operation operation, const Node** blocker);
  // Of whoever is alone. Only a reader may still hold a leaf, for as long as it takes to add its record to the table:
  // then try again.
  static bool IsStoppedByReader(const absl::Status& status);
  absl::Status WriteAlone(Tree& tree, std::string_view key, Operation operation);
  // Where the key is or would be, in a leaf that is claimed then.
  static absl::Status LocateAndClaim(const Tree& tree, Change& change, std::string_view key, Location* location);
  // What the operations do to the key that is at `location`, or isn't; and for the log.
  absl::Status PutAt(Change& change, Location& location, std::string_view key, NewValue value);
  absl::Status EraseAt(Change& change, Location& location, std::string_view key);
  absl::Status StoreWordAt(Change& change, Location& location, std::string_view key, uint64_t* word, uint64_t value);
  bool PutWord(std::string_view key, std::string_view value, bool only_if_absent, const Descent& descent);
  absl::Status PutOtherwise(std::string_view key, NewValue value, bool only_if_absent);
  void Rebalance(Tree& tree, std::string_view key, Gate::Kind kind = Gate::Kind::kChanges) noexcept;
  // Whether the key at `location` has this value, or isn't there.
  bool IsValue(const Location& location, bool is_there, std::string_view value) const;

  // Of batches (kv/store_batch.cc).
  using BatchAttempt = absl::FunctionRef<absl::Status(Arena&, const Node** blocker)>;
  // Everything common to all batches: attempt after attempt while others are in the way, and where there is no space.
  // `size` is asked there only.
  struct BatchSize {
    uint64_t bytes = 0;  // of its largest record
    uint64_t run_bytes = 0;
    bool frees_space = false;
  };
  BatchSize SizeOf(const KeyChanges& changes) const;
  absl::Status RunBatch(size_t pairs, absl::FunctionRef<BatchSize()> size, BatchAttempt attempt);
  // What it may use beside free space.
  enum class Means : uint8_t {
    kUsual,
    kReserve,  // what is kept back for compaction
    kSilent,   // that too; and the log isn't told what was changed
  };
  class ByMeans {
   public:
    ByMeans(Heap& heap, Arena& arena, Means means);
    ~ByMeans();

   private:
    Heap& heap_;
    Arena& arena_;
  };
  absl::Status RunBatchInSpace(BatchAttempt attempt, Means means);
  absl::Status RunBatchAlone(BatchAttempt attempt, Means means);
  absl::Status TryWriteBatch(Arena& arena, const KeyChanges& changes, Validation* validation, const Node** blocker,
                             uint64_t number = 0);
  absl::Status ChangeKey(Change& change, const KeyChange& to);
  absl::Status InBulkLoad(absl::FunctionRef<absl::Status(Arena&)> step);
  absl::Status ChangeKeys(Change& change, std::span<const KeyChange> list);
  // `alone`: the gate is closed.
  absl::Status DeleteRangeOnce(const KeyRange& range, const OpenSnapshot& snapshot, Arena* alone);
  void OfferHints(BatchState& batch);
  static void RebalanceInBatch(Tree& tree, Change& change, std::string_view key);
  void LeaveSparse(Change& change, const Node* next_leaf);

  // Of the log. Whoever adds to it, or erases, holds its lock, from before he enters the gate; nothing, if there is no
  // log.
  std::unique_lock<WriterLock> LockLog() {
    return keeps_log() ? std::unique_lock<WriterLock>(log_lock_) : std::unique_lock<WriterLock>();
  }
  absl::Status WriteLogged(std::string_view key, uint64_t bytes, Operation operation);
  absl::Status TryWriteLogged(Arena& arena, std::string_view key, Operation operation, const Node** blocker);
  // Adds what the batch has changed to the log, and erases what is too old.
  absl::Status AppendToLog(Change& change);
  absl::Status EraseOldLogEntries(Change& change, uint64_t last, uint64_t end_bytes, uint64_t most_bytes);
  // Erases all but the last entry, one by one, for want of space.
  void DropLog();
  enum class Erased : uint8_t { kEntry, kEmptyLeaf, kNothingLeft };
  absl::StatusOr<Erased> EraseFirstLogEntry(uint64_t last);
  struct LogPlace {
    uint64_t number;
    uint64_t end_bytes;
    LogHeader header;
    RecordView record;
  };
  // What is in a leaf of the log; DataLoss if it is no entry. Its checksum isn't looked at.
  absl::StatusOr<LogPlace> LogPlaceAt(const PathStep& leaf, unsigned position) const;
  // Of the oldest entry. Nothing: the first leaf is empty.
  absl::StatusOr<std::optional<LogPlace>> FirstLogPlace(Change& change, bool* is_alone) const;
  absl::Status CheckSamePast(const StoreImpl& other, const LogEnd& end) const;
  absl::Status ApplyLogged(const CommittedChange& change);
  LogStats GetLogStats() const;

  void BeginBackgroundPass();
  bool StepBackgroundPass();  // true: through
  void RunBackgroundPass();
  struct SpaceWanted {
    uint64_t bytes = 0;      // of the largest record
    uint64_t run_bytes = 0;  // of all that need segments in one piece
  };
  // What somebody who found no space has had, and tried, from attempt to attempt.
  struct SpaceSought {
    uint64_t most_usable = 0;
    int tries_left = 3;  // where what was made for this one may go to others
    uint64_t works_done = 0;
  };
  SpaceSought SeekSpace() const { return {.works_done = growth_.works_done()}; }
  // For somebody who found no space: makes some. False: there is no more than there was.
  bool FindSpace(SpaceSought* sought, const SpaceWanted& wanted);
  bool GrowForSpace(SpaceSought* sought, const SpaceWanted& wanted);
  void GrowAhead();
  // Says of no space why there is no more.
  absl::Status WithGrowthError(const absl::Status& status) const;
  bool HasMoreSpace(uint64_t* most_usable);
  // Makes segments of nothing but free nodes usable for anything. Whether there were any. The gate is closed.
  bool ReleaseNodeSpace();

  // Segments in one piece (kv/store_runs.cc). How much of that a record needs, if it doesn't lie beside others.
  uint64_t RunBytes(uint64_t record_bytes) const;
  // Makes so many bytes of them, where enough are free, but apart. Whether they are there.
  bool MakeRun(uint64_t bytes);
  // For Growth.
  absl::Status Empty(SegmentRange range);

  // Compaction (kv/store_compaction.cc).
  enum class Compacted : uint8_t { kNothing, kShare, kSegment, kNoSpace };
  // Moves some objects: a share of a segment, or the last one of it.
  // noexcept: without memory a share would be nobody's, and its segment never free.
  Compacted CompactSome(Heap::Thrift thrift) noexcept;
  Compacted Move(const Compactor::Share& share) noexcept;
  bool CompactForSpace(uint64_t* most_usable);
  // Moves the object, if anything leads to it.
  absl::Status MoveRecord(Offset at);
  absl::Status MoveNode(Offset at);
  absl::Status TryMoveNode(Change& change, const Node* node);
  void DropEmptyLeaves();
  // By a writer who has written so many pairs. noexcept, for the write is done: see Change.
  void LookAfterSpaceIfDue(size_t pairs) noexcept {
    if (heap_.needs_attention() || heap_.shortage() > 0 || heap_.is_growth_due()) [[unlikely]]
      LookAfterSpace(pairs);
  }
  void LookAfterSpace(size_t pairs);
  void WakeBackground();
  void RunInBackground();
  // Until there is nothing to gain. Whether the bell has ended it sooner: at leisure it rests again and again.
  bool CompactInBackground(Heap::Thrift thrift);

  void CountInTable(Stats& stats) const;

  daxfile::DaxFile file_;
  Image image_;
  std::unique_ptr<PartsFollower> follower_;  // of a file that others may write
  const uint32_t generation_;
  std::unique_ptr<ForeignReaders> foreign_readers_;  // of a file that this process writes
  std::unique_ptr<LiveReader> live_reader_;          // of one that it reads, and others may write
  mutable Epochs epochs_;
  Versions versions_;
  Heap heap_;
  Growth growth_;
  std::atomic<uint64_t> writes_that_grew_{0};
  Gate gate_;
  mutable NodeLocks locks_;
  Lanes lanes_;
  mutable RecordTable table_;
  const ChangeContext context_;
  Tree tree_;
  Tree log_tree_;
  Marker marker_;
  Compactor compactor_;
  const bool compacts_in_background_;

  friend class WriteScope;
  WriterLock patience_;
  WriterLock log_lock_;
  WriterLock background_lock_;
  std::atomic<bool> background_has_begun_{false};
  std::atomic<bool> background_runs_{false};
  Bell bell_;
  std::thread background_;
  std::atomic<bool> closing_{false};
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_STORE_IMPL_H_
