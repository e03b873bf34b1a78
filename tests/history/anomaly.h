// What can be wrong with a history, by the names of the field: Adya's phenomena (PhD thesis, MIT 1999), with those that
// came later: lost update and write skew (Berenson et al., SIGMOD 1995), long fork (Sovran et al., SOSP 2011),
// fractured read (Bailis et al., SIGMOD 2014), and, of strict serializability, what goes against the order of time.
#ifndef SEALKV_TESTS_HISTORY_ANOMALY_H_
#define SEALKV_TESTS_HISTORY_ANOMALY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tests/history/chains.h"

namespace sealkv::history {

enum class AnomalyKind : uint8_t {
  // Within one transaction.
  kMalformedScan,
  kOwnWriteNotSeen,
  kUnrepeatableRead,  // the same key, two values: a snapshot that moves
  // Of one read.
  kGarbageRead,       // of a value that nobody wrote
  kAbortedRead,       // G1a, dirty read
  kIntermediateRead,  // G1b
  // Of cycles of dependencies.
  kLostUpdate,         // two replaced the same version
  kDuplicateInsert,    // the same, where that version was "absent"
  kWriteCycle,         // G0
  kCircularFlow,       // G1c
  kReadSkew,           // G-single
  kTornBatch,          // G-single of two: of an atomic write one part was seen, another wasn't
  kNonAtomicSnapshot,  // G-single, where the reader is a snapshot
  kLongFork,           // two readers saw two writes in different orders
  kWriteSkew,          // G2-item
  kPhantom,            // G2: as before, where a range was read that the other wrote into
  // Of cycles that the order of time closes.
  kStaleRead,
  kResurrection,      // a stale read of what had been deleted
  kNonMonotonicRead,  // an older state than a transaction saw that was over before
  kFutureRead,        // of what hadn't begun to be written
  kWriteOrder,        // the order of versions goes against time
  // Of the whole, where no cycle tells more.
  kNoSerialOrder,
};

const char* NameOf(AnomalyKind kind);

struct Anomaly {
  AnomalyKind kind;
  std::string explanation;
  std::vector<Node> nodes;  // a cycle's, in its order
};

}  // namespace sealkv::history

#endif  // SEALKV_TESTS_HISTORY_ANOMALY_H_
