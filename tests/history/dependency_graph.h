// The direct serialization graph (Adya 1999), with the order of time: who must come before whom, and why. It only ever
// grows; what follows from it by transitivity is asked of its precedence.
#ifndef SEALKV_TESTS_HISTORY_DEPENDENCY_GRAPH_H_
#define SEALKV_TESTS_HISTORY_DEPENDENCY_GRAPH_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "tests/history/chains.h"
#include "tests/history/program.h"

namespace sealkv::history {

enum class Dependency : uint8_t {
  kWriteWrite,  // ww: the second wrote a later version
  kWriteRead,   // wr: the second saw what the first wrote
  kReadWrite,   // rw, anti-dependency: the second wrote a later version than the first saw
  kRealTime,    // rt: the first was over before the second began
};

struct Edge {
  Node to = 0;
  Dependency kind = Dependency::kRealTime;
  Key key = 0;
  bool is_predicate = false;  // rw: the first saw, in a range, that the key wasn't there
};

class DependencyGraph {
 public:
  // With the edges of time: to each node from the last of each chain that was over before. What was over earlier
  // follows along the chain; so there are as many edges as nodes and threads, not as pairs of nodes.
  DependencyGraph(const Chains& chains, const std::vector<Interval>& intervals);

  void Add(Node from, Edge edge) { edges_[from].push_back(edge); }
  // Draws the conclusions from what was added. False: there is a cycle.
  bool Close();

  const Chains& chains() const { return *chains_; }
  // As of the last Close.
  const Precedence& before() const { return before_; }
  const Precedence& real_time() const { return real_time_; }
  const std::vector<Edge>& EdgesFrom(Node node) const { return edges_[node]; }
  size_t node_count() const { return edges_.size(); }
  size_t edge_count() const;

 private:
  const Chains* chains_;
  Precedence real_time_;
  Precedence before_;
  std::vector<std::vector<Edge>> edges_;
};

}  // namespace sealkv::history

#endif  // SEALKV_TESTS_HISTORY_DEPENDENCY_GRAPH_H_
