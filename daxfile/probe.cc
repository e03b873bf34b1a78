#include "daxfile/probe.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "daxfile/static_dax.h"

namespace daxfile {
namespace {

std::string FilesystemName(long magic) {
  switch (magic) {
    case EXT4_SUPER_MAGIC:
      return "ext4";  // ext2 and ext3 have the same number
    case XFS_SUPER_MAGIC:
      return "xfs";
    case BTRFS_SUPER_MAGIC:
      return "btrfs";
    case TMPFS_MAGIC:
      return "tmpfs";
    case RAMFS_MAGIC:
      return "ramfs";
    case HUGETLBFS_MAGIC:
      return "hugetlbfs";
    case OVERLAYFS_SUPER_MAGIC:
      return "overlayfs";
    case NFS_SUPER_MAGIC:
      return "nfs";
    default:
      return absl::StrCat("0x", absl::Hex(static_cast<uint64_t>(magic)));
  }
}

bool IsMemoryFilesystem(const std::string& name) { return name == "tmpfs" || name == "ramfs" || name == "hugetlbfs"; }

std::string SysfsOf(dev_t device) { return absl::StrCat("/sys/dev/char/", major(device), ":", minor(device)); }

bool IsDevice(int fd) {
  struct stat info;
  return fstat(fd, &info) == 0 && S_ISCHR(info.st_mode) && IsDeviceDax(info.st_rdev);
}

std::string FilesystemOf(int fd) {
  struct statfs filesystem;
  return fstatfs(fd, &filesystem) == 0 ? FilesystemName(filesystem.f_type) : "unknown";
}

// Of the mount that the file is on: the filesystem that an overlay writes to ("upperdir"), if it can be seen from here.
std::string UpperFilesystemOf(int fd) {
  struct statx info;
  if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &info) != 0 || (info.stx_mask & STATX_MNT_ID) == 0) return "";
  std::ifstream mounts("/proc/self/mountinfo");
  const std::string own = absl::StrCat(info.stx_mnt_id, " ");
  for (std::string line; std::getline(mounts, line);) {
    if (!line.starts_with(own)) continue;
    constexpr std::string_view kUpper = "upperdir=";
    const size_t begin = line.find(kUpper);
    if (begin == line.npos) return "";
    const std::string upper = line.substr(begin + kUpper.size(), line.find(',', begin) - begin - kUpper.size());
    struct statfs filesystem;
    return statfs(upper.c_str(), &filesystem) == 0 ? FilesystemName(filesystem.f_type) : "";
  }
  return "";
}

// Whether the block device under the filesystem is memory: a RAM disk, compressed or not.
bool IsOnRamDisk(int fd) {
  struct stat info;
  if (fstat(fd, &info) != 0) return false;
  const std::string link = absl::StrCat("/sys/dev/block/", major(info.st_dev), ":", minor(info.st_dev));
  std::error_code error;
  const std::string device = std::filesystem::canonical(link, error).filename();
  return device.starts_with("ram") || device.starts_with("zram");
}

// Why the file lies in memory, though its filesystem isn't one; empty: it doesn't, as far as can be seen.
std::string WhyInMemory(int fd, const std::string& filesystem) {
  if (filesystem == "overlayfs") {
    const std::string upper = UpperFilesystemOf(fd);
    return IsMemoryFilesystem(upper) ? absl::StrCat("overlayfs writes to ", upper, " here, which") : "";
  }
  return IsOnRamDisk(fd) ? absl::StrCat("this ", filesystem, " is on a RAM disk, which") : "";
}

// Whether the kernel grants a synchronous mapping; only a DAX filesystem on synchronous memory does.
bool GrantsMapSync(int fd, int* error) {
  const auto page_bytes = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  void* at = mmap(nullptr, page_bytes, PROT_READ | PROT_WRITE, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0);
  if (at == MAP_FAILED) {
    // A descriptor for reading only can still tell; so can a file sealed by the module, which the kernel takes for a
    // swap file and doesn't map for writing.
    at = mmap(nullptr, page_bytes, PROT_READ, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0);
  }
  *error = errno;
  if (at == MAP_FAILED) return false;
  munmap(at, page_bytes);
  return true;
}

// A file on a disk or on persistent memory: sealed, or with MAP_SYNC, or neither.
void ProbeDax(int fd, bool seal, Probe& probe) {
  int map_sync_error = 0;
  if (!GrantsMapSync(fd, &map_sync_error)) {
    probe.tier = Tier::kMsync;
    probe.reason = absl::StrCat("the kernel grants no synchronous mapping (MAP_SYNC: ", std::strerror(map_sync_error),
                                "), so each fence is an msync. Persistent memory with a DAX filesystem needs none");
    return;
  }
  absl::StatusOr<bool> is_sealed = IsSealedStatic(fd);
  absl::Status why_not = is_sealed.status();
  if (seal && is_sealed.ok() && !*is_sealed) {
    why_not = SealStatic(fd, 0);
    is_sealed = probe.has_sealed = why_not.ok();
  }
  if (is_sealed.ok() && *is_sealed) {
    const absl::StatusOr<Sealer> sealer = FindSealer();
    probe.tier = Tier::kStaticDax;
    probe.reason =
        absl::StrCat("sealed ", sealer.ok() ? std::string(SealerName(*sealer)) : "", ": the block map can't change");
    return;
  }
  probe.tier = Tier::kMapSync;
  probe.reason =
      absl::StrCat("MAP_SYNC: page faults may commit the journal. Not sealed: ",
                   why_not.ok() ? "not asked for (opening it for writing does)" : std::string(why_not.message()));
}

}  // namespace

Probe ProbeFile(int fd, bool emulate_on_dram, bool seal) {
  Probe probe;
  const bool is_device = IsDevice(fd);
  probe.filesystem = is_device ? "none" : FilesystemOf(fd);
  if (emulate_on_dram) {
    probe.reason = "asked for by name: flushed by the CPU only, lost with the power";
    return probe;
  }
  if (is_device) {
    probe.tier = Tier::kDeviceDax;
    probe.reason = "a DAX device: no filesystem between the program and the memory";
    return probe;
  }
  if (IsMemoryFilesystem(probe.filesystem)) {
    probe.reason =
        absl::StrCat(probe.filesystem, " keeps files in memory: they are lost with the power. Put the file on",
                     " a filesystem on persistent memory (mounted with -o dax) or on a disk");
    return probe;
  }
  if (const std::string why = WhyInMemory(fd, probe.filesystem); !why.empty()) {
    probe.reason = absl::StrCat(why, " keeps files in memory: they are lost with the power. Put the file elsewhere");
    return probe;
  }
  ProbeDax(fd, seal, probe);
  return probe;
}

bool IsInMemory(int fd) { return IsMemoryFilesystem(FilesystemOf(fd)); }

bool IsDeviceDax(dev_t device) {
  std::error_code error;
  return std::filesystem::canonical(SysfsOf(device) + "/subsystem", error).filename() == "dax";
}

absl::StatusOr<uint64_t> DeviceDaxBytes(dev_t device) {
  const std::string size_path = SysfsOf(device) + "/size";
  std::ifstream size_file(size_path);
  uint64_t bytes = 0;
  if (size_file >> bytes && bytes != 0) return bytes;
  return absl::FailedPreconditionError(
      absl::StrCat("the DAX device's size can't be read from ", size_path, ". Is it enabled (daxctl list)?"));
}

absl::Status CheckTier(const std::string& path, const Probe& probe, const OpenOptions& options) {
  if (probe.tier >= options.weakest_tier) return absl::OkStatus();
  const std::string wanted(TierName(options.weakest_tier));
  const std::string reached(TierName(probe.tier));
  return absl::FailedPreconditionError(absl::StrCat(path, ": reaches durability tier '", reached, "', and '", wanted,
                                                    "' or better was asked for: ", probe.reason,
                                                    ". To use it all the same, accept tier '", reached, "'."));
}

}  // namespace daxfile
