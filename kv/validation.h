// What makes a batch a transaction's: that everything which the transaction has read is still so when its writes become
// visible.
#ifndef SEALKV_KV_VALIDATION_H_
#define SEALKV_KV_VALIDATION_H_

#include "absl/status/status.h"
#include "kv/change.h"

namespace sealkv::internal {

class Validation {
 public:
  virtual ~Validation() = default;
  // All that is to be written to is claimed. Compares what was read with what is there, and remembers the leaves that
  // say so. Aborted with a message: it isn't so. Restart(): somebody is changing it, or about to.
  virtual absl::Status Compare(Change& change) = 0;
  // Whether these leaves are as they were then.
  virtual bool IsStillTrue(const Change& change) = 0;
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_VALIDATION_H_
