// The persistence seam: every store to persistent memory in this project goes through this class, and through nothing
// else. Behind it stand libpmem (the CPU's clwb/sfence and non-temporal stores), msync for files that the CPU can't
// make durable alone, and, in tests, an observer that records each action (the crash harness).
//
// The durability contract that callers program against (Px86, as in "Persistency semantics of the Intel-x86
// architecture", POPL 2020):
//   - Stores to one cache line become durable in program order: a crash keeps a prefix of them.
//   - Different lines are independent until each was flushed *and* a fence by the same thread followed.
//   - A line may become durable early, unflushed (eviction): a flush is a lower bound, never an upper one.
//   - An aligned 8-byte Store() is never torn. Copies may tear at any 8-byte boundary.
//
// Thread safety: all methods may be called by any number of threads. A Fence() covers the flushes of its own thread
// only, and through the same object.
#ifndef DAXFILE_PERSIST_H_
#define DAXFILE_PERSIST_H_

#include <libpmem.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

#include "absl/status/status.h"
#include "daxfile/site.h"

namespace daxfile {

class SyncedFiles;

inline constexpr size_t kCacheLineBytes = 64;

// What a thread has asked of persistent memory since it started, over all files.
struct PersistCounters {
  uint64_t lines_flushed = 0;  // cache lines written back by Flush() and CopyNonTemporal()
  uint64_t fences = 0;
  uint64_t bytes_stored = 0;  // by Store(), Copy() and CopyNonTemporal()

  friend PersistCounters operator-(PersistCounters a, const PersistCounters& b) {
    a.lines_flushed -= b.lines_flushed;
    a.fences -= b.fences;
    a.bytes_stored -= b.bytes_stored;
    return a;
  }
  friend PersistCounters operator+(PersistCounters a, const PersistCounters& b) {
    a.lines_flushed += b.lines_flushed;
    a.fences += b.fences;
    a.bytes_stored += b.bytes_stored;
    return a;
  }
};

namespace internal {
inline constinit thread_local PersistCounters thread_counters;
// Whether a flush of one line is a clwb, as libpmem sees it: the CPU has it, the platform needs it (no eADR), and no
// PMEM_… variable forbids it. Then it stands inline, with its sfence: 2 instructions instead of some 30 in libpmem, of
// which a put has up to five (docs/performance-notes.md says why that counts).
extern const bool clwb_is_all;
}  // namespace internal

// The calling thread's totals; subtract two readings to know what an operation cost.
inline const PersistCounters& ThreadPersistCounters() { return internal::thread_counters; }

// Sees every action just before it happens. `site` names the line of source that asked for it, so that a harness can
// leave out one flush or fence at a time.
class PersistObserver {
 public:
  virtual ~PersistObserver() = default;
  virtual void OnStore(const uint64_t* word, uint64_t value, const Site& site) = 0;
  virtual void OnCopy(const void* to, const void* from, size_t bytes, bool non_temporal, const Site& site) = 0;
  virtual void OnFlush(const void* address, size_t bytes, const Site& site) = 0;
  virtual void OnFence(const Site& site) = 0;
};

// Number of cache lines that [address, address + bytes) touches.
inline uint64_t LinesTouched(const void* address, size_t bytes) {
  if (bytes == 0) return 0;
  const auto first = reinterpret_cast<uintptr_t>(address) / kCacheLineBytes;
  const auto last = (reinterpret_cast<uintptr_t>(address) + bytes - 1) / kCacheLineBytes;
  return last - first + 1;
}

class Persist {
 public:
  enum class Mode : uint8_t {
    kCpu,    // clwb + sfence make a store durable
    kMsync,  // only msync does: flushes remember pages, a fence syncs them; or, with `files`, these
  };

  // `files`: where msync does nothing (daxfile/synced_files.h).
  explicit Persist(Mode mode, PersistObserver* observer = nullptr, SyncedFiles* files = nullptr)
      : is_plain_(mode == Mode::kCpu && observer == nullptr && internal::clwb_is_all),
        observer_(observer),
        mode_(mode),
        files_(files),
        life_(mode == Mode::kMsync ? std::make_shared<const char>() : nullptr) {}
  Persist(const Persist&) = delete;
  Persist& operator=(const Persist&) = delete;

  // Stores one aligned word atomically, after everything this thread stored before (release order). Cost: no flush.
  void Store(uint64_t* word, uint64_t value, Site site = Site::current()) {
    if (!is_plain_) [[unlikely]]
      ObserveStore(word, value, site.file_name(), site.line(), site.function_name());
    internal::thread_counters.bytes_stored += sizeof(uint64_t);
    std::atomic_ref<uint64_t>(*word).store(value, std::memory_order_release);
  }

  // Copies through the cache; the lines still need a Flush(). Words go one by one, each whole, if `to` and `bytes` are
  // multiples of 8: then others may look at them meanwhile, and see any of the old and the new.
  void Copy(void* to, const void* from, size_t bytes, Site site = Site::current()) {
    if (!is_plain_) [[unlikely]]
      ObserveCopy(to, from, bytes, /*non_temporal=*/false, site.file_name(), site.line(), site.function_name());
    internal::thread_counters.bytes_stored += bytes;
    if ((reinterpret_cast<uintptr_t>(to) | bytes) % sizeof(uint64_t) != 0) {
      std::memcpy(to, from, bytes);
      return;
    }
    auto* const words = static_cast<uint64_t*>(to);
#pragma GCC unroll 4
    for (size_t i = 0; i < bytes / sizeof(uint64_t); ++i) {
      uint64_t word;
      std::memcpy(&word, static_cast<const char*>(from) + i * sizeof(word), sizeof(word));
      std::atomic_ref<uint64_t>(words[i]).store(word, std::memory_order_relaxed);
    }
  }

  // Copies around the cache where that pays; durable after the next Fence(), without a Flush(). Counts the lines it
  // touches as flushed. `to` must not be visible to other threads.
  void CopyNonTemporal(void* to, const void* from, size_t bytes, Site site = Site::current()) {
    internal::thread_counters.bytes_stored += bytes;
    internal::thread_counters.lines_flushed += LinesTouched(to, bytes);
    if (!is_plain_) [[unlikely]] {
      ObserveCopy(to, from, bytes, /*non_temporal=*/true, site.file_name(), site.line(), site.function_name());
      if (mode_ == Mode::kMsync) {
        std::memcpy(to, from, bytes);
        return RememberPages(to, bytes);
      }
    }
    pmem_memcpy(to, from, bytes, PMEM_F_MEM_NONTEMPORAL | PMEM_F_MEM_NODRAIN);
  }

  // Starts writing back the lines of [address, address + bytes). Durable after this thread's next Fence().
  void Flush(const void* address, size_t bytes, Site site = Site::current()) {
    internal::thread_counters.lines_flushed += LinesTouched(address, bytes);
    if (!is_plain_) [[unlikely]]
      return FlushOtherwise(address, bytes, site.file_name(), site.line(), site.function_name());
    pmem_flush(address, bytes);
  }
  // The line of one aligned word.
  void Flush(const uint64_t* word, Site site = Site::current()) {
    internal::thread_counters.lines_flushed += 1;
    if (!is_plain_) [[unlikely]]
      return FlushOtherwise(word, sizeof(*word), site.file_name(), site.line(), site.function_name());
    asm volatile("clwb %0" : : "m"(*word) : "memory");
  }

  // Waits until all that this thread flushed through this object is durable.
  void Fence(Site site = Site::current()) {
    internal::thread_counters.fences += 1;
    if (!is_plain_) [[unlikely]]
      return FenceOtherwise(site.file_name(), site.line(), site.function_name());
    asm volatile("sfence" : : : "memory");
  }

  // OK, or the first msync error since this object was made. Once it is set nothing written since can be trusted to be
  // durable: the caller must stop acknowledging writes. Always OK in Mode::kCpu.
  absl::Status status() const { return is_ok() ? absl::OkStatus() : MsyncError(); }
  bool is_ok() const { return msync_errno_.load(std::memory_order_relaxed) == 0; }

  Mode mode() const { return mode_; }

 private:
  // What an observer, or a mode other than the CPU's, makes of each. The site in pieces: as a whole it would be written
  // to the stack by everybody, for these alone.
  void ObserveStore(const uint64_t* word, uint64_t value, const char* file, uint32_t line, const char* function) const;
  void ObserveCopy(void* to, const void* from, size_t bytes, bool non_temporal, const char* file, uint32_t line,
                   const char* function) const;
  void FlushOtherwise(const void* address, size_t bytes, const char* file, uint32_t line, const char* function);
  void FenceOtherwise(const char* file, uint32_t line, const char* function);
  void RememberPages(const void* address, size_t bytes) noexcept;
  void SyncRememberedPages();
  void KeepError(int error);
  absl::Status MsyncError() const;

  const bool is_plain_;  // the CPU's clwb and sfence are all there is to it: one test an action
  PersistObserver* const observer_;
  const Mode mode_;
  SyncedFiles* const files_;
  // Mode::kMsync only: while it lives, so do the pages that threads remember for this object (persist.cc).
  const std::shared_ptr<const char> life_;
  std::atomic<int> msync_errno_{0};
};

}  // namespace daxfile

#endif  // DAXFILE_PERSIST_H_
