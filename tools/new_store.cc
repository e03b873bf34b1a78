#include "tools/new_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "daxfile/sync_directory.h"
#include "tools/command.h"
#include "tools/text.h"

namespace sealkv::tools {
namespace {

absl::Status IsThereAlready(const std::string& path) {
  return absl::AlreadyExistsError(
      absl::StrCat(path, ": is there already. Name a file that doesn't exist, or remove it."));
}

}  // namespace

absl::StatusOr<daxfile::Tier> TierFromArgs(const Args& args) {
  const std::optional<std::string> name = args.Value("tier");
  if (!name.has_value()) return Options().weakest_tier;
  const std::optional<daxfile::Tier> tier = daxfile::TierFromName(*name);
  if (tier.has_value()) return *tier;
  return absl::InvalidArgumentError(
      absl::StrCat("--tier=", *name, ": no such tier; there are volatile, msync, map-sync, device-dax and static-dax"));
}

absl::StatusOr<std::unique_ptr<Store>> CreateStore(const std::string& path, Options options, Progress& progress) {
  options.progress = [&](uint64_t done, uint64_t all) {
    if (WasInterrupted()) {
      // Not a store yet; it was made by this process, so it may go.
      unlink(path.c_str());
      _exit(kExitInterrupted);
    }
    if (progress.IsDue()) progress.Show(absl::StrCat("writing zeros: ", Percent(done, all)));
  };
  return Store::Create(path, options);
}

UnfinishedStore::UnfinishedStore(std::string path, std::string temporary_path, std::unique_ptr<Store> store)
    : path_(std::move(path)), temporary_path_(std::move(temporary_path)), store_(std::move(store)) {}

UnfinishedStore::UnfinishedStore(UnfinishedStore&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_path_(std::exchange(other.temporary_path_, "")),
      store_(std::move(other.store_)) {}

UnfinishedStore::~UnfinishedStore() {
  store_.reset();
  if (!temporary_path_.empty()) unlink(temporary_path_.c_str());
}

absl::StatusOr<UnfinishedStore> UnfinishedStore::Create(const std::string& path, const Options& options,
                                                        Progress& progress) {
  struct stat info;
  if (lstat(path.c_str(), &info) == 0) return IsThereAlready(path);
  std::string temporary = absl::StrCat(path, ".", getpid(), ".part");
  absl::StatusOr<std::unique_ptr<Store>> store = CreateStore(temporary, options, progress);
  if (!store.ok()) return store.status();
  return UnfinishedStore(path, std::move(temporary), *std::move(store));
}

absl::Status UnfinishedStore::Finish() {
  const bool lasts = store_->GetStats().tier != daxfile::Tier::kVolatile;
  store_.reset();
  int error = renameat2(AT_FDCWD, temporary_path_.c_str(), AT_FDCWD, path_.c_str(), RENAME_NOREPLACE) == 0 ? 0 : errno;
  // A filesystem that doesn't know the flag: a link doesn't replace anything either.
  if (error == EINVAL) error = link(temporary_path_.c_str(), path_.c_str()) == 0 ? 0 : errno;
  if (error == EEXIST) return IsThereAlready(path_);
  if (error != 0)
    return absl::UnavailableError(absl::StrCat(path_, ": can't be given its name: ", std::strerror(error)));
  unlink(temporary_path_.c_str());  // of the link; after a rename there is nothing
  temporary_path_.clear();
  return lasts ? daxfile::SyncDirectoryOf(path_) : absl::OkStatus();
}

}  // namespace sealkv::tools
