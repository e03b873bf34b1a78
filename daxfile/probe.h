// Finds out how durable a file can be, by asking the kernel about that very file.
#ifndef DAXFILE_PROBE_H_
#define DAXFILE_PROBE_H_

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daxfile/dax_file.h"
#include "daxfile/tier.h"

namespace daxfile {

struct Probe {
  Tier tier = Tier::kVolatile;
  std::string filesystem;
  std::string reason;       // why this tier, and what would reach a better one
  bool has_sealed = false;  // it wasn't sealed before
};

// `seal`: try to seal the file, if the kernel has a way (static_dax.h); otherwise only ask whether it is sealed.
// The file must not be empty.
Probe ProbeFile(int fd, bool emulate_on_dram, bool seal);

// Whether the file lies on a filesystem that is memory and nothing else: tmpfs, ramfs, hugetlbfs.
bool IsInMemory(int fd);

// Whether the character device of this number (st_rdev) is a DAX device.
bool IsDeviceDax(dev_t device);
// Its size in bytes: devices say 0 to fstat.
absl::StatusOr<uint64_t> DeviceDaxBytes(dev_t device);

// OK, or why the tier isn't good enough and what to do.
absl::Status CheckTier(const std::string& path, const Probe& probe, const OpenOptions& options);

}  // namespace daxfile

#endif  // DAXFILE_PROBE_H_
