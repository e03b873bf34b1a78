// An engine whose operations on single keys, and scans, are those of another: for tests that change one thing of it.
#ifndef SEALKV_BENCH_TESTING_FORWARDING_ENGINE_H_
#define SEALKV_BENCH_TESTING_FORWARDING_ENGINE_H_

#include <memory>
#include <string>
#include <utility>

#include "bench/engine.h"

namespace sealkv::bench {

class ForwardingEngine : public Engine {
 public:
  explicit ForwardingEngine(std::unique_ptr<Engine> engine) : engine_(std::move(engine)) {}

  absl::Status Open(const EngineOptions& options) override { return engine_->Open(options); }
  void Close() override { engine_->Close(); }
  absl::Status Put(const Key& key, std::string_view value) override { return engine_->Put(key, value); }
  absl::Status Get(const Key& key, std::string* value) override { return engine_->Get(key, value); }
  absl::Status Delete(const Key& key) override { return engine_->Delete(key); }
  absl::StatusOr<uint64_t> Scan(const std::optional<Key>& from, uint64_t count, bool reverse, uint64_t* sum) override {
    return engine_->Scan(from, count, reverse, sum);
  }
  absl::Status Increment(const Key& key) override { return engine_->Increment(key); }
  bool is_thread_safe() const override { return engine_->is_thread_safe(); }
  bool is_persistent() const override { return engine_->is_persistent(); }
  std::string Describe() const override { return engine_->Describe(); }

 private:
  const std::unique_ptr<Engine> engine_;
};

}  // namespace sealkv::bench

#endif  // SEALKV_BENCH_TESTING_FORWARDING_ENGINE_H_
