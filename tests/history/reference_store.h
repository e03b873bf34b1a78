// A store in memory that is right because it is simple: one mutex, one map, and a copy of it for each snapshot. It has
// the public interface of the real one, so that what is plugged in here is plugged in there; and it can be broken in
// one way, for the checkers to notice. Where a gap between two steps is the fault, the thread yields in it.
#ifndef SEALKV_TESTS_HISTORY_REFERENCE_STORE_H_
#define SEALKV_TESTS_HISTORY_REFERENCE_STORE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tests/history/map_model.h"

namespace sealkv::history {

enum class Break : uint8_t {
  kNothing,
  kBatchIsTorn,          // the lock is given back between two steps of a batch
  kRangeIsTorn,          // and of a DeleteRange
  kSnapshotMoves,        // a snapshot shows what is there when it is read
  kReadsAreNotChecked,   // commit looks at what is written, not at what was read
  kRangesAreNotChecked,  // commit doesn't look for keys that are new in a range that was read
  kNothingIsChecked,     // commit never aborts
  kAddIsTorn,            // an addition is a read and a write
  kSwapIsTorn,           // so is a compare-and-swap
  kInsertIsTorn,         // and a put-if-absent
  kReadsLag,             // a get shows the state before the last write
};
inline constexpr Break kBreaks[] = {
    Break::kBatchIsTorn,         Break::kRangeIsTorn,      Break::kSnapshotMoves, Break::kReadsAreNotChecked,
    Break::kRangesAreNotChecked, Break::kNothingIsChecked, Break::kAddIsTorn,     Break::kSwapIsTorn,
    Break::kInsertIsTorn,        Break::kReadsLag};
const char* NameOf(Break fault);

struct ReferenceRange {
  std::optional<std::string> lower;
  std::optional<std::string> upper;
};

// Over rows of its own.
class ReferenceIterator {
 public:
  explicit ReferenceIterator(std::vector<Row> rows) : rows_(std::move(rows)), at_(rows_.size()) {}
  bool Valid() const { return at_ < rows_.size(); }
  void SeekToFirst() { at_ = 0; }
  void SeekToLast() { at_ = rows_.size() - 1; }
  void Next() { ++at_; }
  void Prev() { --at_; }  // before the first: beyond all, for it wraps
  std::string_view key() const { return rows_[at_].first; }
  std::string_view value() const { return rows_[at_].second; }
  absl::Status status() const { return absl::OkStatus(); }

 private:
  std::vector<Row> rows_;
  size_t at_;
};

class ReferenceBatch {
 public:
  void Put(std::string_view key, std::string_view value);
  void Delete(std::string_view key);
  void Add(std::string_view key, uint64_t delta);
  const std::vector<Step>& steps() const { return steps_; }

 private:
  std::vector<Step> steps_;
};

class ReferenceStore;

class ReferenceSnapshot {
 public:
  // `live`: it moves.
  ReferenceSnapshot(Map map, const ReferenceStore* live) : map_(std::move(map)), live_(live) {}
  absl::StatusOr<std::string> Get(std::string_view key) const;
  std::unique_ptr<ReferenceIterator> NewIterator(const ReferenceRange& range) const;

 private:
  Map map_;
  const ReferenceStore* live_;
};

// Optimistic: it works on a copy, and at commit all that it did must have the same answers again.
class ReferenceTransaction {
 public:
  ReferenceTransaction(ReferenceStore& store, Map map) : store_(store), begin_(map), map_(std::move(map)) {}
  absl::StatusOr<std::string> Get(std::string_view key);
  std::unique_ptr<ReferenceIterator> NewIterator(const ReferenceRange& range);
  absl::Status Put(std::string_view key, std::string_view value);
  absl::Status Delete(std::string_view key);
  absl::Status Commit();

 private:
  friend class ReferenceStore;
  const Step& Do(Step step);

  ReferenceStore& store_;
  const Map begin_;
  Map map_;
  std::vector<Step> done_;
};

class ReferenceStore {
 public:
  using UpdateFunction = std::function<std::optional<std::string>(std::optional<std::string_view>)>;

  explicit ReferenceStore(Break fault = Break::kNothing) : break_(fault) {}

  absl::Status Put(std::string_view key, std::string_view value);
  absl::Status PutIfAbsent(std::string_view key, std::string_view value);
  absl::StatusOr<std::string> Get(std::string_view key) const;
  absl::Status Delete(std::string_view key);
  absl::StatusOr<uint64_t> Add(std::string_view key, uint64_t delta);
  absl::StatusOr<uint64_t> CompareAndSwap(std::string_view key, uint64_t expected, uint64_t desired);
  absl::Status Update(std::string_view key, const UpdateFunction& function);
  absl::Status Write(const ReferenceBatch& batch);
  absl::Status DeleteRange(const ReferenceRange& range);
  ReferenceSnapshot OpenSnapshot() const;
  std::unique_ptr<ReferenceTransaction> Begin();

 private:
  friend class ReferenceTransaction;
  friend class ReferenceSnapshot;

  // Under the lock; or, if it is to be torn, answers and writes with the lock given back between.
  Step Do(Step step, bool is_torn = false);
  void DoAll(const std::vector<Step>& steps, bool is_torn);
  absl::Status Commit(const ReferenceTransaction& transaction);
  bool MayCommit(const ReferenceTransaction& transaction) const;
  Map Copy() const;

  const Break break_;
  mutable std::mutex mutex_;
  Map map_;
  Map before_last_write_;
};

}  // namespace sealkv::history

#endif  // SEALKV_TESTS_HISTORY_REFERENCE_STORE_H_
