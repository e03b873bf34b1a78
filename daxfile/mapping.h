// Maps a file so that the kernel can use huge pages: 2 MiB-aligned in address and offset.
#ifndef DAXFILE_MAPPING_H_
#define DAXFILE_MAPPING_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "daxfile/tier.h"

namespace daxfile {

// Address space, 2 MiB-aligned, of which nothing can be read. ResourceExhausted: there isn't so much.
absl::StatusOr<std::byte*> ReserveAddresses(const std::string& path, uint64_t bytes);

// The first `bytes` of the file, into address space that the caller has reserved. `tier`: what ProbeFile found.
// Unavailable if that is static-dax and the seal is gone meanwhile. After an error nothing is mapped there.
absl::Status MapFile(int fd, const std::string& path, std::byte* at, uint64_t bytes, Tier tier, bool read_only);
// Makes it reserved address space again; and lets that go.
void UnmapFile(std::byte* data, uint64_t bytes);
void ReleaseAddresses(std::byte* data, uint64_t bytes);

}  // namespace daxfile

#endif  // DAXFILE_MAPPING_H_
