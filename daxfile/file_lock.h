// One writer, or any number of readers: an advisory lock on the file (flock), held for as long as the descriptor is
// open, so the kernel lets go of it however the process ends.
#ifndef DAXFILE_FILE_LOCK_H_
#define DAXFILE_FILE_LOCK_H_

#include <string>

#include "absl/status/status.h"

namespace daxfile {

// Unavailable, naming the process that holds it, if it can't be had at once.
absl::Status LockFile(int fd, const std::string& path, bool exclusive);

}  // namespace daxfile

#endif  // DAXFILE_FILE_LOCK_H_
