// Making a file: everything slow and everything that needs fsync happens here, once, so that nothing needs it later.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <limits>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "daxfile/dax_file.h"
#include "daxfile/errors.h"
#include "daxfile/file_lock.h"
#include "daxfile/mapping.h"
#include "daxfile/part.h"
#include "daxfile/populate.h"
#include "daxfile/probe.h"
#include "daxfile/sealing.h"
#include "daxfile/static_dax.h"
#include "daxfile/sync_directory.h"
#include "daxfile/zero_fill.h"

namespace daxfile {
namespace {

absl::Status CheckSize(const std::string& path, uint64_t bytes) {
  if (bytes == 0) return absl::InvalidArgumentError(absl::StrCat(path, ": give the new file a size."));
  constexpr uint64_t kMostBytes = uint64_t{1} << 62;  // beyond what any filesystem holds; and sums don't overflow
  if (bytes <= kMostBytes) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(path, ": no file can have ", bytes, " bytes. Ask for a smaller size."));
}

// All of it at once: what is allocated beside a first block begins at 4 KiB, and no huge page does. Where a filesystem
// can't allocate without writing, that block has to do.
absl::Status LayOut(int fd, const std::string& path, uint64_t bytes) {
  const absl::StatusOr<bool> is_allocated = Allocate(fd, path, bytes);
  if (!is_allocated.ok()) return is_allocated.status();
  return *is_allocated ? absl::OkStatus() : ZeroFill(fd, path, SizeUnit(fd), nullptr);
}

// Everything that makes the new, still empty file what Adopt expects; what lies in memory gets its pages after that.
absl::Status Fill(int fd, const std::string& path, uint64_t bytes, const OpenOptions& options, const GoOn& go_on) {
  const bool in_memory = IsInMemory(fd);
  // Asked before gigabytes are written, of a file that has blocks; one in memory needs none.
  if (!in_memory) {
    if (absl::Status status = LayOut(fd, path, bytes); !status.ok()) return status;
  }
  const Probe probe = ProbeFile(fd, options.emulate_on_dram, /*seal=*/false);
  OpenOptions attainable = options;
  // Sealing comes last, and may still be refused then.
  if (attainable.weakest_tier == Tier::kStaticDax && probe.tier == Tier::kMapSync && FindSealer().ok()) {
    attainable.weakest_tier = probe.tier;
  }
  if (absl::Status status = CheckTier(path, probe, attainable); !status.ok()) return status;
  return in_memory ? SizeMemoryFile(fd, path, bytes) : ZeroFill(fd, path, bytes, go_on);
}

// Nothing that was asked for as volatile is to last.
absl::Status SyncFile(int fd, const std::string& path, const OpenOptions& options) {
  if (IsInMemory(fd) || options.emulate_on_dram) return absl::OkStatus();
  return fsync(fd) == 0 ? absl::OkStatus() : SystemError(errno, path, "fsync");
}

absl::Status SyncName(int fd, const std::string& path, const OpenOptions& options) {
  if (IsInMemory(fd) || options.emulate_on_dram) return absl::OkStatus();
  return SyncDirectoryOf(path);
}

// Who may use the first file may use the others.
absl::Status GiveToOwner(int fd, const std::string& path, const struct stat& first) {
  struct stat own;
  if (fstat(fd, &own) != 0) return SystemError(errno, path, "stat");
  const bool is_owners = own.st_uid == first.st_uid && own.st_gid == first.st_gid;
  if (!is_owners && fchown(fd, first.st_uid, first.st_gid) != 0 &&
      (own.st_gid == first.st_gid || fchown(fd, static_cast<uid_t>(-1), first.st_gid) != 0)) {
    return SystemError(errno, path, "give to the first file's owner");
  }
  return fchmod(fd, first.st_mode & 0777) == 0 ? absl::OkStatus() : SystemError(errno, path, "set the permissions of");
}

}  // namespace

absl::StatusOr<DaxFile> DaxFile::OverDevice(const std::string& path, const CreateOptions& options) {
  OpenOptions alone = options.open;
  alone.live = false;  // what is about to be overwritten has no readers
  absl::StatusOr<DaxFile> file = Open(path, alone);
  if (!file.ok() || options.size_bytes <= file->size_bytes()) return file;
  return absl::ResourceExhaustedError(absl::StrCat(path, ": the device has ", file->size_bytes(), " bytes, not ",
                                                   options.size_bytes, ". Ask for less, or for 0: all of it."));
}

absl::StatusOr<DaxFile> DaxFile::Create(std::string_view path_view, const CreateOptions& options) {
  const std::string path(path_view);
  if (absl::Status status = CheckOptions(path, options.open); !status.ok()) return status;
  if (options.open.read_only) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": a new file can't be read-only. Create it, then reopen it."));
  }
  struct stat info;
  if (stat(path.c_str(), &info) == 0 && S_ISCHR(info.st_mode)) return OverDevice(path, options);
  if (absl::Status status = CheckSize(path, options.size_bytes); !status.ok()) return status;
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0) return SystemError(errno, path, "create");
  // From the first moment nobody else may take it for a finished file; and the lock is kept, by this descriptor too, so
  // that nobody ever has open what a failure further down removes.
  const int keeps_lock = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (keeps_lock < 0) {
    const int error = errno;
    RemoveOwnFile(path, fd);
    close(fd);
    return SystemError(error, path, "create");
  }
  absl::Cleanup let_go = [keeps_lock] { close(keeps_lock); };
  absl::Cleanup remove_file = [&path, keeps_lock] { RemoveOwnFile(path, keeps_lock); };
  absl::Cleanup close_fd = [fd] { close(fd); };
  if (absl::Status status = LockFile(fd, path, LockMode::kAlone); !status.ok()) return status;
  const uint64_t unit = SizeUnit(fd);
  const uint64_t bytes = (options.size_bytes + unit - 1) / unit * unit;
  const GoOn report = [&options](uint64_t done, uint64_t in_all) {
    if (options.progress) options.progress(done, in_all);
    return true;
  };
  if (absl::Status status = Fill(fd, path, bytes, options.open, report); !status.ok()) return status;
  if (absl::Status status = SyncFile(fd, path, options.open); !status.ok()) return status;
  if (absl::Status status = SyncName(fd, path, options.open); !status.ok()) return status;
  std::move(close_fd).Cancel();
  absl::StatusOr<DaxFile> file = Adopt(fd, path, options.open, Place());
  if (!file.ok()) return file;
  if (IsInMemory(fd)) {
    absl::Status status = Populate(fd, path, 0, file->data(), file->size_bytes(), report);
    if (!status.ok()) return status;
  }
  std::move(remove_file).Cancel();
  return file;
}

// ---- parts

// The name comes when the rest is done. Only the seal follows: a file without a name can't be sealed.
absl::StatusOr<DaxFile> DaxFile::MakePart(int fd, const std::string& first, const Part& part, const GoOn& go_on) {
  const std::string path = PartPath(first, part.number);
  absl::Cleanup close_fd = [fd] { close(fd); };
  if (absl::Status status = LockFile(fd, path, LockMode::kAlone); !status.ok()) return status;
  const OpenOptions options = OptionsForParts();
  const uint64_t unit = SizeUnit(fd);
  if (part.bytes % unit != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": a part of ", part.bytes, " bytes isn't a multiple of this filesystem's ", unit, "."));
  }
  if (absl::Status status = Fill(fd, path, part.bytes + unit, options, go_on); !status.ok()) return status;
  const Place place = {data_ + part.at, part.bytes};
  std::move(close_fd).Cancel();
  absl::StatusOr<DaxFile> made = DaxFile();
  made->fd_ = fd;  // closes it
  if (IsInMemory(fd)) {
    made->fd_ = -1;
    made = Adopt(fd, path, options, place);
    if (!made.ok()) return made;
    if (absl::Status status = Populate(fd, path, 0, made->data(), part.bytes, go_on); !status.ok()) return status;
  }
  if (absl::Status status = WritePartLabel(fd, path, unit, part); !status.ok()) return status;
  if (absl::Status status = SyncFile(fd, path, options); !status.ok()) return status;
  if (absl::Status status = NamePart(fd, first, part); !status.ok()) return status;
  absl::Cleanup remove_file = [&path] { RemoveFile(path).IgnoreError(); };
  if (absl::Status status = SyncName(fd, path, options); !status.ok()) return status;
  if (made->data_ == nullptr) {
    made->fd_ = -1;
    made = Adopt(fd, path, options, place);
    if (!made.ok()) return made;
  }
  std::move(remove_file).Cancel();
  return made;
}

absl::Status DaxFile::NamePart(int fd, const std::string& first, const Part& part) {
  const std::string path = PartPath(first, part.number);
  const std::string nameless = absl::StrCat("/proc/self/fd/", fd);
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (linkat(AT_FDCWD, nameless.c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW) == 0) return absl::OkStatus();
    if (errno != EEXIST || attempt > 0) break;
    // What a crash has left before the caller could remember it.
    if (absl::Status status = RemovePart(first, part.number, part.owner); !status.ok()) return status;
  }
  return SystemError(errno, path, "give a name to");
}

absl::Status DaxFile::CreatePart(const Part& part, const GoOn& go_on) {
  if (absl::Status status = CheckPlace(part); !status.ok()) return status;
  if (fd_ < 0) {
    Append(DaxFile(), part);
    return absl::OkStatus();
  }
  const absl::StatusOr<std::string> first = PathNow();
  if (!first.ok()) return first.status();
  const std::string path = PartPath(*first, part.number);
  // Before zeros are written that nobody will have.
  if (absl::Status status = CheckPartName(*first, part.number, part.owner); !status.ok()) return status;
  struct stat info;
  if (fstat(fd_, &info) != 0) return SystemError(errno, path_, "stat");
  if (!S_ISREG(info.st_mode)) return absl::FailedPreconditionError(absl::StrCat(path_, ": a device can't grow."));
  const std::string directory = path.substr(0, path.rfind('/') + 1);
  const int fd = open(directory.empty() ? "." : directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, info.st_mode & 0777);
  if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": this filesystem has no files without a name (O_TMPFILE), so the store can't grow here."));
  }
  if (fd < 0) return SystemError(errno, path, "create");
  if (absl::Status status = GiveToOwner(fd, path, info); !status.ok()) {
    close(fd);
    return status;
  }
  absl::StatusOr<DaxFile> made = MakePart(fd, *first, part, go_on);
  if (!made.ok()) return made.status();
  if (is_live_) made->AdmitReaders();
  Append(*std::move(made), part);
  return absl::OkStatus();
}

}  // namespace daxfile
