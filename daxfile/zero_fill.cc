#include "daxfile/zero_fill.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"

namespace daxfile {
namespace {

absl::Status WriteError(const std::string& path, uint64_t bytes, int error) {
  const std::string text = absl::StrCat(path, ": can't write ", bytes, " bytes: ", std::strerror(error));
  if (error == ENOSPC || error == EDQUOT || error == EFBIG) {
    return absl::ResourceExhaustedError(absl::StrCat(text, ". Free some space, or ask for a smaller size."));
  }
  return absl::FailedPreconditionError(text);
}

}  // namespace

absl::Status ZeroFill(int fd, const std::string& path, uint64_t bytes,
                      const std::function<void(uint64_t, uint64_t)>& progress) {
  // Says at once that there is no space, instead of after half an hour of writing.
  if (const int error = posix_fallocate(fd, 0, static_cast<off_t>(bytes)); error != 0) {
    return WriteError(path, bytes, error);
  }
  constexpr uint64_t kChunkBytes = 2 << 20;
  const std::vector<char> zeros(kChunkBytes);
  for (uint64_t done = 0; done < bytes;) {
    const ssize_t written = pwrite(fd, zeros.data(), std::min(kChunkBytes, bytes - done), static_cast<off_t>(done));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return WriteError(path, bytes, errno);
    done += static_cast<uint64_t>(written);
    if (progress) progress(done, bytes);
  }
  return absl::OkStatus();
}

}  // namespace daxfile
