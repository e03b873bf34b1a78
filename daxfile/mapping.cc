#include "daxfile/mapping.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "daxfile/errors.h"
#include "daxfile/static_dax.h"

namespace daxfile {
namespace {

constexpr uintptr_t kHugePageBytes = 2 << 20;

// Reserves more address space than needed, keeps the aligned part, gives back the rest.
void* ReserveAligned(uint64_t bytes) {
  const uint64_t reserved_bytes = bytes + kHugePageBytes;
  void* reserved = mmap(nullptr, reserved_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (reserved == MAP_FAILED) return MAP_FAILED;
  const auto begin = reinterpret_cast<uintptr_t>(reserved);
  const uintptr_t aligned = (begin + kHugePageBytes - 1) & ~(kHugePageBytes - 1);
  if (aligned > begin) munmap(reserved, aligned - begin);
  const uintptr_t end = aligned + bytes;
  if (begin + reserved_bytes > end) munmap(reinterpret_cast<void*>(end), begin + reserved_bytes - end);
  return reinterpret_cast<void*>(aligned);
}

// A static-dax mapping for writing is made through whatever the kernel's way of sealing wants.
absl::StatusOr<void*> MapAt(void* at, int fd, const std::string& path, uint64_t bytes, Tier tier, bool read_only) {
  const int protection = read_only ? PROT_READ : PROT_READ | PROT_WRITE;
  const int kind = tier == Tier::kMapSync ? MAP_SHARED_VALIDATE | MAP_SYNC : MAP_SHARED;
  int source = fd;
  if (tier == Tier::kStaticDax && !read_only) {
    const absl::StatusOr<int> opened = OpenForMapping(fd);
    if (!opened.ok()) return absl::Status(opened.status().code(), absl::StrCat(path, ": ", opened.status().message()));
    source = *opened;
  }
  void* data = mmap(at, bytes, protection, kind | MAP_FIXED, source, 0);
  const int error = errno;
  if (source != fd) close(source);
  if (data == MAP_FAILED) return SystemError(error, path, "map");
  return data;
}

// From here on the mapping itself keeps the seal; before it, somebody may have taken it off.
absl::Status CheckStillSealed(int fd, const std::string& path) {
  const absl::StatusOr<bool> is_sealed = IsSealedStatic(fd);
  if (is_sealed.ok() && *is_sealed) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat(path, ": was unsealed while it was being opened. Open it again."));
}

}  // namespace

absl::StatusOr<std::byte*> ReserveAddresses(const std::string& path, uint64_t bytes) {
  void* const reserved = ReserveAligned(bytes);
  if (reserved != MAP_FAILED) return static_cast<std::byte*>(reserved);
  return absl::ResourceExhaustedError(absl::StrCat(path, ": no address space for ", bytes,
                                                   " bytes: ", std::strerror(errno),
                                                   ". Raise the limit (ulimit -v), or close other mappings."));
}

absl::Status MapFile(int fd, const std::string& path, std::byte* at, uint64_t bytes, Tier tier, bool read_only) {
  const absl::StatusOr<void*> data = MapAt(at, fd, path, bytes, tier, read_only);
  if (tier == Tier::kStaticDax && !read_only) {
    if (absl::Status status = CheckStillSealed(fd, path); !status.ok()) {
      UnmapFile(at, bytes);
      return status;
    }
  }
  if (!data.ok()) {
    // The kernel may have unmapped what was there before it refused: the addresses stay ours.
    mmap(at, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    return data.status();
  }
  // A wish: where the filesystem has no huge pages, small ones do. An msync writes back all of a page that was stored
  // to, so there small ones are better (15 times fewer instructions in a put: docs/static-dax-costs.md).
  madvise(*data, bytes, tier == Tier::kMsync ? MADV_NOHUGEPAGE : MADV_HUGEPAGE);
  return absl::OkStatus();
}

void UnmapFile(std::byte* data, uint64_t bytes) {
  mmap(data, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
}

void ReleaseAddresses(std::byte* data, uint64_t bytes) { munmap(data, bytes); }

}  // namespace daxfile
