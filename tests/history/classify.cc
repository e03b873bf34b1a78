#include "tests/history/classify.h"

#include <algorithm>
#include <optional>
#include <string>

#include "tests/history/cycles.h"

namespace sealkv::history {
namespace {

// From the worst to the mildest; without the order of time first.
constexpr CycleClass kClasses[] = {
    {},
    {.has_write_read = true},
    {.has_write_read = true, .has_one_read_write = true},
    {.has_write_read = true, .has_read_write = true},
    {.has_write_read = true, .has_real_time = true},
    {.has_write_read = true, .has_real_time = true, .has_one_read_write = true},
    {.has_write_read = true, .has_read_write = true, .has_real_time = true},
};

class Classifier {
 public:
  Classifier(const Program& program, const DependencyGraph& graph, const Inference& inference)
      : program_(program), graph_(graph), inference_(inference) {}

  Anomaly Run() {
    std::optional<Anomaly> found = LostUpdate();
    if (found.has_value()) return *found;
    for (const CycleClass& wanted : kClasses) {
      if (wanted.has_real_time && wanted.has_one_read_write) {
        found = StaleRead();
        if (found.has_value()) return *found;
      }
      const Cycle cycle = FindCycle(graph_, wanted);
      if (!cycle.empty()) return Named(NameOfCycle(cycle), cycle);
    }
    return {AnomalyKind::kNoSerialOrder, "a cycle that wasn't found again", {}};
  }

 private:
  // Two that saw the same version and replaced it; or two additions, neither of which saw the other.
  std::optional<Anomaly> LostUpdate() {
    std::optional<Anomaly> found;
    ForEachReadWrite([&](Node from, const Edge& edge) {
      const std::optional<ValueNumber> replaced = inference_.ReplacedByBoth(from, edge.to, edge.key);
      if (replaced.has_value()) {
        const AnomalyKind kind = *replaced == kAbsent ? AnomalyKind::kDuplicateInsert : AnomalyKind::kLostUpdate;
        found = {kind,
                 Text({{from, edge}}) + "; both replaced " + Describe(program_.values().TextOf(*replaced)),
                 {from, edge.to}};
      } else if (const Edge* back = ReadWriteOn(edge.key, edge.to, from); back != nullptr && Adds(from, edge.key)) {
        found = Named(AnomalyKind::kLostUpdate, {{from, edge}, {edge.to, *back}});
      }
      return found.has_value();
    });
    return found;
  }

  // A read of what had been overwritten before it began.
  std::optional<Anomaly> StaleRead() {
    std::optional<Anomaly> found;
    ForEachReadWrite([&](Node from, const Edge& edge) {
      if (!graph_.real_time().IsBefore(edge.to, from)) return false;
      const AnomalyKind kind = Deletes(edge.to, edge.key) ? AnomalyKind::kResurrection : AnomalyKind::kStaleRead;
      found = Named(kind, {{from, edge}, {edge.to, {.to = from}}});
      return true;
    });
    return found;
  }

  template <typename Visit>
  void ForEachReadWrite(Visit visit) const {
    for (Node node = 0; node < graph_.node_count(); ++node) {
      for (const Edge& edge : graph_.EdgesFrom(node)) {
        if (edge.kind == Dependency::kReadWrite && visit(node, edge)) return;
      }
    }
  }

  const Edge* ReadWriteOn(Key key, Node from, Node to) const {
    for (const Edge& edge : graph_.EdgesFrom(from)) {
      if (edge.kind == Dependency::kReadWrite && edge.to == to && edge.key == key) return &edge;
    }
    return nullptr;
  }

  template <typename Matches>
  bool AnyInstruction(Node node, Key key, Matches matches) const {
    const auto& all = program_.nodes()[node].instructions;
    return std::any_of(all.begin(), all.end(), [&](const Instruction& one) {
      return key >= one.first && key < one.last && matches(one.action);
    });
  }
  bool Adds(Node node, Key key) const {
    return AnyInstruction(node, key, [](Action action) { return action == Action::kAdd; });
  }
  bool Deletes(Node node, Key key) const {
    return AnyInstruction(node, key,
                          [](Action action) { return action == Action::kDelete || action == Action::kDeleteRange; });
  }

  AnomalyKind NameOfCycle(const Cycle& cycle) const {
    const auto count = [&](Dependency kind) {
      return std::count_if(cycle.begin(), cycle.end(), [&](const CycleEdge& one) { return one.edge.kind == kind; });
    };
    const bool has_time = count(Dependency::kRealTime) > 0;
    switch (count(Dependency::kReadWrite)) {
      case 0:
        if (count(Dependency::kWriteRead) == 0) {
          return has_time ? AnomalyKind::kWriteOrder : AnomalyKind::kWriteCycle;
        }
        return has_time ? AnomalyKind::kFutureRead : AnomalyKind::kCircularFlow;
      case 1:
        return NameOfSkew(cycle, has_time);
      default:
        return NameOfManyReadWrites(cycle);
    }
  }

  // One rw, with which the cycle begins: its reader saw too little. If an edge by which it saw too much leads back to
  // it, it saw a state that never was; else a state that was, but is too old.
  AnomalyKind NameOfSkew(const Cycle& cycle, bool has_time) const {
    const Kind reader = KindOf(cycle.front().from);
    const bool saw_too_much = cycle.back().edge.kind == Dependency::kWriteRead;
    if (has_time && !saw_too_much) {
      const bool saw_another = std::any_of(
          cycle.begin(), cycle.end(), [](const CycleEdge& one) { return one.edge.kind == Dependency::kWriteRead; });
      return saw_another ? AnomalyKind::kNonMonotonicRead : AnomalyKind::kStaleRead;
    }
    const Node writer = cycle.front().edge.to;
    const bool is_range = program_.nodes()[writer].instructions.front().action == Action::kDeleteRange;
    if (cycle.size() == 2 && (KindOf(writer) == Kind::kBatch || is_range)) return AnomalyKind::kTornBatch;
    return reader == Kind::kSnapshot ? AnomalyKind::kNonAtomicSnapshot : AnomalyKind::kReadSkew;
  }

  AnomalyKind NameOfManyReadWrites(const Cycle& cycle) const {
    bool has_adjacent = false;
    bool has_predicate = false;
    for (size_t i = 0; i < cycle.size(); ++i) {
      const Edge& edge = cycle[i].edge;
      const Edge& next = cycle[(i + 1) % cycle.size()].edge;
      has_adjacent |= edge.kind == Dependency::kReadWrite && next.kind == Dependency::kReadWrite;
      has_predicate |= edge.kind == Dependency::kReadWrite && edge.is_predicate;
    }
    if (!has_adjacent) return AnomalyKind::kLongFork;
    return has_predicate ? AnomalyKind::kPhantom : AnomalyKind::kWriteSkew;
  }

  Kind KindOf(Node node) const { return program_.nodes()[node].transaction->kind; }

  Anomaly Named(AnomalyKind kind, const Cycle& cycle) const {
    Anomaly anomaly{kind, Text(cycle), {}};
    for (const CycleEdge& one : cycle) anomaly.nodes.push_back(one.from);
    return anomaly;
  }

  // T3 -rw k1-> T7 -rt-> T3
  std::string Text(const Cycle& cycle) const {
    static constexpr const char* kNames[] = {"ww", "wr", "rw", "rt"};
    std::string text = "T" + std::to_string(cycle.front().from);
    for (const CycleEdge& one : cycle) {
      text += std::string(" -") + kNames[static_cast<size_t>(one.edge.kind)];
      if (one.edge.kind != Dependency::kRealTime) text += " " + program_.keys()[one.edge.key];
      text += "-> T" + std::to_string(one.edge.to);
    }
    return text;
  }

  const Program& program_;
  const DependencyGraph& graph_;
  const Inference& inference_;
};

}  // namespace

Anomaly ClassifyCycles(const Program& program, const DependencyGraph& graph, const Inference& inference) {
  return Classifier(program, graph, inference).Run();
}

}  // namespace sealkv::history
