#include "daxfile/static_dax.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"

namespace daxfile {
namespace {

long Daxctl(int fd, int flags, uint32_t alignment_bytes) {
  const std::string path = absl::StrCat("/proc/self/fd/", fd);
  return syscall(kDaxctlSyscallNumber, path.c_str(), flags, static_cast<int>(alignment_bytes));
}

absl::Status NoDaxctl() {
  return absl::UnimplementedError("this kernel has no daxctl(2); boot one with SealKV's kernel patches");
}

absl::Status DaxctlError(const char* what) {
  const int error = errno;
  const std::string text = absl::StrCat("daxctl: can't ", what, ": ", std::strerror(error));
  if (error == EPERM) return absl::PermissionDeniedError(absl::StrCat(text, " (needs CAP_LINUX_IMMUTABLE)"));
  if (error == ENOSYS) return NoDaxctl();
  if (error == EINVAL) {
    return absl::FailedPreconditionError(
        absl::StrCat(text, " (not a file on DAX, or with holes, unwritten or shared blocks)"));
  }
  if (error == EBUSY) return absl::FailedPreconditionError(absl::StrCat(text, " (in use as a swap file)"));
  return absl::FailedPreconditionError(text);
}

}  // namespace

bool KernelHasDaxctl() {
  // daxctl looks at its flags before all else. Where the number is another call (cachestat, since 6.5) the first
  // argument is a descriptor, and -1 is a bad one.
  static const bool has_it = [] {
    const long result = syscall(kDaxctlSyscallNumber, reinterpret_cast<const char*>(-1), ~0, 0, 0);
    return result == -1 && errno == EINVAL;
  }();
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
