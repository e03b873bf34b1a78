#include "tests/history/worker.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "tests/history/key_class.h"

namespace sealkv::history {
namespace {

Value ValueOf(const absl::StatusOr<std::string>& got) { return got.ok() ? Value(*got) : Value(); }
Value ValueOf(const absl::StatusOr<uint64_t>& got) { return got.ok() ? Value(WordValue(*got)) : Value(); }

// NotFound is an answer to what asks for a value.
absl::Status ButNotFound(const absl::Status& status) { return absl::IsNotFound(status) ? absl::OkStatus() : status; }

}  // namespace

Worker::Worker(StoreUnderTest& store, const Workload& workload, unsigned thread, Clock& clock)
    : store_(store),
      workload_(workload),
      thread_(thread),
      random_(workload.seed * kCounterThreads + thread),
      log_(clock, thread) {}

void Worker::Run() {
  for (unsigned i = 0; i < workload_.operations; ++i) {
    // A snapshot is kept a while, and read between other things.
    if (held_.snapshot != nullptr && random_.OneIn(2)) {
      Read(*held_.snapshot, *held_.record);
    } else {
      DoOne();
    }
  }
  held_ = {};
}

void Worker::MoveTo(RecordedRun& run) {
  log_.MoveTo(run.history);
  std::move(errors_.begin(), errors_.end(), std::back_inserter(run.errors));
}

void Worker::DoOne() {
  const Mix& mix = workload_.mix;
  const std::pair<unsigned, void (Worker::*)()> choices[] = {
      {mix.get, &Worker::DoGet},
      {mix.put, &Worker::DoPut},
      {mix.put_if_absent, &Worker::DoPutIfAbsent},
      {mix.remove, &Worker::DoDelete},
      {mix.add, &Worker::DoAdd},
      {mix.compare_and_swap, &Worker::DoCompareAndSwap},
      {mix.update, &Worker::DoUpdate},
      {mix.batch, &Worker::DoBatch},
      {mix.delete_range, &Worker::DoDeleteRange},
      {mix.snapshot, &Worker::DoSnapshot},
  };
  unsigned all = mix.transaction + mix.read_only_transaction;
  for (const auto& [weight, action] : choices) all += weight;
  uint64_t at = random_.Below(all);
  for (const auto& [weight, action] : choices) {
    if (at < weight) return (this->*action)();
    at -= weight;
  }
  DoTransaction(/*is_read_only=*/at >= mix.transaction);
}

void Worker::DoGet() {
  const std::string key = AnyKey();
  Transaction& record = log_.Begin(Kind::kOperation);
  const absl::StatusOr<std::string> got = store_.Get(key);
  End(record, ButNotFound(got.status()), {Get(key, ValueOf(got))});
}

void Worker::DoPut() {
  const std::string key = AnyRegister();
  const std::string value = ValueFor(key);
  Transaction& record = log_.Begin(Kind::kOperation);
  const absl::Status status = store_.Put(key, value);
  End(record, status, {Put(key, value)});
}

void Worker::DoPutIfAbsent() {
  const std::string key = AnyRegister();
  const std::string value = ValueFor(key);
  Transaction& record = log_.Begin(Kind::kOperation);
  const absl::Status status = store_.PutIfAbsent(key, value);
  const bool was_there = absl::IsAlreadyExists(status);
  End(record, was_there ? absl::OkStatus() : status, {PutIfAbsent(key, value, was_there)});
}

void Worker::DoDelete() {
  const std::string key = AnyRegister();
  Transaction& record = log_.Begin(Kind::kOperation);
  const absl::Status status = store_.Delete(key);
  End(record, ButNotFound(status), {Delete(key, status.ok())});
}

void Worker::DoAdd() {
  const std::string key = AnyCounter();
  if (!MayAdd(key)) return;
  const uint64_t delta = CounterDelta(thread_);
  Transaction& record = log_.Begin(Kind::kOperation);
  const absl::StatusOr<uint64_t> sum = store_.Add(key, delta);
  End(record, sum.status(), {Add(key, delta, sum.ok() ? std::optional<uint64_t>(*sum) : std::nullopt)});
}

// Mostly with the value that a get has just shown.
void Worker::DoCompareAndSwap() {
  const std::string key = AnyWord();
  Transaction& look = log_.Begin(Kind::kOperation);
  const absl::StatusOr<std::string> got = store_.Get(key);
  End(look, ButNotFound(got.status()), {Get(key, ValueOf(got))});
  const uint64_t desired = NewWord();
  const uint64_t expected = got.ok() && got->size() == sizeof(uint64_t) && !random_.OneIn(8) ? WordOf(*got) : NewWord();
  Transaction& record = log_.Begin(Kind::kOperation);
  const absl::StatusOr<uint64_t> seen = store_.CompareAndSwap(key, expected, desired);
  End(record, ButNotFound(seen.status()),
      {CompareAndSwap(key, WordValue(expected), WordValue(desired), ValueOf(seen))});
}

void Worker::DoUpdate() {
  const std::string key = AnyRegister();
  std::string value = ValueFor(key);
  Value seen;
  Transaction& record = log_.Begin(Kind::kOperation);
  const absl::Status status = store_.Update(key, [&](const Value& shown) {
    seen = shown;
    return value;
  });
  End(record, status, {Update(key, seen, value)});
}

void Worker::DoBatch() {
  std::vector<Step> batch;
  for (uint64_t left = random_.Between(2, 4); left > 0; --left) batch.push_back(BlindWrite());
  Transaction& record = log_.Begin(Kind::kBatch);
  const absl::Status status = store_.Write(batch);
  End(record, status, batch);
}

void Worker::DoDeleteRange() {
  // Registers only: counters would start again.
  Bounds bounds{.lower = "k" + std::to_string(random_.Below(workload_.registers)), .upper = "l"};
  if (random_.OneIn(2)) bounds.upper = bounds.lower + "~";
  Transaction& record = log_.Begin(Kind::kOperation);
  const absl::Status status = store_.DeleteRange(bounds);
  End(record, status, {DeleteRange(bounds.lower, bounds.upper)});
}

void Worker::DoSnapshot() {
  held_ = {};
  held_.record = &log_.Begin(Kind::kSnapshot);
  held_.snapshot = store_.OpenSnapshot();
  log_.End(*held_.record);
  Read(*held_.snapshot, *held_.record);
}

void Worker::DoTransaction(bool is_read_only) {
  Transaction& record = log_.Begin(Kind::kTransaction);
  const std::unique_ptr<TransactionUnderTest> transaction = store_.Begin();
  for (uint64_t left = random_.Between(1, 4); left > 0; --left) {
    if (is_read_only || random_.OneIn(2)) {
      Read(*transaction, record);
    } else {
      WriteIn(*transaction, record);
    }
  }
  if (random_.OneIn(12)) return log_.End(record, Outcome::kAborted);  // given up
  log_.Commit(record);
  const absl::Status status = transaction->Commit();
  log_.End(record, status.ok() ? Outcome::kCommitted : Outcome::kAborted);
  if (!absl::IsAborted(status)) NoteErrorButSpace(status, Describe(record));
}

void Worker::Read(SnapshotUnderTest& reader, Transaction& record) {
  if (random_.OneIn(2)) {
    const std::string key = AnyKey();
    const absl::StatusOr<std::string> got = reader.Get(key);
    record.steps.push_back(Get(key, ValueOf(got)));
    NoteError(ButNotFound(got.status()), "Get");
    return;
  }
  const Bounds bounds = AnyBounds();
  const bool is_reverse = random_.OneIn(2);
  absl::StatusOr<std::vector<Row>> rows = reader.Scan(bounds, is_reverse);
  if (!rows.ok()) return NoteError(rows.status(), "Scan");
  record.steps.push_back(Scan(bounds.lower, bounds.upper, *std::move(rows), is_reverse));
}

void Worker::WriteIn(TransactionUnderTest& transaction, Transaction& record) {
  const std::string key = AnyRegister();
  if (random_.OneIn(3)) {
    const absl::Status status = transaction.Delete(key);
    record.steps.push_back(absl::IsNotFound(status) ? Delete(key, false) : Delete(key));
    return NoteError(ButNotFound(status), "Delete");
  }
  const std::string value = ValueFor(key);
  NoteError(transaction.Put(key, value), "Put");
  record.steps.push_back(Put(key, value));
}

Step Worker::BlindWrite() {
  const std::string counter = AnyCounter();
  if (random_.OneIn(3) && MayAdd(counter)) return Add(counter, CounterDelta(thread_));
  const std::string key = AnyRegister();
  if (random_.OneIn(3)) return Delete(key);
  return Put(key, ValueFor(key));
}

void Worker::End(Transaction& record, const absl::Status& status, std::vector<Step> steps) {
  log_.End(record, status.ok() ? Outcome::kCommitted : Outcome::kAborted);
  record.steps = std::move(steps);
  NoteErrorButSpace(status, Describe(record));
}

void Worker::NoteErrorButSpace(const absl::Status& status, const std::string& doing) {
  if (!absl::IsResourceExhausted(status)) NoteError(status, doing);
}

void Worker::NoteError(const absl::Status& status, const std::string& doing) {
  if (!status.ok()) errors_.push_back(doing + ": " + status.ToString());
}

std::string Worker::AnyRegister() {
  const uint64_t at = random_.Below(workload_.registers + workload_.words);
  return at < workload_.registers ? "k" + std::to_string(at) : AnyWord();
}

std::string Worker::AnyWord() { return "w" + std::to_string(random_.Below(workload_.words)); }

std::string Worker::AnyCounter() { return "n" + std::to_string(random_.Below(workload_.counters)); }

std::string Worker::AnyKey() { return random_.OneIn(4) ? AnyCounter() : AnyRegister(); }

// The first 8 bytes tell it from all others.
std::string Worker::ValueFor(const std::string& key) {
  static constexpr size_t kPaddings[] = {0, 1, 30, 300};
  std::string value = WordValue(NewWord());
  if (key[0] != 'w') value.append(kPaddings[random_.Below(std::size(kPaddings))], '.');
  return value;
}

bool Worker::MayAdd(const std::string& counter) {
  unsigned& count = additions_[counter];
  if (count == kMostAdditions) return false;
  ++count;
  return true;
}

Bounds Worker::AnyBounds() {
  Bounds bounds;
  if (random_.OneIn(2)) bounds.lower = AnyKey();
  if (random_.OneIn(2)) bounds.upper = AnyKey();
  return bounds;
}

}  // namespace sealkv::history
