#include "kv/growth.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "kv/recovery.h"

namespace sealkv::internal {
namespace {

// Of the store that a part adds: so that it takes few of them, and none takes long to make.
constexpr uint64_t kPartOfStore = 8;
constexpr uint64_t kLeastSegments = 4;
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

absl::Status Growth::Add(uint64_t segments, const std::function<bool()>& go_on) {
  Superblock& superblock = image_.superblock();
  const uint64_t i = Image::PartCount(superblock);
  const uint64_t bytes = segments * image_.segment_bytes();
  const daxfile::Part part = {superblock.store_id, i + 1, image_.size_bytes(), bytes};
  if (absl::Status status = file_.CreatePart(part, go_on); !status.ok()) return status;
  daxfile::Persist& persist = file_.persist();
  persist.Store(&superblock.parts[i], PartWord(static_cast<uint32_t>(segments), i).raw());
  persist.Flush(&superblock.parts[i]);
  persist.Fence();
  heap_.AddSegments([&] { image_.Extend(part.at + part.bytes); });
  parts_.store(i + 1, std::memory_order_relaxed);
  return persist.status();
}

absl::Status Growth::Grow(uint64_t than_bytes, uint64_t record_bytes, const std::function<bool()>& go_on) {
  const std::lock_guard<std::mutex> growing(growing_);
  if (image_.size_bytes() > than_bytes) return absl::OkStatus();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!last_.ok() && std::chrono::steady_clock::now() < next_try_) return last_;
  }
  absl::Status status = absl::ResourceExhaustedError("the store is as large as it may become");
  if (IsPossible()) {
    uint64_t segments = RoundedSegments(SegmentsToAdd(record_bytes));
    const uint64_t least = RoundedSegments(SegmentsToAdd(record_bytes) > image_.segment_count() / kPartOfStore
                                               ? SegmentsToAdd(record_bytes)
                                               : kLeastSegments);
    if (segments > 0) status = Add(segments, go_on);
    // Where there isn't space for so much.
    while (absl::IsResourceExhausted(status) && segments > least && least > 0) {
      segments = std::max(least, RoundedSegments(segments / 2));
      status = Add(segments, go_on);
    }
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  last_ = absl::IsCancelled(status) ? absl::OkStatus() : status;
  next_try_ = std::chrono::steady_clock::now() + kUntilNextTry;
  return status;
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
