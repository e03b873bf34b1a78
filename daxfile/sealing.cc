#include "daxfile/sealing.h"

#include <linux/capability.h>
#include <linux/fiemap.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <span>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "daxfile/errors.h"
#include "daxfile/extents.h"
#include "daxfile/file_lock.h"
#include "daxfile/open_file.h"
#include "daxfile/probe.h"
#include "daxfile/static_dax.h"

namespace daxfile {
namespace {

absl::Status AtPath(const std::string& path, const absl::Status& status) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(path, ": ", status.message(), "."));
}

bool MayMakeImmutable() {
  __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
  if (syscall(SYS_capget, &header, data) != 0) return true;  // not known: the kernel will say
  return (data[CAP_TO_INDEX(CAP_LINUX_IMMUTABLE)].effective & CAP_TO_MASK(CAP_LINUX_IMMUTABLE)) != 0;
}

// "holes: 8192 bytes in 2 runs, the first at offset 4096"
std::string Amount(const char* kind, std::span<const Extent> runs) {
  uint64_t bytes = 0;
  for (const Extent& run : runs) bytes += run.bytes;
  return absl::StrCat(kind, ": ", bytes, " bytes in ", runs.size(), runs.size() == 1 ? " run" : " runs",
                      ", the first at offset ", runs.front().offset);
}

std::vector<Extent> WithFlags(std::span<const Extent> extents, uint32_t flags) {
  std::vector<Extent> found;
  for (const Extent& extent : extents) {
    if ((extent.flags & flags) != 0) found.push_back(extent);
  }
  return MergeAdjacent(found);
}

// What the file's blocks have against it, in the order in which they would be mended.
void AddExtentObstacles(std::span<const Extent> extents, uint64_t size_bytes, std::vector<std::string>& obstacles) {
  constexpr char kCopy[] = "write a whole copy: cp --reflink=never --sparse=never FILE NEW && sync NEW";
  if (const auto holes = HolesBetween(extents, size_bytes); !holes.empty()) {
    obstacles.push_back(
        absl::StrCat(Amount("holes", holes), "; write zeros there (fallocate alone isn't enough), or ", kCopy));
  }
  if (const auto unwritten = WithFlags(extents, FIEMAP_EXTENT_UNWRITTEN); !unwritten.empty()) {
    obstacles.push_back(
        absl::StrCat(Amount("allocated, but never written", unwritten), "; write zeros there, or ", kCopy));
  }
  if (const auto shared = WithFlags(extents, FIEMAP_EXTENT_SHARED); !shared.empty()) {
    obstacles.push_back(absl::StrCat(Amount("shared with other files (reflinks)", shared), "; ", kCopy));
  }
  constexpr uint32_t kNoPlaceYet = FIEMAP_EXTENT_DELALLOC;
  if (const auto delayed = WithFlags(extents, kNoPlaceYet); !delayed.empty()) {
    obstacles.push_back(absl::StrCat(Amount("not written to the disk yet", delayed), "; sync FILE"));
  }
  constexpr uint32_t kNotPlain = FIEMAP_EXTENT_ENCODED | FIEMAP_EXTENT_NOT_ALIGNED;
  if (const auto odd = WithFlags(extents, kNotPlain); !odd.empty()) {
    obstacles.push_back(
        absl::StrCat(Amount("not in blocks of their own (compressed, encrypted, or inside the inode)", odd),
                     "; make it larger, or switch that off for this file"));
  }
}

// Who may, and what the kernel offers.
void AddSystemObstacles(const std::string& path, const Probe& probe, std::vector<std::string>& obstacles) {
  if (const absl::StatusOr<Sealer> sealer = FindSealer(); !sealer.ok()) {
    obstacles.emplace_back(sealer.status().message());
  }
  if (probe.tier < Tier::kMapSync) {
    obstacles.push_back(absl::StrCat("not on DAX (", probe.filesystem,
                                     "); put it on persistent memory, on ext4 or xfs mounted with -o dax=always"));
  }
  if (!MayMakeImmutable()) {
    obstacles.emplace_back(
        "this process lacks the capability CAP_LINUX_IMMUTABLE; be root, or setcap cap_linux_immutable+ep");
  }
  if (access(path.c_str(), W_OK) != 0) {
    obstacles.push_back(absl::StrCat("this process may not write to it (", std::strerror(errno),
                                     "); look at its permissions and at the mount's"));
  }
}

}  // namespace

absl::Status SealFile(std::string_view path_view, uint64_t alignment_bytes) {
  const std::string path(path_view);
  const absl::StatusOr<int> fd = OpenExisting(path, /*read_only=*/false);
  if (!fd.ok()) return fd.status();
  const absl::Cleanup close_fd = [&fd] { close(*fd); };
  return AtPath(path, SealStatic(*fd, alignment_bytes));
}

absl::Status UnsealFile(std::string_view path_view) {
  const std::string path(path_view);
  const absl::StatusOr<int> fd = OpenExisting(path, /*read_only=*/false);
  if (!fd.ok()) return fd.status();
  const absl::Cleanup close_fd = [&fd] { close(*fd); };
  // Who has just opened it may be about to map it, of which the kernel knows nothing yet.
  if (absl::Status status = LockFile(*fd, path, LockMode::kAlone); !status.ok()) return status;
  return AtPath(path, UnsealStatic(*fd));
}

namespace {

bool IsSealedFile(const std::string& path) {
  const absl::StatusOr<int> fd = OpenExisting(path, /*read_only=*/true);
  if (!fd.ok()) return false;
  const absl::StatusOr<bool> is_sealed = IsSealedStatic(*fd);
  close(*fd);
  return is_sealed.ok() && *is_sealed;
}

}  // namespace

absl::Status RemoveFile(std::string_view path_view) {
  const std::string path(path_view);
  if (unlink(path.c_str()) == 0) return absl::OkStatus();
  if (errno != EPERM) return SystemError(errno, path, "remove");
  // What the kernel says of a sealed file. Not only of that: where it isn't sealed, this isn't about the seal.
  if (!IsSealedFile(path)) return SystemError(EPERM, path, "remove");
  if (absl::Status status = UnsealFile(path); !status.ok()) return status;
  if (unlink(path.c_str()) == 0) return absl::OkStatus();
  const int error = errno;
  SealFile(path, 0).IgnoreError();
  return SystemError(error, path, "remove");
}

void RemoveOwnFile(const std::string& path, int fd) {
  UnsealStatic(fd).IgnoreError();
  struct stat own, named;
  const bool is_there = fstat(fd, &own) == 0 && lstat(path.c_str(), &named) == 0;
  if (is_there && own.st_dev == named.st_dev && own.st_ino == named.st_ino) unlink(path.c_str());
}

absl::StatusOr<SealReport> InspectSeal(std::string_view path_view) {
  const std::string path(path_view);
  const absl::StatusOr<int> fd = OpenExisting(path, /*read_only=*/true);
  if (!fd.ok()) return fd.status();
  const absl::Cleanup close_fd = [&fd] { close(*fd); };
  struct stat info;
  if (fstat(*fd, &info) != 0) return SystemError(errno, path, "stat");
  SealReport report;
  if (!S_ISREG(info.st_mode)) {
    report.obstacles.emplace_back("a DAX device; it needs no seal: no filesystem can move its blocks");
    return report;
  }
  report.is_sealed = IsSealedStatic(*fd);
  if (absl::IsUnimplemented(report.is_sealed.status())) report.is_sealed = false;  // then nothing is
  if (report.is_sealed.ok() && *report.is_sealed) return report;
  if (info.st_size == 0) {
    report.obstacles.emplace_back("it is empty; remove it, and create it with a size");
    return report;
  }
  AddSystemObstacles(path, ProbeFile(*fd, /*emulate_on_dram=*/false, /*seal=*/false), report.obstacles);
  const absl::StatusOr<std::vector<Extent>> extents = ReadExtents(*fd, path);
  if (extents.ok()) AddExtentObstacles(*extents, static_cast<uint64_t>(info.st_size), report.obstacles);
  return report;
}

}  // namespace daxfile
