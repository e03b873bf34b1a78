#include "tests/history/cycles.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

namespace sealkv::history {
namespace {

constexpr uint32_t kNone = std::numeric_limits<uint32_t>::max();
// Cycles begin at that many edges at most: of a graph that is all cycles, some are enough.
constexpr size_t kMostStarts = 400;

// Tarjan's algorithm, with a stack of its own: a path may be as long as the history.
class Components {
 public:
  Components(const DependencyGraph& graph, const CycleClass& allowed)
      : graph_(graph),
        allowed_(allowed),
        index_(graph.node_count(), kNone),
        low_(graph.node_count()),
        component_(graph.node_count(), kNone) {}

  std::vector<uint32_t> Run() {
    for (Node node = 0; node < graph_.node_count(); ++node) {
      if (index_[node] == kNone) Visit(node);
    }
    return std::move(component_);
  }

 private:
  struct Frame {
    Node node;
    size_t next_edge;
  };

  void Enter(Node node) {
    index_[node] = low_[node] = next_index_++;
    open_.push_back(node);
    path_.push_back({node, 0});
  }

  void Visit(Node root) {
    Enter(root);
    while (!path_.empty()) {
      const Node node = path_.back().node;
      const std::vector<Edge>& edges = graph_.EdgesFrom(node);
      if (path_.back().next_edge == edges.size()) {
        Leave();
        continue;
      }
      const Edge& edge = edges[path_.back().next_edge++];
      if (!allowed_.Allows(edge.kind)) continue;
      if (index_[edge.to] == kNone) {
        Enter(edge.to);
      } else if (component_[edge.to] == kNone) {
        low_[node] = std::min(low_[node], index_[edge.to]);
      }
    }
  }

  void Leave() {
    const Node node = path_.back().node;
    path_.pop_back();
    if (!path_.empty()) low_[path_.back().node] = std::min(low_[path_.back().node], low_[node]);
    if (low_[node] != index_[node]) return;
    Node member;
    do {
      member = open_.back();
      open_.pop_back();
      component_[member] = next_component_;
    } while (member != node);
    ++next_component_;
  }

  const DependencyGraph& graph_;
  const CycleClass& allowed_;
  std::vector<uint32_t> index_;
  std::vector<uint32_t> low_;
  std::vector<uint32_t> component_;
  std::vector<Node> open_;
  std::vector<Frame> path_;
  uint32_t next_index_ = 0;
  uint32_t next_component_ = 0;
};

// Shortest ways, breadth first, within a component.
class Ways {
 public:
  Ways(const DependencyGraph& graph, const CycleClass& allowed, const std::vector<uint32_t>& component)
      : graph_(graph), allowed_(allowed), component_(component), came_by_(graph.node_count()) {}

  // The cycle that the edge begins, if there is one shorter than `bound`.
  Cycle Close(const CycleEdge& first, size_t bound) {
    const Node goal = first.from;
    std::vector<Node> reached{first.edge.to};
    for (size_t i = 0; i < reached.size() && !came_by_[goal].has_value(); ++i) Step(reached[i], first.edge.to, reached);
    Cycle cycle;
    if (came_by_[goal].has_value()) {
      for (Node at = goal; at != first.edge.to; at = came_by_[at]->from) cycle.push_back(*came_by_[at]);
      cycle.push_back(first);
      std::reverse(cycle.begin(), cycle.end());
    }
    for (const Node node : reached) came_by_[node].reset();
    return cycle.size() < bound ? cycle : Cycle{};
  }

 private:
  void Step(Node node, Node start, std::vector<Node>& reached) {
    for (const Edge& edge : graph_.EdgesFrom(node)) {
      const bool is_allowed =
          allowed_.Allows(edge.kind) && !(allowed_.has_one_read_write && edge.kind == Dependency::kReadWrite);
      if (!is_allowed || edge.to == start || component_[edge.to] != component_[node]) continue;
      if (came_by_[edge.to].has_value()) continue;
      came_by_[edge.to] = CycleEdge{node, edge};
      reached.push_back(edge.to);
    }
  }

  const DependencyGraph& graph_;
  const CycleClass& allowed_;
  const std::vector<uint32_t>& component_;
  std::vector<std::optional<CycleEdge>> came_by_;
};

}  // namespace

bool CycleClass::Allows(Dependency kind) const {
  switch (kind) {
    case Dependency::kWriteWrite:
      return true;
    case Dependency::kWriteRead:
      return has_write_read;
    case Dependency::kReadWrite:
      return has_read_write || has_one_read_write;
    case Dependency::kRealTime:
      return has_real_time;
  }
  return false;
}

std::vector<uint32_t> ComponentsOf(const DependencyGraph& graph, const CycleClass& allowed) {
  return Components(graph, allowed).Run();
}

Cycle FindCycle(const DependencyGraph& graph, const CycleClass& wanted) {
  const std::vector<uint32_t> component = ComponentsOf(graph, wanted);
  const bool begins_with_read_write = wanted.has_read_write || wanted.has_one_read_write;
  Ways ways(graph, wanted, component);
  Cycle shortest;
  size_t starts = 0;
  for (Node node = 0; node < graph.node_count(); ++node) {
    for (const Edge& edge : graph.EdgesFrom(node)) {
      if (!wanted.Allows(edge.kind) || component[edge.to] != component[node]) continue;
      if (edge.kind == Dependency::kRealTime) continue;  // time alone has no cycle
      if (begins_with_read_write && edge.kind != Dependency::kReadWrite) continue;
      if (++starts > kMostStarts) return shortest;
      Cycle cycle = ways.Close({node, edge}, shortest.empty() ? kNone : shortest.size());
      if (!cycle.empty()) shortest = std::move(cycle);
    }
  }
  return shortest;
}

}  // namespace sealkv::history
