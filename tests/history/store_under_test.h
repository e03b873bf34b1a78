// What the workload generator asks of a store. Adapter (adapter.h) makes one of anything with the public interface.
#ifndef SEALKV_TESTS_HISTORY_STORE_UNDER_TEST_H_
#define SEALKV_TESTS_HISTORY_STORE_UNDER_TEST_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tests/history/history.h"

namespace sealkv::history {

struct Bounds {
  std::string lower;
  Value upper;
};

class SnapshotUnderTest {
 public:
  virtual ~SnapshotUnderTest() = default;
  virtual absl::StatusOr<std::string> Get(const std::string& key) = 0;
  // All rows, in the order of the walk.
  virtual absl::StatusOr<std::vector<Row>> Scan(const Bounds& bounds, bool is_reverse) = 0;
};

// To destroy it uncommitted is to give it up.
class TransactionUnderTest : public SnapshotUnderTest {
 public:
  virtual absl::Status Put(const std::string& key, const std::string& value) = 0;
  // NotFound, or OK whether the key was there or not.
  virtual absl::Status Delete(const std::string& key) = 0;
  // Aborted: nothing was changed.
  virtual absl::Status Commit() = 0;
};

class StoreUnderTest {
 public:
  using UpdateFunction = std::function<std::string(const Value&)>;

  virtual ~StoreUnderTest() = default;
  virtual absl::Status Put(const std::string& key, const std::string& value) = 0;
  virtual absl::Status PutIfAbsent(const std::string& key, const std::string& value) = 0;
  virtual absl::StatusOr<std::string> Get(const std::string& key) = 0;
  virtual absl::Status Delete(const std::string& key) = 0;
  virtual absl::StatusOr<uint64_t> Add(const std::string& key, uint64_t delta) = 0;
  virtual absl::StatusOr<uint64_t> CompareAndSwap(const std::string& key, uint64_t expected, uint64_t desired) = 0;
  // The function may be called several times; the last call counts.
  virtual absl::Status Update(const std::string& key, const UpdateFunction& function) = 0;
  // Steps are puts, deletes, additions; without answers.
  virtual absl::Status Write(const std::vector<Step>& batch) = 0;
  virtual absl::Status DeleteRange(const Bounds& bounds) = 0;
  virtual std::unique_ptr<SnapshotUnderTest> OpenSnapshot() = 0;
  virtual std::unique_ptr<TransactionUnderTest> Begin() = 0;
};

}  // namespace sealkv::history

#endif  // SEALKV_TESTS_HISTORY_STORE_UNDER_TEST_H_
