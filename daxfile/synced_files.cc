#include "daxfile/synced_files.h"

#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>

namespace daxfile {

void SyncedFiles::Add(int fd) {
  const std::lock_guard<std::mutex> lock(mutex_);
  fds_.push_back(fd);
}

int SyncedFiles::SyncAll() {
  const std::lock_guard<std::mutex> lock(mutex_);
  int error = 0;
  for (const int fd : fds_) {
    if (fdatasync(fd) == 0 || error != 0) continue;
    // A filesystem that can't be written may not know what to sync (EINVAL): nothing.
    const int why = errno;
    struct statvfs filesystem;
    const bool is_read_only = fstatvfs(fd, &filesystem) == 0 && (filesystem.f_flag & ST_RDONLY) != 0;
    if (!is_read_only || (why != EINVAL && why != EROFS)) error = why;
  }
  return error;
}

}  // namespace daxfile
