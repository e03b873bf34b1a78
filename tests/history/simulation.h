// Histories of stores that run in the imagination: some threads, whose steps a seed interleaves, on a store that is
// right, or wrong in one way. The same seed makes the same history on every machine.
#ifndef SEALKV_TESTS_HISTORY_SIMULATION_H_
#define SEALKV_TESTS_HISTORY_SIMULATION_H_

#include <cstdint>

#include "tests/history/history.h"

namespace sealkv::history {

enum class Fault : uint8_t {
  kNone,
  kReadCommitted,      // transactions see what is committed when they look, and commit without a check
  kSnapshotIsolation,  // they see a snapshot; at commit only what they write must be unchanged
  kDirtyWrites,        // they write at once, and take it back if they abort
  kTornBatch,          // a batch is written step by step
  kStaleReads,         // a get may see the state of some commits ago
  kTornUpdate,         // add, compare-and-swap, update, put-if-absent: a read and then a write
  kMovingSnapshot,     // a snapshot sees what is there when it is read
};
inline constexpr Fault kFaults[] = {Fault::kReadCommitted, Fault::kSnapshotIsolation, Fault::kDirtyWrites,
                                    Fault::kTornBatch,     Fault::kStaleReads,        Fault::kTornUpdate,
                                    Fault::kMovingSnapshot};
const char* NameOf(Fault fault);

struct SimulationOptions {
  Fault fault = Fault::kNone;
  unsigned threads = 3;
  unsigned transactions = 8;  // in all
  unsigned keys = 2;          // registers; there is a counter besides
  // Each value is written once, and counters are only added to, by the rule. Else: values of two, and everything goes.
  bool are_values_unique = true;
  // Once in a while a thread stands still for up to so many steps of the others, wherever it is.
  unsigned longest_stall = 0;
};

History Simulate(uint64_t seed, const SimulationOptions& options);

}  // namespace sealkv::history

#endif  // SEALKV_TESTS_HISTORY_SIMULATION_H_
