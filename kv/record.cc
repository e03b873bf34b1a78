#include "kv/record.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace sealkv::internal {

uint32_t RecordChecksum(const void* head, size_t head_bytes, std::string_view value) {
  constexpr size_t kSkip = sizeof(RecordHeader::checksum);
  uint64_t hash = XXH3_64bits(static_cast<const std::byte*>(head) + kSkip, head_bytes - kSkip);
  if (value.size() != sizeof(uint64_t)) hash = XXH3_64bits_withSeed(value.data(), value.size(), hash);
  return static_cast<uint32_t>(hash);
}

}  // namespace sealkv::internal
