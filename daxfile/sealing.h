// Sealing files by path, for tools and for whoever prepares files for other programs; and why a file can't be sealed,
// found out without trying. A DaxFile does its own sealing (dax_file.h).
//
// Thread safety: all may be called by any thread.
#ifndef DAXFILE_SEALING_H_
#define DAXFILE_SEALING_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace daxfile {

// Seals the file until it is unsealed, or the system ends. It may be open, mapped and written to meanwhile, by anybody.
// `alignment_bytes`, cost and errors: SealStatic (static_dax.h), with the path before them; and those of opening it for
// writing.
absl::Status SealFile(std::string_view path, uint64_t alignment_bytes = 0);

// Takes the seal off. Errors: Unavailable while a DaxFile is open on it (the message names the process; a reader would
// do no harm, but is in the way too); FailedPrecondition while anybody else has it mapped for writing; as UnsealStatic.
absl::Status UnsealFile(std::string_view path);

// Removes a file that may be sealed: the kernel refuses that of a sealed one. Errors: those of unlink(2).
absl::Status RemoveFile(std::string_view path);

// What the caller has just made, and has locked by this descriptor: if it still has this name, it is unsealed and
// removed. Nobody has had it open meanwhile.
void RemoveOwnFile(const std::string& path, int fd);

struct SealReport {
  // Whether it is sealed now; an error if this process can't find out.
  absl::StatusOr<bool> is_sealed = false;
  // What keeps this process from sealing it, each with what to do about it. Empty: it is sealed, or can be as far as
  // can be seen from outside: the kernel has the last word.
  std::vector<std::string> obstacles;
};

// Changes nothing, and takes no lock. Costs reading the file's extents. Errors: those of opening it for reading.
absl::StatusOr<SealReport> InspectSeal(std::string_view path);

}  // namespace daxfile

#endif  // DAXFILE_SEALING_H_
