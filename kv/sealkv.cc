// Store, as the header promises it: opening, and the way to what stands behind.
#include "kv/sealkv.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "kv/epoch.h"
#include "kv/recovery.h"
#include "kv/store_impl.h"

namespace sealkv {
namespace {

daxfile::OpenOptions FileOptions(const Options& options) {
  return {.weakest_tier = options.weakest_tier,
          .emulate_on_dram = options.emulate_on_dram,
          .read_only = options.read_only,
          .live = true};
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

Store::Store(std::unique_ptr<internal::StoreImpl> impl) : impl_(std::move(impl)) {}
Store::~Store() = default;

absl::StatusOr<std::unique_ptr<Store>> Store::Attach(daxfile::DaxFile file) {
  const absl::StatusOr<internal::Image> image = internal::OpenImage(file);
  if (!image.ok()) return image.status();
  const uint32_t generation = file.read_only() ? 0 : internal::BeginGeneration(*image, file.persist());
  if (absl::Status status = file.persist().status(); !status.ok()) return status;
  file.AdmitReaders();  // there is a store now
  auto impl = std::make_unique<internal::StoreImpl>(std::move(file), *image, generation);
  return std::unique_ptr<Store>(new Store(std::move(impl)));
}

absl::StatusOr<std::unique_ptr<Store>> Store::Format(daxfile::DaxFile file) {
  if (absl::Status status = internal::FormatImage(file); !status.ok()) return status;
  return Attach(std::move(file));
}

absl::StatusOr<std::unique_ptr<Store>> Store::Create(std::string_view path, const Options& options) {
  if (options.capacity_bytes < kMinCapacityBytes) {
    return absl::InvalidArgumentError(absl::StrCat("capacity_bytes is ", options.capacity_bytes,
                                                   "; a store needs at least ", kMinCapacityBytes, "."));
  }
  if (options.read_only) return absl::InvalidArgumentError("a store can't be created read-only.");
  absl::StatusOr<daxfile::DaxFile> file = daxfile::DaxFile::Create(
      path, {.open = FileOptions(options), .size_bytes = options.capacity_bytes, .progress = options.progress});
  if (!file.ok()) return file.status();
  return Format(*std::move(file));
}

absl::StatusOr<std::unique_ptr<Store>> Store::Open(std::string_view path, const Options& options) {
  absl::StatusOr<daxfile::DaxFile> file = daxfile::DaxFile::Open(path, FileOptions(options));
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

absl::StatusOr<std::string> Store::Get(std::string_view key) const {
  std::string value;
  if (absl::Status status = impl_->Get(key, &value); !status.ok()) return status;
  return value;
}

absl::Status Store::Get(std::string_view key, std::string* value) const { return impl_->Get(key, value); }

absl::StatusOr<PinnedValue> Store::GetPinned(std::string_view key) const { return impl_->GetPinned(key); }

std::vector<absl::StatusOr<std::string>> Store::MultiGet(std::span<const std::string_view> keys) const {
  std::vector<absl::StatusOr<std::string>> values;
  values.reserve(keys.size());
  for (const std::string_view key : keys) values.push_back(Get(key));
  return values;
}

absl::StatusOr<bool> Store::Exists(std::string_view key) const { return impl_->Exists(key); }

absl::Status Store::Delete(std::string_view key) { return impl_->Delete(key); }

absl::StatusOr<uint64_t> Store::Add(std::string_view key, uint64_t delta) { return impl_->Add(key, delta); }

absl::StatusOr<uint64_t> Store::CompareAndSwap(std::string_view key, uint64_t expected, uint64_t desired) {
  return impl_->CompareAndSwap(key, expected, desired);
}

std::unique_ptr<Iterator> Store::NewIterator(Range range) const { return impl_->NewIterator(std::move(range)); }

Stats Store::GetStats() const { return impl_->GetStats(); }

absl::Status Store::WaitUntilSpaceIsKnown() { return impl_->WaitUntilSpaceIsKnown(); }

}  // namespace sealkv
