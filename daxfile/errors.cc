#include "daxfile/errors.h"

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace daxfile {

absl::Status SystemError(int error, const std::string& path, const char* action) {
  const std::string text = absl::StrCat(path, ": can't ", action, ": ", std::strerror(error));
  switch (error) {
    case ENOENT:
      return absl::NotFoundError(absl::StrCat(text, ". Look at the path, or create what is missing."));
    case EEXIST:
      return absl::AlreadyExistsError(absl::StrCat(text, ". Open it, or remove it first."));
    case EACCES:
    case EPERM:
      return absl::PermissionDeniedError(absl::StrCat(text, ". Look at its permissions, and at its directory's."));
    case EROFS:
      return absl::PermissionDeniedError(absl::StrCat(text, ". Open it for reading only, or remount the filesystem."));
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return absl::ResourceExhaustedError(absl::StrCat(text, ". Free some space, or ask for a smaller size."));
    case EMFILE:
    case ENFILE:
      return absl::ResourceExhaustedError(absl::StrCat(text, ". Close files, or raise the limit (ulimit -n)."));
    case ENOMEM:
      return absl::ResourceExhaustedError(absl::StrCat(text, ". Free memory or address space (ulimit -v)."));
    case ETXTBSY:
      return absl::FailedPreconditionError(absl::StrCat(
          text, ". It is a program that runs, a swap file, or sealed (`daxfile status` says): end that first."));
    case EIO:
      return absl::DataLossError(absl::StrCat(text, ". The disk refuses: look at the kernel's log."));
    default:
      return absl::FailedPreconditionError(absl::StrCat(text, ". Look at the path, and at what lies there."));
  }
}

absl::Status NoSpaceError(int error, const std::string& path, uint64_t bytes) {
  return absl::ResourceExhaustedError(absl::StrCat(path, ": no room for ", bytes, " bytes: ", std::strerror(error),
                                                   ". Free some space, or ask for a smaller size."));
}

absl::Status CancelledError(const std::string& path) {
  return absl::CancelledError(absl::StrCat(path, ": its making was stopped; nothing is left of it."));
}

bool IsNoSpace(int error) { return error == ENOSPC || error == EDQUOT || error == EFBIG; }

}  // namespace daxfile
