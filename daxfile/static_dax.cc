#include "daxfile/static_dax.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "kernel/module/daxctl_ioctl.h"

namespace daxfile {
namespace {

// long daxctl(int fd, const char *path, unsigned int flags, unsigned long align), of kernel/patches: x86-64's and the
// generic number on a 6.1 kernel. Its flags are the module's.
constexpr long kDaxctlSyscallNumber = 451;
constexpr char kDevicePath[] = "/dev/daxctl";

// By descriptor: a path might lead to another file by now.
long CallDaxctl(int fd, unsigned flags, uint64_t alignment_bytes) {
  return syscall(kDaxctlSyscallNumber, fd, static_cast<const char*>(nullptr), flags, alignment_bytes);
}

// Newer kernels use the number for another call, so this passes what only daxctl answers with EINVAL: it looks at its
// flags before all else; cachestat, which has the number since 6.5, at its descriptor.
bool KernelHasSystemCall() {
  static const bool has_it = [] { return CallDaxctl(-1, ~0u, 0) == -1 && errno == EINVAL; }();
  return has_it;
}

absl::StatusOr<int> OpenDevice() {
  const int device = open(kDevicePath, O_RDWR | O_CLOEXEC);
  if (device >= 0) return device;
  const int error = errno;
  if (error == ENOENT) {
    return absl::UnimplementedError(absl::StrCat(
        "this kernel has no daxctl(2), and the module daxctl_static isn't loaded (there is no ", kDevicePath,
        "); boot a kernel with SealKV's patches, or load the module (`./dev module` builds it, `modprobe "
        "daxctl_static` loads it once it is installed)"));
  }
  const std::string text = absl::StrCat("can't open ", kDevicePath, ": ", std::strerror(error));
  if (error == EACCES || error == EPERM) {
    return absl::PermissionDeniedError(
        absl::StrCat(text, " (it is meant to be open to all: chmod 0666; in a container, let the device in)"));
  }
  if (error == EMFILE || error == ENFILE) {
    return absl::ResourceExhaustedError(absl::StrCat(text, " (close files, or raise the limit, ulimit -n)"));
  }
  return absl::UnavailableError(absl::StrCat(text, " (is it the module daxctl_static's? See the kernel's log)"));
}

// What stands in the way, and what to do: by the errno, which daxctl has one of for each reason.
const char* ReasonOf(int error) {
  switch (error) {
    case EADDRNOTAVAIL:
      return "its blocks aren't aligned as asked; ask for less, or make the file on a filesystem aligned to huge pages";
    case EAGAIN:
      return "somebody is changing it at this moment; try again";
    case EINVAL:
      return "not a regular file; a DAX device needs no seal";
    case EMLINK:
      return "it shares blocks with another file (a reflink); copy it with `cp --reflink=never`";
    case EIO:
      return "the persistent memory under it has a fault; look at the kernel's log, and at `ndctl list --media-errors`";
    case ENODATA:
      return "it is empty, or parts of it were never written; write zeros over all of it";
    case ENOENT:
      return "it was unlinked";
    case ENOTBLK:
      return "its data lies in its inode; make it larger";
    case ENOTTY:
      return "/dev/daxctl isn't the device of the module daxctl_static";
    case ENXIO:
      return "it has holes (allocate and write all of it), or its device is gone";
    case EOPNOTSUPP:
      return "not on DAX (mount with -o dax=always), on a device that isn't synchronous, on xfs's realtime device, "
             "or on ext4 without a journal; and the module seals no file that ext4 maps by indirect blocks";
    case EROFS:
      return "the filesystem is mounted for reading only; remount it";
    case ETXTBSY:
      return "it is a program that runs; end that first";
    default:
      return "";
  }
}

absl::Status DaxctlError(int error, const char* what, std::string reason) {
  const std::string text = absl::StrCat("daxctl: can't ", what, ": ", std::strerror(error));
  if (error == EPERM) {
    return absl::PermissionDeniedError(absl::StrCat(
        text,
        " (needs CAP_LINUX_IMMUTABLE; and with the module, on xfs, of a file that shared blocks once, CAP_SYS_ADMIN: "
        "be root)"));
  }
  if (error == EBADF) {
    return absl::InvalidArgumentError(absl::StrCat(text, " (needs a descriptor for reading and writing)"));
  }
  if (reason.empty()) reason = ReasonOf(error);
  return absl::FailedPreconditionError(reason.empty() ? text : absl::StrCat(text, " (", reason, ")"));
}

// `busy`: what EBUSY means to this call.
absl::StatusOr<long> Daxctl(int fd, unsigned flags, uint64_t alignment_bytes, const char* what, const char* busy) {
  long result = 0;
  int error = 0;
  if (KernelHasSystemCall()) {
    result = CallDaxctl(fd, flags, alignment_bytes);
    error = errno;
  } else {
    const absl::StatusOr<int> device = OpenDevice();
    if (!device.ok()) return device.status();
    daxctl_args args = {.fd = fd, .flags = flags, .align = alignment_bytes};
    result = ioctl(*device, DAXCTL_IOC_CONTROL, &args);
    error = errno;
    close(*device);
  }
  if (result >= 0) return result;
  return DaxctlError(error, what, error == EBUSY ? busy : "");
}

}  // namespace

absl::StatusOr<Sealer> FindSealer() {
  if (KernelHasSystemCall()) return Sealer::kSystemCall;
  const absl::StatusOr<int> device = OpenDevice();
  if (!device.ok()) return device.status();
  close(*device);
  return Sealer::kModule;
}

std::string_view SealerName(Sealer sealer) {
  return sealer == Sealer::kSystemCall ? "with daxctl(2)" : "through /dev/daxctl (module daxctl_static)";
}

absl::Status SealStatic(int fd, uint64_t alignment_bytes) {
  const auto page_bytes = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  const bool is_power = (alignment_bytes & (alignment_bytes - 1)) == 0;
  if (alignment_bytes != 0 && (alignment_bytes < page_bytes || !is_power)) {
    return absl::InvalidArgumentError(absl::StrCat("an alignment of ", alignment_bytes,
                                                   " bytes can't be: it must be a power of two, and at least a page (",
                                                   page_bytes, " bytes)"));
  }
  return Daxctl(
             fd, DAXCTL_STATIC, alignment_bytes, "seal",
             "it is a swap file (swapoff it first); or it shared blocks with another once, and the module can't seal "
             "it while a program has it mapped for writing (close it there)")
      .status();
}

absl::Status UnsealStatic(int fd) {
  return Daxctl(
             fd, 0, 0, "unseal",
             "a program has it mapped for writing and relies on the seal; close it there first, `fuser -v` lists who "
             "has it open")
      .status();
}

absl::StatusOr<bool> IsSealedStatic(int fd) {
  const absl::StatusOr<long> flags = Daxctl(fd, DAXCTL_GET, 0, "ask", "");
  if (absl::IsFailedPrecondition(flags.status())) return false;  // not on DAX, or not regular
  if (!flags.ok()) return flags.status();
  return (*flags & DAXCTL_STATIC) != 0;
}

absl::StatusOr<int> OpenForMapping(int fd) {
  if (KernelHasSystemCall()) {
    const int duplicate = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (duplicate < 0) return DaxctlError(errno, "duplicate the descriptor", "");
    return duplicate;
  }
  const absl::StatusOr<int> device = OpenDevice();
  if (!device.ok()) return device.status();
  __s32 bound = fd;
  if (ioctl(*device, DAXCTL_IOC_BIND, &bound) == 0) return *device;
  const int error = errno;
  close(*device);
  return DaxctlError(error, "map through /dev/daxctl", error == EINVAL ? "it isn't sealed" : "");
}

}  // namespace daxfile
