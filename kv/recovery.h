// From a mapped file to a store: making an empty one, and opening one however it was left.
//
// There is nothing to repair at open. Every crash image is well formed: each commit is one word, and what it made
// reachable was durable before it. Opening validates the superblock and begins a generation (33 lines, two fences);
// that makes all lock words of earlier opens read as unlocked. What space is in use is found later, in the background
// (kv/mark.h). So opening takes the same time at 10 records and at 10^9.
#ifndef SEALKV_KV_RECOVERY_H_
#define SEALKV_KV_RECOVERY_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daxfile/dax_file.h"
#include "kv/image.h"

namespace sealkv::internal {

// The segment size for a store of this capacity: about a 128th of it, within the format's limits.
uint32_t SegmentBytesLog2For(uint64_t capacity_bytes);

// How far a store that begins with so much may grow, if nothing else is asked for: 64 times, but no further than 16
// TiB, nor than a table of a 64th of it can tell. And at most: a table of a quarter, or 64 TiB.
uint64_t MostBytesByDefault(uint64_t capacity_bytes);
uint64_t MostBytesFor(uint64_t capacity_bytes);

// Makes an empty store of the file's first `capacity_bytes` (0: of all of it), durable once a generation has begun
// (BeginGeneration). It may grow to `most_bytes`; not at all, if that isn't more. It keeps a log of `log_bytes`; none,
// if that is 0. A crash in the middle leaves a file without a magic number: not a store.
absl::Status FormatImage(daxfile::DaxFile& file, uint64_t capacity_bytes = 0, uint64_t most_bytes = 0,
                         uint64_t log_bytes = 0);

// The i-th part that the superblock names; from 0.
daxfile::Part PartOf(const Superblock& superblock, uint64_t i);

// How many parts the store at this path has. Nobody may have it open for writing.
absl::StatusOr<uint64_t> CountParts(const std::string& path);

// Maps the parts that the store has now, as far as they aren't mapped, and has address space kept for those to come:
// file.data() may change. Of a file that isn't a store, or one whose superblock is damaged, it maps nothing: OpenImage
// will say so. Errors: DaxFile::OpenPart.
absl::Status MapParts(daxfile::DaxFile& file);

// Whether a file that begins so may be a store: asked before one is sealed (daxfile::OpenOptions::recognize).
// FailedPrecondition: it isn't.
absl::Status RecognizeStore(const std::string& path, std::span<const std::byte> head);

// Validates the superblock of a file of this size, and its root word. Errors: those of OpenImage.
absl::Status ValidateSuperblock(const Superblock& superblock, uint64_t file_bytes, const std::string& path);

// Validates the superblock. Changes nothing. The image is of the parts that are mapped. FailedPrecondition: not a
// store, of another format, or the file is shorter than the store; DataLoss: it is a store and the superblock is
// damaged. Messages name path and remedy.
absl::StatusOr<Image> OpenImage(const daxfile::DaxFile& file);

// What is left of a store, for salvage: its superblock may be damaged, its end may be missing. The geometry is then
// what a store of this size was made with, and only what is in the file can be reached. The root word is as it stands.
struct DamagedImage {
  Image image;
  uint64_t capacity_bytes = 0;       // of the whole store
  std::vector<std::string> caveats;  // what is wrong, and what was assumed
  bool may_lack_batches = false;     // one that was committed can't be read: a part of it may be missing, anywhere
};
// Of a file (not of memory) batches that were committed are finished, in memory of this process alone.
// FailedPrecondition: an undamaged superblock of another version, or nothing left behind the header.
absl::StatusOr<DamagedImage> OpenDamagedImage(daxfile::DaxFile& file);

// The file of a store, with its parts, for a process that only reads it: `how` is live. If a writer has died in the
// middle of a batch it is as after FinishForReading.
absl::StatusOr<daxfile::DaxFile> OpenForReading(std::string_view path, daxfile::OpenOptions how);

// For who reads a store that nobody writes meanwhile: does again, in memory of this process alone, what a writer had
// committed and not finished when he died (kv/lanes.h). The file stays as it is; but what this shows of it, or hides by
// private copies, is durable. DataLoss: a lane is damaged.
absl::Status FinishForReading(daxfile::DaxFile& file, const Image& image);
// The same for who looks for damage: what can be finished is.
absl::Status FinishWhatCanBeRead(daxfile::DaxFile& file, const Image& image);

// What a writer that was killed has stored there becomes durable, before any of it is believed (kv/settle.cc). Cost: 32
// lines, which were written back already but for the one that he died over; 1 fence.
void PersistSuperblock(const Image& image, daxfile::Persist& persist);
// Begins a new generation and returns it. Cost: 1 line, 1 fence.
uint32_t BeginGeneration(const Image& image, daxfile::Persist& persist);

}  // namespace sealkv::internal

#endif  // SEALKV_KV_RECOVERY_H_
