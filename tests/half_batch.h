// What a writer leaves who dies in the middle of a batch: the lane names it, and a part of its words is stored.
#ifndef SEALKV_TESTS_HALF_BATCH_H_
#define SEALKV_TESTS_HALF_BATCH_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "daxfile/persist.h"
#include "gtest/gtest.h"
#include "kv/sealkv.h"
#include "kv/superblock.h"
#include "tests/memory_store.h"
#include "tests/status.h"

namespace sealkv::testing {

// Keeps what the memory holds when so many words have been stored behind the next commit of a lane.
class DeathInBatch : public daxfile::PersistObserver {
 public:
  void Watch(std::span<const std::byte> memory, uint64_t words) {
    memory_ = memory;
    words_left_ = words;
    kept_.clear();
  }
  // Empty: no batch was committed, or it had no more words than that.
  const std::string& kept() const { return kept_; }

  void OnStore(const uint64_t* word, uint64_t, const daxfile::Site&) override {
    if (memory_.empty() || !kept_.empty()) return;
    const bool is_lane = IsLane(reinterpret_cast<const std::byte*>(word) - memory_.data());
    if (!is_committed_) {
      is_committed_ = is_lane;
    } else if (is_lane) {
      memory_ = {};  // it is over
    } else if (words_left_-- == 0) {
      kept_.assign(reinterpret_cast<const char*>(memory_.data()), memory_.size());
    }
  }
  void OnCopy(const void*, const void*, size_t, bool, const daxfile::Site&) override {}
  void OnFlush(const void*, size_t, const daxfile::Site&) override {}
  void OnFence(const daxfile::Site&) override {}

 private:
  static bool IsLane(ptrdiff_t at) {
    using internal::Superblock;
    const auto begin = static_cast<ptrdiff_t>(Superblock::kLanesOffset);
    return at >= begin && at < begin + static_cast<ptrdiff_t>(sizeof(Superblock::lanes));
  }

  std::span<const std::byte> memory_;
  uint64_t words_left_ = 0;
  bool is_committed_ = false;
  std::string kept_;
};

// The bytes of a store that `before` and `batch` were written to, whose writer died so many words behind the commit.
template <typename Before>
std::string StoreWithHalfABatch(size_t bytes, const Before& before, const WriteBatch& batch, uint64_t words) {
  DeathInBatch death;
  MemoryStore store(bytes, &death);
  EXPECT_OK(store.Format());
  before(*store);
  death.Watch(store.memory().span(), words);
  EXPECT_OK(store->Write(batch));
  EXPECT_FALSE(death.kept().empty()) << "the batch has too few words";
  return death.kept();
}

}  // namespace sealkv::testing

#endif  // SEALKV_TESTS_HALF_BATCH_H_
