// Store::Checkpoint: a snapshot's keys, in order, are a bulk load of another store.
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

// It goes on with this one's numbers, from the last one that it has; if this one has none, with its own.
absl::Status Store::BeginLogOfCopy(internal::StoreImpl& copy, const internal::OpenSnapshot* at) const {
  if (!impl_->keeps_log()) return copy.BeginLogAt(copy.log_terms().lineage, {1, 0});
  const absl::StatusOr<internal::LogEnd> end = impl_->LogEndAt(at);
  if (!end.ok()) return end.status();
  return copy.BeginLogAt(impl_->log_terms().lineage, *end);
}

absl::Status Store::Checkpoint(std::string_view path, const Options& options,
                               const std::function<bool(uint64_t keys)>& go_on) const {
  if (impl_->is_beside_writer()) {
    return absl::FailedPreconditionError(
        "a copy needs the store as it is at one moment, which only the process that writes it can see: call Checkpoint "
        "there, or end it.");
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
  const std::unique_ptr<Iterator> all = impl_->NewIteratorAt({}, snapshot);
  Copier copier(*all, go_on);
  const absl::Status loaded = copy->store().impl_->Load(
      [&copier](std::string_view* key, internal::NewValue* value) { return copier.Next(key, value); });
  if (!copier.status().ok()) return copier.status();
  if (absl::IsResourceExhausted(loaded)) {
    return absl::ResourceExhaustedError(absl::StrCat("the copy doesn't fit into ", with_capacity.max_bytes,
                                                     " bytes; it was removed. Give it more capacity."));
  }
  if (!loaded.ok()) return loaded;
  if (copy->store().impl_->keeps_log()) {
    if (absl::Status status = BeginLogOfCopy(*copy->store().impl_, snapshot.get()); !status.ok()) return status;
  }
  return copy->Finish();
}

}  // namespace sealkv
