#include "tests/history/dependency_graph.h"

#include <utility>

namespace sealkv::history {

DependencyGraph::DependencyGraph(const Chains& chains, const std::vector<Interval>& intervals)
    : chains_(&chains),
      real_time_(Precedence::OfRealTime(chains, intervals)),
      before_(real_time_),
      edges_(chains.node_count()) {
  for (Node node = 0; node < chains.node_count(); ++node) {
    for (size_t i = 0; i < chains.size(); ++i) {
      const uint32_t count = real_time_.Count(node, i);
      if (count > 0) Add(chains[i][count - 1], {.to = node});
    }
  }
}

// Kahn's topological sort; each node, when its turn comes, knows all that comes before it.
bool DependencyGraph::Close() {
  std::vector<uint32_t> incoming(node_count());
  for (const std::vector<Edge>& edges : edges_) {
    for (const Edge& edge : edges) ++incoming[edge.to];
  }
  std::vector<Node> ready;
  for (Node node = 0; node < node_count(); ++node) {
    if (incoming[node] == 0) ready.push_back(node);
  }
  Precedence before(*chains_);
  size_t done = 0;
  for (; !ready.empty(); ++done) {
    const Node node = ready.back();
    ready.pop_back();
    for (const Edge& edge : edges_[node]) {
      before.Put(node, edge.to);
      if (--incoming[edge.to] == 0) ready.push_back(edge.to);
    }
  }
  if (done < node_count()) return false;
  before_ = std::move(before);
  return true;
}

size_t DependencyGraph::edge_count() const {
  size_t count = 0;
  for (const std::vector<Edge>& edges : edges_) count += edges.size();
  return count;
}

}  // namespace sealkv::history
