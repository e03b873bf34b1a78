// Is a history strictly serializable: as if its transactions had been made one after the other, each at a point between
// its call and its return (Papadimitriou, JACM 1979; with one operation a transaction: linearizability, Herlihy and
// Wing, TOPLAS 1990)? In three steps, of which each needs the next only if it leaves the matter open:
//
//   1. What is wrong within a transaction, and reads of what no version can have been (footprint.h, inference.h).
//   2. The dependencies that follow from what was read; a cycle is a proof that there is no order, and has a name
//      (dependency_graph.h, classify.h). This takes time in proportion to the history, and a small factor.
//   3. A search for the order, which keeps these dependencies (serial_order.h). An order that was found is a proof.
//
// So each answer but kUndecided is proven. For step 2 to find all, and step 3 to take no time, a workload should
//   - never write the same value to a key twice, so that each value names its writer;
//   - let most writes see what they replace (compare-and-swap, update, transactions that read what they write): the
//     order of the others follows only from what is read between them;
//   - add to counters by CounterDelta (key_class.h), and do nothing else to these keys but read them;
//   - delete as often as it likes, but know that "absent" names nobody: where deletes and inserts of a key overlap much
//     and are seldom read, step 3 has to guess.
// The generator (generator.h) keeps these rules. Histories that don't are checked as well, up to the search's limit.
// What isn't asked: that aborted transactions read well (unless by option), and what the store holds after a crash.
#ifndef SEALKV_TESTS_HISTORY_STRICT_SERIALIZABILITY_H_
#define SEALKV_TESTS_HISTORY_STRICT_SERIALIZABILITY_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/history/anomaly.h"
#include "tests/history/history.h"
#include "tests/history/serial_order.h"

namespace sealkv::history {

struct CheckOptions {
  SearchOptions search;
  // Without the search: kUndecided where no cycle is found.
  bool is_graph_only = false;
  // Aborted transactions, too, must have read a state that was.
  bool with_aborted = false;
};

struct Report {
  Verdict verdict = Verdict::kUndecided;  // kNo: there are anomalies
  std::vector<Anomaly> anomalies;
  size_t edges = 0;     // of the graph
  uint64_t states = 0;  // of the search
  std::string text;     // for people: the anomalies, with the transactions in question

  bool Has(AnomalyKind kind) const;
};

Report CheckStrictSerializability(const History& history, const CheckOptions& options = {});

}  // namespace sealkv::history

#endif  // SEALKV_TESTS_HISTORY_STRICT_SERIALIZABILITY_H_
