// The files that follow the first one: mapping them, and letting them go. Making them is in create.cc.
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <optional>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "daxfile/dax_file.h"
#include "daxfile/errors.h"
#include "daxfile/file_lock.h"
#include "daxfile/mapping.h"
#include "daxfile/open_file.h"
#include "daxfile/populate.h"
#include "daxfile/sealing.h"

namespace daxfile {
namespace {

constexpr uint64_t kPageBytes = 4096;

}  // namespace

absl::Status DaxFile::Reserve(uint64_t bytes) {
  // Once: what was stored or mapped since is remembered by its address.
  if (fd_ < 0 || has_reserved_ || !parts_.empty() || bytes <= reserved_bytes()) return absl::OkStatus();
  has_reserved_ = true;
  absl::StatusOr<std::byte*> at = ReserveAddresses(path_, bytes);
  // Where address space is limited, less has to do.
  while (absl::IsResourceExhausted(at.status()) && bytes / 2 > size_bytes_) {
    bytes = bytes / 2 / kPageBytes * kPageBytes;
    at = ReserveAddresses(path_, bytes);
  }
  if (!at.ok()) return absl::OkStatus();
  if (absl::Status status = MapFile(fd_, path_, *at, size_bytes_, tier_, read_only_); !status.ok()) {
    ReleaseAddresses(*at, bytes);
    return status;
  }
  ReleaseAddresses(data_, size_bytes_);
  data_ = *at;
  reserved_bytes_ = bytes;
  return absl::OkStatus();
}

uint64_t DaxFile::part_unit_bytes() const { return fd_ < 0 ? kPageBytes : SizeUnit(fd_); }

// Where the file is now: it may have been renamed since it was opened, or the process have changed its directory.
absl::StatusOr<std::string> DaxFile::PathNow() const {
  char path[PATH_MAX];
  const std::string link = absl::StrCat("/proc/self/fd/", fd_);
  const ssize_t length = readlink(link.c_str(), path, sizeof(path));
  std::string now = length > 0 && length < ssize_t{sizeof(path)} ? std::string(path, static_cast<size_t>(length))
                                                                 : ResolvedPath(path_);
  struct stat named, open;
  if (stat(now.c_str(), &named) == 0 && fstat(fd_, &open) == 0 && named.st_dev == open.st_dev &&
      named.st_ino == open.st_ino) {
    return now;
  }
  return absl::FailedPreconditionError(
      absl::StrCat(path_, ": has no name any more under which its parts could be found: it was removed or replaced."));
}

OpenOptions DaxFile::OptionsForParts() const {
  return {.weakest_tier = read_only_ ? Tier::kVolatile : tier_,
          .emulate_on_dram = emulate_on_dram_,
          .read_only = read_only_,
          .live = is_live_,
          .observer = observer_};
}

absl::Status DaxFile::CheckPlace(const Part& part) const {
  const bool follows = part.number == parts_.size() + 1 && part.at % kPageBytes == 0 && part.at <= mapped_bytes_;
  const bool grows =
      follows && part.bytes % kPageBytes == 0 && part.bytes > 0 && (fd_ < 0 || part.at + part.bytes > mapped_bytes_);
  if (!grows) return absl::InvalidArgumentError(absl::StrCat(path_, ": no part can be there."));
  if (part.at + part.bytes <= reserved_bytes()) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(path_, ": no address space for ", part.bytes,
                                                   " bytes more. Raise the limit (ulimit -v), and open it again."));
}

void DaxFile::Append(DaxFile part, const Part& as) {
  parts_.reserve(parts_.size() + 1);  // what is to be synced mustn't be closed for want of memory
  auto opened = std::make_unique<DaxFile>(std::move(part));
  if (synced_files_ != nullptr && opened->fd_ >= 0) synced_files_->Add(opened->fd_);
  parts_.push_back(std::move(opened));
  mapped_bytes_ = std::max(mapped_bytes_, as.at + as.bytes);
}

absl::Status DaxFile::OpenPart(const Part& part) {
  if (absl::Status status = CheckPlace(part); !status.ok()) return status;
  if (fd_ < 0) {
    Append(DaxFile(), part);
    return absl::OkStatus();
  }
  const absl::StatusOr<std::string> first = PathNow();
  if (!first.ok()) return first.status();
  const std::string path = PartPath(*first, part.number);
  const absl::StatusOr<int> fd = OpenExisting(path, read_only_);
  if (absl::IsNotFound(fd.status())) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": is missing: it is a part of the store ", path_, ". Put it back beside it."));
  }
  if (!fd.ok()) return fd.status();
  absl::Cleanup close_fd = [&fd] { close(*fd); };
  if (ReadPartLabel(*fd, SizeUnit(*fd)) != part) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": isn't the part ", part.number, " of the store ", path_,
                     ": it is another store's, cut short, or something else. Put the right one back beside it."));
  }
  const OpenOptions options = OptionsForParts();
  if (absl::Status status = LockFile(*fd, path, LockModeFor(options)); !status.ok()) return status;
  std::move(close_fd).Cancel();
  absl::StatusOr<DaxFile> opened = Adopt(*fd, path, options, {data_ + part.at, part.bytes});
  if (!opened.ok()) return opened.status();
  opened->is_live_ = is_live_;
  Append(*std::move(opened), part);
  return absl::OkStatus();
}

absl::Status DaxFile::MapZeros(const Part& part) {
  if (absl::Status status = CheckPlace(part); !status.ok()) return status;
  void* const at = mmap(data_ + part.at, part.bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
  if (at == MAP_FAILED) return SystemError(errno, path_, "map zeros behind");
  DaxFile zeros;
  zeros.data_ = data_ + part.at;
  zeros.size_bytes_ = part.bytes;
  zeros.owns_mapping_ = zeros.is_part_ = true;
  Append(std::move(zeros), part);
  return absl::OkStatus();
}

// Zeros stay where it was: somebody who has waited may look there once more, for a lock, before he finds out.
absl::Status DaxFile::RemoveLastPart() {
  const uint64_t number = parts_.size();
  const std::unique_ptr<DaxFile> last = std::move(parts_.back());
  parts_.pop_back();
  if (last->fd_ < 0) return absl::OkStatus();
  void* const at =
      mmap(last->data_, last->size_bytes_, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
  if (at != MAP_FAILED) last->owns_mapping_ = false;
  mapped_bytes_ = std::max<uint64_t>(size_bytes_, static_cast<uint64_t>(last->data_ - data_));
  const std::optional<Part> label = ReadPartLabel(last->fd_, SizeUnit(last->fd_));
  const absl::StatusOr<std::string> first = PathNow();
  *last = DaxFile();  // unmaps and unlocks it
  if (!first.ok()) return first.status();
  return RemovePart(*first, number, label.has_value() ? label->owner : 0);
}

}  // namespace daxfile
