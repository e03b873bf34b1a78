#include "daxfile/zero_fill.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "daxfile/errors.h"

namespace daxfile {
namespace {

absl::Status WriteError(int error, const std::string& path, uint64_t bytes) {
  return IsNoSpace(error) ? NoSpaceError(error, path, bytes) : SystemError(error, path, "write");
}

}  // namespace

int AllocateRange(int fd, uint64_t offset, uint64_t bytes) {
  int error = 0;
  do {
    error = posix_fallocate(fd, static_cast<off_t>(offset), static_cast<off_t>(bytes));
  } while (error == EINTR);
  return error;
}

absl::StatusOr<bool> Allocate(int fd, const std::string& path, uint64_t bytes) {
  int result = 0;
  do {
    result = fallocate(fd, 0, 0, static_cast<off_t>(bytes));
  } while (result != 0 && errno == EINTR);
  if (result == 0) return true;
  if (errno == EOPNOTSUPP) return false;
  return WriteError(errno, path, bytes);
}

absl::Status ZeroFill(int fd, const std::string& path, uint64_t bytes, const GoOn& go_on) {
  // Says at once that there is no space, instead of after half an hour of writing.
  if (const int error = AllocateRange(fd, 0, bytes); error != 0) {
    return WriteError(error, path, bytes);
  }
  constexpr uint64_t kChunkBytes = 2 << 20;
  const std::vector<char> zeros(kChunkBytes);
  for (uint64_t done = 0; done < bytes;) {
    const ssize_t written = pwrite(fd, zeros.data(), std::min(kChunkBytes, bytes - done), static_cast<off_t>(done));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return WriteError(written < 0 ? errno : ENOSPC, path, bytes);
    done += static_cast<uint64_t>(written);
    if (go_on && !go_on(done, bytes)) return CancelledError(path);
  }
  return absl::OkStatus();
}

}  // namespace daxfile
