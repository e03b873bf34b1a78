#include "daxfile/dax_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "daxfile/file_lock.h"
#include "daxfile/mapping.h"
#include "daxfile/probe.h"
#include "daxfile/zero_fill.h"

namespace daxfile {
namespace {

constexpr uint64_t kBlockBytes = 4096;

absl::Status Errno(const std::string& path, const char* what) {
  const std::string text = absl::StrCat(path, ": can't ", what, ": ", std::strerror(errno));
  switch (errno) {
    case ENOENT:
      return absl::NotFoundError(text);
    case EEXIST:
      return absl::AlreadyExistsError(absl::StrCat(text, ". Open it, or remove it first."));
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::PermissionDeniedError(text);
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return absl::ResourceExhaustedError(text);
    default:
      return absl::FailedPreconditionError(text);
  }
}

// Only regular files and DAX devices can be mapped. Looked at before opening: opening a FIFO would wait for ever.
absl::Status CheckFileType(const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return Errno(path, "open");
  if (S_ISREG(info.st_mode) || S_ISCHR(info.st_mode)) return absl::OkStatus();
  const char* kind = S_ISDIR(info.st_mode) ? "a directory" : "neither a regular file nor a DAX device";
  return absl::FailedPreconditionError(absl::StrCat(path, ": is ", kind, ". Name a file."));
}

absl::StatusOr<uint64_t> FileBytes(int fd, const std::string& path) {
  struct stat info;
  if (fstat(fd, &info) != 0) return Errno(path, "stat");
  if (S_ISCHR(info.st_mode)) {
    const absl::StatusOr<uint64_t> bytes = DeviceDaxBytes(fd);
    if (bytes.ok()) return bytes;
    return absl::FailedPreconditionError(absl::StrCat(path, ": not a DAX device"));
  }
  if (info.st_size == 0) return absl::FailedPreconditionError(absl::StrCat(path, ": is empty."));
  return static_cast<uint64_t>(info.st_size);
}

Persist::Mode ModeFor(Tier tier) { return tier == Tier::kMsync ? Persist::Mode::kMsync : Persist::Mode::kCpu; }

absl::Status CheckOptions(const OpenOptions& options) {
  if (options.emulate_on_dram && options.weakest_tier != Tier::kVolatile) {
    return absl::InvalidArgumentError("emulate_on_dram makes a file volatile: accept tier 'volatile' with it.");
  }
  return absl::OkStatus();
}

absl::Status SyncDirectoryOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const int fd = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return Errno(directory, "open");
  const int result = fsync(fd);
  close(fd);
  return result == 0 ? absl::OkStatus() : Errno(directory, "fsync");
}

// Everything that makes the new, still empty file what Open expects.
absl::Status Fill(int fd, const std::string& path, const CreateOptions& options) {
  const uint64_t bytes = (options.size_bytes + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
  // The first block alone tells the tier; better to know before gigabytes are written.
  if (absl::Status status = ZeroFill(fd, path, kBlockBytes, nullptr); !status.ok()) return status;
  const Probe probe = ProbeFile(fd, options.open.emulate_on_dram, /*seal=*/false);
  OpenOptions attainable = options.open;
  // Sealing comes last, and may still be refused then.
  if (attainable.weakest_tier == Tier::kStaticDax && probe.tier == Tier::kMapSync) attainable.weakest_tier = probe.tier;
  if (absl::Status status = CheckTier(path, probe, attainable); !status.ok()) return status;
  if (absl::Status status = ZeroFill(fd, path, bytes, options.progress); !status.ok()) return status;
  if (probe.tier == Tier::kVolatile) return absl::OkStatus();
  if (fsync(fd) != 0) return Errno(path, "fsync");
  return SyncDirectoryOf(path);
}

}  // namespace

absl::StatusOr<DaxFile> DaxFile::Create(std::string_view path_view, const CreateOptions& options) {
  const std::string path(path_view);
  if (absl::Status status = CheckOptions(options.open); !status.ok()) return status;
  struct stat info;
  if (stat(path.c_str(), &info) == 0 && S_ISCHR(info.st_mode)) return Open(path, options.open);  // has its own size
  if (options.size_bytes == 0) return absl::InvalidArgumentError(absl::StrCat(path, ": give the file a size."));
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0) return Errno(path, "create");
  absl::Cleanup close_fd = [fd] { close(fd); };
  absl::Cleanup remove_file = [&path] { unlink(path.c_str()); };
  // From the first moment nobody else may take it for a finished file.
  if (absl::Status status = LockFile(fd, path, /*exclusive=*/true); !status.ok()) return status;
  if (absl::Status status = Fill(fd, path, options); !status.ok()) return status;
  // The lock belongs to the open file: it is let go here, and taken again by Open.
  std::move(close_fd).Invoke();
  absl::StatusOr<DaxFile> file = Open(path, options.open);
  if (file.ok()) std::move(remove_file).Cancel();
  return file;
}

absl::StatusOr<DaxFile> DaxFile::Open(std::string_view path_view, const OpenOptions& options) {
  const std::string path(path_view);
  if (absl::Status status = CheckOptions(options); !status.ok()) return status;
  if (absl::Status status = CheckFileType(path); !status.ok()) return status;
  const int fd = open(path.c_str(), (options.read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
  if (fd < 0) return Errno(path, "open");
  DaxFile file;
  file.fd_ = fd;  // from here on closed by the destructor
  file.path_ = path;
  file.read_only_ = options.read_only;
  const absl::StatusOr<uint64_t> bytes = FileBytes(fd, path);
  if (!bytes.ok()) return bytes.status();
  file.size_bytes_ = *bytes;
  if (absl::Status status = LockFile(fd, path, !options.read_only); !status.ok()) return status;
  const Probe probe = ProbeFile(fd, options.emulate_on_dram, /*seal=*/!options.read_only);
  if (absl::Status status = CheckTier(path, probe, options); !status.ok()) return status;
  file.tier_ = probe.tier;
  file.tier_reason_ = probe.reason;
  const absl::StatusOr<std::byte*> data = MapFile(fd, path, *bytes, probe.tier, options.read_only);
  if (!data.ok()) return data.status();
  file.data_ = *data;
  file.owns_mapping_ = true;
  file.persist_ = std::make_unique<Persist>(ModeFor(probe.tier));
  return file;
}

DaxFile DaxFile::OverMemory(std::span<std::byte> memory, PersistObserver* observer) {
  DaxFile file;
  file.data_ = memory.data();
  file.size_bytes_ = memory.size();
  file.path_ = "<memory>";
  file.tier_reason_ = "memory of the process";
  file.persist_ = std::make_unique<Persist>(Persist::Mode::kCpu, observer);
  return file;
}

absl::StatusOr<FileReport> DaxFile::Inspect(std::string_view path_view) {
  const std::string path(path_view);
  if (absl::Status status = CheckFileType(path); !status.ok()) return status;
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return Errno(path, "open");
  const absl::Cleanup close_fd = [fd] { close(fd); };
  const absl::StatusOr<uint64_t> bytes = FileBytes(fd, path);
  if (!bytes.ok()) return bytes.status();
  Probe probe = ProbeFile(fd, /*emulate_on_dram=*/false, /*seal=*/false);
  return FileReport{path, *bytes, probe.tier, std::move(probe.filesystem), std::move(probe.reason)};
}

DaxFile::DaxFile(DaxFile&& other) noexcept { *this = std::move(other); }

DaxFile& DaxFile::operator=(DaxFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_bytes_, other.size_bytes_);
  std::swap(fd_, other.fd_);
  std::swap(tier_, other.tier_);
  std::swap(read_only_, other.read_only_);
  std::swap(owns_mapping_, other.owns_mapping_);
  std::swap(tier_reason_, other.tier_reason_);
  std::swap(path_, other.path_);
  std::swap(persist_, other.persist_);
  return *this;
}

DaxFile::~DaxFile() {
  if (owns_mapping_) UnmapFile(data_, size_bytes_);
  if (fd_ >= 0) close(fd_);
}

}  // namespace daxfile
