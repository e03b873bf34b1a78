#include "kv/transaction.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "kv/transaction_iterator.h"

namespace sealkv::internal {

TransactionImpl::TransactionImpl(std::shared_ptr<const OpenSnapshot> snapshot) : snapshot_(std::move(snapshot)) {
  snapshot_->store().MakeReadSet(snapshot_->view(), &reads_);
}

absl::Status TransactionImpl::CheckIsOpen() const {
  if (snapshot_ != nullptr) return absl::OkStatus();
  return absl::FailedPreconditionError("the transaction is over: it was committed or aborted");
}

absl::Status TransactionImpl::Get(std::string_view key, std::string* value, uint32_t* expiry) {
  if (absl::Status status = CheckIsOpen(); !status.ok()) return status;
  if (const auto written = writes_.find(key); written != writes_.end()) {
    if (!written->second.is_there(snapshot_->view().seconds)) return absl::NotFoundError("no such key");
    *value = *written->second.value;
    if (expiry != nullptr) *expiry = written->second.expiry;
    return absl::OkStatus();
  }
  if (key.size() > kMaxKeyBytes) return absl::NotFoundError("no such key");
  std::optional<EntryIdentity> identity;
  std::string name(key);  // it may lie in *value
  const absl::Status status = snapshot_->store().GetAt(snapshot_->view(), name, value, &identity, expiry);
  if (status.ok() || absl::IsNotFound(status)) reads_->AddKey(std::move(name), identity);
  return status;
}

absl::Status TransactionImpl::Put(std::string_view key, NewValue value) {
  if (absl::Status status = CheckIsOpen(); !status.ok()) return status;
  if (!SizesFit(key, value.bytes.size())) return SizeError(key, value.bytes.size());
  if (absl::Status status = snapshot_->store().CheckExpiry(value.expiry); !status.ok()) return status;
  writes_.insert_or_assign(std::string(key), Written{std::string(value.bytes), value.expiry});
  return absl::OkStatus();
}

absl::Status TransactionImpl::Delete(std::string_view key) {
  if (absl::Status status = CheckIsOpen(); !status.ok()) return status;
  if (key.size() > kMaxKeyBytes) return absl::OkStatus();
  writes_.insert_or_assign(std::string(key), Written{});
  return absl::OkStatus();
}

std::unique_ptr<Iterator> TransactionImpl::NewIterator(Range range) {
  if (absl::Status status = CheckIsOpen(); !status.ok()) return NewFailedIterator(std::move(status));
  return std::make_unique<TransactionIterator>(*this, std::move(range), snapshot_);
}

// Who has only read has seen one state, and that is all there is to it.
absl::Status TransactionImpl::Commit() {
  if (absl::Status status = CheckIsOpen(); !status.ok()) return status;
  absl::Status status;
  if (!writes_.empty()) {
    KeyChanges changes;
    changes.Reserve(writes_.size());
    for (const auto& [key, written] : writes_) {
      const auto kind = written.value.has_value() ? KeyChange::Kind::kPut : KeyChange::Kind::kDelete;
      const std::string_view value = written.value.has_value() ? std::string_view(*written.value) : std::string_view();
      changes.Append({key, kind, value, 0, written.expiry});
    }
    status = snapshot_->store().WriteChanges(changes, reads_->empty() ? nullptr : &*reads_);
  }
  Abort();
  return status;
}

void TransactionImpl::Abort() { snapshot_.reset(); }

}  // namespace sealkv::internal
