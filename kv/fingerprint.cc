#include "kv/fingerprint.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace sealkv::internal {

uint16_t Fingerprint(std::string_view rest) { return static_cast<uint16_t>(XXH3_64bits(rest.data(), rest.size())); }

}  // namespace sealkv::internal
