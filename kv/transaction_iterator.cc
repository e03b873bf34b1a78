#include "kv/transaction_iterator.h"

#include <algorithm>
#include <tuple>

namespace sealkv::internal {
namespace {

// The least key behind this one.
std::string After(std::string_view key) { return std::string(key) + '\0'; }

class FailedIterator : public Iterator {
 public:
  explicit FailedIterator(absl::Status status) : status_(std::move(status)) {}
  void SeekToFirst() override {}
  void SeekToLast() override {}
  void Seek(std::string_view) override {}
  void SeekForPrev(std::string_view) override {}
  void Next() override {}
  void Prev() override {}
  std::optional<std::chrono::sys_seconds> expiry() const override { return std::nullopt; }
  absl::Status status() const override { return status_; }

 private:
  const absl::Status status_;
};

}  // namespace

std::unique_ptr<Iterator> NewFailedIterator(absl::Status status) {
  return std::make_unique<FailedIterator>(std::move(status));
}

TransactionIterator::TransactionIterator(TransactionImpl& transaction, Range range,
                                         std::shared_ptr<const OpenSnapshot> snapshot)
    : transaction_(transaction),
      snapshot_seconds_(snapshot->view().seconds),
      base_(snapshot->store().NewIteratorAt(Range(range), snapshot)) {
  std::tie(lower_, upper_) = BoundsOf(std::move(range));
}

// ---- seeking: a new walk

void TransactionIterator::SeekToFirst() {
  StandOnNothing();
  const std::string from = lower_;  // by value: Seek compares with it
  Seek(from);
}

void TransactionIterator::Seek(std::string_view sought) {
  StandOnNothing();
  const std::string key = std::max(std::string(sought), lower_);
  covered_ = &transaction_.reads().AddRange({key, key});
  goes_up_ = true;
  base_->Seek(key);
  SettleUp(transaction_.writes().lower_bound(key));
}

void TransactionIterator::SeekToLast() {
  StandOnNothing();
  covered_ = &transaction_.reads().AddRange({upper_.value_or(lower_), upper_});
  goes_up_ = false;
  base_->SeekToLast();
  const Writes& writes = transaction_.writes();
  SettleDown(upper_.has_value() ? writes.lower_bound(*upper_) : writes.end());
  const bool is_found = Valid();
  StandOnNothing();
  covered_->from = is_found ? own_key_ : lower_;
  if (is_found) StandOn(own_key_, own_value_);
}

void TransactionIterator::SeekForPrev(std::string_view sought) {
  if (upper_.has_value() && sought >= *upper_) return SeekToLast();
  StandOnNothing();
  const std::string key(sought);
  covered_ = &transaction_.reads().AddRange({key, After(key)});
  goes_up_ = false;
  base_->SeekForPrev(key);
  SettleDown(transaction_.writes().upper_bound(key));
}

// ---- walking

void TransactionIterator::Next() {
  StandOnNothing();
  const std::string before = own_key_;
  if (!goes_up_) {
    goes_up_ = true;
    base_->Seek(before);
  }
  if (base_->Valid() && base_->key() == before) base_->Next();
  SettleUp(transaction_.writes().upper_bound(before));
}

void TransactionIterator::Prev() {
  StandOnNothing();
  const std::string before = own_key_;
  if (goes_up_) {
    goes_up_ = false;
    base_->SeekForPrev(before);
  }
  if (base_->Valid() && base_->key() == before) base_->Prev();
  SettleDown(transaction_.writes().lower_bound(before));
}

// `write` is the first of the writes that may come next.
void TransactionIterator::SettleUp(Writes::const_iterator write) {
  const Writes& writes = transaction_.writes();
  while (base_->Valid() && IsOverwritten()) base_->Next();
  while (write != writes.end() && !write->second.is_there(snapshot_seconds_)) ++write;
  if (!base_->status().ok()) return;
  const bool has_write = write != writes.end() && IsInRange(write->first);
  if (has_write && (!base_->Valid() || write->first < base_->key())) {
    CopyWrite(write);
  } else if (base_->Valid()) {
    CopyBase();
  } else {
    return CoverTo(upper_);
  }
  CoverTo(After(own_key_));
  StandOn(own_key_, own_value_);
}

// `write` is just behind the first of the writes that may come next, on the way down.
void TransactionIterator::SettleDown(Writes::const_iterator write) {
  const Writes& writes = transaction_.writes();
  while (base_->Valid() && IsOverwritten()) base_->Prev();
  bool has_write = false;
  while (!has_write && write != writes.begin()) has_write = (--write)->second.is_there(snapshot_seconds_);
  has_write = has_write && IsInRange(write->first);
  if (!base_->status().ok()) return;
  if (has_write && (!base_->Valid() || write->first > base_->key())) {
    CopyWrite(write);
  } else if (base_->Valid()) {
    CopyBase();
  } else {
    return CoverFrom(lower_);
  }
  CoverFrom(own_key_);
  StandOn(own_key_, own_value_);
}

void TransactionIterator::Copy(std::string_view key, std::string_view value,
                               std::optional<std::chrono::sys_seconds> expiry) {
  expiry_ = expiry;
  own_key_.assign(key);
  own_value_.assign(value);
}

void TransactionIterator::CoverTo(std::optional<std::string> end) {
  if (!covered_->to.has_value()) return;
  if (!end.has_value() || *end > *covered_->to) covered_->to = std::move(end);
}

void TransactionIterator::CoverFrom(std::string begin) {
  if (begin < covered_->from) covered_->from = std::move(begin);
}

}  // namespace sealkv::internal
