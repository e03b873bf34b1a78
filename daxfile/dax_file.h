// A DaxFile is a file mapped for byte-addressable persistence: fully allocated, written with zeros, fsynced once,
// sealed if the kernel can, mapped shared, and locked against a second writer (and against readers, unless both sides
// know how to live together: OpenOptions::live). It knows nothing of keys or values.
//
// Thread safety: construction and destruction belong to one thread; the accessors may be called by any.
#ifndef DAXFILE_DAX_FILE_H_
#define DAXFILE_DAX_FILE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daxfile/persist.h"
#include "daxfile/tier.h"

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

 private:
  DaxFile() = default;

  static absl::Status CheckOptions(const std::string& path, const OpenOptions& options);
  // Takes a locked descriptor over, whatever comes of it: seals, probes, maps.
  static absl::StatusOr<DaxFile> Adopt(int fd, const std::string& path, const OpenOptions& options);
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
  std::string tier_reason_;
  std::string path_;
  std::unique_ptr<Persist> persist_;
};

}  // namespace daxfile

#endif  // DAXFILE_DAX_FILE_H_
