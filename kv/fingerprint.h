// Sixteen bits of a key's rest, kept in the reference of a kMore entry: of several keys that share a slice, a get
// fetches only the record whose fingerprint fits.
#ifndef SEALKV_KV_FINGERPRINT_H_
#define SEALKV_KV_FINGERPRINT_H_

#include <cstdint>
#include <string_view>

namespace sealkv::internal {

// Persistent: the low 16 bits of XXH3-64 over the bytes of the key beyond the slice.
uint16_t Fingerprint(std::string_view rest);

}  // namespace sealkv::internal

#endif  // SEALKV_KV_FINGERPRINT_H_
