// The kernel's side of static-dax, as a program sees it: daxctl seals a DAX file's block map, so that a flushed and
// fenced store is durable without fsync. Proposed on the kernel mailing lists in June 2017 ("daxfile: enable
// byte-addressable updates to pmem"); never merged. A kernel seals by one of two ways, which these functions look for
// at each call (the cost of an open, where it is the second):
//
//   daxctl(2)     the system call of a kernel with this project's patches (kernel/patches)
//   /dev/daxctl   the device of the module daxctl_static, for other kernels (kernel/module/daxctl_ioctl.h)
//
// With neither every call says Unimplemented, and what to do. With a device that can't be opened: PermissionDenied, or
// Unavailable. A seal isn't on the disk: it ends when it is taken off, or with the system.
//
// Thread safety: all may be called by any thread. daxfile/sealing.h does the same by path.
#ifndef DAXFILE_STATIC_DAX_H_
#define DAXFILE_STATIC_DAX_H_

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace daxfile {

enum class Sealer : uint8_t { kSystemCall, kModule };

// Which of the two this kernel has; the system call before the module. A module may be loaded at any time, so that only
// the system call's answer is remembered.
absl::StatusOr<Sealer> FindSealer();

// "with daxctl(2)", "through /dev/daxctl (module daxctl_static)": what follows the word "sealed".
std::string_view SealerName(Sealer sealer);

// Seals the file; one that is sealed stays so. The kernel writes its metadata (fsync) and walks its extents.
// `alignment_bytes`: what the address and the offset of each run of blocks must be a multiple of, for huge pages; a
// power of two, and 0 means the page size. The descriptor must be one for writing.
// Errors: PermissionDenied (needs CAP_LINUX_IMMUTABLE), FailedPrecondition (not DAX, holes, unwritten or shared
// extents: the message says which, and what to do), InvalidArgument (the alignment, the descriptor).
absl::Status SealStatic(int fd, uint64_t alignment_bytes);

// Takes the seal off; a file that has none stays as it is. Errors as above, and FailedPrecondition while anybody has
// the file mapped for writing.
absl::Status UnsealStatic(int fd);

// By any descriptor. False also for what can't be sealed (a file that isn't on DAX, a device).
absl::StatusOr<bool> IsSealedStatic(int fd);

// The descriptor to map a sealed file through, shared and writable; `fd` must be for reading and writing. The caller
// closes it; the mapping stays. The system call leaves the file itself as it was, and this is a duplicate. To a kernel
// with the module a sealed file is a swap file, which mmap refuses (ETXTBSY): there this is an open of the device that
// stands for the file. (Mapping for reading needs none of this.)
// FailedPrecondition: the file isn't sealed.
absl::StatusOr<int> OpenForMapping(int fd);

}  // namespace daxfile

#endif  // DAXFILE_STATIC_DAX_H_
