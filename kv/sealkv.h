// SealKV: an ordered key-value store embedded in your program, on persistent memory. This header is the manual.
//
//   #include "kv/sealkv.h"
//   auto store = sealkv::Store::OpenOrCreate("/mnt/pmem/users", {.capacity_bytes = 1 << 30});
//   if (!store.ok()) return store.status();
//   absl::Status put = (*store)->Put("ada", "countess");       // durable when it returns OK
//   absl::StatusOr<std::string> value = (*store)->Get("ada");  // "countess"
//
// KEYS AND VALUES are byte strings: keys of 0 to kMaxKeyBytes, values of 0 to kMaxValueBytes, any bytes. Keys are
// ordered as by memcmp, a prefix before what it is a prefix of. Store integers big-endian (U64Key) to have them in
// number order.
//
// DURABILITY. A write that returned OK survives the end of the process at any instruction, and on every tier but
// `volatile` a power cut too. A write that hasn't returned is, after a crash, there whole or not at all. A read never
// returns what a power cut could still take back. No call syncs a file of the store (fsync, msync, …), except on tier
// `msync`; files are synced once, while they are made: by Create, and when the store grows (SPACE). The time that an
// open takes doesn't depend on the size of the store; it finishes the batches, sixteen at most, that were committed and
// not written out when the last writer ended, and that takes as long as they are large.
//
// THREADS. Every method of Store may be called by any number of threads. Readers wait for no lock but a writer's who is
// in the middle of a commit to what they look at; writers lock the nodes that they change, most often one leaf, from
// before the commit until it is durable. Nobody waits for a reader: a get of a long key may claim a leaf for some
// nanoseconds, to remember where its record is, and a writer who meets that tries again. Operations, batches, snapshots
// and transactions are strictly serializable: each has its effect at one moment between its call and its return. An
// Iterator, a PinnedValue or a Transaction belongs to one thread at a time.
//
// PROCESSES. One process may have a store open for writing, and any number may have it open for reading (read_only) at
// the same time; in whatever order they come, go, or are killed. They need no more than the permission to read the
// file. Gets are as usual; an Iterator isn't one state, and there are no snapshots or transactions. What they read in
// holds back the reuse of space, as readers of the writer's own process do: a reader that is stopped in the middle of a
// call, or keeps an iterator on a key, can fill a store up, and GetStats() of the writer names it. A reader process
// that has just been busy holds back a little for some milliseconds more. When the writer dies, readers go on with what
// it left. Readers show where they read by locks on bytes far behind the file's end; one that can't have its lock,
// because another program locks all of the file by fcntl(2), say, ends its process (abort) rather than read what the
// writer may overwrite. A process that is forked off must open the store for itself: it may not use its parent's Store,
// nor keep it open across the parent's end.
//
// SPACE. A store grows by itself, up to Options::max_bytes or what the filesystem has: by further files beside the
// first one, PATH.1, PATH.2, …, each an eighth of the store, and sealed like it. Its thread makes them ahead of need. A
// writer that uses up space faster than zeros are written for the next one is held back, by up to 10 ms a write; one
// that finds no space at all waits until the file is there. They belong together: move, copy and remove them together
// (Remove does). Nothing is ever unsealed for it. Where 30 % or more is dead, compaction makes space instead.
//
// CHANGES. A store made with Options::change_log_bytes keeps what each commit has changed, with the commit, atomically:
// so many bytes of it, beside the data, and older ones go. Commits have numbers, 1, 2, 3, …, in the order in which they
// took effect. ReadChanges shows them, and CatchUpWith applies them to a copy: a backup that costs what has changed.
// Each write then is a batch of at least 4 fences, and writers go one after another. Where such a store finds no space
// for a write, and can't grow, it gives up the changes that it keeps before it refuses; and a delete for which it can't
// even keep what is deleted has a number, but nobody gets past it by ReadChanges (OutOfRange).
//
// EXPIRY. A value that was put by PutUntil is over from that second on (CLOCK_REALTIME): from then on the key isn't
// there, for any call, also one in another process; for a snapshot, an iterator, a transaction or a Checkpoint what
// counts is the time when it was opened. Its space comes back when compaction comes by, which goes after what is over
// first, without being asked. Put makes a value that stays; what Update, Add and CompareAndSwap make of a value keeps
// its expiry. A clock that is set back shows again what is over and not erased yet.
//
// ERRORS are absl::Status. NotFound, AlreadyExists, FailedPrecondition, Aborted, OutOfRange and Cancelled are answers,
// listed at each method. Of any method:
//   InvalidArgument    a key or value too large, or a wrong option
//   ResourceExhausted  no space; nothing was changed
//   PermissionDenied   a write to a store that was opened read-only; or the file's permissions
//   Unavailable        another process is in the way: the message names it
//   DataLoss           the file is damaged: the message names the offset; or, on tier `msync`, a sync failed
// After a failed sync it isn't known whether this write survives a power cut; those before it do, and the store takes
// no more. A process that only reads may have to sync, too: what a killed writer left. A file whose memory fails (a
// media error) raises SIGBUS, as any mapping does.
//
// MEMORY. Without it, std::bad_alloc leaves a call that has changed nothing; it may be made again. From the moment of a
// commit on, and where space is given back, moved (by compaction) or counted (after an open), it would have to leave
// half of something: there it ends the process, and the next open finds the store as after any crash; so it does where
// the store's own thread has none. What a function of the caller's throws ends the call that it was given to as
// an error would. An iterator stands on nothing after that.
//
// COSTS are given as (cache lines flushed, fences) for an operation that needn't split a node or take a new segment;
// "record lines" is (24 + key + value) / 64, and a bit. Both are counted at the seam and asserted in tests.
#ifndef SEALKV_KV_SEALKV_H_
#define SEALKV_KV_SEALKV_H_

#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daxfile/dax_file.h"
#include "daxfile/tier.h"

namespace sealkv {

inline constexpr size_t kMaxKeyBytes = 64 << 10;
inline constexpr size_t kMaxValueBytes = 1 << 30;
inline constexpr uint64_t kMinCapacityBytes = 64 << 10;

namespace internal {
class Image;
class StoreImpl;
class EpochSlot;
class OpenSnapshot;
struct LogEnd;
class TransactionImpl;
}  // namespace internal

struct Options {
  // The size that a new store begins with. Needed by Create; ignored when an existing store is opened. At least
  // kMinCapacityBytes.
  uint64_t capacity_bytes = 0;
  // How large a new store may become: see SPACE. 0: 64 times capacity_bytes (less, if that is under 4 MiB). The same as
  // capacity_bytes: it doesn't grow.
  uint64_t max_bytes = 0;
  // How much is kept of what was changed: see CHANGES. 0: nothing. As max_bytes, it is settled when a store is made.
  uint64_t change_log_bytes = 0;
  // The weakest durability you accept (see daxfile/tier.h). The default takes every tier that survives a power cut.
  daxfile::Tier weakest_tier = daxfile::Tier::kMsync;
  // Treat an ordinary file as memory that needs only the CPU's flushes: fast, and lost with the power.
  // Needs weakest_tier = kVolatile. (Files on tmpfs are volatile without being told.)
  bool emulate_on_dram = false;
  // Open for reading only, beside a writer in another process if there is one; every write returns PermissionDenied.
  bool read_only = false;
  // Called while Create writes zeros, with (bytes done, bytes in all).
  std::function<void(uint64_t, uint64_t)> progress;
};

// Which keys an iterator shows, ascending. Default: all.
struct Range {
  std::optional<std::string> lower;  // keys >= lower
  std::optional<std::string> upper;  // keys < upper
  // Only keys that begin with this; combines with the bounds above.
  std::string prefix;
};

// A value where it lies in the store: no copy. The bytes stay as they are for as long as the object lives, whatever is
// put or deleted meanwhile (8-byte values are copied, for they change in place). It holds back the reuse of freed
// space: don't keep it for long. Must not outlive the Store.
class PinnedValue {
 public:
  PinnedValue(PinnedValue&&) noexcept;
  PinnedValue& operator=(PinnedValue&&) noexcept;
  ~PinnedValue();

  std::string_view view() const { return is_inline_ ? std::string_view(inline_bytes_.data(), 8) : view_; }

 private:
  friend class internal::StoreImpl;
  PinnedValue() = default;

  internal::EpochSlot* slot_ = nullptr;
  bool is_inline_ = false;
  std::array<char, 8> inline_bytes_{};
  std::string_view view_;
};

// Walks keys in order, in both directions. Not on any key until the first Seek. Sees one state of the store: that of
// its snapshot, or, if it was made by the Store, the one when it was made; for it is a snapshot too, and costs what one
// costs for as long as it lives. (In a process that has the store open for reading only, while another one writes, it
// sees each leaf of the tree as it was when the iterator reached it.) Must not outlive the Store.
class Iterator {
 public:
  virtual ~Iterator() = default;

  bool Valid() const { return is_valid_; }  // stands on a key (inside its Range)
  virtual void SeekToFirst() = 0;
  virtual void SeekToLast() = 0;
  virtual void Seek(std::string_view key) = 0;                         // the first key >= `key`
  virtual void SeekForPrev(std::string_view key) = 0;                  // the last key <= `key`
  virtual void Next() = 0;                                             // needs Valid()
  virtual void Prev() = 0;                                             // needs Valid()
  std::string_view key() const { return key_; }                        // needs Valid(); good until the iterator moves
  std::string_view value() const { return value_; }                    // needs Valid(); good until the iterator moves
  virtual std::optional<std::chrono::sys_seconds> expiry() const = 0;  // needs Valid(); of the value; nothing: never
  // Why Valid() is false: OK at the end of the range, else the error that stopped the walk.
  virtual absl::Status status() const = 0;

 protected:
  void StandOn(std::string_view key, std::string_view value) {
    is_valid_ = true;
    key_ = key;
    value_ = value;
  }
  void StandOnNothing() { is_valid_ = false; }

 private:
  bool is_valid_ = false;
  std::string_view key_;
  std::string_view value_;
};

// One state of the store: everything that was written before OpenSnapshot returned, and nothing that is written after
// it. Takes a microsecond or less to open, whatever the store holds, but for the writes under way, which it waits for;
// and blocks nobody. While it is open, writers keep what it needs: a copy, in DRAM, of each of the tree's nodes (320
// bytes) that is written to, and the records that are replaced or deleted; once for each, however often that happens.
// This goes when the last snapshot that needs it is closed; Stats say how much it is, and since when the oldest
// snapshot is open. Cost of reads: (0, 0).
//
// May be handed from thread to thread, and be read by several at a time. Copies share the snapshot, and so do its
// iterators; it is closed with the last of them. Must not outlive the Store.
class Snapshot {
 public:
  // As those of Store.
  absl::StatusOr<std::string> Get(std::string_view key) const;
  absl::Status Get(std::string_view key, std::string* value) const;
  absl::StatusOr<bool> Exists(std::string_view key) const;
  std::unique_ptr<Iterator> NewIterator(Range range = {}) const;

 private:
  friend class Store;
  explicit Snapshot(std::shared_ptr<const internal::OpenSnapshot> open) : open_(std::move(open)) {}
  std::shared_ptr<const internal::OpenSnapshot> open_;
};

// Changes that are to be made together: all or none of them, for everybody, and after any crash. They take effect in
// the order given; a key may be changed several times. A batch may be written again, and to several stores.
class WriteBatch {
 public:
  void Put(std::string_view key, std::string_view value);
  void PutUntil(std::string_view key, std::string_view value, std::chrono::sys_seconds expiry);
  void Delete(std::string_view key);  // nothing if the key isn't there
  // As Store::Add. If the value isn't 8 bytes (FailedPrecondition), nothing of the batch is done; but one that a later
  // Put or Delete of the same key makes void isn't looked at.
  void Add(std::string_view key, uint64_t delta);

  size_t size() const { return operations_.size(); }  // how many changes
  void Clear();

 private:
  friend class Store;
  enum class Kind : uint8_t { kPut, kDelete, kAdd };
  struct Operation {
    Kind kind;
    uint64_t begin;  // in bytes_: the key, then the value
    uint64_t key_bytes;
    uint64_t value_bytes;
    uint64_t delta;
    std::optional<std::chrono::sys_seconds> expiry;
  };
  std::string bytes_;
  std::vector<Operation> operations_;
};

// Reads and writes that take effect together, at one moment, or not at all: serializable, ranges and keys that aren't
// there included. It reads at a snapshot that is opened when it begins (and costs what that costs), and sees its own
// writes; nobody else does before Commit, which makes sure that all that it has read is still so. Nobody waits for it
// meanwhile. One that only reads always succeeds. After Commit or Abort every call returns FailedPrecondition. One
// thread at a time; must not outlive the Store, nor its iterators it.
class Transaction {
 public:
  ~Transaction();  // aborts, if it wasn't committed
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  // As those of Store; but a key that is to be deleted needn't be there.
  absl::StatusOr<std::string> Get(std::string_view key);
  absl::Status Get(std::string_view key, std::string* value);
  absl::StatusOr<bool> Exists(std::string_view key);
  absl::Status Put(std::string_view key, std::string_view value);
  absl::Status PutUntil(std::string_view key, std::string_view value, std::chrono::sys_seconds expiry);
  absl::Status Delete(std::string_view key);
  absl::StatusOr<uint64_t> Add(std::string_view key, uint64_t delta);
  // Shows the writes made so far, and most likely those made while it walks.
  std::unique_ptr<Iterator> NewIterator(Range range = {});

  // Aborted: somebody else has changed what was read; nothing was done, begin another one. ResourceExhausted as for
  // Store::Write. Cost: that of Write, and of reading again what was read.
  absl::Status Commit();
  void Abort();

 private:
  friend class Store;
  explicit Transaction(std::unique_ptr<internal::TransactionImpl> impl);
  std::unique_ptr<internal::TransactionImpl> impl_;
};

// What one commit has changed (CHANGES, above): a Put or a Write, a transaction, … The views are good until the call
// that they were given to returns.
struct CommittedChange {
  struct Operation {
    bool is_delete = false;
    std::string_view key;
    std::string_view value;  // that the key has had since; of a sum, too
    std::optional<std::chrono::sys_seconds> expiry;
  };
  uint64_t number = 0;                // the first of a store is 1, and they ascend by 1
  std::vector<Operation> operations;  // ascending by key
};

struct LogStats {
  uint64_t most_bytes = 0;    // Options::change_log_bytes; 0: no changes are kept
  uint64_t bytes = 0;         // kept now: the records of the log, headers included
  uint64_t first_change = 0;  // the oldest that ReadChanges can show; more than last_change: there is none
  uint64_t last_change = 0;   // 0: none was made yet
};

struct Stats {
  std::string path;
  daxfile::Tier tier = daxfile::Tier::kVolatile;
  std::string tier_reason;
  uint64_t capacity_bytes = 0;  // now; as far as this process has seen it grow
  uint64_t max_bytes = 0;       // that it may grow to
  uint64_t parts = 0;           // files beside the first one
  uint64_t segment_bytes = 0;
  uint64_t segments_total = 0;
  uint64_t segments_header = 0;  // superblock and segment table
  // What follows is known once the background pass after an open is through (`space_is_known`); until then segments
  // that were in use at open count as wholly used.
  bool space_is_known = false;
  uint64_t segments_free = 0;
  uint64_t segments_nodes = 0;
  uint64_t segments_records = 0;
  uint64_t segments_large = 0;
  uint64_t node_bytes_used = 0;    // nodes that the tree is made of, and retired ones
  uint64_t record_bytes_used = 0;  // records that the tree refers to, headers included, and retired ones
  uint64_t record_bytes_over = 0;  // of these, about: whose expiry has passed
  uint64_t bytes_retired = 0;      // of these two: replaced or deleted, waiting for readers to leave
  // What the segments of nodes and of records have room for and doesn't live there: dead, or never used yet.
  uint64_t node_bytes_idle = 0;
  uint64_t record_bytes_idle = 0;
  // How many of these segments are alive to less than 1/10, 2/10, … 10/10.
  std::array<uint64_t, 10> segments_by_liveness{};
  // Segments that compaction couldn't empty: a snapshot, an iterator or a pinned value may look at what is there, or it
  // is of a kind that isn't moved (a layer's prefix).
  uint64_t segments_kept = 0;
  // Since the open: what compaction has moved, and how many segments it has emptied by that. Beside what was written,
  // the first is the write amplification.
  uint64_t bytes_moved = 0;
  uint64_t segments_emptied = 0;
  // Since the open: writes that had to wait until the store was larger, because its thread was late or it has none; and
  // why it couldn't be made larger, the last time that was tried.
  uint64_t writes_that_grew = 0;
  std::string growth_error;
  // Snapshots, iterators among them, and what is kept for them.
  uint64_t snapshots_open = 0;
  double oldest_snapshot_seconds = 0;    // since when the oldest of them is open
  uint64_t snapshot_bytes_retained = 0;  // in the store: of node_bytes_used and record_bytes_used
  uint64_t snapshot_bytes_in_dram = 0;
  LogStats log;
  uint64_t generation = 0;  // how often the store has been opened for writing
  // Other processes. Pids are 0 where there is none, or where it isn't known: it may be in another pid namespace.
  int writer_pid = 0;                // who has the store open for writing; perhaps this process
  uint64_t reader_processes = 0;     // that have it open for reading; known to the writer
  uint64_t readers_hold_epochs = 0;  // how far back the oldest of them reads: what was retired since is held back
  int oldest_reader_pid = 0;         // whoever that is
};

// Whether a store has a thread of its own, which compacts. Without one, that is left to the write that finds no space.
// (The pass that counts what is in use after an open has a thread in either case, unless the store is small.)
enum class Background : uint8_t { kNone, kCompacts };

// How much of a mapped file becomes a store, and how much of it may.
struct Capacity {
  uint64_t bytes = 0;  // 0: all of it
  // No more than `bytes`: it doesn't grow. A store over memory grows within that, one in a file by further files.
  uint64_t max_bytes = 0;
  uint64_t change_log_bytes = 0;
};

class Store {
 public:
  // Makes a new store. Errors: AlreadyExists; FailedPrecondition (the tier isn't reached: the message says why and what
  // to do); ResourceExhausted (no space on the file system); InvalidArgument. A failure leaves no file.
  static absl::StatusOr<std::unique_ptr<Store>> Create(std::string_view path, const Options& options);

  // Opens an existing store: 33 lines flushed, two fences, and what DURABILITY says of batches. Errors: NotFound;
  // FailedPrecondition (not a store, truncated, of another format version, tier not accepted); DataLoss (superblock
  // damaged); Unavailable (open for writing elsewhere, or, with read_only, only just being made).
  static absl::StatusOr<std::unique_ptr<Store>> Open(std::string_view path, const Options& options = {});

  static absl::StatusOr<std::unique_ptr<Store>> OpenOrCreate(std::string_view path, const Options& options);

  // The same over a file that is already mapped. Format makes an empty store of it, destroying what it held.
  static absl::StatusOr<std::unique_ptr<Store>> Format(daxfile::DaxFile file,
                                                       Background background = Background::kCompacts,
                                                       const Capacity& capacity = {});
  static absl::StatusOr<std::unique_ptr<Store>> Attach(daxfile::DaxFile file,
                                                       Background background = Background::kCompacts);

  // Removes a store's files. NotFound; FailedPrecondition: it isn't one; Unavailable: it is open for writing.
  static absl::Status Remove(std::string_view path);

  ~Store();  // There is nothing to save: closing is only letting go. No iterator or PinnedValue may be alive.
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // Sets the key's value. Cost: insert record lines + 3, fences 2; update record lines + 1, fences 2; insert of an
  // 8-byte key with an 8-byte value mostly (1, 1), at most (3, 2); a new 8-byte value over an 8-byte one, whatever the
  // key, (1, 1).
  absl::Status Put(std::string_view key, std::string_view value);
  // As Put, but AlreadyExists, and no change, if the key is there.
  absl::Status PutIfAbsent(std::string_view key, std::string_view value);
  // As Put, until then: see EXPIRY. InvalidArgument: not between 1970 and 2106. FailedPrecondition: the store was made
  // by a version that knew of no expiry. Cost: that of Put with a record.
  absl::Status PutUntil(std::string_view key, std::string_view value, std::chrono::sys_seconds expiry);

  // NotFound if the key isn't there. Cost of all reads: (0, 0); but who comes first to a node that a killed writer left
  // in the middle of a commit writes that back, for the answer may not be durable yet.
  absl::StatusOr<std::string> Get(std::string_view key) const;
  // As above into a buffer of yours, so that a loop needn't allocate.
  absl::Status Get(std::string_view key, std::string* value) const;
  absl::StatusOr<PinnedValue> GetPinned(std::string_view key) const;
  // Each of the keys as by a Get of its own at some moment of the call, but faster, for what one has to be fetched from
  // memory is fetched beside the others': a half to a third of the time with 64 keys at once. For one state of all of
  // them: a Snapshot.
  std::vector<absl::StatusOr<std::string>> MultiGet(std::span<const std::string_view> keys) const;
  // As above into a buffer of yours; the strings in it are used again, so the keys mustn't lie in them.
  void MultiGet(std::span<const std::string_view> keys, std::vector<absl::StatusOr<std::string>>* values) const;
  absl::StatusOr<bool> Exists(std::string_view key) const;
  // When the key's value is over; nothing: never.
  absl::StatusOr<std::optional<std::chrono::sys_seconds>> GetExpiry(std::string_view key) const;

  // NotFound if the key isn't there. Needs no space, so a full store can always be emptied. Cost: (1, 1), and sometimes
  // a merge of nodes after it.
  absl::Status Delete(std::string_view key);

  // Adds to an 8-byte value, read as an unsigned integer in the machine's byte order (little-endian), wrapping, and
  // returns the sum. A key that isn't there counts as 0 and is put. Cost: (1, 1) if the key is there.
  // FailedPrecondition: the value isn't 8 bytes. ResourceExhausted: the key isn't there, or a snapshot is open, and
  // there is no space for a new value.
  absl::StatusOr<uint64_t> Add(std::string_view key, uint64_t delta);
  // Sets an 8-byte value to `desired` if it is `expected`; returns what it was (== expected: done). Cost: (1, 1).
  // NotFound; FailedPrecondition: the value isn't 8 bytes; ResourceExhausted: as for Add.
  absl::StatusOr<uint64_t> CompareAndSwap(std::string_view key, uint64_t expected, uint64_t desired);

  // Makes all changes of the batch at once. A batch may be of any size that there is space for: ResourceExhausted, and
  // nothing was done, if there isn't. Cost, for n changes of small values: some 2 to 4 lines for each, and 4 fences in
  // all (and one for each segment taken, 2 MiB in a large store); a batch that comes down to one word, 2. Readers who
  // come by one of its nodes wait for one fence and n stores; writers, for the batch. One that only deletes needs
  // space, too: 16 bytes for each leaf that it changes, and its entry in the log, if one is kept. In a full store that
  // is taken from what is kept back for compaction, a segment: deletions for which that is too small are to be made a
  // part at a time.
  absl::Status Write(const WriteBatch& batch);

  // Replaces the value of a key by what `update` makes of it, atomically. `update` is given the value (nothing: the key
  // isn't there) and returns the new one (nothing: the key is deleted, or stays away). It may be called more than once:
  // when somebody else has changed the value meanwhile; no lock is held. Cost: that of Get and of Put.
  absl::Status Update(std::string_view key,
                      const std::function<std::optional<std::string>(std::optional<std::string_view>)>& update);

  // Deletes all keys of the range at once. Cost and space: as for a batch of that many deletions.
  absl::Status DeleteRange(Range range);

  // Fills an empty store that keeps no changes (else FailedPrecondition) with what `next` gives, key by key, ascending
  // (else InvalidArgument), until it returns false; the views it sets must be good until it is called again. Full
  // nodes, each written once; all of it becomes visible, and durable, by one store at the end: before that, and after
  // an error or a crash, the store is as empty as it was. Other threads may use the store meanwhile; a key that one of
  // them puts makes the load fail. Memory: 8 bytes a node, and 8 for each of the keys that share one and the same first
  // 8 bytes. Cost: the lines of the records and nodes, and 2 fences.
  absl::Status BulkLoad(const std::function<bool(std::string_view* key, std::string_view* value)>& next);

  // FailedPrecondition: the store is open for reading only.
  absl::StatusOr<std::unique_ptr<Transaction>> Begin();
  // Runs `body` in a transaction and commits it; again, from the start, for as long as that is Aborted. An error that
  // `body` returns ends it, and nothing is done. One that was Aborted again and again goes alone among those: others to
  // whom that happens wait for it. So `body` mustn't wait for another thread's Transact.
  absl::Status Transact(const std::function<absl::Status(Transaction&)>& body);

  std::unique_ptr<Iterator> NewIterator(Range range = {}) const;

  // FailedPrecondition: the store is open for reading only.
  absl::StatusOr<Snapshot> OpenSnapshot() const;

  // Makes a copy of the store, as it is at one moment, while others go on writing: a new store at `path`, of
  // `capacity_bytes` (0: as large as this one) that may grow (max_bytes 0: as far as this one) and keeps its changes
  // (change_log_bytes 0: if this one does, and as many), its nodes full and without what is dead in this one. It
  // appears there when it is whole, and durable; until then it is beside it
  // (`path`.PID.part), where a crash may leave it. Opens a snapshot for as long as it takes, which retains what is
  // replaced meanwhile. `go_on` is told how many keys are copied, every thousand or so, and at the end; false ends it
  // (Cancelled). Errors: AlreadyExists; those of Create; ResourceExhausted: it doesn't fit; DataLoss: what is read is
  // damaged. A failure leaves no file.
  //
  // Of a store that was opened with read_only, so that a writer may be there or come: if it keeps its changes. The copy
  // is then what the store was after some change of the time that it took (LastChange of the copy says which). Else
  // FailedPrecondition. OutOfRange: more was changed meanwhile than is kept. Aborted: try again.
  absl::Status Checkpoint(std::string_view path, const Options& options,
                          const std::function<bool(uint64_t keys)>& go_on = nullptr) const;

  // Shows what was changed after the commit `since` (0: from the beginning), commit by commit, up to now, or until
  // `visit` returns false. Works beside a writer in another process too. OutOfRange: not all of that is kept any more.
  // InvalidArgument: there was no such commit. FailedPrecondition: the store keeps no changes. `visit` may use any
  // store, but this one isn't to be written by it; and while it runs it holds back the reuse of space, as an iterator
  // does.
  absl::Status ReadChanges(uint64_t since, absl::FunctionRef<bool(const CommittedChange&)> visit) const;
  // The number of the last commit; 0: there was none. FailedPrecondition: the store keeps no changes.
  absl::StatusOr<uint64_t> LastChange() const;
  // Makes this store, a copy of `other` (Checkpoint) that has not been written to otherwise, what `other` is now: by
  // its changes since, each as it was made, and under its number. So it can be ended at any moment, by a crash too, and
  // is then as `other` was after some change; the next call goes on from there. `go_on` is told now and then how many
  // changes were made; false ends it (Cancelled). OutOfRange: `other` keeps them no more: make a new copy.
  // FailedPrecondition: it is no copy of it, or was written to, or one of them keeps no changes.
  absl::Status CatchUpWith(const Store& other, const std::function<bool(uint64_t changes)>& go_on = nullptr);

  Stats GetStats() const;

  // Waits until the background pass that finds reusable space after an open is through. Nobody needs to call this: it
  // is there for tests and tools that want GetStats() to be exact.
  absl::Status WaitUntilSpaceIsKnown();

  // Makes the store larger, now, by an eighth: before much is put at once, say. It grows by itself else.
  // ResourceExhausted: it is as large as it may become, or the filesystem is full.
  absl::Status Grow();

  // Makes the store smaller, now: compacts it (Compact), and then, from the last part on, moves what lives there to the
  // front and removes the file, as long as an eighth of what is left stays free. For a large value it moves what lies
  // between free segments, if that makes room in one piece. Others read and write meanwhile.
  // Unavailable: a process has the store open for reading. FailedPrecondition: what a snapshot, an iterator or a pinned
  // value may look at, or a layer's prefix, or a large value for which there is no other place, lies in the last part.
  // Aborted: writers needed the space. In each case what was removed until then is, and nothing else has happened. The
  // first file stays as large as it is.
  absl::Status Shrink();

  // Moves together what is alive, now, by the calling thread, and returns when there is no more to gain by it than
  // costs: no segment less than three quarters alive, but those that a snapshot, an iterator or a pinned value may look
  // into. Nobody needs to call this either: a thread of the store does the same when little is written, and
  // begins earlier if space gets short. It ends beside writers, too: it empties each segment once at most.
  absl::Status Compact();

 private:
  explicit Store(std::unique_ptr<internal::StoreImpl> impl);
  static absl::StatusOr<std::unique_ptr<Store>> Begin(daxfile::DaxFile file, const internal::Image& image,
                                                      Background background);
  absl::Status BeginLogOfCopy(internal::StoreImpl& copy, const internal::LogEnd& end) const;
  absl::Status CatchUpInCopy(internal::StoreImpl& copy, const internal::LogEnd& begin,
                             const std::function<bool(uint64_t)>& go_on) const;
  std::unique_ptr<internal::StoreImpl> impl_;
};

// So long from now: for PutUntil.
inline std::chrono::sys_seconds ExpiryIn(std::chrono::seconds time_to_live) {
  return std::chrono::time_point_cast<std::chrono::seconds>(std::chrono::system_clock::now()) + time_to_live;
}

// An integer as an 8-byte key that sorts in number order (big-endian).
inline std::array<char, 8> U64KeyBytes(uint64_t number) {
  // One store: the look-up's load of 8 bytes would have to wait for eight of them.
  return std::bit_cast<std::array<char, 8>>(__builtin_bswap64(number));
}
inline std::string U64Key(uint64_t number) {
  const auto bytes = U64KeyBytes(number);
  return std::string(bytes.data(), bytes.size());
}

}  // namespace sealkv

#endif  // SEALKV_KV_SEALKV_H_
