// Finds a cycle in a dependency graph and names it. As Elle does, classes of cycles are looked for from the worst to
// the mildest, each in the part of the graph that has its kinds of edges only: the strongly connected components of
// that part (Tarjan, SIAM J. Comput. 1972), and in them the shortest cycle, which is the easiest to understand.
#ifndef SEALKV_TESTS_HISTORY_CYCLES_H_
#define SEALKV_TESTS_HISTORY_CYCLES_H_

#include <vector>

#include "tests/history/dependency_graph.h"

namespace sealkv::history {

struct CycleEdge {
  Node from = 0;
  Edge edge;
};
using Cycle = std::vector<CycleEdge>;  // each begins where the one before it ends

// Which kinds of edges a cycle may have.
struct CycleClass {
  bool has_write_read = false;  // besides ww, which all may have
  bool has_read_write = false;
  bool has_real_time = false;
  bool has_one_read_write = false;  // exactly one rw

  bool Allows(Dependency kind) const;
};

// A cycle of the class, as short as can be found; empty: there is none.
Cycle FindCycle(const DependencyGraph& graph, const CycleClass& wanted);

// By node: its strongly connected component, among edges of the class.
std::vector<uint32_t> ComponentsOf(const DependencyGraph& graph, const CycleClass& allowed);

}  // namespace sealkv::history

#endif  // SEALKV_TESTS_HISTORY_CYCLES_H_
