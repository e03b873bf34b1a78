#include "daxfile/mapping.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "daxfile/errors.h"

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

}  // namespace

absl::StatusOr<std::byte*> MapFile(int fd, const std::string& path, uint64_t bytes, Tier tier, bool read_only) {
  void* reserved = ReserveAligned(bytes);
  if (reserved == MAP_FAILED) {
    return absl::ResourceExhaustedError(absl::StrCat(path, ": no address space for ", bytes,
                                                     " bytes: ", std::strerror(errno),
                                                     ". Raise the limit (ulimit -v), or close other mappings."));
  }
  const int protection = read_only ? PROT_READ : PROT_READ | PROT_WRITE;
  const int kind = tier == Tier::kMapSync ? MAP_SHARED_VALIDATE | MAP_SYNC : MAP_SHARED;
  void* data = mmap(reserved, bytes, protection, kind | MAP_FIXED, fd, 0);
  if (data == MAP_FAILED) {
    const int error = errno;
    munmap(reserved, bytes);
    return SystemError(error, path, "map");
  }
  // A wish: where the filesystem has no huge pages, small ones do.
  madvise(data, bytes, MADV_HUGEPAGE);
  return static_cast<std::byte*>(data);
}

void UnmapFile(std::byte* data, uint64_t bytes) { munmap(data, bytes); }

}  // namespace daxfile
