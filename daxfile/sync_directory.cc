#include "daxfile/sync_directory.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "daxfile/errors.h"

namespace daxfile {

absl::Status SyncDirectoryOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const int fd = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return SystemError(errno, directory, "open");
  const int error = fsync(fd) == 0 ? 0 : errno;
  close(fd);
  // EINVAL: a filesystem that knows no fsync of directories keeps them in step by itself.
  return error == 0 || error == EINVAL ? absl::OkStatus() : SystemError(error, directory, "fsync");
}

}  // namespace daxfile
