// Makes a StoreUnderTest of anything with the store's public interface:
//
//   Adapter<Store, WriteBatch, Range> adapter(*store);
//   const RecordedRun run = RunWorkload(adapter, {.seed = seed});
//   EXPECT_EQ(CheckStrictSerializability(run.history).verdict, Verdict::kYes);
//
// Whatever Begin and OpenSnapshot return, values or pointers, is used with `->` or `.` as it comes.
#ifndef SEALKV_TESTS_HISTORY_ADAPTER_H_
#define SEALKV_TESTS_HISTORY_ADAPTER_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/history/store_under_test.h"
#include "tests/status.h"

namespace sealkv::history {

template <typename Store, typename WriteBatch, typename Range>
class Adapter final : public StoreUnderTest {
 public:
  explicit Adapter(Store& store) : store_(store) {}

  absl::Status Put(const std::string& key, const std::string& value) override { return store_.Put(key, value); }
  absl::Status PutIfAbsent(const std::string& key, const std::string& value) override {
    return store_.PutIfAbsent(key, value);
  }
  absl::StatusOr<std::string> Get(const std::string& key) override { return store_.Get(key); }
  absl::Status Delete(const std::string& key) override { return store_.Delete(key); }
  absl::StatusOr<uint64_t> Add(const std::string& key, uint64_t delta) override { return store_.Add(key, delta); }
  absl::StatusOr<uint64_t> CompareAndSwap(const std::string& key, uint64_t expected, uint64_t desired) override {
    return store_.CompareAndSwap(key, expected, desired);
  }
  absl::Status Update(const std::string& key, const UpdateFunction& function) override {
    const auto call = [&](std::optional<std::string_view> seen) -> std::optional<std::string> {
      return function(seen.has_value() ? Value(*seen) : Value());
    };
    return testing::StatusOf(store_.Update(key, call));
  }
  absl::Status Write(const std::vector<Step>& batch) override {
    WriteBatch made;
    for (const Step& step : batch) {
      if (step.action == Action::kPut) made.Put(step.key, *step.value);
      if (step.action == Action::kDelete) made.Delete(step.key);
      if (step.action == Action::kAdd) made.Add(step.key, step.delta);
    }
    return store_.Write(made);
  }
  absl::Status DeleteRange(const Bounds& bounds) override { return store_.DeleteRange(RangeOf(bounds)); }
  std::unique_ptr<SnapshotUnderTest> OpenSnapshot() override {
    return std::make_unique<Snapshot<SnapshotUnderTest, decltype(store_.OpenSnapshot())>>(store_.OpenSnapshot());
  }
  std::unique_ptr<TransactionUnderTest> Begin() override { return std::make_unique<Transaction>(store_.Begin()); }

 private:
  static Range RangeOf(const Bounds& bounds) {
    Range range;
    range.lower = bounds.lower;
    range.upper = bounds.upper;
    return range;
  }

  template <typename T>
  static T& Target(T& value) {
    return value;
  }
  template <typename T>
  static T& Target(std::unique_ptr<T>& pointer) {
    return *pointer;
  }

  template <typename Interface, typename Reader>
  class Snapshot : public Interface {
   public:
    explicit Snapshot(Reader reader) : reader_(std::move(reader)) {}
    absl::StatusOr<std::string> Get(const std::string& key) override { return Target(reader_).Get(key); }
    absl::StatusOr<std::vector<Row>> Scan(const Bounds& bounds, bool is_reverse) override {
      const auto iterator = Target(reader_).NewIterator(RangeOf(bounds));
      std::vector<Row> rows;
      is_reverse ? iterator->SeekToLast() : iterator->SeekToFirst();
      for (; iterator->Valid(); is_reverse ? iterator->Prev() : iterator->Next()) {
        rows.emplace_back(iterator->key(), iterator->value());
      }
      if (const absl::Status status = iterator->status(); !status.ok()) return status;
      return rows;
    }

   protected:
    Reader reader_;
  };

  class Transaction final : public Snapshot<TransactionUnderTest, decltype(std::declval<Store&>().Begin())> {
   public:
    using Snapshot<TransactionUnderTest, decltype(std::declval<Store&>().Begin())>::Snapshot;
    absl::Status Put(const std::string& key, const std::string& value) override {
      return Target(this->reader_).Put(key, value);
    }
    absl::Status Delete(const std::string& key) override { return Target(this->reader_).Delete(key); }
    absl::Status Commit() override { return Target(this->reader_).Commit(); }
  };

  Store& store_;
};

}  // namespace sealkv::history

#endif  // SEALKV_TESTS_HISTORY_ADAPTER_H_
