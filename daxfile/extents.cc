#include "daxfile/extents.h"

#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "daxfile/errors.h"
#include "daxfile/open_file.h"

namespace daxfile {
namespace {

constexpr uint32_t kExtentsACall = 256;

struct FlagName {
  uint32_t flag;
  const char* name;
};
constexpr FlagName kFlagNames[] = {
    {FIEMAP_EXTENT_UNKNOWN, "unknown"},         {FIEMAP_EXTENT_DELALLOC, "delalloc"},
    {FIEMAP_EXTENT_ENCODED, "encoded"},         {FIEMAP_EXTENT_DATA_ENCRYPTED, "encrypted"},
    {FIEMAP_EXTENT_NOT_ALIGNED, "not-aligned"}, {FIEMAP_EXTENT_DATA_INLINE, "inline"},
    {FIEMAP_EXTENT_DATA_TAIL, "tail"},          {FIEMAP_EXTENT_UNWRITTEN, "unwritten"},
    {FIEMAP_EXTENT_SHARED, "shared"},
};

absl::Status FiemapError(int error, const std::string& path) {
  if (error == EOPNOTSUPP || error == ENOTTY) {
    return absl::UnimplementedError(absl::StrCat(path, ": this filesystem doesn't tell where its files lie (FIEMAP)."));
  }
  return SystemError(error, path, "read the extents of");
}

}  // namespace

absl::StatusOr<std::vector<Extent>> ReadExtents(std::string_view path_view) {
  const std::string path(path_view);
  const absl::StatusOr<int> fd = OpenExisting(path, /*read_only=*/true);
  if (!fd.ok()) return fd.status();
  const absl::Cleanup close_fd = [&fd] { close(*fd); };
  return ReadExtents(*fd, path);
}

absl::StatusOr<std::vector<Extent>> ReadExtents(int fd, const std::string& path) {
  struct stat info;
  if (fstat(fd, &info) != 0) return SystemError(errno, path, "stat");
  if (!S_ISREG(info.st_mode)) return absl::UnimplementedError(absl::StrCat(path, ": is a device: it has no extents."));
  const auto size_bytes = static_cast<uint64_t>(info.st_size);
  std::vector<uint64_t> buffer((sizeof(fiemap) + kExtentsACall * sizeof(fiemap_extent)) / sizeof(uint64_t));
  auto* map = reinterpret_cast<fiemap*>(buffer.data());
  std::vector<Extent> extents;
  for (uint64_t at = 0; at < size_bytes;) {
    const uint64_t begin = at;
    std::fill(buffer.begin(), buffer.end(), 0);
    map->fm_start = begin;
    map->fm_length = size_bytes - begin;
    map->fm_extent_count = kExtentsACall;
    if (ioctl(fd, FS_IOC_FIEMAP, map) != 0) return FiemapError(errno, path);
    for (const fiemap_extent& found : std::span(map->fm_extents, map->fm_mapped_extents)) {
      // A file that is changed meanwhile may show an extent twice.
      if (found.fe_logical + found.fe_length <= at || found.fe_logical >= size_bytes) continue;
      extents.push_back({found.fe_logical, found.fe_physical, found.fe_length, found.fe_flags});
      at = found.fe_logical + found.fe_length;
    }
    if (at == begin || map->fm_mapped_extents < kExtentsACall) break;
  }
  return extents;
}

std::vector<std::string> ExtentFlagNames(uint32_t flags) {
  std::vector<std::string> names;
  for (const auto& [flag, name] : kFlagNames) {
    if ((flags & flag) != 0) names.emplace_back(name);
    flags &= ~flag;
  }
  flags &= ~(FIEMAP_EXTENT_LAST | FIEMAP_EXTENT_MERGED);
  if (flags != 0) names.push_back(absl::StrCat("0x", absl::Hex(flags)));
  return names;
}

std::vector<Extent> HolesBetween(std::span<const Extent> extents, uint64_t size_bytes) {
  std::vector<Extent> holes;
  uint64_t at = 0;
  for (const Extent& extent : extents) {
    if (extent.offset > at) holes.push_back({.offset = at, .bytes = extent.offset - at});
    at = std::max(at, extent.offset + extent.bytes);
  }
  if (at < size_bytes) holes.push_back({.offset = at, .bytes = size_bytes - at});
  return holes;
}

std::vector<Extent> MergeAdjacent(std::span<const Extent> extents) {
  std::vector<Extent> runs;
  for (const Extent& extent : extents) {
    const bool follows = !runs.empty() && runs.back().offset + runs.back().bytes == extent.offset &&
                         runs.back().physical + runs.back().bytes == extent.physical;
    if (follows) {
      runs.back().bytes += extent.bytes;
      runs.back().flags |= extent.flags;
    } else {
      runs.push_back(extent);
    }
  }
  return runs;
}

uint64_t AlignmentOf(std::span<const Extent> extents) {
  uint64_t bits = 0;
  for (const Extent& run : MergeAdjacent(extents)) {
    if ((run.flags & FIEMAP_EXTENT_UNKNOWN) != 0) return 0;
    bits |= run.offset | run.physical;
  }
  return bits & -bits;
}

}  // namespace daxfile
