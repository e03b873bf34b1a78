// Counters whose value tells who has added (CounterDelta): whoever saw a sum comes after the additions in it and before
// the others. Nothing has to be inferred.
#ifndef SEALKV_TESTS_HISTORY_COUNTERS_H_
#define SEALKV_TESTS_HISTORY_COUNTERS_H_

#include <vector>

#include "tests/history/anomaly.h"
#include "tests/history/dependency_graph.h"
#include "tests/history/key_class.h"
#include "tests/history/program.h"

namespace sealkv::history {

// Adds the edges between those who look at counters and those who add. What may not have taken effect, and is in a sum
// that was seen, becomes certain.
std::vector<Anomaly> AddCounterEdges(const Program& program, const std::vector<KeyClass>& classes,
                                     std::vector<bool>& is_certain, DependencyGraph& graph);

}  // namespace sealkv::history

#endif  // SEALKV_TESTS_HISTORY_COUNTERS_H_
