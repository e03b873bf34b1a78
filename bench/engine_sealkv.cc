#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "bench/engine.h"
#include "kv/sealkv.h"

namespace sealkv::bench {
namespace {

class SealkvEngine : public Engine {
 public:
  absl::Status Open(const EngineOptions& options) override {
    Close();
    path_ = options.path;
    if (path_ == kInMemory) return OpenInMemory(options.capacity_bytes);
    store_options_ = {.capacity_bytes = options.capacity_bytes,
                      .max_bytes = std::max(options.capacity_bytes, options.max_capacity_bytes),
                      .change_log_bytes = options.change_log_bytes,
                      .weakest_tier = options.weakest_tier};
    absl::StatusOr<std::unique_ptr<Store>> store =
        options.use_existing ? Store::Open(path_, store_options_) : Store::Create(path_, store_options_);
    if (!store.ok()) return store.status();
    store_ = *std::move(store);
    return absl::OkStatus();
  }

  void Close() override {
    store_.reset();
    memory_.reset();
  }

  absl::Status Put(const Key& key, std::string_view value) override { return store_->Put(key.bytes, value); }
  absl::Status Get(const Key& key, std::string* value) override { return store_->Get(key.bytes, value); }
  void MultiGet(std::span<const Key> keys, std::vector<absl::StatusOr<std::string>>* values) override {
    absl::InlinedVector<std::string_view, 128> names;
    for (const Key& key : keys) names.push_back(key.bytes);
    store_->MultiGet(names, values);
  }
  absl::Status Delete(const Key& key) override { return store_->Delete(key.bytes); }

  absl::StatusOr<uint64_t> Scan(const std::optional<Key>& from, uint64_t count, bool reverse, uint64_t* sum) override {
    const std::unique_ptr<Iterator> it = store_->NewIterator();
    if (reverse) {
      it->SeekToLast();
    } else if (from.has_value()) {
      it->Seek(from->bytes);
    } else {
      it->SeekToFirst();
    }
    uint64_t seen = 0;
    for (; it->Valid() && seen < count; ++seen) {
      if (!it->value().empty()) *sum += static_cast<unsigned char>(it->value().back());
      reverse ? it->Prev() : it->Next();
    }
    if (!it->Valid()) {
      if (absl::Status status = it->status(); !status.ok()) return status;
    }
    return seen;
  }

  std::unique_ptr<EngineBatch> NewBatch() override {
    class Batch : public EngineBatch {
     public:
      explicit Batch(Store& store) : store_(store) {}
      void Put(const Key& key, std::string_view value) override { batch_.Put(key.bytes, value); }
      absl::Status Write() override {
        const absl::Status status = store_.Write(batch_);
        batch_.Clear();
        return status;
      }

     private:
      Store& store_;
      WriteBatch batch_;
    };
    return std::make_unique<Batch>(*store_);
  }
  absl::Status Increment(const Key& key) override { return store_->Add(key.bytes, 1).status(); }
  absl::Status TouchSnapshot() override { return store_->OpenSnapshot().status(); }

  bool is_thread_safe() const override { return true; }
  bool is_persistent() const override { return path_ != kInMemory; }

  std::string Describe() const override {
    const Stats stats = store_->GetStats();
    const bool safe = daxfile::IsPowerSafe(stats.tier);
    return absl::StrCat("SealKV, tier ", std::string(daxfile::TierName(stats.tier)),
                        safe ? ": durable when a write returns" : ": clwb + sfence on DRAM, lost with the power");
  }

  std::optional<uint64_t> BytesUsed() override {
    if (!store_->WaitUntilSpaceIsKnown().ok()) return std::nullopt;
    const Stats stats = store_->GetStats();
    return stats.node_bytes_used + stats.record_bytes_used;
  }

  absl::Status Compact() override { return store_->Compact(); }
  std::optional<uint64_t> BytesTaken() override {
    const Stats stats = store_->GetStats();
    return (stats.segments_total - stats.segments_free) * stats.segment_bytes;
  }
  std::optional<uint64_t> BytesMoved() override { return store_->GetStats().bytes_moved; }

 private:
  absl::Status OpenInMemory(uint64_t bytes) {
    constexpr uint64_t kHugePageBytes = 2 << 20;
    memory_bytes_ = (bytes + kHugePageBytes - 1) / kHugePageBytes * kHugePageBytes;
    memory_.reset(static_cast<std::byte*>(std::aligned_alloc(kHugePageBytes, memory_bytes_)));
    if (memory_ == nullptr)
      return absl::ResourceExhaustedError(absl::StrCat("no memory for ", memory_bytes_, " bytes"));
    madvise(memory_.get(), memory_bytes_, MADV_HUGEPAGE);
    std::memset(memory_.get(), 0, memory_bytes_);
    absl::StatusOr<std::unique_ptr<Store>> store =
        Store::Format(daxfile::DaxFile::OverMemory({memory_.get(), memory_bytes_}));
    if (!store.ok()) return store.status();
    store_ = *std::move(store);
    return absl::OkStatus();
  }

  struct Free {
    void operator()(std::byte* memory) const { std::free(memory); }
  };

  std::string path_;
  Options store_options_;
  std::unique_ptr<std::byte[], Free> memory_;  // kInMemory only; the store goes before it
  uint64_t memory_bytes_ = 0;
  std::unique_ptr<Store> store_;
};

}  // namespace

std::unique_ptr<Engine> MakeSealkvEngine() { return std::make_unique<SealkvEngine>(); }

}  // namespace sealkv::bench
