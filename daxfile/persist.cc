#include "daxfile/persist.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "daxfile/pending_pages.h"

namespace daxfile {
namespace {

// By thread, not by file: a fence covers whatever the thread has flushed.
thread_local PendingPages pending_pages;

}  // namespace

void Persist::RememberPages(const void* address, size_t bytes) { pending_pages.Add(address, bytes); }

void Persist::SyncRememberedPages() {
  const int error = pending_pages.SyncAll([](uintptr_t begin, size_t bytes) {
    return msync(reinterpret_cast<void*>(begin), bytes, MS_SYNC) == 0 ? 0 : errno;
  });
  int none = 0;
  if (error != 0) msync_errno_.compare_exchange_strong(none, error);
}

absl::Status Persist::status() const {
  const int error = msync_errno_.load(std::memory_order_relaxed);
  if (error == 0) [[likely]] return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat("msync failed: ", std::strerror(error),
                   ". What was written since may not survive a power cut: close the store and check the disk."));
}

}  // namespace daxfile
