#include "daxfile/file_lock.h"

#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"

namespace daxfile {
namespace {

// The pid of whoever holds a lock on this file, as /proc/locks tells:
//   1: FLOCK  ADVISORY  WRITE 1234 fe:00:5678 0 EOF
// 0 if it doesn't (the holder may be in another pid namespace).
int LockHolder(int fd) {
  struct stat info;
  if (fstat(fd, &info) != 0) return 0;
  const std::string inode = absl::StrCat(":", info.st_ino);
  std::ifstream locks("/proc/locks");
  for (std::string line; std::getline(locks, line);) {
    std::istringstream words(line);
    std::string number, type, mode, access, file;
    int pid = 0;
    if (!(words >> number >> type >> mode >> access >> pid >> file) || type != "FLOCK") continue;
    if (file.size() > inode.size() && file.compare(file.size() - inode.size(), inode.size(), inode) == 0) return pid;
  }
  return 0;
}

}  // namespace

absl::Status LockFile(int fd, const std::string& path, bool exclusive) {
  while (flock(fd, (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK) return absl::InternalError(absl::StrCat(path, ": can't lock: ", std::strerror(errno)));
    const int pid = LockHolder(fd);
    const std::string holder = pid > 0 ? absl::StrCat("process ", pid) : "another process";
    return absl::UnavailableError(absl::StrCat(path, ": ", holder, " has it open",
                                               exclusive ? "" : " for writing", "; close it there first."));
  }
  return absl::OkStatus();
}

}  // namespace daxfile
