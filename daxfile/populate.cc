#include "daxfile/populate.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "daxfile/errors.h"
#include "daxfile/zero_fill.h"

namespace daxfile {
namespace {

constexpr uint64_t kSmallPageBytes = 4096;
constexpr uint64_t kHugePageBytes = 2 << 20;

#ifndef MADV_POPULATE_WRITE
constexpr int MADV_POPULATE_WRITE = 23;
#endif
#ifndef MADV_COLLAPSE
constexpr int MADV_COLLAPSE = 25;
#endif

}  // namespace

uint64_t SizeUnit(int fd) {
  struct statfs filesystem;
  if (fstatfs(fd, &filesystem) != 0 || filesystem.f_type != HUGETLBFS_MAGIC) return kSmallPageBytes;
  return std::max(kSmallPageBytes, static_cast<uint64_t>(filesystem.f_bsize));
}

absl::Status SizeMemoryFile(int fd, const std::string& path, uint64_t bytes) {
  struct statfs filesystem;
  if (fstatfs(fd, &filesystem) != 0) return SystemError(errno, path, "stat");
  // Without a limit on its size such a filesystem says that it has no blocks at all, or -1.
  const bool has_limit = filesystem.f_blocks != 0 && filesystem.f_blocks != static_cast<fsblkcnt_t>(-1);
  if (has_limit && bytes / static_cast<uint64_t>(filesystem.f_bsize) > filesystem.f_bavail) {
    return NoSpaceError(ENOSPC, path, bytes);
  }
  if (ftruncate(fd, static_cast<off_t>(bytes)) == 0) return absl::OkStatus();
  return IsNoSpace(errno) ? NoSpaceError(errno, path, bytes) : SystemError(errno, path, "set the size");
}

namespace {

// 0, or an errno.
int TakePages(std::byte* data, uint64_t bytes) {
  for (;;) {
    if (madvise(data, bytes, MADV_POPULATE_WRITE) == 0) return 0;
    if (errno != EINTR && errno != EAGAIN) return errno;
  }
}

// A huge page, as a DAX filesystem would map. A wish, from kernel 6.1 on; it is heard on tmpfs even where huge pages
// aren't the rule (shmem_enabled). Worth about a fifth of the time of random inserts (docs/performance.md). It takes a
// small page to begin with; the more there are, the more would have to be copied.
int TakeHugePage(std::byte* data, uint64_t bytes) {
  if (const int error = TakePages(data, kSmallPageBytes); error != 0) return error;
  madvise(data, bytes, MADV_COLLAPSE);
  return 0;
}

}  // namespace

absl::Status Populate(int fd, const std::string& path, uint64_t offset, std::byte* data, uint64_t bytes,
                      const GoOn& go_on) {
  // The kernel holds the address space meanwhile, and whoever needs it waits: malloc, or the first touch of a page.
  constexpr uint64_t kChunkBytes = kHugePageBytes;
  for (uint64_t done = 0; done < bytes;) {
    const uint64_t chunk_bytes = std::min(kChunkBytes, bytes - done);
    int error = TakeHugePage(data + done, chunk_bytes);
    if (error == 0) error = TakePages(data + done, chunk_bytes);
    // EFAULT is what would have been a SIGBUS: no page to be had. EINVAL: a kernel that doesn't know the advice.
    if (error == EFAULT) return NoSpaceError(ENOSPC, path, bytes);
    if (error != 0 && error != EINVAL) return SystemError(error, path, "populate the mapping");
    if (error == EINVAL) {
      if (const int refused = AllocateRange(fd, offset, bytes); refused != 0) {
        return IsNoSpace(refused) ? NoSpaceError(refused, path, bytes) : SystemError(refused, path, "allocate");
      }
    }
    done = error == EINVAL ? bytes : done + chunk_bytes;
    if (go_on && !go_on(done, bytes)) return CancelledError(path);
  }
  return absl::OkStatus();
}

}  // namespace daxfile
