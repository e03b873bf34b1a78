#include "tests/history/reference_store.h"

#include <algorithm>
#include <set>
#include <thread>
#include <utility>

namespace sealkv::history {
namespace {

absl::Status NotFound() { return absl::NotFoundError("the key isn't there"); }

absl::StatusOr<std::string> AnswerOf(const Step& get) {
  if (!get.seen.has_value()) return NotFound();
  return *get.seen;
}

Step ScanOf(const ReferenceRange& range) { return Scan(range.lower.value_or(""), range.upper, {}); }

// What the transaction wrote, as it left it.
std::map<std::string, Value> Written(const std::vector<Step>& done, const Map& map) {
  std::map<std::string, Value> written;
  for (const Step& step : done) {
    if (MayWrite(step)) written[step.key] = ValueIn(map, step.key);
  }
  return written;
}

}  // namespace

const char* NameOf(Break fault) {
  static constexpr const char* kNames[] = {"nothing",
                                           "batch is torn",
                                           "range is torn",
                                           "snapshot moves",
                                           "reads aren't checked",
                                           "ranges aren't checked",
                                           "nothing is checked",
                                           "add is torn",
                                           "swap is torn",
                                           "insert is torn",
                                           "reads lag"};
  return kNames[static_cast<size_t>(fault)];
}

void ReferenceBatch::Put(std::string_view key, std::string_view value) {
  steps_.push_back(history::Put(std::string(key), std::string(value)));
}
void ReferenceBatch::Delete(std::string_view key) { steps_.push_back(history::Delete(std::string(key))); }
void ReferenceBatch::Add(std::string_view key, uint64_t delta) {
  steps_.push_back(history::Add(std::string(key), delta));
}

absl::StatusOr<std::string> ReferenceSnapshot::Get(std::string_view key) const {
  Map map = live_ != nullptr ? live_->Copy() : map_;
  return AnswerOf(Perform(history::Get(std::string(key), {}), map));
}
std::unique_ptr<ReferenceIterator> ReferenceSnapshot::NewIterator(const ReferenceRange& range) const {
  Map map = live_ != nullptr ? live_->Copy() : map_;
  return std::make_unique<ReferenceIterator>(Perform(ScanOf(range), map).rows);
}

absl::StatusOr<std::string> ReferenceTransaction::Get(std::string_view key) {
  return AnswerOf(Do(history::Get(std::string(key), {})));
}
std::unique_ptr<ReferenceIterator> ReferenceTransaction::NewIterator(const ReferenceRange& range) {
  return std::make_unique<ReferenceIterator>(Do(ScanOf(range)).rows);
}
absl::Status ReferenceTransaction::Put(std::string_view key, std::string_view value) {
  Do(history::Put(std::string(key), std::string(value)));
  return absl::OkStatus();
}
absl::Status ReferenceTransaction::Delete(std::string_view key) {
  const Step& step = Do(Asking(history::Delete(std::string(key))));
  return *step.was_there ? absl::OkStatus() : NotFound();
}
absl::Status ReferenceTransaction::Commit() { return store_.Commit(*this); }

const Step& ReferenceTransaction::Do(Step step) {
  std::this_thread::yield();
  return done_.emplace_back(Perform(std::move(step), map_));
}

absl::Status ReferenceStore::Put(std::string_view key, std::string_view value) {
  Do(history::Put(std::string(key), std::string(value)));
  return absl::OkStatus();
}
absl::Status ReferenceStore::PutIfAbsent(std::string_view key, std::string_view value) {
  const Step step =
      Do(history::PutIfAbsent(std::string(key), std::string(value), false), break_ == Break::kInsertIsTorn);
  return *step.was_there ? absl::AlreadyExistsError("the key is there") : absl::OkStatus();
}
absl::StatusOr<std::string> ReferenceStore::Get(std::string_view key) const {
  Map map = Copy();
  if (break_ == Break::kReadsLag) {
    const std::lock_guard lock(mutex_);
    map = before_last_write_;
  }
  return AnswerOf(Perform(history::Get(std::string(key), {}), map));
}
absl::Status ReferenceStore::Delete(std::string_view key) {
  const Step step = Do(Asking(history::Delete(std::string(key))));
  return *step.was_there ? absl::OkStatus() : NotFound();
}
absl::StatusOr<uint64_t> ReferenceStore::Add(std::string_view key, uint64_t delta) {
  const Step step = Do(Asking(history::Add(std::string(key), delta)), break_ == Break::kAddIsTorn);
  return WordOf(*step.seen);
}
absl::StatusOr<uint64_t> ReferenceStore::CompareAndSwap(std::string_view key, uint64_t expected, uint64_t desired) {
  const Step step = Do(history::CompareAndSwap(std::string(key), WordValue(expected), WordValue(desired), {}),
                       break_ == Break::kSwapIsTorn);
  if (!step.seen.has_value()) return NotFound();
  return WordOf(*step.seen);
}
absl::Status ReferenceStore::Update(std::string_view key, const UpdateFunction& function) {
  const std::lock_guard lock(mutex_);
  const Value seen = ValueIn(map_, std::string(key));
  before_last_write_ = map_;
  SetIn(map_, std::string(key), function(seen.has_value() ? std::optional<std::string_view>(*seen) : std::nullopt));
  return absl::OkStatus();
}
absl::Status ReferenceStore::Write(const ReferenceBatch& batch) {
  DoAll(batch.steps(), break_ == Break::kBatchIsTorn);
  return absl::OkStatus();
}
absl::Status ReferenceStore::DeleteRange(const ReferenceRange& range) {
  if (break_ != Break::kRangeIsTorn) {
    Do(history::DeleteRange(range.lower.value_or(""), range.upper));
    return absl::OkStatus();
  }
  Map map = Copy();
  std::vector<Step> deletes;
  for (const Row& row : Perform(ScanOf(range), map).rows) deletes.push_back(history::Delete(row.first));
  DoAll(deletes, /*is_torn=*/true);
  return absl::OkStatus();
}
ReferenceSnapshot ReferenceStore::OpenSnapshot() const {
  return {Copy(), break_ == Break::kSnapshotMoves ? this : nullptr};
}
std::unique_ptr<ReferenceTransaction> ReferenceStore::Begin() {
  return std::make_unique<ReferenceTransaction>(*this, Copy());
}

Step ReferenceStore::Do(Step step, bool is_torn) {
  std::unique_lock lock(mutex_);
  before_last_write_ = map_;
  if (!is_torn) return Perform(std::move(step), map_);
  Map map = map_;
  lock.unlock();
  std::this_thread::yield();
  Step done = Perform(std::move(step), map);
  lock.lock();
  if (MayWrite(done)) SetIn(map_, done.key, ValueIn(map, done.key));
  return done;
}

void ReferenceStore::DoAll(const std::vector<Step>& steps, bool is_torn) {
  std::unique_lock lock(mutex_);
  before_last_write_ = map_;
  for (const Step& step : steps) {
    Perform(step, map_);
    if (!is_torn) continue;
    lock.unlock();
    std::this_thread::yield();
    lock.lock();
  }
}

absl::Status ReferenceStore::Commit(const ReferenceTransaction& transaction) {
  const std::lock_guard lock(mutex_);
  const std::map<std::string, Value> written = Written(transaction.done_, transaction.map_);
  if (written.empty()) return absl::OkStatus();  // it saw the state at its begin
  if (!MayCommit(transaction)) return absl::AbortedError("what was read has changed");
  before_last_write_ = map_;
  Overlay(map_, written);
  return absl::OkStatus();
}

bool ReferenceStore::MayCommit(const ReferenceTransaction& transaction) const {
  if (break_ == Break::kNothingIsChecked) return true;
  if (break_ == Break::kReadsAreNotChecked) {
    const auto written = Written(transaction.done_, transaction.map_);
    return std::all_of(written.begin(), written.end(), [&](const auto& write) {
      return ValueIn(map_, write.first) == ValueIn(transaction.begin_, write.first);
    });
  }
  Map map = map_;
  for (const Step& step : transaction.done_) {
    if (step.action == Action::kScan && break_ == Break::kRangesAreNotChecked) continue;
    if (!IsSameAnswer(Perform(step, map), step)) return false;
  }
  return true;
}

Map ReferenceStore::Copy() const {
  const std::lock_guard lock(mutex_);
  return map_;
}

}  // namespace sealkv::history
