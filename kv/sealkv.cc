// Store, as the header promises it: opening, and the way to what stands behind.
#include "kv/sealkv.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <mutex>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "daxfile/file_lock.h"
#include "daxfile/part.h"
#include "daxfile/sealing.h"
#include "kv/epoch.h"
#include "kv/expiry.h"
#include "kv/lanes.h"
#include "kv/recovery.h"
#include "kv/store_impl.h"
#include "kv/transaction.h"

namespace sealkv {
namespace {

daxfile::OpenOptions FileOptions(const Options& options) {
  return {.weakest_tier = options.weakest_tier,
          .emulate_on_dram = options.emulate_on_dram,
          .read_only = options.read_only,
          .live = true,
          .recognize = internal::RecognizeStore};
}

absl::Status NoSuchExpiry() {
  return absl::InvalidArgumentError("an expiry is a second between 1970 and 2106 (see ExpiryIn).");
}

bool IsRegularFile(int fd) {
  struct stat info;
  return fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
}

}  // namespace

PinnedValue::PinnedValue(PinnedValue&& other) noexcept
    : slot_(std::exchange(other.slot_, nullptr)),
      is_inline_(other.is_inline_),
      inline_bytes_(other.inline_bytes_),
      view_(other.view_) {}

PinnedValue& PinnedValue::operator=(PinnedValue&& other) noexcept {
  std::swap(slot_, other.slot_);
  is_inline_ = other.is_inline_;
  inline_bytes_ = other.inline_bytes_;
  view_ = other.view_;
  return *this;
}

PinnedValue::~PinnedValue() {
  if (slot_ != nullptr) internal::Epochs::Exit(slot_);
}

absl::StatusOr<std::string> Snapshot::Get(std::string_view key) const {
  std::string value;
  if (absl::Status status = Get(key, &value); !status.ok()) return status;
  return value;
}

absl::Status Snapshot::Get(std::string_view key, std::string* value) const {
  return open_->store().GetAt(open_->view(), key, value);
}

absl::StatusOr<bool> Snapshot::Exists(std::string_view key) const {
  std::string value;
  const absl::Status status = Get(key, &value);
  if (absl::IsNotFound(status)) return false;
  if (!status.ok()) return status;
  return true;
}

std::unique_ptr<Iterator> Snapshot::NewIterator(Range range) const {
  return open_->store().NewIteratorAt(std::move(range), open_);
}

Transaction::Transaction(std::unique_ptr<internal::TransactionImpl> impl) : impl_(std::move(impl)) {}
Transaction::~Transaction() = default;

absl::StatusOr<std::string> Transaction::Get(std::string_view key) {
  std::string value;
  if (absl::Status status = Get(key, &value); !status.ok()) return status;
  return value;
}

absl::Status Transaction::Get(std::string_view key, std::string* value) { return impl_->Get(key, value); }

absl::Status Transaction::PutUntil(std::string_view key, std::string_view value, std::chrono::sys_seconds expiry) {
  if (internal::ExpiryOf(expiry) == internal::kNeverOver) return NoSuchExpiry();
  return impl_->Put(key, {value, internal::ExpiryOf(expiry)});
}

absl::StatusOr<bool> Transaction::Exists(std::string_view key) {
  std::string value;
  const absl::Status status = Get(key, &value);
  if (absl::IsNotFound(status)) return false;
  if (!status.ok()) return status;
  return true;
}

absl::Status Transaction::Put(std::string_view key, std::string_view value) { return impl_->Put(key, value); }

absl::Status Transaction::Delete(std::string_view key) { return impl_->Delete(key); }

absl::StatusOr<uint64_t> Transaction::Add(std::string_view key, uint64_t delta) {
  std::string value;
  uint64_t sum = 0;
  uint32_t expiry = internal::kNeverOver;
  const absl::Status status = impl_->Get(key, &value, &expiry);
  if (!status.ok() && !absl::IsNotFound(status)) return status;
  if (status.ok()) {
    if (value.size() != sizeof(sum)) return absl::FailedPreconditionError("Add needs a value of 8 bytes");
    std::memcpy(&sum, value.data(), sizeof(sum));
  }
  sum += delta;
  if (absl::Status put = impl_->Put(key, {internal::Tree::BytesOf(sum), expiry}); !put.ok()) return put;
  return sum;
}

std::unique_ptr<Iterator> Transaction::NewIterator(Range range) { return impl_->NewIterator(std::move(range)); }

absl::Status Transaction::Commit() { return impl_->Commit(); }

void Transaction::Abort() { impl_->Abort(); }

Store::Store(std::unique_ptr<internal::StoreImpl> impl) : impl_(std::move(impl)) {}
Store::~Store() = default;

absl::StatusOr<std::unique_ptr<Store>> Store::Attach(daxfile::DaxFile file, Background background) {
  if (absl::Status status = internal::MapParts(file); !status.ok()) return status;
  const absl::StatusOr<internal::Image> image = internal::OpenImage(file);
  if (!image.ok()) return image.status();
  if (!file.read_only()) {
    internal::PersistSuperblock(*image, file.persist());
    if (absl::Status status = internal::RedoCommittedLanes(*image, file.persist()); !status.ok()) return status;
  }
  return Begin(std::move(file), *image, background);
}

absl::StatusOr<std::unique_ptr<Store>> Store::Begin(daxfile::DaxFile file, const internal::Image& image,
                                                    Background background) {
  // Its fence is also the one after which lanes are clear for good.
  const uint32_t generation = file.read_only() ? 0 : internal::BeginGeneration(image, file.persist());
  if (absl::Status status = file.persist().status(); !status.ok()) return status;
  file.AdmitReaders();  // there is a store now
  auto impl = std::make_unique<internal::StoreImpl>(std::move(file), image, generation, background);
  return std::unique_ptr<Store>(new Store(std::move(impl)));
}

absl::StatusOr<std::unique_ptr<Store>> Store::Format(daxfile::DaxFile file, Background background,
                                                     const Capacity& capacity) {
  if (absl::Status status = internal::FormatImage(file, capacity.bytes, capacity.max_bytes, capacity.change_log_bytes);
      !status.ok()) {
    return status;
  }
  if (absl::Status status = internal::MapParts(file); !status.ok()) return status;
  const absl::StatusOr<internal::Image> image = internal::OpenImage(file);
  if (!image.ok()) return image.status();
  return Begin(std::move(file), *image, background);
}

absl::StatusOr<std::unique_ptr<Store>> Store::Create(std::string_view path, const Options& options) {
  if (options.capacity_bytes < kMinCapacityBytes) {
    return absl::InvalidArgumentError(absl::StrCat("capacity_bytes is ", options.capacity_bytes,
                                                   "; a store needs at least ", kMinCapacityBytes, "."));
  }
  if (options.read_only) return absl::InvalidArgumentError("a store can't be created read-only.");
  const uint64_t max_bytes =
      options.max_bytes != 0 ? options.max_bytes : internal::MostBytesByDefault(options.capacity_bytes);
  if (max_bytes < options.capacity_bytes || max_bytes > internal::MostBytesFor(options.capacity_bytes)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "max_bytes is ", max_bytes, "; a store that begins with ", options.capacity_bytes,
        " bytes can be told to grow to that, and up to ", internal::MostBytesFor(options.capacity_bytes), "."));
  }
  absl::StatusOr<daxfile::DaxFile> file = daxfile::DaxFile::Create(
      path, {.open = FileOptions(options), .size_bytes = options.capacity_bytes, .progress = options.progress});
  if (!file.ok()) return file.status();
  // The lock is kept until it is removed. A device was there before.
  const int keeps_lock = IsRegularFile(file->lock_fd()) ? fcntl(file->lock_fd(), F_DUPFD_CLOEXEC, 0) : -1;
  const absl::Cleanup let_go = [keeps_lock] { close(keeps_lock); };
  absl::Cleanup remove_file = [&] { daxfile::RemoveOwnFile(std::string(path), keeps_lock); };
  absl::StatusOr<std::unique_ptr<Store>> store = Format(
      *std::move(file), Background::kCompacts, {.max_bytes = max_bytes, .change_log_bytes = options.change_log_bytes});
  if (store.ok()) std::move(remove_file).Cancel();
  return store;
}

absl::Status Store::Remove(std::string_view path) {
  const std::string first = daxfile::ResolvedPath(std::string(path));
  uint64_t owner = 0;
  uint64_t parts = 0;
  {
    const absl::StatusOr<daxfile::DaxFile> file =
        daxfile::DaxFile::Open(path, {.weakest_tier = daxfile::Tier::kVolatile, .read_only = true});
    if (!file.ok()) return file.status();
    const auto* superblock = reinterpret_cast<const internal::Superblock*>(file->data());
    if (file->size_bytes() < sizeof(*superblock) || superblock->magic != internal::Superblock::kMagic) {
      return absl::FailedPreconditionError(absl::StrCat(first, ": not a SealKV store; it wasn't removed."));
    }
    owner = superblock->store_id;
    parts = internal::Image::PartCount(*superblock);
  }
  // The first one last: until then the rest is found by it. What isn't its own stays; and what a crash has left behind
  // its last part goes.
  while (daxfile::CheckPartName(first, parts + 1, owner).ok() && daxfile::RemovePart(first, parts + 1, owner).ok()) {
    ++parts;
  }
  for (uint64_t number = parts; number > 0; --number) {
    const absl::Status status = daxfile::RemovePart(first, number, owner);
    if (!status.ok() && !absl::IsNotFound(status) && !absl::IsAlreadyExists(status)) return status;
  }
  if (absl::Status status = daxfile::RemoveFile(first); !status.ok() || first == path) return status;
  if (absl::Status status = daxfile::RemoveFile(path); !absl::IsNotFound(status)) return status;  // a symbolic link
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Store>> Store::Open(std::string_view path, const Options& options) {
  absl::StatusOr<daxfile::DaxFile> file = options.read_only ? internal::OpenForReading(path, FileOptions(options))
                                                            : daxfile::DaxFile::Open(path, FileOptions(options));
  if (!file.ok()) return file.status();
  return Attach(*std::move(file));
}

absl::StatusOr<std::unique_ptr<Store>> Store::OpenOrCreate(std::string_view path, const Options& options) {
  absl::StatusOr<std::unique_ptr<Store>> store = Open(path, options);
  if (absl::IsNotFound(store.status()) && !options.read_only) return Create(path, options);
  return store;
}

absl::Status Store::Put(std::string_view key, std::string_view value) { return impl_->Put(key, value, false); }

absl::Status Store::PutIfAbsent(std::string_view key, std::string_view value) { return impl_->Put(key, value, true); }

absl::Status Store::PutUntil(std::string_view key, std::string_view value, std::chrono::sys_seconds expiry) {
  if (internal::ExpiryOf(expiry) == internal::kNeverOver) return NoSuchExpiry();
  return impl_->PutNewValue(key, {value, internal::ExpiryOf(expiry)});
}

absl::StatusOr<std::optional<std::chrono::sys_seconds>> Store::GetExpiry(std::string_view key) const {
  const absl::StatusOr<uint32_t> expiry = impl_->GetExpiry(key);
  if (!expiry.ok()) return expiry.status();
  return internal::ExpiryFrom(*expiry);
}

absl::StatusOr<std::string> Store::Get(std::string_view key) const {
  std::string value;
  if (absl::Status status = impl_->Get(key, &value); !status.ok()) return status;
  return value;
}

absl::Status Store::Get(std::string_view key, std::string* value) const { return impl_->Get(key, value); }

absl::StatusOr<PinnedValue> Store::GetPinned(std::string_view key) const { return impl_->GetPinned(key); }

std::vector<absl::StatusOr<std::string>> Store::MultiGet(std::span<const std::string_view> keys) const {
  std::vector<absl::StatusOr<std::string>> values;
  MultiGet(keys, &values);
  return values;
}

void Store::MultiGet(std::span<const std::string_view> keys, std::vector<absl::StatusOr<std::string>>* values) const {
  values->resize(keys.size());
  impl_->MultiGet(keys, [values](size_t i, const absl::Status& status, std::string_view bytes) {
    absl::StatusOr<std::string>& value = (*values)[i];
    if (!status.ok()) {
      value = status;
    } else if (value.ok()) {
      value->assign(bytes);
    } else {
      value.emplace(bytes);
    }
  });
}

absl::StatusOr<bool> Store::Exists(std::string_view key) const { return impl_->Exists(key); }

absl::Status Store::Delete(std::string_view key) { return impl_->Delete(key); }

absl::StatusOr<uint64_t> Store::Add(std::string_view key, uint64_t delta) { return impl_->Add(key, delta); }

absl::StatusOr<uint64_t> Store::CompareAndSwap(std::string_view key, uint64_t expected, uint64_t desired) {
  return impl_->CompareAndSwap(key, expected, desired);
}

absl::Status Store::Write(const WriteBatch& batch) {
  using Kind = internal::KeyChange::Kind;
  internal::KeyChanges changes;
  changes.Reserve(batch.size());
  for (const WriteBatch::Operation& operation : batch.operations_) {
    // There is no such key.
    if (operation.kind == WriteBatch::Kind::kDelete && operation.key_bytes > kMaxKeyBytes) continue;
    const Kind kind = operation.kind == WriteBatch::Kind::kPut      ? Kind::kPut
                      : operation.kind == WriteBatch::Kind::kDelete ? Kind::kDelete
                                                                    : Kind::kAdd;
    if (operation.expiry.has_value() && internal::ExpiryOf(operation.expiry) == internal::kNeverOver) {
      return NoSuchExpiry();
    }
    const std::string_view bytes(batch.bytes_.data() + operation.begin, operation.key_bytes + operation.value_bytes);
    changes.Append({bytes.substr(0, operation.key_bytes), kind, bytes.substr(operation.key_bytes), operation.delta,
                    internal::ExpiryOf(operation.expiry)});
  }
  return impl_->Write(std::move(changes));
}

absl::Status Store::DeleteRange(Range range) { return impl_->DeleteRange(std::move(range)); }

absl::Status Store::BulkLoad(const std::function<bool(std::string_view* key, std::string_view* value)>& next) {
  if (impl_->keeps_log()) {
    return absl::FailedPreconditionError(
        "a store that keeps its changes can't be loaded in one piece: there would be no change to keep. Put the pairs, "
        "or load another store, and make a copy of it that keeps its changes.");
  }
  return impl_->Load([&](std::string_view* key, internal::NewValue* value) { return next(key, &value->bytes); });
}

absl::StatusOr<std::unique_ptr<Transaction>> Store::Begin() {
  absl::StatusOr<std::shared_ptr<const internal::OpenSnapshot>> open = impl_->NewSnapshot();
  if (!open.ok()) return open.status();
  auto impl = std::make_unique<internal::TransactionImpl>(*std::move(open));
  return std::unique_ptr<Transaction>(new Transaction(std::move(impl)));
}

// Who was turned back often waits for his turn among those to whom it happened too.
absl::Status Store::Transact(const std::function<absl::Status(Transaction&)>& body) {
  constexpr int kMostTurnedBack = 16;
  // One that runs in another one's body doesn't wait for the turn that it has.
  static thread_local bool has_turn = false;
  std::unique_lock<internal::WriterLock> turn(impl_->patience(), std::defer_lock);
  const absl::Cleanup let_go = [&] {
    if (turn.owns_lock()) has_turn = false;
  };
  for (int turned_back = 0;; ++turned_back) {
    if (turned_back == kMostTurnedBack && !has_turn) {
      turn.lock();
      has_turn = true;
    }
    absl::StatusOr<std::unique_ptr<Transaction>> transaction = Begin();
    if (!transaction.ok()) return transaction.status();
    if (absl::Status status = body(**transaction); !status.ok()) return status;
    if (absl::Status status = (*transaction)->Commit(); !absl::IsAborted(status)) return status;
  }
}

absl::Status Store::Update(std::string_view key,
                           const std::function<std::optional<std::string>(std::optional<std::string_view>)>& update) {
  return impl_->Update(key, update);
}

std::unique_ptr<Iterator> Store::NewIterator(Range range) const { return impl_->NewIterator(std::move(range)); }

absl::StatusOr<Snapshot> Store::OpenSnapshot() const {
  absl::StatusOr<std::shared_ptr<const internal::OpenSnapshot>> open = impl_->NewSnapshot();
  if (!open.ok()) return open.status();
  return Snapshot(*std::move(open));
}

absl::Status Store::ReadChanges(uint64_t since, absl::FunctionRef<bool(const CommittedChange&)> visit) const {
  return impl_->ReadLog(since, visit);
}

absl::StatusOr<uint64_t> Store::LastChange() const {
  const absl::StatusOr<internal::LogEnd> end = impl_->LogEndAt(nullptr);
  if (!end.ok()) return end.status();
  return end->number;
}

absl::Status Store::CatchUpWith(const Store& other, const std::function<bool(uint64_t changes)>& go_on) {
  return impl_->CatchUpWith(*other.impl_, go_on, /*last=*/~uint64_t{0});
}

Stats Store::GetStats() const { return impl_->GetStats(); }

absl::Status Store::WaitUntilSpaceIsKnown() { return impl_->WaitUntilSpaceIsKnown(); }

absl::Status Store::Grow() { return impl_->Grow(); }

absl::Status Store::Shrink() { return impl_->Shrink(); }

absl::Status Store::Compact() { return impl_->Compact(); }

}  // namespace sealkv
