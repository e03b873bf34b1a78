// What says of a file that it is a part: one of those that follow another file in its mapping (DaxFile, "Parts"). It
// stands in the file's last unit, behind what is mapped of it, and never changes.
//
//   OFFSET  SIZE  NAME      MEANING
//   0       8     magic     kMagic
//   8       8     owner     whose part it is: a number of the caller's
//   16      8     number    1, 2, …: as its name ends
//   24      8     at        where it is mapped: bytes behind the start of the first file
//   32      8     bytes     that are mapped
//   40      8     checksum  XXH3-64 of bytes 8..39, seeded with the magic
#ifndef DAXFILE_PART_H_
#define DAXFILE_PART_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace daxfile {

struct Part {
  uint64_t owner = 0;
  uint64_t number = 0;
  uint64_t at = 0;
  uint64_t bytes = 0;

  friend bool operator==(const Part&, const Part&) = default;
};

// The name of a part of the file at `path`: path.1, ….
std::string PartPath(const std::string& path, uint64_t number);

// Those that are beside it: path.1, path.2, …, as long as each is there and `owner`'s.
std::vector<std::string> PartPathsOf(const std::string& path, uint64_t owner);

// Where `path` leads, so that a store is found with its parts through a symbolic link too.
std::string ResolvedPath(const std::string& path);

// The label of an open file. Nothing: it has none. A label costs `unit` bytes at the file's end.
std::optional<Part> ReadPartLabel(int fd, uint64_t unit);
absl::Status WritePartLabel(int fd, const std::string& path, uint64_t unit, const Part& part);

// OK: a part may have this name: nothing has it, or a part of this number and owner, which a crash has left.
absl::Status CheckPartName(const std::string& path, uint64_t number, uint64_t owner);

// Removes the file, if it is a part of this number and owner. NotFound: there is none; AlreadyExists: it is something
// else.
absl::Status RemovePart(const std::string& path, uint64_t number, uint64_t owner);

}  // namespace daxfile

#endif  // DAXFILE_PART_H_
