#include "daxfile/byte_lock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace daxfile {
namespace {

constexpr unsigned kPidBits = 22;  // the kernel's PID_MAX_LIMIT
constexpr uint64_t kPidMask = (uint64_t{1} << kPidBits) - 1;

static_assert(kPresence.end() <= kMarks.begin && kMarks.end() <= uint64_t{1} << 62);

// 0 where /proc tells nothing.
uint64_t PidNamespace() {
  struct stat info;
  return stat("/proc/self/ns/pid", &info) == 0 ? info.st_ino & 0xffffffff : 0;
}

struct flock Describe(ByteRange range, short type) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(range.begin);
  lock.l_len = static_cast<off_t>(range.bytes);
  return lock;
}

int Set(int fd, ByteRange range, short type) {
  struct flock lock = Describe(range, type);
  int error;
  do {
    error = fcntl(fd, F_OFD_SETLK, &lock) == 0 ? 0 : errno;
  } while (error == EINTR);
  return error == EACCES ? EAGAIN : error;
}

short TypeOf(ByteLock lock) { return lock == ByteLock::kShared ? F_RDLCK : F_WRLCK; }

}  // namespace

uint64_t OwnProcessId() { return PidNamespace() << kPidBits | (static_cast<uint64_t>(getpid()) & kPidMask); }

int PidOf(uint64_t process_id) {
  const uint64_t space = process_id >> kPidBits;
  return space != 0 && space == PidNamespace() ? static_cast<int>(process_id & kPidMask) : 0;
}

int LockBytes(int fd, ByteRange range, ByteLock lock) { return Set(fd, range, TypeOf(lock)); }

int UnlockBytes(int fd, ByteRange range) { return Set(fd, range, F_UNLCK); }

std::optional<ByteRange> FindLock(int fd, ByteRange range, ByteLock lock) {
  struct flock found = Describe(range, TypeOf(lock));
  if (fcntl(fd, F_OFD_GETLK, &found) != 0) return range;
  if (found.l_type == F_UNLCK) return std::nullopt;
  // 0 bytes: to the end of all offsets.
  const auto begin = static_cast<uint64_t>(found.l_start);
  const uint64_t bytes = found.l_len != 0 ? static_cast<uint64_t>(found.l_len) : (uint64_t{1} << 63) - begin;
  return ByteRange{begin, bytes};
}

}  // namespace daxfile
