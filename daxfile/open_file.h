// From a path to a descriptor, with everything refused that can't be mapped and without ever waiting.
#ifndef DAXFILE_OPEN_FILE_H_
#define DAXFILE_OPEN_FILE_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace daxfile {

// A descriptor of a regular file or a DAX device. Anything else is looked at and left closed: opening a FIFO waits for
// its other end, and opening a device may do things (a watchdog starts, a tape rewinds).
absl::StatusOr<int> OpenExisting(const std::string& path, bool read_only);

// The size of what OpenExisting opened. FailedPrecondition if it is empty.
absl::StatusOr<uint64_t> FileBytes(int fd, const std::string& path);

}  // namespace daxfile

#endif  // DAXFILE_OPEN_FILE_H_
