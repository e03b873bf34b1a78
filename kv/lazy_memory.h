// Zeroed memory of which little may ever be touched: address space for all that there may be, and pages as they are
// used. Huge pages, where it is large: the tables in it are looked up at random.
//
// Thread safety: any, but for Clear().
#ifndef SEALKV_KV_LAZY_MEMORY_H_
#define SEALKV_KV_LAZY_MEMORY_H_

#include <atomic>
#include <cstddef>

namespace sealkv::internal {

class LazyMemory {
 public:
  explicit LazyMemory(size_t bytes) : bytes_(bytes) {}
  ~LazyMemory();
  LazyMemory(const LazyMemory&) = delete;
  LazyMemory& operator=(const LazyMemory&) = delete;

  // Maps it, if nobody has. nullptr: it isn't to be had, and never will be; or another thread is mapping it right now.
  void* Map();
  // nullptr before anybody has mapped it.
  void* get() const { return first_.load(std::memory_order_relaxed); }
  // It reads as zeros again.
  void Clear();

 private:
  size_t MappedBytes() const;

  const size_t bytes_;
  std::atomic<void*> mapping_{nullptr};
  std::atomic<void*> first_{nullptr};  // in the mapping: aligned
  std::atomic<bool> is_refused_{false};
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_LAZY_MEMORY_H_
