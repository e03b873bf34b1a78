#include "kv/store_impl.h"

#include <sched.h>
#include <unistd.h>

#include <cstring>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daxfile/file_lock.h"
#include "kv/iterator.h"
#include "kv/wait.h"

namespace sealkv::internal {
namespace {

constexpr unsigned kEntriesPerStep = 256;
constexpr int kYieldsPerStep = 64;

absl::Status SizeError(std::string_view key, size_t value_bytes) {
  if (key.size() > kMaxKeyBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("a key of ", key.size(), " bytes is too large: the most is ", kMaxKeyBytes, "."));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("a value of ", value_bytes, " bytes is too large: the most is ", kMaxValueBytes, "."));
}

bool SizesFit(std::string_view key, size_t value_bytes) {
  return key.size() <= kMaxKeyBytes && value_bytes <= kMaxValueBytes;
}

absl::Status KeyNotFound() { return absl::NotFoundError("no such key"); }

}  // namespace

StoreImpl::StoreImpl(daxfile::DaxFile file, const Image& image, uint32_t generation)
    : file_(std::move(file)),
      image_(image),
      generation_(generation),
      heap_(image_, file_.persist(), epochs_, generation),
      tree_(image_, file_.persist(), heap_, generation),
      marker_(tree_, heap_, epochs_) {
  if (file_.lock_fd() < 0) return;  // memory of this process
  if (generation != 0) {
    foreign_readers_ = std::make_unique<ForeignReaders>(file_, image_);
    epochs_.Serve(foreign_readers_.get());
  } else if (file_.is_live()) {
    live_reader_ = std::make_unique<LiveReader>(file_, image_);
    epochs_.Join(live_reader_.get());
    tree_.ReadBeside(live_reader_.get());
  }
}

StoreImpl::~StoreImpl() {
  closing_ = true;
  if (background_.joinable()) background_.join();
}

// ---- reads

// The shortest way: the value of an 8-byte key, in its leaf. False: it isn't there, or not so simple.
inline bool StoreImpl::ReadInlineWord(std::string_view key, uint64_t* value) const {
  Descent descent;
  tree_.Descend(key, Purpose::kRead, descent);
  const uint64_t* const word = Tree::InlineWord(descent, key);
  if (word == nullptr) return false;
  *value = Node::Load(*word);
  return Tree::IsUnchanged(*descent.node, descent.version);
}

template <typename Use>
absl::Status StoreImpl::Read(std::string_view key, Use use) const {
  if (key.size() > kMaxKeyBytes) return KeyNotFound();
  Descent descent;
  Found found;
  for (;;) {
    tree_.Descend(key, Purpose::kRead, descent);
    const absl::StatusOr<Tree::LeafStep> step = tree_.Find(descent, key, &found);
    if (!step.ok()) return step.status();
    if (*step == Tree::LeafStep::kRestart) continue;
    if (*step == Tree::LeafStep::kAbsent) return KeyNotFound();
    if (found.kind == Kind::kInline) {
      use(std::string_view(reinterpret_cast<const char*>(&found.ref), sizeof(found.ref)), true);
      return absl::OkStatus();
    }
    const RecordView record = image_.RecordAt(RecordRef::FromRaw(found.ref).offset());
    if (record.is_null()) {
      return absl::DataLossError(absl::StrCat("store damaged at offset ", Raw(image_.OffsetOf(descent.node)),
                                              ": a reference to a record leads nowhere. Run `kvdump check`."));
    }
    if (record.key() != key) return KeyNotFound();
    if (!record.ChecksumHolds()) {
      return absl::DataLossError(absl::StrCat("store damaged at offset ", Raw(image_.OffsetOf(record.data())),
                                              ": a record's checksum. Run `kvdump check`."));
    }
    if (!record.has_word_value()) {
      use(record.value(), false);
      return absl::OkStatus();
    }
    // The word may be changing in place: what was read is durable if the leaf was left alone until after it.
    const uint64_t word = Node::Load(*record.value_word());
    if (!Tree::IsUnchanged(*descent.node, descent.version)) continue;
    use(std::string_view(reinterpret_cast<const char*>(&word), sizeof(word)), true);
    return absl::OkStatus();
  }
}

absl::Status StoreImpl::Get(std::string_view key, std::string* value) const {
  const EpochGuard guard(epochs_);
  uint64_t word;
  if (key.size() == kSliceBytes && ReadInlineWord(key, &word)) [[likely]] {
    if (value->size() != sizeof(word)) value->resize(sizeof(word));
    std::memcpy(value->data(), &word, sizeof(word));
    return absl::OkStatus();
  }
  return Read(key, [value](std::string_view bytes, bool) { value->assign(bytes); });
}

absl::StatusOr<PinnedValue> StoreImpl::GetPinned(std::string_view key) const {
  EpochGuard guard(epochs_);
  PinnedValue pinned;
  const absl::Status status = Read(key, [&pinned](std::string_view bytes, bool is_word) {
    pinned.is_inline_ = is_word;
    if (is_word) {
      std::memcpy(pinned.inline_bytes_.data(), bytes.data(), sizeof(uint64_t));
    } else {
      pinned.view_ = bytes;
    }
  });
  if (!status.ok()) return status;
  if (!pinned.is_inline_) pinned.slot_ = guard.Keep(epochs_);
  return pinned;
}

absl::StatusOr<bool> StoreImpl::Exists(std::string_view key) const {
  const EpochGuard guard(epochs_);
  const absl::Status status = Read(key, [](std::string_view, bool) {});
  if (absl::IsNotFound(status)) return false;
  if (!status.ok()) return status;
  return true;
}

std::unique_ptr<Iterator> StoreImpl::NewIterator(Range range) const {
  return std::make_unique<RangeIterator>(tree_, epochs_, std::move(range));
}

// ---- writes

// The way down is walked before the lock is taken. A locked instruction waits for every earlier store, so behind the
// fence of the last commit: here that is over by the time that the cache misses of this descent are.
[[gnu::always_inline]] inline bool StoreImpl::DescendAndLock(std::string_view key, Descent& descent) {
  bool is_locked, knows_leaf;
  {
    const EpochGuard guard(epochs_);
    tree_.Descend(key, Purpose::kWrite, descent);
    is_locked = writer_lock_.try_lock();
    knows_leaf = is_locked && descent.outcome == Descent::Outcome::kLeaf &&
                 Tree::IsUnchanged(*descent.node, descent.version) && background_has_begun_;
  }
  // Nobody waits in an epoch: it would hold back the space that whoever has the lock may need.
  if (!is_locked) writer_lock_.lock();
  return knows_leaf;
}

inline bool StoreImpl::IsWritable() const { return generation_ != 0 && file_.persist().is_ok(); }

absl::Status StoreImpl::NotWritableError() const {
  if (generation_ != 0) return file_.persist().status();
  return absl::PermissionDeniedError(absl::StrCat(file_.path(), ": the store is open for reading only."));
}

absl::Status StoreImpl::Write(std::string_view key, absl::FunctionRef<absl::Status(Location&)> operation) {
  if (!IsWritable()) return NotWritableError();
  Descent descent;
  const bool knows_leaf = DescendAndLock(key, descent);
  return WriteLocked(key, knows_leaf ? &descent : nullptr, operation);
}

absl::Status StoreImpl::WriteLocked(std::string_view key, const Descent* descent,
                                    absl::FunctionRef<absl::Status(Location&)> operation) {
  std::unique_lock<WriterLock> lock(writer_lock_, std::adopt_lock);
  if (!background_has_begun_) BeginBackgroundPass();
  bool has_released = false;
  for (;;) {
    Location location;
    absl::Status status =
        descent != nullptr ? tree_.LocateInLeaf(key, *descent, &location) : tree_.Locate(key, &location);
    descent = nullptr;
    if (status.ok()) status = operation(location);
    heap_.ReclaimIfDue();
    if (status.ok()) return file_.persist().status();
    if (absl::IsResourceExhausted(status)) {
      if (!marker_.is_done()) {
        // There may be space that isn't known yet.
        waiting_for_space_.fetch_add(1, std::memory_order_relaxed);
        space_is_known_.wait(lock, [this] { return marker_.is_done(); });
        waiting_for_space_.fetch_sub(1, std::memory_order_relaxed);
        continue;
      }
      // Once: what the attempt takes for its nodes would be released again, and again.
      if (!std::exchange(has_released, true) && ReleaseNodeSpace()) continue;
    }
    return status;
  }
}

absl::Status StoreImpl::Put(std::string_view key, std::string_view value, bool only_if_absent) {
  if (!SizesFit(key, value.size())) return SizeError(key, value.size());
  if (!IsWritable()) return NotWritableError();
  Descent descent;
  const bool knows_leaf = DescendAndLock(key, descent);
  if (knows_leaf && key.size() == kSliceBytes && value.size() == sizeof(uint64_t) &&
      PutWord(key, value, only_if_absent, descent)) {
    writer_lock_.unlock();
    return file_.persist().status();
  }
  return PutLocked(key, value, only_if_absent, knows_leaf ? &descent : nullptr);
}

// What most puts of an 8-byte key and value come down to. False, and nothing was changed: not this one.
inline bool StoreImpl::PutWord(std::string_view key, std::string_view value, bool only_if_absent,
                               const Descent& descent) {
  uint64_t new_value;
  std::memcpy(&new_value, value.data(), sizeof(new_value));
  uint64_t* const word = Tree::InlineWord(descent, key);
  if (word == nullptr) return tree_.InsertInlineWord(descent, new_value);
  if (only_if_absent) return false;
  tree_.StoreValueWord(const_cast<Node&>(*descent.node), word, new_value);
  return true;
}

absl::Status StoreImpl::PutLocked(std::string_view key, std::string_view value, bool only_if_absent,
                                  const Descent* descent) {
  return WriteLocked(key, descent, [&](Location& location) {
    if (location.outcome != Location::Outcome::kFound) return tree_.Insert(location, key, value);
    if (only_if_absent) return absl::AlreadyExistsError("the key is there already");
    return tree_.Update(location, key, value);
  });
}

absl::Status StoreImpl::Delete(std::string_view key) {
  if (key.size() > kMaxKeyBytes) return KeyNotFound();
  return Write(key, [&](Location& location) {
    if (location.outcome != Location::Outcome::kFound) return KeyNotFound();
    return tree_.Erase(location, key);
  });
}

absl::StatusOr<uint64_t> StoreImpl::Add(std::string_view key, uint64_t delta) {
  if (!SizesFit(key, sizeof(uint64_t))) return SizeError(key, sizeof(uint64_t));
  uint64_t sum = delta;
  const absl::Status status = Write(key, [&](Location& location) {
    if (location.outcome != Location::Outcome::kFound) {
      return tree_.Insert(location, key, {reinterpret_cast<const char*>(&delta), sizeof(delta)});
    }
    uint64_t* word = tree_.ValueWord(location);
    if (word == nullptr) return absl::FailedPreconditionError("Add needs a value of 8 bytes");
    sum = Node::Load(*word) + delta;
    tree_.StoreValueWord(*location.leaf().node, word, sum);
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return sum;
}

absl::StatusOr<uint64_t> StoreImpl::CompareAndSwap(std::string_view key, uint64_t expected, uint64_t desired) {
  if (key.size() > kMaxKeyBytes) return KeyNotFound();
  uint64_t before = 0;
  const absl::Status status = Write(key, [&](Location& location) {
    if (location.outcome != Location::Outcome::kFound) return KeyNotFound();
    uint64_t* word = tree_.ValueWord(location);
    if (word == nullptr) return absl::FailedPreconditionError("CompareAndSwap needs a value of 8 bytes");
    before = Node::Load(*word);
    if (before == expected) tree_.StoreValueWord(*location.leaf().node, word, desired);
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return before;
}

// ---- the background pass

// A small store is counted at once; a large one by a thread.
void StoreImpl::BeginBackgroundPass() {
  background_has_begun_ = true;
  if (StepBackgroundPass()) return;
  try {
    background_ = std::thread([this] { RunBackgroundPass(); });
  } catch (const std::system_error&) {
    while (!StepBackgroundPass()) continue;  // no thread to be had: this write takes longer
  }
}

bool StoreImpl::StepBackgroundPass() {
  if (!marker_.Step(kEntriesPerStep)) return false;
  ReleaseNodeSpace();
  return true;
}

bool StoreImpl::ReleaseNodeSpace() {
  if (!marker_.status().ok()) return false;
  heap_.ReclaimAll();
  if (!heap_.HasEmptyNodeSegments()) return false;
  tree_.hints().Disable();
  epochs_.Advance();
  // A reader from before may still follow a hint, or leave one. A call ends soon; a pinned value or an iterator may
  // stay: then not now.
  bool nobody_reads = false;
  for (int i = 0; i < kYieldsPerStep && !nobody_reads; ++i) {
    if (i > 0 && !WaitInTest()) sched_yield();
    nobody_reads = epochs_.Oldest() >= epochs_.current();
  }
  heap_.ReclaimAll();
  bool has_released = false;
  if (nobody_reads) {
    tree_.hints().Clear();
    has_released = heap_.ReleaseEmptyNodeSegments();
  }
  tree_.hints().Enable();
  return has_released;
}

void StoreImpl::RunBackgroundPass() {
  for (bool done = false; !done && !closing_;) {
    // Writers go first, within reason, and unless they wait for this.
    for (int i = 0; i < kYieldsPerStep && writer_lock_.is_contended() && waiting_for_space_ == 0 && !closing_; ++i) {
      sched_yield();
    }
    const std::lock_guard<WriterLock> lock(writer_lock_);
    done = StepBackgroundPass();
  }
  space_is_known_.notify_all();
}

absl::Status StoreImpl::WaitUntilSpaceIsKnown() {
  if (generation_ == 0) return absl::OkStatus();
  for (;;) {
    const std::lock_guard<WriterLock> lock(writer_lock_);
    background_has_begun_ = true;
    if (!StepBackgroundPass()) continue;
    heap_.ReclaimAll();
    space_is_known_.notify_all();
    return marker_.status();
  }
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
  Stats stats;
  stats.path = file_.path();
  stats.tier = file_.tier();
  stats.tier_reason = file_.tier_reason();
  stats.capacity_bytes = image_.superblock().capacity_bytes;
  stats.segment_bytes = image_.segment_bytes();
  stats.segments_total = image_.segment_count();
  stats.segments_header = image_.header_segments();
  stats.generation = image_.superblock().generation;
  if (file_.lock_fd() >= 0) stats.writer_pid = generation_ != 0 ? getpid() : daxfile::WriterPid(file_.lock_fd());
  if (generation_ == 0) {
    CountInTable(stats);
    return stats;
  }
  const std::lock_guard<WriterLock> lock(writer_lock_);
  if (foreign_readers_ != nullptr) foreign_readers_->Describe(epochs_.current(), stats);
  stats.space_is_known = heap_.space_is_known();
  Segments& segments = heap_.segments();
  segments.ScanAll();
  stats.segments_free = segments.free_count();
  for (uint64_t segment = image_.header_segments(); segment < image_.segment_count(); ++segment) {
    const SegmentState& state = segments.state(segment);
    stats.segments_nodes += state.kind == SegmentKind::kNodes;
    stats.segments_records += state.kind == SegmentKind::kRecords;
    stats.segments_large += state.kind == SegmentKind::kLarge;
  }
  stats.node_bytes_used = heap_.node_bytes_used();
  stats.record_bytes_used = heap_.record_bytes_used();
  stats.bytes_retired = heap_.bytes_retired();
  return stats;
}

}  // namespace sealkv::internal
