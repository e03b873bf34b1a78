// Store::Checkpoint: a snapshot's keys, in order, are a bulk load of another store.
//
// Beside a writer there is no snapshot: a walk sees each leaf at another moment. If the store keeps its changes, those
// since before the walk make one moment of it: each is made again in the copy, up to one that was made after the walk.
// A key that was changed meanwhile is then as the last of them left it, whatever the walk saw; and all others it saw as
// they are.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "kv/recovery.h"
#include "kv/sealkv.h"
#include "kv/store_impl.h"
#include "kv/unfinished_store.h"

namespace sealkv {
namespace {

constexpr uint64_t kKeysBetweenCalls = 1024;

// The input of a bulk load.
class Copier {
 public:
  Copier(Iterator& from, const std::function<bool(uint64_t)>& go_on) : from_(from), go_on_(go_on) {}

  bool Next(std::string_view* key, internal::NewValue* value) {
    copied_ == 0 ? from_.SeekToFirst() : from_.Next();
    const bool has_more = from_.Valid();
    if (!has_more || copied_ % kKeysBetweenCalls == kKeysBetweenCalls - 1) {
      is_stopped_ = go_on_ != nullptr && !go_on_(copied_);
    }
    if (!has_more || is_stopped_) return false;
    *key = from_.key();
    *value = {from_.value(), internal::ExpiryOf(from_.expiry())};
    ++copied_;
    return true;
  }

  uint64_t copied() const { return copied_; }
  absl::Status status() const {
    if (is_stopped_) return absl::CancelledError("the copy was stopped");
    return from_.status();
  }

 private:
  Iterator& from_;
  const std::function<bool(uint64_t)>& go_on_;
  uint64_t copied_ = 0;
  bool is_stopped_ = false;
};

}  // namespace

// It goes on with this one's numbers; if this one has none, with its own.
absl::Status Store::BeginLogOfCopy(internal::StoreImpl& copy, const internal::LogEnd& end) const {
  if (!impl_->keeps_log()) return copy.BeginLogAt(copy.log_terms().lineage, {1, 0});
  return copy.BeginLogAt(impl_->log_terms().lineage, end);
}

// What was changed during the walk, which began when `begin` was the last change. Where somebody was in the way of the
// log's end, so that it looked shorter than it is, there is no copy.
absl::Status Store::CatchUpInCopy(internal::StoreImpl& copy, const internal::LogEnd& begin,
                                  const std::function<bool(uint64_t)>& go_on) const {
  const absl::StatusOr<internal::LogEnd> end = impl_->LogEndAt(nullptr);
  if (!end.ok()) return end.status();
  const absl::Status status = copy.CatchUpWith(*impl_, go_on, end->number);
  if (absl::IsOutOfRange(status)) {
    return absl::OutOfRangeError(absl::StrCat(
        "what was changed while the store was copied isn't all kept (it keeps ", impl_->log_terms().most_bytes,
        " bytes of changes); the copy was removed. Copy it when less is written, or in the process that writes it."));
  }
  if (!status.ok()) return status;
  const absl::StatusOr<internal::LogEnd> reached = copy.LogEndAt(nullptr);
  if (!reached.ok()) return reached.status();
  if (end->number >= begin.number && reached->number == end->number) return absl::OkStatus();
  return absl::AbortedError("the store's log was being changed; the copy was removed. Try again.");
}

absl::Status Store::Checkpoint(std::string_view path, const Options& options,
                               const std::function<bool(uint64_t keys)>& go_on) const {
  if (impl_->is_beside_writer() && !impl_->keeps_log()) {
    return absl::FailedPreconditionError(
        "a copy needs the store as it is at one moment. Of one that keeps no changes only the process that writes it "
        "can see that: call Checkpoint there, or end it.");
  }
  Options with_capacity = options;
  const Stats stats = GetStats();
  if (with_capacity.capacity_bytes == 0) with_capacity.capacity_bytes = stats.capacity_bytes;
  if (with_capacity.change_log_bytes == 0 && impl_->keeps_log()) {
    with_capacity.change_log_bytes = impl_->log_terms().most_bytes;
  }
  if (with_capacity.max_bytes == 0) {
    with_capacity.max_bytes = std::min(std::max(stats.max_bytes, with_capacity.capacity_bytes),
                                       internal::MostBytesFor(with_capacity.capacity_bytes));
  }
  absl::StatusOr<internal::UnfinishedStore> copy = internal::UnfinishedStore::Create(std::string(path), with_capacity);
  if (!copy.ok()) return copy.status();
  std::shared_ptr<const internal::OpenSnapshot> snapshot;
  if (!impl_->is_read_only()) {
    absl::StatusOr<std::shared_ptr<const internal::OpenSnapshot>> open = impl_->NewSnapshot();
    if (!open.ok()) return open.status();
    snapshot = *std::move(open);
  }
  internal::LogEnd log_end{};
  if (impl_->keeps_log()) {
    const absl::StatusOr<internal::LogEnd> end = impl_->LogEndAt(snapshot.get());
    if (!end.ok()) return end.status();
    log_end = *end;
  }
  const std::unique_ptr<Iterator> all = impl_->NewIteratorAt({}, snapshot);
  Copier copier(*all, go_on);
  const absl::Status loaded = copy->store().impl_->Load(
      [&copier](std::string_view* key, internal::NewValue* value) { return copier.Next(key, value); });
  if (!copier.status().ok()) return copier.status();
  const auto said_of_copy = [&](const absl::Status& status) {
    if (!absl::IsResourceExhausted(status)) return status;
    return absl::ResourceExhaustedError(absl::StrCat("the copy doesn't fit into ", with_capacity.max_bytes,
                                                     " bytes; it was removed. Give it more capacity."));
  };
  if (!loaded.ok()) return said_of_copy(loaded);
  internal::StoreImpl& copy_impl = *copy->store().impl_;
  if (copy_impl.keeps_log()) {
    if (absl::Status status = BeginLogOfCopy(copy_impl, log_end); !status.ok()) return status;
  }
  if (impl_->is_beside_writer()) {
    const auto go_on_catching_up = [&](uint64_t) { return go_on == nullptr || go_on(copier.copied()); };
    const absl::Status caught_up = CatchUpInCopy(copy_impl, log_end, go_on_catching_up);
    if (!caught_up.ok()) return said_of_copy(caught_up);
  }
  return copy->Finish();
}

}  // namespace sealkv
