// Writes zeros to every block of a file. Allocating isn't enough: an extent that was never written is "unwritten", the
// first store to it becomes durable only with a journal commit, and a power cut before that takes the store away.
#ifndef DAXFILE_ZERO_FILL_H_
#define DAXFILE_ZERO_FILL_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace daxfile {

// Makes the file `bytes` long and allocates that, in one piece where the filesystem can, without writing; false if it
// can't do that at all.
absl::StatusOr<bool> Allocate(int fd, const std::string& path, uint64_t bytes);

// posix_fallocate, again where a signal interrupts it: 0, or an errno.
int AllocateRange(int fd, uint64_t offset, uint64_t bytes);

// Told, from time to time, how many bytes are done, and of how many; false ends the work, which is Cancelled then. May
// be empty.
using GoOn = std::function<bool(uint64_t bytes_done, uint64_t bytes_in_all)>;

// Makes the file `bytes` long, allocates what isn't yet, and writes zeros.
absl::Status ZeroFill(int fd, const std::string& path, uint64_t bytes, const GoOn& go_on);

}  // namespace daxfile

#endif  // DAXFILE_ZERO_FILL_H_
