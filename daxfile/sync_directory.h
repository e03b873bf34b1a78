// Makes a file's name durable.
#ifndef DAXFILE_SYNC_DIRECTORY_H_
#define DAXFILE_SYNC_DIRECTORY_H_

#include <string>

#include "absl/status/status.h"

namespace daxfile {

// The directory's entry for the file is data of the directory, and has its own fsync.
absl::Status SyncDirectoryOf(const std::string& path);

}  // namespace daxfile

#endif  // DAXFILE_SYNC_DIRECTORY_H_
