#include "kv/lazy_memory.h"

#include <sys/mman.h>

#include <memory>

namespace sealkv::internal {
namespace {

constexpr size_t kHugePageBytes = 2 << 20;

}  // namespace

LazyMemory::~LazyMemory() {
  if (mapping_.load() != nullptr) munmap(mapping_.load(), MappedBytes());
}

// With room to align it.
size_t LazyMemory::MappedBytes() const { return bytes_ >= kHugePageBytes ? bytes_ + kHugePageBytes : bytes_; }

void* LazyMemory::Map() {
  if (void* const first = first_.load(std::memory_order_acquire)) return first;
  if (is_refused_.load(std::memory_order_relaxed)) return nullptr;  // each write asks
  size_t space = MappedBytes();
  void* const fresh = mmap(nullptr, space, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (fresh == MAP_FAILED) {
    is_refused_.store(true, std::memory_order_relaxed);
    return nullptr;
  }
  void* first = fresh;
  if (bytes_ >= kHugePageBytes) {
    madvise(fresh, space, MADV_HUGEPAGE);
    std::align(kHugePageBytes, bytes_, first, space);
  }
  void* none = nullptr;
  if (!mapping_.compare_exchange_strong(none, fresh, std::memory_order_acq_rel)) {
    munmap(fresh, MappedBytes());
    return first_.load(std::memory_order_acquire);  // soon, if not yet
  }
  first_.store(first, std::memory_order_release);
  return first;
}

void LazyMemory::Clear() {
  if (mapping_.load() != nullptr) madvise(mapping_.load(), MappedBytes(), MADV_DONTNEED);
}

}  // namespace sealkv::internal
