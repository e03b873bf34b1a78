#include "daxfile/dax_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "daxfile/errors.h"
#include "daxfile/file_lock.h"
#include "daxfile/mapping.h"
#include "daxfile/open_file.h"
#include "daxfile/probe.h"
#include "daxfile/static_dax.h"

namespace daxfile {
namespace {

constexpr size_t kHeadBytes = 4096;

absl::Status Recognize(int fd, const std::string& path, const OpenOptions& options) {
  struct stat info;
  if (options.recognize == nullptr || fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) return absl::OkStatus();
  std::vector<std::byte> head(kHeadBytes);
  ssize_t bytes = 0;
  do {
    bytes = pread(fd, head.data(), head.size(), 0);
  } while (bytes < 0 && errno == EINTR);
  if (bytes < 0) return SystemError(errno, path, "read");
  return options.recognize(path, std::span(head).first(static_cast<size_t>(bytes)));
}

Persist::Mode ModeFor(Tier tier) { return tier == Tier::kMsync ? Persist::Mode::kMsync : Persist::Mode::kCpu; }

}  // namespace

absl::Status DaxFile::CheckOptions(const std::string& path, const OpenOptions& options) {
  if (!options.emulate_on_dram || options.weakest_tier == Tier::kVolatile) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(path, ": emulate_on_dram makes a file volatile: accept tier 'volatile' with it."));
}

LockMode DaxFile::LockModeFor(const OpenOptions& options) {
  if (options.read_only) return options.live ? LockMode::kLiveReader : LockMode::kReader;
  return options.live ? LockMode::kWriter : LockMode::kAlone;
}

absl::StatusOr<DaxFile> DaxFile::Open(std::string_view path_view, const OpenOptions& options) {
  const std::string path(path_view);
  if (absl::Status status = CheckOptions(path, options); !status.ok()) return status;
  const absl::StatusOr<int> fd = OpenExisting(path, options.read_only);
  if (!fd.ok()) return fd.status();
  absl::Cleanup close_fd = [&fd] { close(*fd); };
  // Before anything is read of the file: whoever is making it holds the lock.
  if (absl::Status status = LockFile(*fd, path, LockModeFor(options)); !status.ok()) return status;
  if (absl::Status status = Recognize(*fd, path, options); !status.ok()) return status;
  std::move(close_fd).Cancel();
  absl::StatusOr<DaxFile> file = Adopt(*fd, path, options, Place());
  if (file.ok()) file->is_live_ = options.live;
  return file;
}

// If it was sealed for nothing, it is unsealed again.
absl::StatusOr<DaxFile> DaxFile::Adopt(int fd, const std::string& path, const OpenOptions& options,
                                       const Place& place) {
  const int keeps_lock = options.read_only ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (keeps_lock < 0) return AdoptAndSeal(fd, path, options, place, nullptr);
  bool has_sealed = false;
  const absl::Cleanup let_go = [&] {
    if (has_sealed) UnsealStatic(keeps_lock).IgnoreError();
    close(keeps_lock);
  };
  absl::StatusOr<DaxFile> file = AdoptAndSeal(fd, path, options, place, &has_sealed);
  if (file.ok()) has_sealed = false;
  return file;
}

absl::StatusOr<DaxFile> DaxFile::AdoptAndSeal(int fd, const std::string& path, const OpenOptions& options,
                                              const Place& place, bool* has_sealed) {
  DaxFile file;
  file.fd_ = fd;  // from here on closed by the destructor
  file.path_ = path;
  file.read_only_ = options.read_only;
  file.observer_ = options.observer;
  file.emulate_on_dram_ = options.emulate_on_dram;
  file.is_part_ = place.at != nullptr;
  const absl::StatusOr<uint64_t> bytes = file.is_part_ ? place.bytes : FileBytes(fd, path);
  if (!bytes.ok()) return bytes.status();
  const Probe probe = ProbeFile(fd, options.emulate_on_dram, /*seal=*/!options.read_only);
  if (has_sealed != nullptr) *has_sealed = probe.has_sealed;
  if (absl::Status status = CheckTier(path, probe, options); !status.ok()) return status;
  file.tier_ = probe.tier;
  file.tier_reason_ = probe.reason;
  const absl::StatusOr<std::byte*> at = file.is_part_ ? place.at : ReserveAddresses(path, *bytes);
  if (!at.ok()) return at.status();
  file.data_ = *at;
  file.size_bytes_ = file.mapped_bytes_ = *bytes;
  file.owns_mapping_ = !file.is_part_;  // what was mapped in a part's place stays, if the part isn't
  if (absl::Status status = MapFile(fd, path, *at, *bytes, probe.tier, options.read_only); !status.ok()) return status;
  file.owns_mapping_ = true;
  if (options.read_only && probe.tier == Tier::kMsync) {
    file.synced_files_ = std::make_unique<SyncedFiles>();
    file.synced_files_->Add(fd);
  }
  file.persist_ = std::make_unique<Persist>(ModeFor(probe.tier), options.observer, file.synced_files_.get());
  return file;
}

DaxFile DaxFile::OverMemory(std::span<std::byte> memory, PersistObserver* observer) {
  DaxFile file;
  file.data_ = memory.data();
  file.size_bytes_ = file.mapped_bytes_ = memory.size();
  file.path_ = "<memory>";
  file.tier_reason_ = "memory of the process";
  file.persist_ = std::make_unique<Persist>(Persist::Mode::kCpu, observer);
  return file;
}

absl::Status DaxFile::MakePrivate() {
  void* const at = mmap(data_, size_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, fd_, 0);
  if (at == MAP_FAILED) return SystemError(errno, path_, "map privately");
  for (const auto& part : parts_) {
    if (part->fd_ < 0) continue;  // zeros in its place are this process's anyway
    if (absl::Status status = part->MakePrivate(); !status.ok()) return status;
  }
  return absl::OkStatus();
}

void DaxFile::AdmitReaders() {
  if (fd_ < 0 || read_only_ || is_live_) return;
  for (const auto& part : parts_) part->AdmitReaders();
  daxfile::AdmitReaders(fd_);
  is_live_ = true;
}

absl::StatusOr<FileReport> DaxFile::Inspect(std::string_view path_view) {
  const std::string path(path_view);
  const absl::StatusOr<int> fd = OpenExisting(path, /*read_only=*/true);
  if (!fd.ok()) return fd.status();
  const absl::Cleanup close_fd = [&fd] { close(*fd); };
  const absl::StatusOr<uint64_t> bytes = FileBytes(*fd, path);
  if (!bytes.ok()) return bytes.status();
  Probe probe = ProbeFile(*fd, /*emulate_on_dram=*/false, /*seal=*/false);
  return FileReport{.path = path,
                    .size_bytes = *bytes,
                    .tier = probe.tier,
                    .filesystem = std::move(probe.filesystem),
                    .reason = std::move(probe.reason),
                    .has_writer = HasWriter(*fd),
                    .writer_pid = WriterPid(*fd)};
}

void DaxFile::Swap(DaxFile& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_bytes_, other.size_bytes_);
  std::swap(fd_, other.fd_);
  std::swap(tier_, other.tier_);
  std::swap(read_only_, other.read_only_);
  std::swap(is_live_, other.is_live_);
  std::swap(owns_mapping_, other.owns_mapping_);
  std::swap(has_reserved_, other.has_reserved_);
  std::swap(is_part_, other.is_part_);
  std::swap(reserved_bytes_, other.reserved_bytes_);
  std::swap(mapped_bytes_, other.mapped_bytes_);
  std::swap(observer_, other.observer_);
  std::swap(emulate_on_dram_, other.emulate_on_dram_);
  std::swap(tier_reason_, other.tier_reason_);
  std::swap(path_, other.path_);
  std::swap(synced_files_, other.synced_files_);
  std::swap(persist_, other.persist_);
  std::swap(parts_, other.parts_);
}

DaxFile::DaxFile(DaxFile&& other) noexcept { Swap(other); }

DaxFile& DaxFile::operator=(DaxFile&& other) noexcept {
  DaxFile taken(std::move(other));
  Swap(taken);  // and what this was is let go here, its lock too
  return *this;
}

DaxFile::~DaxFile() {
  parts_.clear();
  if (owns_mapping_ && is_part_) UnmapFile(data_, size_bytes_);
  if (owns_mapping_ && !is_part_) ReleaseAddresses(data_, std::max(size_bytes_, reserved_bytes_));
  if (fd_ >= 0) close(fd_);
}

}  // namespace daxfile
