// A DaxFile is a file mapped for byte-addressable persistence: fully allocated, written with zeros, fsynced once,
// sealed if the kernel can, mapped shared, and locked against a second writer (and against readers, unless both sides
// know how to live together: OpenOptions::live). It knows nothing of keys or values.
//
// Thread safety: construction and destruction belong to one thread; the accessors may be called by any.
#ifndef DAXFILE_DAX_FILE_H_
#define DAXFILE_DAX_FILE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daxfile/file_lock.h"
#include "daxfile/part.h"
#include "daxfile/persist.h"
#include "daxfile/synced_files.h"
#include "daxfile/tier.h"
#include "daxfile/zero_fill.h"

namespace daxfile {

struct OpenOptions {
  // The weakest durability the caller accepts. A file that can't reach it isn't opened (or created).
  Tier weakest_tier = Tier::kMsync;
  // Treat the file as volatile whatever it lies on: flushes go to the CPU only, never to the disk. For benchmarks and
  // tests on machines without persistent memory; needs weakest_tier == kVolatile.
  bool emulate_on_dram = false;
  // Map for reading only. Several read-only openers share the file; a writer excludes everyone.
  bool read_only = false;
  // Readers may have the file open while one writer has it, if both ask for that. What a reader may look at, and when
  // the writer may use it otherwise, they must agree on between themselves (daxfile/reader_marks.h helps). A file that
  // is being created has no readers before AdmitReaders().
  bool live = false;
  // Asked about an existing file's first bytes (a page at most) before anything is done to it: an error, and it isn't
  // opened. So a file that isn't the caller's is never sealed. Not asked about a device, which isn't sealed anyway.
  absl::Status (*recognize)(const std::string& path, std::span<const std::byte> head) = nullptr;
  // For tests: sees every action of the seam.
  PersistObserver* observer = nullptr;
};

struct CreateOptions {
  OpenOptions open;
  // Size in bytes; rounded up to a multiple of 4 KiB (on hugetlbfs, of its page). Device-dax has its own size; there 0
  // means all of it.
  uint64_t size_bytes = 0;
  // Called from time to time with (bytes zeroed, bytes in all) while the file is being written. May be empty.
  std::function<void(uint64_t, uint64_t)> progress;
};

// What a file is and how durable it can be, without mapping or changing it.
struct FileReport {
  std::string path;
  uint64_t size_bytes = 0;
  Tier tier = Tier::kVolatile;
  std::string filesystem;   // "ext4", "xfs", "tmpfs", …, or "0x<magic>"
  std::string reason;       // one line: why this tier, and what would reach a better one
  bool has_writer = false;  // a DaxFile has it open for writing
  int writer_pid = 0;       // whose that is; 0 where it can't be known (another pid namespace)
};

class DaxFile {
 public:
  // Makes a new file: allocates, writes zeros to each block (so that no extent is "unwritten"), fsyncs file and
  // directory once, seals, maps and locks it. Fails if the path exists (AlreadyExists), if the space isn't there
  // (ResourceExhausted), or if the tier isn't accepted (FailedPrecondition); a failure leaves no file behind.
  static absl::StatusOr<DaxFile> Create(std::string_view path, const CreateOptions& options);

  // Maps an existing file: seals it again where sealing is volatile, finds out its tier, locks it.
  // Errors: NotFound; FailedPrecondition (a directory, an empty file, a tier that isn't accepted);
  // Unavailable (locked by another process: the message names its pid); PermissionDenied.
  static absl::StatusOr<DaxFile> Open(std::string_view path, const OpenOptions& options);

  // A DaxFile over memory that the caller owns and keeps alive: volatile, without a file, a lock or a path. The memory
  // must be 4 KiB-aligned. `observer` sees every action of the seam. This is what crash tests run on.
  static DaxFile OverMemory(std::span<std::byte> memory, PersistObserver* observer = nullptr);

  // Describes a file for people and tools. Never changes it.
  static absl::StatusOr<FileReport> Inspect(std::string_view path);

  DaxFile(DaxFile&& other) noexcept;
  DaxFile& operator=(DaxFile&& other) noexcept;
  ~DaxFile();  // unmaps and unlocks; flushes nothing: what was fenced is durable already

  std::byte* data() const { return data_; }
  uint64_t size_bytes() const { return size_bytes_; }
  Tier tier() const { return tier_; }
  const std::string& tier_reason() const { return tier_reason_; }
  const std::string& path() const { return path_; }  // "<memory>" for OverMemory()
  bool read_only() const { return read_only_; }
  // Makes the memory a copy of this process's own, page by page as it is written to: nothing of that goes to the file.
  // For who has the file open for reading, and alone (not `live`).
  absl::Status MakePrivate();
  bool is_live() const { return is_live_; }  // others may write it meanwhile, or read it
  // For a writer that opened or made it without `live`, or made it with: readers may come from now on.
  void AdmitReaders();
  int lock_fd() const { return fd_; }  // the descriptor that holds the locks; -1 for OverMemory()
  Persist& persist() const { return *persist_; }

  // ---- parts
  //
  // A file never changes its size, and isn't unsealed to grow. It is followed by others instead, path.1, path.2, …,
  // which are mapped one behind the other: what begins at data() just becomes longer. Which there are is the caller's
  // to remember, somewhere in what is mapped. They have the first file's tier, and its locks' kind. Memory has no
  // files: its parts are what there is of it.
  //
  // Thread safety: one thread at a time calls these; the memory that was mapped before may be in use meanwhile.

  // Has address space kept for so much in all, or as much of that as there is. Before anything is stored or looked at:
  // data() changes.
  absl::Status Reserve(uint64_t bytes);
  uint64_t reserved_bytes() const { return std::max(reserved_bytes_, mapped_bytes_); }
  // From data() on, without a gap.
  uint64_t mapped_bytes() const { return mapped_bytes_; }
  size_t parts() const { return parts_.size(); }
  // Where the last part ends; 0: there is none.
  uint64_t parts_end() const {
    return parts_.empty() ? 0 : static_cast<uint64_t>(parts_.back()->data_ - data_) + parts_.back()->size_bytes_;
  }
  const DaxFile& part(size_t i) const { return *parts_[i]; }  // from 0
  // What the size of a part must be a multiple of, and where it is mapped.
  uint64_t part_unit_bytes() const;

  // Makes the next part, as Create makes a file, and maps it; at mapped_bytes() or, where the caller used less of what
  // is mapped, before that: a multiple of 4 KiB. It has its name, durably, only when it is whole: before that a crash
  // leaves nothing. What was left under this name by a crash after that is replaced. `go_on` is told from
  // time to time how many bytes are done, and of how many; false ends it (Cancelled). Errors: as Create; AlreadyExists:
  // something else has the name; FailedPrecondition: a device, or a filesystem without files that have no name yet
  // (O_TMPFILE). A failure leaves nothing.
  absl::Status CreatePart(const Part& part, const GoOn& go_on = nullptr);
  // Maps a part that is there. FailedPrecondition: it is missing, cut short, or another store's.
  absl::Status OpenPart(const Part& part);
  // In the place of a part that can't be opened: zeros, so that the rest can be looked at.
  absl::Status MapZeros(const Part& part);
  // Removes the last part and its file. Where it was mapped zeros can be read.
  absl::Status RemoveLastPart();

 private:
  DaxFile() = default;

  // Where a part is mapped: nowhere in particular, if `at` is nullptr.
  struct Place {
    std::byte* at = nullptr;
    uint64_t bytes = 0;
  };
  static LockMode LockModeFor(const OpenOptions& options);
  static absl::Status CheckOptions(const std::string& path, const OpenOptions& options);
  // Takes a locked descriptor over, whatever comes of it: seals, probes, maps.
  static absl::StatusOr<DaxFile> Adopt(int fd, const std::string& path, const OpenOptions& options, const Place& place);
  static absl::StatusOr<DaxFile> AdoptAndSeal(int fd, const std::string& path, const OpenOptions& options,
                                              const Place& place, bool* has_sealed);
  absl::Status CheckPlace(const Part& part) const;
  absl::StatusOr<std::string> PathNow() const;
  OpenOptions OptionsForParts() const;
  absl::StatusOr<DaxFile> MakePart(int fd, const std::string& first, const Part& part, const GoOn& go_on);
  absl::Status NamePart(int fd, const std::string& first, const Part& part);
  void Append(DaxFile part, const Part& as);
  // Create on a device, which is there already and has its size.
  static absl::StatusOr<DaxFile> OverDevice(const std::string& path, const CreateOptions& options);
  void Swap(DaxFile& other) noexcept;

  std::byte* data_ = nullptr;
  uint64_t size_bytes_ = 0;
  int fd_ = -1;  // holds the lock
  Tier tier_ = Tier::kVolatile;
  bool read_only_ = false;
  bool is_live_ = false;
  bool owns_mapping_ = false;
  bool has_reserved_ = false;
  bool is_part_ = false;         // its place in the address space is the first file's
  uint64_t reserved_bytes_ = 0;  // 0: no more than the file's
  uint64_t mapped_bytes_ = 0;    // with the parts
  PersistObserver* observer_ = nullptr;
  bool emulate_on_dram_ = false;
  std::string tier_reason_;
  std::string path_;
  std::unique_ptr<SyncedFiles> synced_files_;  // tier msync, read only: this file and its parts
  std::unique_ptr<Persist> persist_;
  std::vector<std::unique_ptr<DaxFile>> parts_;
};

}  // namespace daxfile

#endif  // DAXFILE_DAX_FILE_H_
