// Writers that are killed, and what is durable of what they had stored: for tests of who comes next, and then loses the
// power.
#ifndef SEALKV_TESTS_CRASH_KILLED_H_
#define SEALKV_TESTS_CRASH_KILLED_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "daxfile/dax_file.h"
#include "daxfile/persist.h"
#include "gtest/gtest.h"
#include "kv/sealkv.h"
#include "tests/memory_store.h"
#include "tests/model.h"

namespace sealkv::crash {

using Bytes = std::vector<std::byte>;
constexpr uint64_t kLineBytes = 64;
constexpr uint64_t kPageBytes = 4096;

inline Bytes CopyOf(std::span<const std::byte> bytes) { return {bytes.begin(), bytes.end()}; }

// What is durable of a memory: what was written back and fenced, and nothing else.
class DurableBytes : public daxfile::PersistObserver {
 public:
  DurableBytes(std::span<const std::byte> memory, Bytes durable)
      : memory_(memory), at_(memory.data()), durable_(std::make_shared<Bytes>(std::move(durable))) {}
  // Of the same memory, as another process has it.
  DurableBytes(std::span<const std::byte> memory, const DurableBytes& other)
      : memory_(memory), at_(memory.data()), durable_(other.durable_) {}

  const Bytes& bytes() const { return *durable_; }
  void Set(const Bytes& durable) { *durable_ = durable; }
  // Who is observed has it mapped elsewhere, perhaps privately: there, or where the first flush is, for that is of the
  // superblock. What is written back is what `memory` has.
  void MappedElsewhere() { at_ = nullptr; }
  // A page that it has a copy of isn't written back any more.
  void MappedPrivately() { is_private_ = true; }
  void MappedAt(const std::byte* at) {
    EXPECT_TRUE(at_ == nullptr || at_ == at);
    at_ = at;
  }
  // Before each action.
  std::function<void(const daxfile::Site&)> on_event = [](const daxfile::Site&) {};
  // Whether a flush or fence is as if it weren't there.
  std::function<bool(const daxfile::Site&)> is_left_out = [](const daxfile::Site&) { return false; };

  void OnStore(const uint64_t*, uint64_t, const daxfile::Site& site) override { on_event(site); }
  void OnCopy(const void* to, const void* from, size_t bytes, bool non_temporal, const daxfile::Site& site) override {
    on_event(site);
    if (non_temporal) written_back_.emplace_back(At(to), CopyOf({static_cast<const std::byte*>(from), bytes}));
  }
  void OnFlush(const void* address, size_t bytes, const daxfile::Site& site) override {
    on_event(site);
    if (at_ == nullptr) at_ = static_cast<const std::byte*>(address);
    if (is_left_out(site)) return;
    const size_t begin = At(address) / kLineBytes * kLineBytes;
    const size_t end = (At(address) + bytes + kLineBytes - 1) / kLineBytes * kLineBytes;
    if (is_private_ && IsCopied(begin)) return;
    written_back_.emplace_back(begin, CopyOf(memory_.subspan(begin, end - begin)));
  }
  void OnFence(const daxfile::Site& site) override {
    on_event(site);
    if (is_left_out(site)) return;
    for (const auto& [at, content] : written_back_) std::memcpy(&(*durable_)[at], content.data(), content.size());
    written_back_.clear();
  }

 private:
  size_t At(const void* address) const { return static_cast<size_t>(static_cast<const std::byte*>(address) - at_); }

  bool IsCopied(size_t at) const {
    const size_t page = at / kPageBytes * kPageBytes;
    return std::memcmp(at_ + page, memory_.data() + page, kPageBytes) != 0;
  }

  const std::span<const std::byte> memory_;
  const std::byte* at_;
  bool is_private_ = false;
  const std::shared_ptr<Bytes> durable_;
  std::vector<std::pair<size_t, Bytes>> written_back_;
};

// A moment at which the writer is killed.
struct Kill {
  Bytes visible;
  Bytes durable;
};

using Script = std::function<void(Store&)>;

struct Run {
  Script setup;
  Script script;
  Script beside = nullptr;  // by another thread, in the middle of each batch of the script, at each of its actions
  uint64_t change_log_bytes = 0;
};

// Of a run: who is killed in it, before each of its stores, flushes and fences; and all the keys that it may have.
struct KilledRun {
  Kill begin;  // when nobody had done anything of it
  std::vector<Kill> kills;
  testing::Model keys;
};
KilledRun KilledIn(const Run& run);
// The next writer, killed in his turn: who opened what the first one left.
std::vector<Kill> KilledNext(const Kill& first, const Script& script);

KilledRun Pairs();
KilledRun RecordsAndLayers();
KilledRun Batches();
// Two writers are killed at once: one in the middle of a batch, the other while it replaces a value elsewhere.
KilledRun ABatchBesideAnotherWriter();
// Segments of nodes are taken, one after the other.
KilledRun ManyPairs();
// A run of segments is given back, which a longer one comes to cover.
KilledRun LargeValues();
KilledRun WhereChangesAreKept();

std::unique_ptr<Store> Open(const testing::Memory& memory, daxfile::PersistObserver* observer = nullptr);
std::unique_ptr<testing::Memory> MemoryOf(const Bytes& bytes);

// A file of a store, mapped.
class StoreFile {
 public:
  StoreFile(const std::string& path, const Bytes& bytes);
  ~StoreFile();
  StoreFile(const StoreFile&) = delete;
  StoreFile& operator=(const StoreFile&) = delete;

  std::span<const std::byte> span() const { return {static_cast<const std::byte*>(at_), size_}; }
  // All of it, as another process would have stored it.
  void Write(const Bytes& bytes) const;

  // The lock of a writer, who does nothing.
  absl::StatusOr<daxfile::DaxFile> LockForWriting() const;
  std::unique_ptr<Store> Open(DurableBytes& durable, bool read_only) const;

 private:
  const std::string path_;
  const size_t size_;
  void* at_;
};

// Where a line is flushed by the CPU; and where all is synced.
std::string PathInMemory();
std::string PathOnDisk();
daxfile::Tier TierOnDisk();

}  // namespace sealkv::crash

#endif  // SEALKV_TESTS_CRASH_KILLED_H_
