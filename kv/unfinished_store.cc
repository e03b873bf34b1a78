#include "kv/unfinished_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daxfile/part.h"
#include "daxfile/sealing.h"
#include "daxfile/sync_directory.h"
#include "kv/recovery.h"

namespace sealkv::internal {
namespace {

absl::Status IsThereAlready(const std::string& path) {
  return absl::AlreadyExistsError(
      absl::StrCat(path, ": is there already. Name a file that doesn't exist, or remove it."));
}

// 0, or why not.
int RenameWithoutReplacing(const std::string& from, const std::string& to) {
  return renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0 ? 0 : errno;
}

// AlreadyExists: something has taken the name meanwhile.
absl::Status GiveName(const std::string& from, const std::string& to) {
  int error = RenameWithoutReplacing(from, to);
  if (error == EPERM) {
    // What the kernel says of a sealed file. Whoever opens the store for writing seals it again.
    if (absl::Status status = daxfile::UnsealFile(from); !status.ok()) return status;
    error = RenameWithoutReplacing(from, to);
  }
  // A filesystem that doesn't know the flag: a link doesn't replace anything either.
  if (error == EINVAL) {
    error = link(from.c_str(), to.c_str()) == 0 ? 0 : errno;
    if (error == 0) unlink(from.c_str());
  }
  if (error == EEXIST) return IsThereAlready(to);
  if (error != 0) return absl::UnavailableError(absl::StrCat(to, ": can't be given its name: ", std::strerror(error)));
  return absl::OkStatus();
}

}  // namespace

UnfinishedStore::UnfinishedStore(UnfinishedStore&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_path_(std::exchange(other.temporary_path_, "")),
      store_(std::move(other.store_)) {}

UnfinishedStore::~UnfinishedStore() {
  store_.reset();
  if (!temporary_path_.empty()) Store::Remove(temporary_path_).IgnoreError();
}

std::string UnfinishedStore::TemporaryPath(const std::string& path) {
  return absl::StrCat(path, ".", getpid(), ".part");
}

absl::StatusOr<UnfinishedStore> UnfinishedStore::Create(const std::string& path, const Options& options) {
  struct stat info;
  if (lstat(path.c_str(), &info) == 0) return IsThereAlready(path);
  // What a store of this name might have left.
  const std::string first_part = daxfile::PartPath(path, 1);
  if (lstat(first_part.c_str(), &info) == 0) return IsThereAlready(first_part);
  UnfinishedStore unfinished(path);
  std::string temporary = TemporaryPath(path);
  absl::StatusOr<std::unique_ptr<Store>> store = Store::Create(temporary, options);
  if (!store.ok()) return store.status();
  unfinished.temporary_path_ = std::move(temporary);
  unfinished.store_ = *std::move(store);
  return unfinished;
}

absl::Status UnfinishedStore::Finish() {
  const daxfile::Tier tier = store_->GetStats().tier;
  store_.reset();  // it may grow until then
  const absl::StatusOr<uint64_t> parts = CountParts(temporary_path_);
  if (!parts.ok()) return parts.status();
  if (absl::Status status = NameAll(*parts); !status.ok()) return status;
  return tier != daxfile::Tier::kVolatile ? SyncName() : absl::OkStatus();
}

// The first file last: until it has its name there is no store of that name.
absl::Status UnfinishedStore::NameAll(uint64_t parts) noexcept {
  uint64_t named = 0;
  absl::Status status;
  for (uint64_t part = 1; status.ok() && part <= parts; ++part) {
    status = GiveName(daxfile::PartPath(temporary_path_, part), daxfile::PartPath(path_, part));
    if (status.ok()) named = part;
  }
  if (status.ok()) status = GiveName(temporary_path_, path_);
  if (!status.ok()) {
    // All is removed under its old name.
    for (; named > 0; --named) {
      GiveName(daxfile::PartPath(path_, named), daxfile::PartPath(temporary_path_, named)).IgnoreError();
    }
    return status;
  }
  temporary_path_.clear();
  return absl::OkStatus();
}

absl::Status UnfinishedStore::SyncName() const noexcept { return daxfile::SyncDirectoryOf(path_); }

}  // namespace sealkv::internal
