// What stands behind Store: the mapped file, the tree and heap in it, the writer lock, the background pass.
#ifndef SEALKV_KV_STORE_IMPL_H_
#define SEALKV_KV_STORE_IMPL_H_

#include <atomic>
#include <condition_variable>
#include <memory>
#include <string_view>
#include <thread>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daxfile/dax_file.h"
#include "kv/epoch.h"
#include "kv/foreign_readers.h"
#include "kv/heap.h"
#include "kv/image.h"
#include "kv/mark.h"
#include "kv/sealkv.h"
#include "kv/tree.h"
#include "kv/writer_lock.h"

namespace sealkv::internal {

class StoreImpl {
 public:
  // `generation` 0: read-only.
  StoreImpl(daxfile::DaxFile file, const Image& image, uint32_t generation);
  ~StoreImpl();

  absl::Status Put(std::string_view key, std::string_view value, bool only_if_absent);
  absl::Status Delete(std::string_view key);
  absl::StatusOr<uint64_t> Add(std::string_view key, uint64_t delta);
  absl::StatusOr<uint64_t> CompareAndSwap(std::string_view key, uint64_t expected, uint64_t desired);

  absl::Status Get(std::string_view key, std::string* value) const;
  absl::StatusOr<PinnedValue> GetPinned(std::string_view key) const;
  absl::StatusOr<bool> Exists(std::string_view key) const;
  std::unique_ptr<Iterator> NewIterator(Range range) const;

  Stats GetStats();
  absl::Status WaitUntilSpaceIsKnown();

 private:
  // Reads, by a caller who is in an epoch. The value of an 8-byte key, if it lies in the leaf.
  bool ReadInlineWord(std::string_view key, uint64_t* value) const;
  // The record or value of a key goes to `use`, a callable (std::string_view value, bool is_word): a word's bytes are a
  // copy on the caller's stack.
  template <typename Use>
  absl::Status Read(std::string_view key, Use use) const;

  // Everything common to all writes: down to the leaf, the lock, the operation, the lock's release.
  absl::Status Write(std::string_view key, absl::FunctionRef<absl::Status(Location&)> operation);
  bool IsWritable() const;
  absl::Status NotWritableError() const;
  // Descends, then takes the writer lock. Whether the descent led to a leaf, and that is unchanged.
  bool DescendAndLock(std::string_view key, Descent& descent);
  // With the lock, which it lets go of; `descent` is nullptr if the leaf isn't known.
  absl::Status WriteLocked(std::string_view key, const Descent* descent,
                           absl::FunctionRef<absl::Status(Location&)> operation);
  bool PutWord(std::string_view key, std::string_view value, bool only_if_absent, const Descent& descent);
  absl::Status PutLocked(std::string_view key, std::string_view value, bool only_if_absent, const Descent* descent);

  void BeginBackgroundPass();
  bool StepBackgroundPass();  // true: through
  // Makes segments of nothing but free nodes usable for anything. Whether there were any.
  bool ReleaseNodeSpace();
  void RunBackgroundPass();
  void CountInTable(Stats& stats) const;

  daxfile::DaxFile file_;
  const Image image_;
  const uint32_t generation_;
  std::unique_ptr<ForeignReaders> foreign_readers_;  // of a file that this process writes
  std::unique_ptr<LiveReader> live_reader_;          // of one that it reads, and others may write
  mutable Epochs epochs_;
  Heap heap_;
  Tree tree_;
  Marker marker_;

  WriterLock writer_lock_;
  std::condition_variable_any space_is_known_;
  std::thread background_;
  bool background_has_begun_ = false;
  std::atomic<unsigned> waiting_for_space_{0};
  std::atomic<bool> closing_{false};
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_STORE_IMPL_H_
