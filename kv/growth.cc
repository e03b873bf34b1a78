#include "kv/growth.h"

#include <algorithm>
#include <thread>

#include "absl/strings/str_cat.h"
#include "kv/recovery.h"

namespace sealkv::internal {
namespace {

// Of the store that a part adds: so that it takes few of them, and none takes long to make.
constexpr uint64_t kPartOfStore = 8;
constexpr uint64_t kLeastSegments = 4;
constexpr std::chrono::microseconds kPaceSleep(200);
constexpr uint64_t kHugePageBytes = 2 << 20;
constexpr std::chrono::seconds kUntilNextTry(1);

}  // namespace

bool Growth::IsPossible() const {
  return image_.segment_count() < image_.most_segments() && parts() < Superblock::kParts && file_.persist().is_ok();
}

std::string Growth::last_error() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return std::string(last_.message());
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
  daxfile::Persist& persist = file_.persist();
  persist.Store(&superblock.parts[i], PartWord(static_cast<uint32_t>(segments), i).raw());
  persist.Flush(&superblock.parts[i]);
  persist.Fence();
  heap_.AddSegments([&] { image_.Extend(part.at + part.bytes); });
  parts_.store(i + 1, std::memory_order_relaxed);
  return persist.status();
}

// Less, where there isn't space for so much.
absl::Status Growth::AddMostFitting(uint64_t record_bytes, const std::function<bool()>& go_on) {
  uint64_t segments = SegmentsToAdd(record_bytes);
  const bool is_for_record = segments > image_.segment_count() / kPartOfStore;
  const uint64_t least = is_for_record ? segments : kLeastSegments;
  absl::Status status = absl::ResourceExhaustedError("the store is as large as it may become");
  for (; segments >= least; segments /= 2) {
    const uint64_t rounded = RoundedSegments(segments);
    if (rounded == 0) return status;
    status = AddPart(rounded, go_on);
    if (!absl::IsResourceExhausted(status)) return status;
  }
  return status;
}

absl::Status Growth::Grow(uint64_t than_bytes, uint64_t record_bytes, const std::function<bool()>& go_on) {
  std::unique_lock<std::mutex> lock(mutex_);
  // Whoever waits goes on with the first part that is there, though others may be making the next one.
  changed_.wait(lock, [&] { return !is_growing_ || image_.size_bytes() > than_bytes; });
  if (image_.size_bytes() > than_bytes) return absl::OkStatus();
  if (!last_.ok() && std::chrono::steady_clock::now() < next_try_) return last_;
  if (!IsPossible()) return absl::ResourceExhaustedError("the store is as large as it may become");
  is_growing_ = true;
  lock.unlock();
  const absl::Status status = AddMostFitting(record_bytes, go_on);
  lock.lock();
  is_growing_ = false;
  last_ = absl::IsCancelled(status) ? absl::OkStatus() : status;
  next_try_ = std::chrono::steady_clock::now() + kUntilNextTry;
  changed_.notify_all();
  return status;
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
  if (at < image_.size_bytes()) return true;
  const Superblock& superblock = image_.superblock();
  while (file_.parts() < Image::PartCount(superblock)) {
    const daxfile::Part part = PartOf(superblock, file_.parts());
    if (!file_.OpenPart(part).ok()) return false;
    image_.Extend(part.at + part.bytes);
    if (at < image_.size_bytes()) return true;
  }
  return false;
}

}  // namespace sealkv::internal
