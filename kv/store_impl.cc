#include "kv/store_impl.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daxfile/file_lock.h"
#include "kv/iterator.h"
#include "kv/wait.h"
#include "kv/write_scope.h"

namespace sealkv::internal {
absl::Status SizeError(std::string_view key, size_t value_bytes) {
  if (key.size() > kMaxKeyBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("a key of ", key.size(), " bytes is too large: the most is ", kMaxKeyBytes, "."));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("a value of ", value_bytes, " bytes is too large: the most is ", kMaxValueBytes, "."));
}

StoreImpl::StoreImpl(daxfile::DaxFile file, const Image& image, uint32_t generation, Background background)
    : file_(std::move(file)),
      image_(image),
      generation_(generation),
      versions_(image_),
      heap_(image_, file_.persist(), epochs_, versions_, generation),
      growth_(file_, image_, heap_),
      gate_(heap_),
      locks_(generation),
      table_(image_.most_segments() * image_.segment_bytes()),
      context_{
          image_, file_.persist(), heap_, locks_, versions_, table_, image_.superblock().Has(Superblock::kKeepsLog)},
      tree_(RootId::kKeys, image_, file_.persist(), generation),
      log_tree_(RootId::kLog, image_, file_.persist(), generation),
      marker_(keeps_log() ? std::vector<const Tree*>{&tree_, &log_tree_} : std::vector<const Tree*>{&tree_}, heap_,
              epochs_),
      compactor_(image_, heap_, gate_),
      compacts_in_background_(background == Background::kCompacts) {
  if (generation == 0) table_.Disable();
  if (file_.lock_fd() < 0) return;  // memory of this process
  if (generation != 0) {
    foreign_readers_ = std::make_unique<ForeignReaders>(file_, image_);
    epochs_.Serve(foreign_readers_.get());
  } else if (file_.is_live()) {
    follower_ = std::make_unique<PartsFollower>(file_, image_);
    image_.FollowGrowth(follower_.get());
    live_reader_ = std::make_unique<LiveReader>(file_, image_);
    epochs_.Join(live_reader_.get());
    tree_.ReadBeside(live_reader_.get());
    log_tree_.ReadBeside(live_reader_.get());
  }
}

StoreImpl::~StoreImpl() {
  closing_ = true;
  bell_.Ring();
  if (background_.joinable()) background_.join();
}

// ---- snapshots

OpenSnapshot::~OpenSnapshot() {
  if (view_.number != 0) store_.CloseSnapshot(view_.number);
}

absl::StatusOr<std::shared_ptr<const OpenSnapshot>> StoreImpl::NewSnapshot() {
  if (generation_ == 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        file_.path(), ": the store is open for reading only, and only the process that writes it can take snapshots."));
  }
  auto open = std::make_shared<OpenSnapshot>(*this);
  const Versions::Snapshot snapshot =
      versions_.Open([this] { gate_.WaitForChanges(); },
                     [this](RootId id) { return id == RootId::kKeys ? tree_.Root() : log_tree_.Root(); });
  open->set_view({snapshot.number, snapshot.roots, NowSeconds(), &versions_});
  return open;
}

void StoreImpl::CloseSnapshot(uint64_t number) {
  const auto closed = versions_.Close(number);
  if (!closed.has_value()) return;
  WriteScope scope(*this, Gate::Kind::kPrepares);
  versions_.LetGo(*closed, [&](const Retired& object) { heap_.Retire(scope.arena(), object); });
  scope.ReclaimIfDue();
}

// ---- writes

absl::Status StoreImpl::NotWritableError() const {
  if (generation_ != 0) return file_.persist().status();
  return absl::PermissionDeniedError(absl::StrCat(file_.path(), ": the store is open for reading only."));
}

absl::Status StoreImpl::LocateAndClaim(const Tree& tree, Change& change, std::string_view key, Location* location) {
  change.PrefetchTable(key);
  Descent descent;
  tree.Descend(key, Purpose::kWrite, descent);
  if (descent.outcome == Descent::Outcome::kLeaf && !change.IsLeftBehind(descent.node)) {
    if (!Tree::ClaimLeaf(descent, change)) return Restart();
    const absl::Status status = tree.LocateInLeaf(key, descent, change, location);
    // A layer there is one that the batch has made, or that damage hid from the descent.
    const bool goes_on = location->outcome == Location::Outcome::kFound && location->kind == Kind::kLayer;
    if (!status.ok() || !goes_on) return status;
  }
  absl::Status status = tree.Locate(key, change, location);
  if (status.ok() && !Tree::ClaimLast(*location, change)) status = Restart();
  return status;
}

absl::Status StoreImpl::TryWrite(Tree& tree, Arena& arena, std::string_view key, Operation operation,
                                 const Node** blocker) {
  Change change(context_, arena);
  Location location;
  absl::Status status = LocateAndClaim(tree, change, key, &location);
  if (status.ok()) status = operation(change, location);
  *blocker = change.blocker();
  return status;
}

absl::Status StoreImpl::WriteInSpace(Tree& tree, std::string_view key, Operation operation, Gate::Kind kind) {
  absl::Status status;
  {
    WriteScope scope(*this, kind);
    for (int turned_back = 0;;) {
      const Node* blocker = nullptr;
      status = TryWrite(tree, scope.arena(), key, operation, &blocker);
      if (IsAgain(status)) continue;
      if (!IsRestart(status) || ++turned_back > kMostTurnedBack) break;
      scope.WaitFor(blocker);
    }
    scope.ReclaimIfDue();
  }
  return IsRestart(status) ? WriteAlone(tree, key, operation) : status;
}

absl::Status StoreImpl::Write(std::string_view key, uint64_t bytes, Operation operation) {
  if (!IsWritable()) return NotWritableError();
  if (!background_has_begun_.load(std::memory_order_acquire)) [[unlikely]]
    BeginBackgroundPass();
  if (keeps_log()) [[unlikely]]
    return WriteLogged(key, bytes, operation);
  for (SpaceSought sought = SeekSpace();;) {
    const absl::Status status = WriteInSpace(tree_, key, operation);
    LookAfterSpaceIfDue(1);
    if (status.ok()) return file_.persist().status();
    // There may be space that isn't known yet, or that others hold, or that is dead.
    if (!absl::IsResourceExhausted(status) || !FindSpace(&sought, {bytes, RunBytes(bytes)})) {
      return WithGrowthError(status);
    }
  }
}

bool StoreImpl::IsStoppedByReader(const absl::Status& status) {
  if (!IsRestart(status)) return false;
  if (!WaitInTest()) sched_yield();
  return true;
}

// Others were in the way, again and again.
absl::Status StoreImpl::WriteAlone(Tree& tree, std::string_view key, Operation operation) {
  const ClosedGate closed(gate_);
  const EpochGuard guard(epochs_);
  Arena& arena = heap_.ArenaOf(guard.slot());
  const AloneInGate alone(arena);
  absl::Status status;
  do {
    const Node* blocker = nullptr;
    status = TryWrite(tree, arena, key, operation, &blocker);
  } while (IsAgain(status) || IsStoppedByReader(status));
  return status;
}

absl::Status StoreImpl::Put(std::string_view key, std::string_view value, bool only_if_absent) {
  if (!SizesFit(key, value.size())) return SizeError(key, value.size());
  if (!IsWritable()) return NotWritableError();
  if (key.size() == kSliceBytes && value.size() == sizeof(uint64_t) && !keeps_log() &&
      background_has_begun_.load(std::memory_order_relaxed)) {
    WriteScope scope(*this);
    Descent descent;
    tree_.Descend(key, Purpose::kWrite, descent);
    // A locked instruction waits for every earlier store, so behind the fence of the last commit: here that is over by
    // the time that the cache misses of the descent are.
    auto* const leaf = const_cast<Node*>(descent.node);
    if (descent.outcome == Descent::Outcome::kLeaf && locks_.TryLock(*leaf, descent.version)) [[likely]] {
      // As Change::Store: nothing is to be stored once msync has failed.
      const bool may_store = file_.persist().is_ok() && !versions_.Now().has_snapshots();
      const bool is_done = may_store && PutWord(key, value, only_if_absent, descent);
      locks_.Unlock(*leaf, descent.version.Locked(generation_));
      if (is_done) return file_.persist().status();
    }
  }
  return PutOtherwise(key, value, only_if_absent);
}

// What most puts of an 8-byte key and value come down to. False, and nothing was changed: not this one.
inline bool StoreImpl::PutWord(std::string_view key, std::string_view value, bool only_if_absent,
                               const Descent& descent) {
  uint64_t new_value;
  std::memcpy(&new_value, value.data(), sizeof(new_value));
  uint64_t* const word = Tree::InlineWord(descent, key);
  if (word == nullptr) return tree_.InsertInlineWord(descent, new_value);
  if (only_if_absent) return false;
  tree_.StoreInlineWord(word, new_value);
  return true;
}

absl::Status StoreImpl::PutOtherwise(std::string_view key, NewValue value, bool only_if_absent) {
  return Write(key, RecordBytes(key.size(), value.bytes.size()), [&](Change& change, Location& location) {
    if (only_if_absent && IsThere(location)) return absl::AlreadyExistsError("the key is there already");
    return PutAt(change, location, key, value);
  });
}

absl::Status StoreImpl::PutNewValue(std::string_view key, NewValue value) {
  if (!SizesFit(key, value.bytes.size())) return SizeError(key, value.bytes.size());
  if (!IsWritable()) return NotWritableError();
  if (absl::Status status = CheckExpiry(value.expiry); !status.ok()) return status;
  return PutOtherwise(key, value, /*only_if_absent=*/false);
}

absl::Status StoreImpl::CheckExpiry(uint32_t expiry) const {
  const bool knows_it = image_.superblock().Has(Superblock::kMayExpire);
  if (knows_it || expiry == kNeverOver) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(file_.path(),
                   ": a store of format 3.1 or older has no values that expire. Make a copy of it (`kvdump backup`)."));
}

absl::Status StoreImpl::PutAt(Change& change, Location& location, std::string_view key, NewValue value) {
  const absl::Status status = location.outcome == Location::Outcome::kFound
                                  ? tree_.Update(change, location, key, value)
                                  : tree_.Insert(change, location, key, value);
  if (status.ok()) change.LogPut(key, value.bytes, value.expiry);
  return status;
}

absl::Status StoreImpl::EraseAt(Change& change, Location& location, std::string_view key) {
  const absl::Status status = tree_.Erase(change, location);
  if (status.ok()) change.LogDelete(key);
  return status;
}

absl::Status StoreImpl::StoreWordAt(Change& change, Location& location, std::string_view key, uint64_t* word,
                                    uint64_t value) {
  const uint32_t expiry = tree_.ExpiryOf(location);
  const absl::Status status = tree_.StoreValueWord(change, location, key, word, value);
  if (status.ok()) change.LogPut(key, Tree::BytesOf(value), expiry);
  return status;
}

absl::Status StoreImpl::Delete(std::string_view key) {
  if (key.size() > kMaxKeyBytes) return KeyNotFound();
  bool is_sparse = false;
  const absl::Status status = Write(key, 0, [&](Change& change, Location& location) {
    if (!IsThere(location)) return KeyNotFound();
    is_sparse = Tree::IsSparse(location.leaf().perm.Remove(location.leaf().position));
    return EraseAt(change, location, key);
  });
  if (status.ok() && is_sparse) Rebalance(tree_, key);
  return status;
}

// After a delete. Nothing depends on it: where others are in the way for long, it is left undone.
void StoreImpl::Rebalance(Tree& tree, std::string_view key, Gate::Kind kind) noexcept {
  WriteScope scope(*this, kind);
  unsigned height = 0;
  for (int turned_back = 0; turned_back < kMostTurnedBack;) {
    const Node* blocker = nullptr;
    absl::Status status;
    {
      Change change(context_, scope.arena());
      status = tree.Rebalance(change, key, &height);
      blocker = change.blocker();
    }
    if (IsAgain(status)) continue;
    if (!IsRestart(status)) break;
    ++turned_back;
    height = 0;
    scope.WaitFor(blocker);
  }
  scope.ReclaimIfDue();
}

absl::Status StoreImpl::Update(
    std::string_view key, const std::function<std::optional<std::string>(std::optional<std::string_view>)>& update) {
  if (key.size() > kMaxKeyBytes) return SizeError(key, 0);
  for (;;) {
    std::string before;
    const absl::Status found = Get(key, &before);
    if (!found.ok() && !absl::IsNotFound(found)) return found;
    const std::optional<std::string> after =
        update(found.ok() ? std::optional<std::string_view>(before) : std::nullopt);
    if (after.has_value() && !SizesFit(key, after->size())) return SizeError(key, after->size());
    bool has_changed = false;
    bool is_sparse = false;
    const uint64_t bytes = after.has_value() ? RecordBytes(key.size(), after->size()) : 0;
    const absl::Status status = Write(key, bytes, [&](Change& change, Location& location) {
      has_changed = !IsValue(location, found.ok(), before);
      if (has_changed) return absl::OkStatus();
      if (!after.has_value()) {
        if (!found.ok()) return absl::OkStatus();
        is_sparse = Tree::IsSparse(location.leaf().perm.Remove(location.leaf().position));
        return EraseAt(change, location, key);
      }
      // What replaces a value keeps its expiry.
      return PutAt(change, location, key, {*after, found.ok() ? tree_.ExpiryOf(location) : kNeverOver});
    });
    if (!status.ok()) return status;
    if (is_sparse) Rebalance(tree_, key);
    if (!has_changed) return absl::OkStatus();
  }
}

bool StoreImpl::IsValue(const Location& location, bool is_there, std::string_view value) const {
  if (IsThere(location) != is_there) return false;
  if (!is_there) return true;
  if (const uint64_t* const word = tree_.ValueWord(location)) return Tree::BytesOf(*word) == value;
  const PathStep& leaf = location.path.back();
  const RecordView record = image_.RecordAt(leaf.node->record(leaf.perm.slot(leaf.position)).offset());
  return !record.is_null() && record.value() == value;
}

absl::StatusOr<uint64_t> StoreImpl::Add(std::string_view key, uint64_t delta) {
  if (!SizesFit(key, sizeof(uint64_t))) return SizeError(key, sizeof(uint64_t));
  uint64_t sum = delta;
  const absl::Status status =
      Write(key, RecordBytes(key.size(), sizeof(delta)), [&](Change& change, Location& location) {
        sum = delta;
        if (!IsThere(location)) {
          return PutAt(change, location, key, Tree::BytesOf(delta));
        }
        uint64_t* word = tree_.ValueWord(location);
        if (word == nullptr) return absl::FailedPreconditionError("Add needs a value of 8 bytes");
        sum = Node::Load(*word) + delta;
        return StoreWordAt(change, location, key, word, sum);
      });
  if (!status.ok()) return status;
  return sum;
}

absl::StatusOr<uint64_t> StoreImpl::CompareAndSwap(std::string_view key, uint64_t expected, uint64_t desired) {
  if (key.size() > kMaxKeyBytes) return KeyNotFound();
  uint64_t before = 0;
  const uint64_t bytes = RecordBytes(key.size(), sizeof(desired));
  const absl::Status status = Write(key, bytes, [&](Change& change, Location& location) {
    if (!IsThere(location)) return KeyNotFound();
    uint64_t* word = tree_.ValueWord(location);
    if (word == nullptr) return absl::FailedPreconditionError("CompareAndSwap needs a value of 8 bytes");
    before = Node::Load(*word);
    return before == expected ? StoreWordAt(change, location, key, word, desired) : absl::OkStatus();
  });
  if (!status.ok()) return status;
  return before;
}

// Anew each time, where another process may be writing.
void StoreImpl::CountInTable(Stats& stats) const {
  for (uint64_t segment = image_.header_segments(); segment < image_.segment_count();) {
    const SegmentWord word = image_.segment_word(segment);
    const bool is_sound = word.raw() != SegmentWord::kFreeRaw && word.IsWellFormed(segment, image_.segment_count());
    const uint32_t length = is_sound ? word.run_length() : 1;
    stats.segments_free += word.raw() == SegmentWord::kFreeRaw;
    if (is_sound) {
      stats.segments_nodes += word.kind() == SegmentKind::kNodes ? length : 0;
      stats.segments_records += word.kind() == SegmentKind::kRecords ? length : 0;
      stats.segments_large += word.kind() == SegmentKind::kLarge ? length : 0;
    }
    segment += length;
  }
}

Stats StoreImpl::GetStats() {
  if (follower_ != nullptr) follower_->Follow();
  Stats stats;
  stats.path = file_.path();
  stats.tier = file_.tier();
  stats.tier_reason = file_.tier_reason();
  const Superblock& superblock = image_.superblock();
  const uint64_t parts_bytes = image_.size_bytes() - (superblock.segment_count << superblock.segment_bytes_log2);
  stats.capacity_bytes = superblock.capacity_bytes + parts_bytes;
  stats.max_bytes = std::max(stats.capacity_bytes, image_.most_segments() * image_.segment_bytes());
  stats.parts = Image::PartCount(superblock);
  stats.segment_bytes = image_.segment_bytes();
  stats.segments_total = image_.segment_count();
  stats.segments_header = image_.header_segments();
  stats.generation = image_.superblock().generation;
  if (keeps_log()) stats.log = GetLogStats();
  if (file_.lock_fd() >= 0) stats.writer_pid = generation_ != 0 ? getpid() : daxfile::WriterPid(file_.lock_fd());
  if (generation_ == 0) {
    CountInTable(stats);
    return stats;
  }
  if (foreign_readers_ != nullptr) foreign_readers_->Describe(epochs_.current(), stats);
  const Heap::Usage usage = heap_.GetUsage();
  stats.space_is_known = usage.space_is_known;
  stats.segments_free = usage.segments_free;
  stats.segments_nodes = usage.segments_nodes;
  stats.segments_records = usage.segments_records;
  stats.segments_large = usage.segments_large;
  stats.node_bytes_used = usage.node_bytes_used;
  stats.record_bytes_used = usage.record_bytes_used;
  stats.bytes_retired = usage.bytes_retired;
  stats.node_bytes_idle = usage.node_bytes_idle;
  stats.record_bytes_idle = usage.record_bytes_idle;
  stats.segments_by_liveness = usage.segments_by_liveness;
  stats.segments_kept = usage.segments_kept;
  stats.record_bytes_over = heap_.OverBytes();
  stats.bytes_moved = usage.bytes_moved;
  stats.segments_emptied = heap_.releases();
  stats.writes_that_grew = writes_that_grew_.load(std::memory_order_relaxed);
  stats.growth_error = growth_.last_error();
  const Versions::Usage versions = versions_.GetUsage();
  stats.snapshots_open = versions.snapshots_open;
  stats.oldest_snapshot_seconds = versions.oldest_age_seconds;
  stats.snapshot_bytes_retained = versions.retained_bytes;
  stats.snapshot_bytes_in_dram = versions.node_images_bytes;
  return stats;
}

}  // namespace sealkv::internal
