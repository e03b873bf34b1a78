// How durable can a store into this mapping be? The answer is a Tier: found by asking the kernel and libpmem,
// reported to the caller, never assumed.
//
//   tier        reached by                                     a commit costs            survives a power cut
//   static-dax  daxctl(2), or its module, seals the block map  clwb + sfence             yes
//   device-dax  /dev/daxX.Y: no filesystem in between          clwb + sfence             yes
//   map-sync    MAP_SYNC on a DAX filesystem (Linux 4.15)      clwb + sfence, plus       yes
//                                                              journal commits in faults
//   msync       any other file                                 msync of touched pages    yes, slowly
//   volatile    tmpfs, hugetlbfs, memory; or asked for by name clwb + sfence on DRAM     no: survives the process only
#ifndef DAXFILE_TIER_H_
#define DAXFILE_TIER_H_

#include <cstdint>
#include <optional>
#include <string_view>

namespace daxfile {

// Ordered from the weakest promise to the strongest, so that `tier >= weakest_tier` is the acceptance test.
enum class Tier : uint8_t {
  kVolatile = 0,
  kMsync = 1,
  kMapSync = 2,
  kDeviceDax = 3,
  kStaticDax = 4,
};

// "volatile", "msync", "map-sync", "device-dax", "static-dax".
std::string_view TierName(Tier tier);
// The inverse; nullopt for any other text.
std::optional<Tier> TierFromName(std::string_view name);

// Whether a committed write survives a power cut on this tier.
constexpr bool IsPowerSafe(Tier tier) { return tier != Tier::kVolatile; }

}  // namespace daxfile

#endif  // DAXFILE_TIER_H_
