#include "daxfile/file_lock.h"

#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "daxfile/errors.h"

namespace daxfile {
namespace {

// The pid of whoever holds a lock on this file, as /proc/locks tells:
//   1: FLOCK  ADVISORY  WRITE 1234 fe:00:5678 0 EOF
// 0 if it doesn't: the holder may be in another pid namespace, or the filesystem (btrfs) may give its files another
// device number there. A wrong pid would be worse than none, so the device must match: inode numbers repeat between
// filesystems.
int LockHolder(int fd) {
  struct stat info;
  if (fstat(fd, &info) != 0) return 0;
  const std::string wanted = absl::StrFormat("%02x:%02x:%u", major(info.st_dev), minor(info.st_dev), info.st_ino);
  std::ifstream locks("/proc/locks");
  for (std::string line; std::getline(locks, line);) {
    std::istringstream words(line);
    std::string number, type, mode, access, file;
    int pid = 0;
    if (!(words >> number >> type >> mode >> access >> pid >> file) || type != "FLOCK") continue;
    if (file == wanted) return pid;
  }
  return 0;
}

}  // namespace

absl::Status LockFile(int fd, const std::string& path, bool exclusive) {
  while (flock(fd, (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK) return SystemError(errno, path, "lock");
    const int pid = LockHolder(fd);
    std::string holder = pid > 0 ? absl::StrCat("process ", pid) : "another process";
    if (pid == getpid()) absl::StrAppend(&holder, " (this one)");
    return absl::UnavailableError(
        absl::StrCat(path, ": ", holder, " has it open", exclusive ? "" : " for writing", "; close it there first."));
  }
  return absl::OkStatus();
}

}  // namespace daxfile
