#include "daxfile/pending_pages.h"

#include <unistd.h>

#include <algorithm>

namespace daxfile {

PendingPages::Run PendingPages::PagesOf(const void* address, size_t bytes) {
  static const auto page_bytes = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto at = reinterpret_cast<uintptr_t>(address);
  return {at & ~(page_bytes - 1), (at + bytes + page_bytes - 1) & ~(page_bytes - 1)};
}

void PendingPages::Add(const void* address, size_t bytes) {
  if (bytes == 0) return;
  const Run run = PagesOf(address, bytes);
  // Most flushes follow one another within a page.
  if (!runs_.empty() && run.begin >= runs_.back().begin && run.end <= runs_.back().end) return;
  runs_.push_back(run);
}

int PendingPages::SyncAll(const std::function<int(Run)>& sync) {
  std::sort(runs_.begin(), runs_.end(), [](const Run& a, const Run& b) { return a.begin < b.begin; });
  int first_error = 0;
  for (size_t i = 0; i < runs_.size();) {
    Run merged = runs_[i];
    for (++i; i < runs_.size() && runs_[i].begin <= merged.end; ++i) merged.end = std::max(merged.end, runs_[i].end);
    const int error = sync(merged);
    if (first_error == 0) first_error = error;
  }
  runs_.clear();
  return first_error;
}

}  // namespace daxfile
