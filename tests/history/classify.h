// The name of what a cyclic dependency graph shows.
#ifndef SEALKV_TESTS_HISTORY_CLASSIFY_H_
#define SEALKV_TESTS_HISTORY_CLASSIFY_H_

#include "tests/history/anomaly.h"
#include "tests/history/dependency_graph.h"
#include "tests/history/inference.h"
#include "tests/history/program.h"

namespace sealkv::history {

// The worst that the graph shows: a lost update, which tells most; else the first of Adya's classes of which there is a
// cycle; else one that is closed by the order of time. The graph has a cycle.
//
// Names are as good as the edges: where the order of two versions was drawn from the order of time, a cycle may get
// the name of a worse class than it would have, had the order of versions been known.
Anomaly ClassifyCycles(const Program& program, const DependencyGraph& graph, const Inference& inference);

}  // namespace sealkv::history

#endif  // SEALKV_TESTS_HISTORY_CLASSIFY_H_
