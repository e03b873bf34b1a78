// Memory that runs out: this program's operator new stands in for the library's. For tests of one source file.
#ifndef SEALKV_TESTS_FAILING_MEMORY_H_
#define SEALKV_TESTS_FAILING_MEMORY_H_

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace sealkv::testing {

// How many allocations of this thread work, until one fails; negative: all do.
inline thread_local int64_t allocations_left = -1;

inline bool Fails() { return allocations_left >= 0 && allocations_left-- == 0; }

inline void* Allocate(size_t bytes, size_t alignment) {
  if (Fails()) return nullptr;
  // NOLINTNEXTLINE: what operator new is made of
  return alignment > __STDCPP_DEFAULT_NEW_ALIGNMENT__
             ? std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment)
             : std::malloc(bytes);
}
inline void* AllocateOrThrow(size_t bytes, size_t alignment) {
  void* const memory = Allocate(bytes, alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace sealkv::testing

void* operator new(size_t bytes) { return sealkv::testing::AllocateOrThrow(bytes, 0); }
void* operator new(size_t bytes, std::align_val_t alignment) {
  return sealkv::testing::AllocateOrThrow(bytes, static_cast<size_t>(alignment));
}
void* operator new(size_t bytes, const std::nothrow_t&) noexcept { return sealkv::testing::Allocate(bytes, 0); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }

#endif  // SEALKV_TESTS_FAILING_MEMORY_H_
