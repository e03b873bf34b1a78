#include "daxfile/synced_files.h"

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
    if (fdatasync(fd) != 0 && error == 0) error = errno;
  }
  return error;
}

}  // namespace daxfile
