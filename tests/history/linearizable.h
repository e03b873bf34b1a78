// Is each key's part of a history linearizable (Herlihy and Wing, TOPLAS 1990)? The property is local: single
// operations are linearizable if and only if those of each key are. Of transactions of several keys the part that
// concerns one key must be as well; that is necessary, not enough, and what more there is to ask
// strict_serializability.h asks. This here is for single operations: it asks nothing of the values, which may be
// written many times.
#ifndef SEALKV_TESTS_HISTORY_LINEARIZABLE_H_
#define SEALKV_TESTS_HISTORY_LINEARIZABLE_H_

#include <cstdint>
#include <string>

#include "tests/history/history.h"
#include "tests/history/serial_order.h"

namespace sealkv::history {

struct LinearizabilityReport {
  Verdict verdict = Verdict::kYes;
  std::string key;   // of kNo and kUndecided: the first such
  std::string text;  // for people: where its history can't go on
  uint64_t states = 0;
};

LinearizabilityReport CheckLinearizability(const History& history, const SearchOptions& options = {});

// What concerns one key: ranges become gets and deletes of it.
History Projection(const History& history, const std::string& key);

}  // namespace sealkv::history

#endif  // SEALKV_TESTS_HISTORY_LINEARIZABLE_H_
