// Where a file's bytes lie on its device: its extents, as the filesystem tells them (FIEMAP). What a seal keeps in
// place.
//
// Thread safety: all may be called by any thread. A file that somebody changes meanwhile may show a mixture.
#ifndef DAXFILE_EXTENTS_H_
#define DAXFILE_EXTENTS_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace daxfile {

struct Extent {
  uint64_t offset = 0;    // in the file
  uint64_t physical = 0;  // on the filesystem's block device; where that begins in memory, the filesystem doesn't know
  uint64_t bytes = 0;     // may reach behind the file's end, to the end of a block
  uint32_t flags = 0;     // FIEMAP_EXTENT_… of <linux/fiemap.h>

  friend bool operator==(const Extent&, const Extent&) = default;
};

// In ascending order, as far as the file's size; between them are holes. An empty file has none. Changes nothing: what
// isn't written to the disk yet isn't written for this, and has no place. Costs a system call for each 256 extents.
// Unimplemented: the filesystem doesn't tell (tmpfs), or it is a device. Else as DaxFile::Open.
absl::StatusOr<std::vector<Extent>> ReadExtents(std::string_view path);
absl::StatusOr<std::vector<Extent>> ReadExtents(int fd, const std::string& path);

// "unwritten", "shared", …: one for each flag that says something of the bytes; "last" and "merged" don't.
std::vector<std::string> ExtentFlagNames(uint32_t flags);

// The parts of a file of `size_bytes` that no extent covers.
std::vector<Extent> HolesBetween(std::span<const Extent> extents, uint64_t size_bytes);

// Extents that follow one another in the file and on the device count as one, as they do for the kernel.
std::vector<Extent> MergeAdjacent(std::span<const Extent> extents);

// The largest power of two of which the file offset and the place on the device of each run are multiples. 0 if there
// are none, or one has no place yet. 2 MiB or more: huge pages are possible, where the device itself begins at such a
// multiple.
uint64_t AlignmentOf(std::span<const Extent> extents);

}  // namespace daxfile

#endif  // DAXFILE_EXTENTS_H_
