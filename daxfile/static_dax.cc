#include "daxfile/static_dax.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"

namespace daxfile {
namespace {

// By descriptor: a path might lead to another file by now.
long Daxctl(int fd, unsigned flags, unsigned long alignment_bytes) {
  return syscall(kDaxctlSyscallNumber, fd, static_cast<const char*>(nullptr), flags, alignment_bytes);
}

absl::Status NoDaxctl() {
  return absl::UnimplementedError("this kernel has no daxctl(2); boot one with SealKV's kernel patches");
}

// What stands in the way, and what to do: by the errno, which daxctl has one of for each reason.
const char* ReasonOf(int error) {
  switch (error) {
    case EADDRNOTAVAIL:
      return "its blocks aren't aligned as asked; ask for less, or make the file on a filesystem aligned to huge pages";
    case EAGAIN:
      return "somebody is changing it at this moment; try again";
    case EBUSY:
      return "it is a swap file, or still mapped for writing";
    case EINVAL:
      return "not a regular file";
    case EMLINK:
      return "it shares blocks with another file (a reflink); copy it with `cp --reflink=never`";
    case ENODATA:
      return "it is empty, or parts of it were never written; write zeros over all of it";
    case ENOENT:
      return "it was unlinked";
    case ENOTBLK:
      return "its data lies in its inode; make it larger";
    case ENXIO:
      return "it has holes; allocate and write all of it";
    case EOPNOTSUPP:
      return "not on DAX (mount with -o dax=always), or on a device that isn't synchronous";
    default:
      return "";
  }
}

absl::Status DaxctlError(const char* what) {
  const int error = errno;
  const std::string text = absl::StrCat("daxctl: can't ", what, ": ", std::strerror(error));
  if (error == EPERM) return absl::PermissionDeniedError(absl::StrCat(text, " (needs CAP_LINUX_IMMUTABLE)"));
  if (error == ENOSYS) return NoDaxctl();
  const std::string reason = ReasonOf(error);
  return absl::FailedPreconditionError(reason.empty() ? text : absl::StrCat(text, " (", reason, ")"));
}

}  // namespace

bool KernelHasDaxctl() {
  // daxctl looks at its flags before all else; cachestat, which has the number since 6.5, at its descriptor.
  static const bool has_it = [] { return Daxctl(-1, ~0u, 0) == -1 && errno == EINVAL; }();
  return has_it;
}

absl::Status SealStatic(int fd, uint32_t alignment_bytes) {
  if (!KernelHasDaxctl()) return NoDaxctl();
  return Daxctl(fd, kDaxctlStatic, alignment_bytes) < 0 ? DaxctlError("seal") : absl::OkStatus();
}

absl::Status UnsealStatic(int fd) {
  if (!KernelHasDaxctl()) return NoDaxctl();
  return Daxctl(fd, 0, 0) < 0 ? DaxctlError("unseal") : absl::OkStatus();
}

absl::StatusOr<bool> IsSealedStatic(int fd) {
  if (!KernelHasDaxctl()) return NoDaxctl();
  const long flags = Daxctl(fd, kDaxctlGet, 0);
  if (flags < 0) return DaxctlError("ask");
  return (flags & kDaxctlStatic) != 0;
}

}  // namespace daxfile
