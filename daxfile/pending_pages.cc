#include "daxfile/pending_pages.h"

#include <unistd.h>

#include <algorithm>

namespace daxfile {

void PendingPages::Add(const void* address, size_t bytes) {
  if (bytes == 0) return;
  static const auto page_bytes = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto at = reinterpret_cast<uintptr_t>(address);
  const uintptr_t begin = at & ~(page_bytes - 1);
  const uintptr_t end = (at + bytes + page_bytes - 1) & ~(page_bytes - 1);
  // Most flushes follow one another within a page.
  if (!runs_.empty() && begin >= runs_.back().begin && end <= runs_.back().end) return;
  runs_.push_back({begin, end});
}

int PendingPages::SyncAll(const std::function<int(uintptr_t, size_t)>& sync) {
  std::sort(runs_.begin(), runs_.end(), [](const Run& a, const Run& b) { return a.begin < b.begin; });
  int first_error = 0;
  for (size_t i = 0; i < runs_.size();) {
    Run merged = runs_[i];
    for (++i; i < runs_.size() && runs_[i].begin <= merged.end; ++i) merged.end = std::max(merged.end, runs_[i].end);
    const int error = sync(merged.begin, merged.end - merged.begin);
    if (first_error == 0) first_error = error;
  }
  runs_.clear();
  return first_error;
}

}  // namespace daxfile
