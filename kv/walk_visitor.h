// Who comes along on the checker's walk over the tree to take what is there: salvage. The checker alone needs none.
#ifndef SEALKV_KV_WALK_VISITOR_H_
#define SEALKV_KV_WALK_VISITOR_H_

#include <cstdint>

#include "kv/check.h"
#include "kv/key_range.h"
#include "kv/record.h"
#include "kv/reference.h"

namespace sealkv::internal {

// Whether what an entry holds belongs where it is.
enum class Place : uint8_t {
  kProven,    // all that is said twice agrees
  kDoubtful,  // the content is good (by its checksum, or as far as can be told), but something on the way to it isn't
};

class WalkVisitor {
 public:
  virtual ~WalkVisitor() = default;

  // An 8-byte key with its 8-byte value, which lie at `entry`: nothing repeats them, so nothing proves them but their
  // order among others. Those whose order is wrong are never given.
  virtual void OnInline(uint64_t slice, uint64_t value, Offset entry, Place place) = 0;
  // A record whose checksum holds.
  virtual void OnRecord(RecordView record, Offset at, Place place) = 0;
  // Keys of this range may be in the store and can't be reached, for this reason.
  virtual void OnLost(KeyRange range, const Problem& why) = 0;
  // False ends the walk.
  virtual bool GoesOn() = 0;
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_WALK_VISITOR_H_
