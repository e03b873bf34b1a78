// Work for a store: some threads, each of which does what its seed says to a few keys, and records what it was
// answered. Values and keys are such that the checkers can tell who wrote what (strict_serializability.h):
//
//   k0, k1, …  registers: everything but Add and CompareAndSwap. Values of several sizes, each written once.
//   w0, w1, …  words: registers with values of 8 bytes, compared and swapped as well.
//   n0, n1, …  counters: added to by CounterDelta, and read.
#ifndef SEALKV_TESTS_HISTORY_GENERATOR_H_
#define SEALKV_TESTS_HISTORY_GENERATOR_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tests/history/history.h"
#include "tests/history/store_under_test.h"

namespace sealkv::history {

// How often, relative to the others.
struct Mix {
  unsigned get = 6;
  unsigned put = 3;
  unsigned put_if_absent = 3;
  unsigned remove = 3;
  unsigned add = 3;
  unsigned compare_and_swap = 3;
  unsigned update = 3;
  unsigned batch = 4;
  unsigned snapshot = 4;
  unsigned transaction = 6;
  unsigned read_only_transaction = 2;
  unsigned delete_range = 1;
};

struct Workload {
  uint64_t seed = 0;
  unsigned threads = 3;      // at most kCounterThreads
  unsigned operations = 12;  // of each thread; transactions count as one
  unsigned registers = 2;    // of each kind of key there must be one
  unsigned words = 1;
  unsigned counters = 1;
  Mix mix;
};

struct RecordedRun {
  History history;
  std::vector<std::string> errors;  // answers that no store may give to this work
};

// Puts some of the keys, and then lets the threads go. The store must be empty. The same seed gives the threads the
// same work; how they interleave isn't in its hands.
RecordedRun RunWorkload(StoreUnderTest& store, const Workload& workload);

}  // namespace sealkv::history

#endif  // SEALKV_TESTS_HISTORY_GENERATOR_H_
