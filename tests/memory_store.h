// A store over plain memory: as fast as can be, and reopened as after a SIGKILL, for closing a store saves nothing.
#ifndef SEALKV_TESTS_MEMORY_STORE_H_
#define SEALKV_TESTS_MEMORY_STORE_H_

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daxfile/dax_file.h"
#include "kv/sealkv.h"

namespace sealkv::testing {

// Page-aligned memory; pages that aren't touched cost nothing.
class Memory {
 public:
  explicit Memory(size_t bytes, uint8_t fill = 0) : bytes_(bytes) {
    void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) throw std::bad_alloc();
    data_ = static_cast<std::byte*>(at);
    if (fill != 0) std::memset(data_, fill, bytes);
  }
  ~Memory() { munmap(data_, bytes_); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  std::span<std::byte> span() const { return {data_, bytes_}; }
  std::byte* data() const { return data_; }
  size_t size() const { return bytes_; }

 private:
  std::byte* data_;
  size_t bytes_;
};

class MemoryStore {
 public:
  explicit MemoryStore(size_t bytes, daxfile::PersistObserver* observer = nullptr,
                       Background background = Background::kNone, const Capacity& capacity = {})
      : memory_(bytes), observer_(observer), background_(background), capacity_(capacity) {}

  absl::Status Format() { return Take(Store::Format(File(), background_, capacity_)); }
  absl::Status Open() { return Take(Store::Attach(File(), background_)); }
  absl::Status Reopen() {
    store_.reset();
    return Open();
  }
  void Close() { store_.reset(); }

  Store& operator*() const { return *store_; }
  Store* operator->() const { return store_.get(); }
  Store* get() const { return store_.get(); }
  const Memory& memory() const { return memory_; }

 private:
  daxfile::DaxFile File() { return daxfile::DaxFile::OverMemory(memory_.span(), observer_); }
  absl::Status Take(absl::StatusOr<std::unique_ptr<Store>> store) {
    if (!store.ok()) return store.status();
    store_ = *std::move(store);
    return absl::OkStatus();
  }

  Memory memory_;
  daxfile::PersistObserver* observer_;
  const Background background_;
  const Capacity capacity_;
  std::unique_ptr<Store> store_;
};

}  // namespace sealkv::testing

#endif  // SEALKV_TESTS_MEMORY_STORE_H_
