#include "daxfile/file_lock.h"

#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <optional>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "daxfile/byte_lock.h"
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

std::string ProcessName(int pid) {
  if (pid == getpid()) return absl::StrCat("process ", pid, " (this one)");
  return pid > 0 ? absl::StrCat("process ", pid) : "another process";
}

absl::Status TakeFlock(int fd, const std::string& path, bool exclusive) {
  while (flock(fd, (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK) return SystemError(errno, path, "lock");
    return absl::UnavailableError(absl::StrCat(path, ": ", ProcessName(LockHolder(fd)), " has it open",
                                               exclusive ? "" : " for writing", "; close it there first."));
  }
  return absl::OkStatus();
}

// Whoever has flock to itself has no rival for this byte, but other programs.
absl::Status TakeWriterByte(int fd, const std::string& path) {
  const int error = LockBytes(fd, kWriterByte, ByteLock::kExclusive);
  return error == 0 ? absl::OkStatus() : SystemError(error, path, "lock");
}

absl::Status TakePresence(int fd, const std::string& path) {
  const int error = LockBytes(fd, kPresence, ByteLock::kExclusive);
  if (error == 0) return absl::OkStatus();
  if (error != EAGAIN) return SystemError(error, path, "lock");
  const std::vector<int> pids = LiveReaderPids(fd);
  return absl::UnavailableError(absl::StrCat(path, ": ", ProcessName(pids.empty() ? 0 : pids.front()),
                                             " has it open for reading; close it there first."));
}

absl::Status JoinPresence(int fd, const std::string& path) {
  const int error = LockBytes(fd, {kPresence.begin + OwnProcessId(), 1}, ByteLock::kShared);
  if (error == 0) return absl::OkStatus();
  if (error != EAGAIN) return SystemError(error, path, "lock");
  return absl::UnavailableError(absl::StrCat(path, ": ", ProcessName(LockHolder(fd)),
                                             " has it open for itself: it may be making it. Try again, or close it "
                                             "there first."));
}

}  // namespace

absl::Status LockFile(int fd, const std::string& path, LockMode mode) {
  if (mode == LockMode::kLiveReader) return JoinPresence(fd, path);
  absl::Status status = TakeFlock(fd, path, /*exclusive=*/mode != LockMode::kReader);
  if (!status.ok() || mode == LockMode::kReader) return status;
  status = TakeWriterByte(fd, path);
  if (!status.ok() || mode == LockMode::kWriter) return status;
  return TakePresence(fd, path);
}

void AdmitReaders(int fd) { UnlockBytes(fd, kPresence); }

bool HasWriter(int fd) { return FindLock(fd, kWriterByte, ByteLock::kShared).has_value(); }

int WriterPid(int fd) { return HasWriter(fd) ? LockHolder(fd) : 0; }

std::vector<int> LiveReaderPids(int fd) {
  std::vector<int> pids;
  std::vector<ByteRange> to_search = {kPresence};
  while (!to_search.empty()) {
    const ByteRange range = to_search.back();
    to_search.pop_back();
    const std::optional<ByteRange> found = FindLock(fd, range, ByteLock::kExclusive);
    if (!found.has_value()) continue;
    pids.push_back(PidOf(found->begin - kPresence.begin));
    if (found->begin > range.begin) to_search.push_back({range.begin, found->begin - range.begin});
    if (found->end() < range.end()) to_search.push_back({found->end(), range.end() - found->end()});
  }
  return pids;
}

}  // namespace daxfile
