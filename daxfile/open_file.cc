#include "daxfile/open_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "daxfile/errors.h"
#include "daxfile/probe.h"

namespace daxfile {
namespace {

absl::Status CheckFileType(const std::string& path, const struct stat& info) {
  if (S_ISREG(info.st_mode)) return absl::OkStatus();
  if (S_ISCHR(info.st_mode) && IsDeviceDax(info.st_rdev)) return absl::OkStatus();
  const char* kind = "neither a regular file nor a DAX device";
  if (S_ISDIR(info.st_mode)) kind = "a directory";
  if (S_ISCHR(info.st_mode)) kind = "a device, but not a DAX device";
  if (S_ISBLK(info.st_mode)) kind = "a block device: put a filesystem on it, or make it a DAX device (ndctl, daxctl)";
  if (S_ISFIFO(info.st_mode)) kind = "a FIFO";
  if (S_ISSOCK(info.st_mode)) kind = "a socket";
  return absl::FailedPreconditionError(absl::StrCat(path, ": is ", kind, ". Name a regular file or a DAX device."));
}

}  // namespace

absl::StatusOr<int> OpenExisting(const std::string& path, bool read_only) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return SystemError(errno, path, "open");
  if (absl::Status status = CheckFileType(path, info); !status.ok()) return status;
  // O_NONBLOCK: should a FIFO have taken the file's place meanwhile, not even that waits.
  const int fd = open(path.c_str(), (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return SystemError(errno, path, "open");
  absl::Status status = fstat(fd, &info) == 0 ? CheckFileType(path, info) : SystemError(errno, path, "stat");
  if (status.ok()) return fd;
  close(fd);
  return status;
}

absl::StatusOr<uint64_t> FileBytes(int fd, const std::string& path) {
  struct stat info;
  if (fstat(fd, &info) != 0) return SystemError(errno, path, "stat");
  if (S_ISCHR(info.st_mode)) {
    const absl::StatusOr<uint64_t> bytes = DeviceDaxBytes(info.st_rdev);
    if (bytes.ok()) return bytes;
    return absl::FailedPreconditionError(absl::StrCat(path, ": ", bytes.status().message()));
  }
  if (info.st_size == 0) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": is empty. Remove it, and create it with a size."));
  }
  return static_cast<uint64_t>(info.st_size);
}

}  // namespace daxfile
