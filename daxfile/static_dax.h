// The kernel's side of static-dax, as a program sees it: daxctl(2) seals a DAX file's block map, so that a flushed and
// fenced store is durable without fsync. Proposed on the kernel mailing lists in June 2017 ("daxfile: enable
// byte-addressable updates to pmem"); never merged. On kernels without it every call here says Unimplemented, and why.
#ifndef DAXFILE_STATIC_DAX_H_
#define DAXFILE_STATIC_DAX_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace daxfile {

// long daxctl(int fd, const char *path, unsigned int flags, unsigned long align), of kernel/patches. Its flags, as the
// 2017 proposal had them:
inline constexpr unsigned kDaxctlGet = 1 << 0;     // report, change nothing
inline constexpr unsigned kDaxctlDax = 1 << 1;     // reserved
inline constexpr unsigned kDaxctlStatic = 1 << 2;  // seal; without it: unseal
inline constexpr long kDaxctlSyscallNumber = 451;  // x86-64 and generic, on a 6.1 kernel with this project's patches

// Whether this kernel has daxctl(2). Newer kernels use the number for another call, so the probe passes arguments that
// only daxctl answers with EINVAL. Costs one system call; the answer is cached.
bool KernelHasDaxctl();

// Seals the file (idempotent). `alignment_bytes` 0 means the page size. Errors: Unimplemented (no daxctl),
// PermissionDenied (needs CAP_LINUX_IMMUTABLE), FailedPrecondition (not DAX, holes, unwritten or shared extents: the
// message says which, and what to do). The descriptor must be one for writing.
absl::Status SealStatic(int fd, uint32_t alignment_bytes);
absl::Status UnsealStatic(int fd);
absl::StatusOr<bool> IsSealedStatic(int fd);

}  // namespace daxfile

#endif  // DAXFILE_STATIC_DAX_H_
