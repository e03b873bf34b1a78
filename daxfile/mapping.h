// Maps a file so that the kernel can use huge pages: 2 MiB-aligned in address and offset.
#ifndef DAXFILE_MAPPING_H_
#define DAXFILE_MAPPING_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "daxfile/tier.h"

namespace daxfile {

// `tier`: what ProbeFile found. Unavailable if that is static-dax and the seal is gone meanwhile.
absl::StatusOr<std::byte*> MapFile(int fd, const std::string& path, uint64_t bytes, Tier tier, bool read_only);
void UnmapFile(std::byte* data, uint64_t bytes);

}  // namespace daxfile

#endif  // DAXFILE_MAPPING_H_
