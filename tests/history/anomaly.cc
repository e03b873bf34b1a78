#include "tests/history/anomaly.h"

namespace sealkv::history {

const char* NameOf(AnomalyKind kind) {
  switch (kind) {
    case AnomalyKind::kMalformedScan:
      return "malformed scan";
    case AnomalyKind::kOwnWriteNotSeen:
      return "own write not seen";
    case AnomalyKind::kUnrepeatableRead:
      return "unrepeatable read";
    case AnomalyKind::kGarbageRead:
      return "garbage read";
    case AnomalyKind::kAbortedRead:
      return "aborted read (G1a)";
    case AnomalyKind::kIntermediateRead:
      return "intermediate read (G1b)";
    case AnomalyKind::kLostUpdate:
      return "lost update";
    case AnomalyKind::kDuplicateInsert:
      return "duplicate insert";
    case AnomalyKind::kWriteCycle:
      return "write cycle (G0)";
    case AnomalyKind::kCircularFlow:
      return "circular information flow (G1c)";
    case AnomalyKind::kReadSkew:
      return "read skew (G-single)";
    case AnomalyKind::kTornBatch:
      return "torn batch (fractured read)";
    case AnomalyKind::kNonAtomicSnapshot:
      return "non-atomic snapshot (G-single)";
    case AnomalyKind::kLongFork:
      return "long fork";
    case AnomalyKind::kWriteSkew:
      return "write skew (G2-item)";
    case AnomalyKind::kPhantom:
      return "phantom (G2)";
    case AnomalyKind::kStaleRead:
      return "stale read";
    case AnomalyKind::kResurrection:
      return "resurrected delete";
    case AnomalyKind::kNonMonotonicRead:
      return "non-monotonic read";
    case AnomalyKind::kFutureRead:
      return "read from the future";
    case AnomalyKind::kWriteOrder:
      return "writes against the order of time";
    case AnomalyKind::kNoSerialOrder:
      return "no serial order";
  }
  return "?";
}

}  // namespace sealkv::history
