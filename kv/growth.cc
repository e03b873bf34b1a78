#include "kv/growth.h"

#include <algorithm>
#include <thread>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "daxfile/file_lock.h"
#include "kv/recovery.h"

namespace sealkv::internal {
namespace {

// Of the store that a part adds: so that it takes few of them, and none takes long to make.
constexpr uint64_t kPartOfStore = 8;
constexpr uint64_t kLeastPartOfStore = 64;  // where there isn't space for that
constexpr uint64_t kLeastSegments = 4;
constexpr std::chrono::microseconds kPaceSleep(200);
constexpr uint64_t kHugePageBytes = 2 << 20;
constexpr std::chrono::seconds kMostUntilNextTry(64);

}  // namespace

bool Growth::IsPossible() const {
  return image_.segment_count() < image_.most_segments() && parts() < Superblock::kParts && file_.persist().is_ok();
}

std::string Growth::last_error() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return std::string(last_.message());
}

bool Growth::IsForRecord(uint64_t record_bytes) const {
  return SegmentsToAdd(record_bytes) > std::max(kLeastSegments, image_.segment_count() / kPartOfStore);
}

uint64_t Growth::SegmentsToAdd(uint64_t record_bytes) const {
  // In one piece, and with those that compaction keeps for itself.
  const uint64_t for_record = record_bytes / image_.segment_bytes() + kLeastSegments;
  return std::max(image_.segment_count() / kPartOfStore, for_record);
}

// So that the next part can begin with a huge page; and no more than there may be.
uint64_t Growth::RoundedSegments(uint64_t segments) const {
  const uint64_t unit = std::max(file_.part_unit_bytes(), image_.segment_bytes());
  const uint64_t bytes = segments * image_.segment_bytes();
  const uint64_t alignment = bytes >= 4 * kHugePageBytes ? std::max(unit, kHugePageBytes) : unit;
  const uint64_t end = (image_.size_bytes() + bytes + alignment - 1) / alignment * alignment;
  const uint64_t most = std::min(image_.most_segments() * image_.segment_bytes(), file_.reserved_bytes());
  const uint64_t most_added = (most - std::min(most, image_.size_bytes())) / unit * unit;
  return std::min(end - image_.size_bytes(), most_added) / image_.segment_bytes();
}

absl::Status Growth::AddPart(uint64_t segments, const std::function<bool()>& go_on) {
  Superblock& superblock = image_.superblock();
  const uint64_t i = Image::PartCount(superblock);
  const uint64_t bytes = segments * image_.segment_bytes();
  const daxfile::Part part = {superblock.store_id, i + 1, image_.size_bytes(), bytes};
  const uint64_t free = heap_.free_segments();
  const absl::Status made = file_.CreatePart(part, [&](uint64_t bytes_done, uint64_t bytes_in_all) {
    // Falls from 7/8 to 1/8 of it.
    least_free_.store(free * 7 / 8 - free * 6 / 8 * bytes_done / bytes_in_all, std::memory_order_relaxed);
    return !go_on || go_on();
  });
  least_free_.store(0, std::memory_order_relaxed);
  if (!made.ok()) return made;
  SetPartWord(i, PartWord(static_cast<uint32_t>(segments), i));
  heap_.AddSegments([&] { image_.Extend(part.at + part.bytes); });
  parts_.store(i + 1, std::memory_order_relaxed);
  return file_.persist().status();
}

void Growth::SetPartWord(uint64_t i, PartWord word) {
  uint64_t* const at = &image_.superblock().parts[i];
  file_.persist().Store(at, word.raw());
  file_.persist().Flush(at);
  file_.persist().Fence();
}

// Less, where there isn't space for so much.
absl::Status Growth::AddMostFitting(uint64_t record_bytes, const std::function<bool()>& go_on) {
  uint64_t segments = SegmentsToAdd(record_bytes);
  const bool is_for_record = IsForRecord(record_bytes);
  // Each takes a word of the superblock for good: not too small.
  const uint64_t least =
      is_for_record ? segments : std::max(kLeastSegments, image_.segment_count() / kLeastPartOfStore);
  absl::Status status = absl::ResourceExhaustedError("the store is as large as it may become");
  for (; segments >= least; segments /= 2) {
    const uint64_t rounded = RoundedSegments(segments);
    if (rounded == 0 || (is_for_record && rounded < least)) return status;
    status = AddPart(rounded, go_on);
    if (!absl::IsResourceExhausted(status)) return status;
  }
  return status;
}

absl::Status Growth::Grow(uint64_t than_bytes, uint64_t record_bytes, const std::function<bool()>& go_on) {
  std::unique_lock<std::mutex> lock(mutex_);
  const auto is_too_early = [&] {
    return !last_.ok() && !IsForRecord(record_bytes) && std::chrono::steady_clock::now() < next_try_;
  };
  if (is_too_early()) return last_;
  // Whoever waits goes on with the first part that is there, though others may be making the next one.
  wanted_.fetch_add(1, std::memory_order_relaxed);
  changed_.wait(lock, [&] { return work_ == Work::kNone || image_.size_bytes() > than_bytes; });
  wanted_.fetch_sub(1, std::memory_order_relaxed);
  changed_.notify_all();
  if (image_.size_bytes() > than_bytes) return absl::OkStatus();
  if (is_too_early()) return last_;
  if (!IsPossible()) return absl::ResourceExhaustedError("the store is as large as it may become");
  work_ = Work::kGrows;
  lock.unlock();
  // Also if `go_on` throws, or there is no memory.
  absl::Cleanup end = [&] {
    least_free_.store(0, std::memory_order_relaxed);
    if (!lock.owns_lock()) lock.lock();
    work_ = Work::kNone;
    changed_.notify_all();
  };
  const absl::Status status = AddMostFitting(record_bytes, go_on);
  lock.lock();
  last_ = absl::IsCancelled(status) ? absl::OkStatus() : status;
  // That there is no space for one large record says nothing of others.
  delay_ = last_.ok() || IsForRecord(record_bytes) ? kUntilNextTry : std::min(2 * delay_, kMostUntilNextTry);
  if (!IsForRecord(record_bytes)) next_try_ = std::chrono::steady_clock::now() + delay_;
  return status;
}

// The word may be taken back: until then nothing has happened.
absl::Status Growth::RemoveLastPart() {
  Superblock& superblock = image_.superblock();
  const uint64_t i = parts() - 1;
  const uint64_t at = PartOf(superblock, i).at;
  const PartWord word = Image::PartWordAt(superblock, i);
  if (!file_.persist().is_ok()) return file_.persist().status();
  SetPartWord(i, PartWord(PartWord::kNoneRaw));
  // Or the file would be gone, and the word still there.
  if (!file_.persist().is_ok()) return file_.persist().status();
  // Who comes now sees the word, and who came before is seen here: each locks the file before he looks.
  if (absl::Status status = NoReadersElsewhere(); !status.ok()) {
    SetPartWord(i, word);
    return status;
  }
  heap_.RemoveWithheld([&] { image_.Extend(at); });
  parts_.store(i, std::memory_order_relaxed);
  return file_.RemoveLastPart();
}

absl::Status Growth::NoReadersElsewhere() const {
  if (file_.lock_fd() < 0) return absl::OkStatus();
  const std::vector<int> pids = daxfile::LiveReaderPids(file_.lock_fd());
  if (pids.empty()) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat(file_.path(), ": can't shrink while process ", pids.front(),
                                             " has it open for reading. Close it there first."));
}

void Growth::Begin(Work work) {
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait(lock, [&] { return work_ == Work::kNone && !IsGrowthWanted(); });
  work_ = work;
}

void Growth::End() {
  const std::lock_guard<std::mutex> lock(mutex_);
  work_ = Work::kNone;
  works_done_.fetch_add(1, std::memory_order_release);
  changed_.notify_all();
}

absl::Status Growth::Shrink(Empty empty) noexcept {
  Begin(Work::kShrinks);
  absl::Status status = NoReadersElsewhere();
  while (status.ok() && parts() > 0) {
    const uint64_t first = PartOf(image_.superblock(), parts() - 1).at / image_.segment_bytes();
    if (!heap_.FitsBefore(first)) break;
    if (const uint64_t run_length = heap_.MissingRunBefore(first); run_length > 0) {
      const absl::StatusOr<bool> is_made = TryToMakeRun(run_length, first, empty);
      status = is_made.status();
      if (!status.ok() || !*is_made || heap_.MissingRunBefore(first) > 0) break;  // or others have taken it
    }
    status = empty({first, image_.segment_count()});
    if (status.ok()) status = RemoveLastPart();
    heap_.EndWithholding();
  }
  End();
  return status;
}

absl::StatusOr<bool> Growth::TryToMakeRun(uint64_t run_length, uint64_t end, Empty empty) {
  const std::optional<SegmentRange> range = heap_.FindRunToEmpty(run_length, end);
  if (!range.has_value()) return false;
  const absl::Status status = empty(*range);
  heap_.EndWithholding();
  if (!status.ok()) return status;
  return true;
}

bool Growth::MakeRun(uint64_t run_length, Empty empty) noexcept {
  Begin(Work::kMakesRun);
  const absl::StatusOr<bool> is_made = TryToMakeRun(run_length, image_.segment_count(), empty);
  End();
  return is_made.ok() && *is_made;
}

// Whoever wants a run waits for one that is made, rather than to end it: two would end each other's for ever.
bool Growth::AwaitWithheld() {
  std::unique_lock<std::mutex> lock(mutex_);
  if (work_ != Work::kShrinks && work_ != Work::kMakesRun) return false;
  const bool ends_it = work_ == Work::kShrinks;
  const uint64_t works_done = this->works_done();
  wanted_.fetch_add(ends_it, std::memory_order_relaxed);
  changed_.wait(lock, [&] { return this->works_done() != works_done; });
  wanted_.fetch_sub(ends_it, std::memory_order_relaxed);
  changed_.notify_all();
  return true;
}

bool Growth::IsWithholding() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return work_ == Work::kShrinks || work_ == Work::kMakesRun;
}

void Growth::Pace() const {
  if (least_free_.load(std::memory_order_relaxed) == 0) return;
  const auto end = std::chrono::steady_clock::now() + kMostWait;
  while (heap_.free_segments() < least_free_.load(std::memory_order_relaxed)) {
    if (std::chrono::steady_clock::now() >= end) return;
    std::this_thread::sleep_for(kPaceSleep);
  }
}

bool PartsFollower::Reaches(uint64_t at) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (file_.parts_end() > image_.size_bytes()) image_.Extend(file_.parts_end());
  if (at < image_.size_bytes()) return true;
  const Superblock& superblock = image_.superblock();
  while (file_.parts() < Image::PartCount(superblock)) {
    const daxfile::Part part = PartOf(superblock, file_.parts());
    if (part.bytes == 0) break;  // just taken back
    status_ = file_.OpenPart(part);
    if (!status_.ok()) return false;
    image_.Extend(part.at + part.bytes);
    if (at < image_.size_bytes()) return true;
  }
  return false;
}

absl::Status PartsFollower::status() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return status_;
}

}  // namespace sealkv::internal
