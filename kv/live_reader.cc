#include "kv/live_reader.h"

#include <sched.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daxfile/file_lock.h"
#include "kv/lanes.h"
#include "kv/quiet_thread.h"
#include "kv/wait.h"

namespace sealkv::internal {
namespace {

// Who reads a few keys and goes needs no thread.
constexpr unsigned kTimesEmptyBeforeKept = 16;

constexpr uint64_t kNobody = ~uint64_t{0};

}  // namespace

LiveReader::LiveReader(const daxfile::DaxFile& file, const Image& image)
    : file_(file), image_(image), mark_(file.lock_fd()) {}

LiveReader::~LiveReader() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    is_closing_ = true;
  }
  wake_.notify_all();
  if (ticker_.joinable()) ticker_.join();
}

// ---- epochs

uint64_t LiveReader::current() const {
  const uint64_t published = Node::Load(image_.superblock().epoch);
  return std::clamp<uint64_t>(published, 1, daxfile::kMostMark);
}

void LiveReader::Add(uint64_t epoch) {
  const auto at = std::lower_bound(inside_.begin(), inside_.end(), epoch,
                                   [](const Inside& each, uint64_t value) { return each.epoch < value; });
  if (at != inside_.end() && at->epoch == epoch) {
    ++at->readers;
  } else {
    inside_.insert(at, {epoch, 1});
  }
}

void LiveReader::Remove(uint64_t epoch) {
  const auto at =
      std::find_if(inside_.begin(), inside_.end(), [epoch](const Inside& each) { return each.epoch == epoch; });
  if (--at->readers == 0) inside_.erase(at);
}

void LiveReader::ShowOldest() {
  if (inside_.empty()) {
    mark_.Clear();
  } else {
    mark_.Set(inside_.front().epoch);
  }
}

void LiveReader::Enter(uint64_t epoch) {
  const std::lock_guard<std::mutex> lock(mutex_);
  // By the time that it is shown the epoch may be out of date: then it holds back more than it must.
  Add(epoch);
  if (!mark_.number().has_value() || *mark_.number() > epoch) mark_.Set(epoch);
}

void LiveReader::Leave(uint64_t epoch) {
  const std::lock_guard<std::mutex> lock(mutex_);
  Remove(epoch);
  if (is_kept_) {
    idle_ticks_ = 0;
    return;
  }
  if (inside_.empty() && ++times_empty_ >= kTimesEmptyBeforeKept && KeepMark()) return;
  ShowOldest();
}

void LiveReader::Move(uint64_t from, uint64_t to) {
  const std::lock_guard<std::mutex> lock(mutex_);
  Add(to);
  Remove(from);
  if (!is_kept_ || *mark_.number() > to) ShowOldest();
}

// ---- marks that stay

bool LiveReader::KeepMark() {
  times_empty_ = 0;
  if (!ticker_.joinable()) {
    ticker_ = StartQuietThread([this] { RunTicks(); });
    if (!ticker_.joinable()) return false;  // reads take longer
  }
  idle_ticks_ = 0;
  is_kept_.store(true, std::memory_order_release);
  wake_.notify_one();
  return true;
}

// The oldest epoch that anybody here is in. The heavy fence is for the light one of threads with slots: whoever isn't
// found announces himself later, and so sees all that the writer had unlinked when this began.
uint64_t LiveReader::OldestInside() const {
  HeavyFence();
  const uint64_t oldest = thread_slots_->Oldest(kNobody);
  return inside_.empty() ? oldest : std::min(oldest, inside_.front().epoch);
}

// Nobody comes in by a slot once they are told not to; who did before is found.
bool LiveReader::TryLetGo() {
  is_kept_.store(false, std::memory_order_release);
  if (OldestInside() == kNobody) {
    mark_.Clear();
    return true;
  }
  is_kept_.store(true, std::memory_order_release);
  return false;
}

void LiveReader::Tick() {
  constexpr unsigned kIdleTicks = 2;  // between two reads nobody is inside either
  const uint64_t now = current();
  const uint64_t oldest = OldestInside();
  idle_ticks_ = oldest == kNobody ? idle_ticks_ + 1 : 0;
  if (idle_ticks_ >= kIdleTicks && TryLetGo()) return;
  mark_.Set(std::min(oldest, now));
}

void LiveReader::RunTicks() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (!is_closing_) {
    wake_.wait(lock, [this] { return is_kept_ || is_closing_; });
    if (!wake_.wait_for(lock, kTick, [this] { return is_closing_; })) Tick();
  }
}

// ---- lock words

// A generation is one open for writing, and is never used again: if nobody has the file open for writing, the writer
// of the generation that was in force before that was asked is dead for good.
bool LiveReader::WriterIsGone(uint32_t generation) const {
  if (gone_generation_.load(std::memory_order_acquire) == generation) return true;
  if (daxfile::HasWriter(file_.lock_fd())) return false;
  // In the middle of a batch: its nodes are locked until the last of its words is stored.
  if (HasCommittedLanes(image_)) must_reopen_.store(true, std::memory_order_release);
  gone_generation_.store(generation, std::memory_order_release);
  return true;
}

LockWord LiveReader::WaitUntilStable(const Node& node) const {
  constexpr unsigned kSpinsBeforeYield = 256;
  for (unsigned spins = 0;; ++spins) {
    const LockWord version = node.lock();
    const uint32_t generation = Generation();
    if (!version.is_locked(generation) || version.is_obsolete(generation)) return version;
    if (gone_generation_.load(std::memory_order_acquire) == generation) return version;
    if (WaitInTest()) continue;
    if (spins < kSpinsBeforeYield) {
      __builtin_ia32_pause();
    } else if (!WriterIsGone(generation)) {
      sched_yield();  // the writer may wait for msync, or for this very CPU
    }
  }
}

absl::Status LiveReader::status() const {
  if (!must_reopen_.load(std::memory_order_acquire)) [[likely]]
    return absl::OkStatus();
  return absl::UnavailableError(
      absl::StrCat(file_.path(),
                   ": its writer died in the middle of a batch. Open it for writing once, which finishes "
                   "that or takes it back; then open it for reading again."));
}

}  // namespace sealkv::internal
