#include "kv/foreign_readers.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <vector>

#include "daxfile/file_lock.h"
#include "daxfile/reader_marks.h"

namespace sealkv::internal {

ForeignReaders::ForeignReaders(const daxfile::DaxFile& file, const Image& image) : file_(file), image_(image) {
  // The word is the last writer's. A damaged one may be anything; no writer gets to half of what a mark can be.
  const uint64_t last = Node::Load(image.superblock().epoch);
  first_epoch_ = last < daxfile::kMostMark / 2 ? std::max<uint64_t>(last, 1) + 1 : 2;
  Publish(first_epoch_);
}

// Volatile, like lock words, so it doesn't pass the seam: what a crash leaves of it, if anything, is an epoch that
// there was. Release: who reads it sees what was unlinked before that epoch began.
void ForeignReaders::Publish(uint64_t epoch) const {
  std::atomic_ref<uint64_t>(image_.superblock().epoch).store(epoch, std::memory_order_release);
}

uint64_t ForeignReaders::Oldest(uint64_t none) const {
  const std::optional<daxfile::LowestMark> lowest = daxfile::FindLowestMark(file_.lock_fd());
  return lowest.has_value() ? std::min(lowest->number, none) : none;
}

void ForeignReaders::Describe(uint64_t current_epoch, Stats& stats) const {
  const std::vector<int> pids = daxfile::LiveReaderPids(file_.lock_fd());
  stats.reader_processes = pids.size();
  const std::optional<daxfile::LowestMark> lowest = daxfile::FindLowestMark(file_.lock_fd());
  if (!lowest.has_value() || lowest->number >= current_epoch) return;
  stats.readers_hold_epochs = current_epoch - lowest->number;
  // While a mark moves its length is no process's.
  if (std::find(pids.begin(), pids.end(), lowest->pid) != pids.end()) stats.oldest_reader_pid = lowest->pid;
}

}  // namespace sealkv::internal
