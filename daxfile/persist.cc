#include "daxfile/persist.h"

#include <cpuid.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "daxfile/pending_pages.h"
#include "daxfile/synced_files.h"

namespace daxfile {
namespace {

// What a thread has flushed through one Persist and not yet fenced. The Persist may be gone: then its pages are
// unmapped, or somebody else's by now, and must not be synced.
struct Remembered {
  std::weak_ptr<const char> owner_life;
  const void* owner;  // its life's address, which isn't given to another while owner_life refers to it
  PendingPages pages;
};

thread_local std::vector<Remembered> remembered;

int Msync(PendingPages::Run run) {
  return msync(reinterpret_cast<void*>(run.begin), run.bytes(), MS_SYNC) == 0 ? 0 : errno;
}

PendingPages* Find(const void* owner) {
  for (Remembered& one : remembered) {
    if (one.owner == owner) return &one.pages;
  }
  return nullptr;
}

}  // namespace

namespace internal {
namespace {

bool ClwbIsAll() {
  unsigned eax = 7, ebx, ecx = 0, edx;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0 || (ebx & bit_CLWB) == 0) return false;
  for (const char* variable : {"PMEM_NO_CLWB", "PMEM_NO_FLUSH"}) {
    if (std::getenv(variable) != nullptr) return false;
  }
  return pmem_has_auto_flush() != 1;
}

}  // namespace

const bool clwb_is_all = ClwbIsAll();

}  // namespace internal

void Persist::ObserveStore(const uint64_t* word, uint64_t value, const char* file, uint32_t line,
                           const char* function) const {
  if (observer_ != nullptr) observer_->OnStore(word, value, Site(file, line, function));
}

void Persist::ObserveCopy(void* to, const void* from, size_t bytes, bool non_temporal, const char* file, uint32_t line,
                          const char* function) const {
  if (observer_ != nullptr) observer_->OnCopy(to, from, bytes, non_temporal, Site(file, line, function));
}

void Persist::FlushOtherwise(const void* address, size_t bytes, const char* file, uint32_t line, const char* function) {
  if (observer_ != nullptr) observer_->OnFlush(address, bytes, Site(file, line, function));
  if (mode_ == Mode::kMsync) return RememberPages(address, bytes);
  pmem_flush(address, bytes);
}

void Persist::FenceOtherwise(const char* file, uint32_t line, const char* function) {
  if (observer_ != nullptr) observer_->OnFence(Site(file, line, function));
  if (mode_ == Mode::kMsync) return SyncRememberedPages();
  pmem_drain();
}

// noexcept, for whoever flushes is in the middle of something: without memory to remember them they are synced now.
void Persist::RememberPages(const void* address, size_t bytes) noexcept {
  if (files_ != nullptr) return;  // all of them are synced
  try {
    PendingPages* pages = Find(life_.get());
    if (pages == nullptr) {
      std::erase_if(remembered, [](const Remembered& one) { return one.owner_life.expired(); });
      pages = &remembered.emplace_back(Remembered{life_, life_.get(), {}}).pages;
    }
    pages->Add(address, bytes);
  } catch (const std::bad_alloc&) {
    KeepError(Msync(PendingPages::PagesOf(address, bytes)));
  }
}

void Persist::SyncRememberedPages() {
  if (files_ != nullptr) return KeepError(files_->SyncAll());
  PendingPages* const pages = Find(life_.get());
  if (pages == nullptr) return;
  KeepError(pages->SyncAll(Msync));
}

void Persist::KeepError(int error) {
  int none = 0;
  if (error != 0) msync_errno_.compare_exchange_strong(none, error);
}

absl::Status Persist::MsyncError() const {
  const int error = msync_errno_.load(std::memory_order_relaxed);
  return absl::DataLossError(
      absl::StrCat(files_ == nullptr ? "msync" : "fdatasync", " failed: ", std::strerror(error),
                   ". What was written since may not survive a power cut: close the store and check the disk."));
}

}  // namespace daxfile
