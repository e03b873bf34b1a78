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
absl::Status Fill(int fd, const std::string& path, uint64_t bytes, const CreateOptions& options) {
  const bool in_memory = IsInMemory(fd);
  // Asked before gigabytes are written, of a file that has blocks; one in memory needs none.
  if (!in_memory) {
    if (absl::Status status = LayOut(fd, path, bytes); !status.ok()) return status;
  }
  const Probe probe = ProbeFile(fd, options.open.emulate_on_dram, /*seal=*/false);
  OpenOptions attainable = options.open;
  // Sealing comes last, and may still be refused then.
  if (attainable.weakest_tier == Tier::kStaticDax && probe.tier == Tier::kMapSync && FindSealer().ok()) {
    attainable.weakest_tier = probe.tier;
  }
  if (absl::Status status = CheckTier(path, probe, attainable); !status.ok()) return status;
  if (in_memory) return SizeMemoryFile(fd, path, bytes);
  if (absl::Status status = ZeroFill(fd, path, bytes, options.progress); !status.ok()) return status;
  if (probe.tier == Tier::kVolatile) return absl::OkStatus();  // asked for by name: nothing here is to last
  if (fsync(fd) != 0) return SystemError(errno, path, "fsync");
  return SyncDirectoryOf(path);
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
  absl::Cleanup remove_file = [&path] { RemoveFile(path).IgnoreError(); };
  absl::Cleanup close_fd = [fd] { close(fd); };
  // From the first moment nobody else may take it for a finished file; and the lock is kept, so that nobody ever has
  // open what a failure further down removes.
  if (absl::Status status = LockFile(fd, path, LockMode::kAlone); !status.ok()) return status;
  const uint64_t unit = SizeUnit(fd);
  const uint64_t bytes = (options.size_bytes + unit - 1) / unit * unit;
  if (absl::Status status = Fill(fd, path, bytes, options); !status.ok()) return status;
  std::move(close_fd).Cancel();
  absl::StatusOr<DaxFile> file = Adopt(fd, path, options.open);
  if (!file.ok()) return file;
  if (IsInMemory(fd)) {
    absl::Status status = Populate(fd, path, file->data(), file->size_bytes(), options.progress);
    if (!status.ok()) return status;
  }
  std::move(remove_file).Cancel();
  return file;
}

}  // namespace daxfile
