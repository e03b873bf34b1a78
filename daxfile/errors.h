// Errors of system calls, as what a person needs: which file, why, and what to do.
#ifndef DAXFILE_ERRORS_H_
#define DAXFILE_ERRORS_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace daxfile {

// "<path>: can't <action>: <reason>. <remedy>", with the code that dax_file.h names. `error` is an errno.
absl::Status SystemError(int error, const std::string& path, const char* action);

// There isn't room for `bytes`. `error` says of what kind the lack is.
absl::Status NoSpaceError(int error, const std::string& path, uint64_t bytes);

// Whoever asked for a file doesn't want it any more.
absl::Status CancelledError(const std::string& path);

// Whether the errno says that a filesystem, a quota or a limit on file sizes is exhausted.
bool IsNoSpace(int error);

}  // namespace daxfile

#endif  // DAXFILE_ERRORS_H_
