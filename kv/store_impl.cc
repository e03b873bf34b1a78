#include "kv/store_impl.h"

#include <sched.h>

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "kv/iterator.h"

namespace sealkv::internal {
namespace {

constexpr unsigned kEntriesPerStep = 256;

absl::Status CheckSizes(std::string_view key, size_t value_bytes) {
  if (key.size() > kMaxKeyBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("a key of ", key.size(), " bytes is too large: the most is ", kMaxKeyBytes, "."));
  }
  if (value_bytes > kMaxValueBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("a value of ", value_bytes, " bytes is too large: the most is ", kMaxValueBytes, "."));
  }
  return absl::OkStatus();
}

absl::Status KeyNotFound() { return absl::NotFoundError("no such key"); }

}  // namespace

StoreImpl::StoreImpl(daxfile::DaxFile file, const Image& image, uint32_t generation)
    : file_(std::move(file)),
      image_(image),
      generation_(generation),
      heap_(image_, file_.persist(), epochs_, generation),
      tree_(image_, file_.persist(), heap_, generation),
      marker_(tree_, heap_, epochs_) {}

StoreImpl::~StoreImpl() {
  closing_ = true;
  if (background_.joinable()) background_.join();
}

// ---- reads

template <typename Use>
absl::Status StoreImpl::Read(std::string_view key, Use use) const {
  if (key.size() > kMaxKeyBytes) return KeyNotFound();
  for (;;) {
    Found found;
    const absl::StatusOr<bool> is_there = tree_.Find(key, &found);
    if (!is_there.ok()) return is_there.status();
    if (!*is_there) return KeyNotFound();
    if (found.kind == Kind::kInline) {
      use(std::string_view(reinterpret_cast<const char*>(&found.ref), sizeof(found.ref)), true);
      return absl::OkStatus();
    }
    const RecordView record = image_.RecordAt(RecordRef::FromRaw(found.ref).offset());
    if (record.is_null()) {
      return absl::DataLossError(absl::StrCat("store damaged at offset ", Raw(image_.OffsetOf(found.leaf)),
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
    if (!Tree::IsUnchanged(*found.leaf, found.version)) continue;
    use(std::string_view(reinterpret_cast<const char*>(&word), sizeof(word)), true);
    return absl::OkStatus();
  }
}

absl::Status StoreImpl::Get(std::string_view key, std::string* value) const {
  const EpochGuard guard(epochs_);
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
  if (!pinned.is_inline_) pinned.slot_ = guard.Release();
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

void StoreImpl::LockForWriting() {
  if (writer_mutex_.try_lock()) return;
  writers_waiting_.fetch_add(1, std::memory_order_relaxed);
  writer_mutex_.lock();
  writers_waiting_.fetch_sub(1, std::memory_order_relaxed);
}

absl::Status StoreImpl::Write(std::string_view key, absl::FunctionRef<absl::Status(Location&)> operation) {
  if (generation_ == 0) {
    return absl::PermissionDeniedError(absl::StrCat(file_.path(), ": the store is open for reading only."));
  }
  LockForWriting();
  std::unique_lock<std::mutex> lock(writer_mutex_, std::adopt_lock);
  if (!background_has_begun_) BeginBackgroundPass();
  for (;;) {
    Location location;
    absl::Status status = tree_.Locate(key, &location);
    if (status.ok()) status = operation(location);
    heap_.ReclaimIfDue();
    if (status.ok()) return file_.persist().status();
    if (absl::IsResourceExhausted(status)) {
      if (!marker_.is_done()) {
        // There may be space that isn't known yet.
        space_is_known_.wait(lock, [this] { return marker_.is_done(); });
        continue;
      }
      heap_.ReclaimAll();
    }
    return status;
  }
}

absl::Status StoreImpl::Put(std::string_view key, std::string_view value, bool only_if_absent) {
  if (absl::Status status = CheckSizes(key, value.size()); !status.ok()) return status;
  return Write(key, [&](Location& location) {
    if (location.outcome != Location::Outcome::kFound) return tree_.Insert(location, key, value);
    if (only_if_absent) return absl::AlreadyExistsError("the key is there already");
    return tree_.Update(location, key, value);
  });
}

absl::Status StoreImpl::Delete(std::string_view key) {
  if (key.size() > kMaxKeyBytes) return KeyNotFound();
  return Write(key, [&](Location& location) {
    if (location.outcome != Location::Outcome::kFound) return KeyNotFound();
    return tree_.Erase(location);
  });
}

absl::StatusOr<uint64_t> StoreImpl::Add(std::string_view key, uint64_t delta) {
  if (absl::Status status = CheckSizes(key, sizeof(uint64_t)); !status.ok()) return status;
  uint64_t sum = delta;
  const absl::Status status = Write(key, [&](Location& location) {
    if (location.outcome != Location::Outcome::kFound) {
      return tree_.Insert(location, key, {reinterpret_cast<const char*>(&delta), sizeof(delta)});
    }
    uint64_t* word = tree_.ValueWord(location);
    if (word == nullptr) return absl::FailedPreconditionError("Add needs a value of 8 bytes");
    sum = Node::Load(*word) + delta;
    tree_.StoreValueWord(location, word, sum);
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
    if (before == expected) tree_.StoreValueWord(location, word, desired);
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return before;
}

// ---- the background pass

// A small store is counted at once; a large one by a thread.
void StoreImpl::BeginBackgroundPass() {
  background_has_begun_ = true;
  if (marker_.Step(kEntriesPerStep)) return;
  background_ = std::thread([this] { RunBackgroundPass(); });
}

void StoreImpl::RunBackgroundPass() {
  for (bool done = false; !done && !closing_;) {
    while (writers_waiting_.load(std::memory_order_relaxed) > 0 && !closing_) sched_yield();
    const std::lock_guard<std::mutex> lock(writer_mutex_);
    done = marker_.Step(kEntriesPerStep);
  }
  space_is_known_.notify_all();
}

absl::Status StoreImpl::WaitUntilSpaceIsKnown() {
  if (generation_ == 0) return absl::OkStatus();
  for (;;) {
    const std::lock_guard<std::mutex> lock(writer_mutex_);
    background_has_begun_ = true;
    if (!marker_.Step(kEntriesPerStep)) continue;
    heap_.ReclaimAll();
    space_is_known_.notify_all();
    return marker_.status();
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
  const std::lock_guard<std::mutex> lock(writer_mutex_);
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
