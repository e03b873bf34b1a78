#include "tests/history/counters.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string>
#include <utility>

namespace sealkv::history {
namespace {

// A node that adds, and how many additions its thread has made with it.
struct Addition {
  Node node = 0;
  unsigned count = 0;
};

// What others had added when a node looked.
struct Look {
  Node reader = 0;
  Key key = 0;
  uint64_t others = 0;
};

class Counters {
 public:
  Counters(const Program& program, const std::vector<KeyClass>& classes, std::vector<bool>& is_certain,
           DependencyGraph& graph)
      : program_(program), classes_(classes), is_certain_(is_certain), graph_(graph), additions_(classes.size()) {}

  std::vector<Anomaly> Run() {
    for (Node node = 0; node < program_.nodes().size(); ++node) Walk(node);
    for (const Look& look : looks_) {
      for (unsigned thread = 0; thread < kCounterThreads; ++thread) Certify(look, thread);
    }
    for (const Look& look : looks_) {
      for (unsigned thread = 0; thread < kCounterThreads; ++thread) AddEdges(look, thread);
    }
    return std::move(anomalies_);
  }

 private:
  // A node's own additions to a counter so far, and what it saw besides.
  struct Known {
    uint64_t own = 0;
    std::optional<uint64_t> others;
  };

  void Walk(Node node) {
    std::map<Key, Known> known;
    for (const Instruction& instruction : program_.nodes()[node].instructions) {
      if (instruction.is_malformed) return;
      for (Key key = instruction.first; key < instruction.last; ++key) {
        if (classes_[key] != KeyClass::kCounter) continue;
        if (instruction.action == Action::kAdd) {
          Add(node, key);
          known[key].own += instruction.delta;
          if (instruction.seen != kAbsent) See(node, key, instruction.seen, known[key]);
        } else if (instruction.action == Action::kGet) {
          See(node, key, instruction.seen, known[key]);
        } else {
          See(node, key, instruction.rows[key - instruction.first], known[key]);
        }
      }
    }
  }

  void Add(Node node, Key key) {
    std::vector<Addition>& all = additions_[key][program_.nodes()[node].transaction->thread];
    const unsigned before = all.empty() ? 0 : all.back().count;
    if (!all.empty() && all.back().node == node) {
      ++all.back().count;
    } else {
      all.push_back({node, before + 1});
    }
  }

  void See(Node node, Key key, ValueNumber value, Known& known) {
    const Value& text = program_.values().TextOf(value);
    if (text.has_value() && text->size() != sizeof(uint64_t)) {
      return Report(AnomalyKind::kGarbageRead, node, key, Describe(text));
    }
    const uint64_t others = (text.has_value() ? WordOf(*text) : 0) - known.own;
    if (!known.others.has_value()) {
      known.others = others;
      looks_.push_back({node, key, others});
    } else if (*known.others != others) {
      Report(AnomalyKind::kUnrepeatableRead, node, key, Describe(text) + ", after another sum");
    }
  }

  // The first addition of the thread that the sum doesn't have.
  std::vector<Addition>::const_iterator FirstBehind(const Look& look, unsigned thread) const {
    const std::vector<Addition>& all = additions_[look.key][thread];
    const unsigned count = CounterField(look.others, thread);
    return std::partition_point(all.begin(), all.end(), [&](const Addition& one) { return one.count <= count; });
  }

  void Certify(const Look& look, unsigned thread) {
    if (!is_certain_[look.reader]) return;
    const std::vector<Addition>& all = additions_[look.key][thread];
    for (auto at = FirstBehind(look, thread); at != all.begin() && !is_certain_[std::prev(at)->node]; --at) {
      is_certain_[std::prev(at)->node] = true;
    }
  }

  void AddEdges(const Look& look, unsigned thread) {
    if (!is_certain_[look.reader]) return;
    const std::vector<Addition>& all = additions_[look.key][thread];
    auto behind = FirstBehind(look, thread);
    const unsigned has = behind == all.begin() ? 0 : std::prev(behind)->count;
    const unsigned count = CounterField(look.others, thread);
    if (has != count) {
      // Of a node that adds several times it has some; or it has what nobody added.
      const bool is_torn = behind != all.end();
      return Report(is_torn ? AnomalyKind::kIntermediateRead : AnomalyKind::kGarbageRead, look.reader, look.key,
                    std::to_string(count) + " additions of thread " + std::to_string(thread));
    }
    if (has > 0) {
      const Node last = std::prev(behind)->node;
      if (last == look.reader) return Report(AnomalyKind::kGarbageRead, look.reader, look.key, "with its own addition");
      graph_.Add(last, {.to = look.reader, .kind = Dependency::kWriteRead, .key = look.key});
    }
    if (behind != all.end() && behind->node == look.reader) ++behind;
    if (behind == all.end() || !is_certain_[behind->node]) return;
    graph_.Add(look.reader, {.to = behind->node, .kind = Dependency::kReadWrite, .key = look.key});
  }

  void Report(AnomalyKind kind, Node node, Key key, const std::string& seen) {
    if (is_certain_[node]) anomalies_.push_back({kind, program_.keys()[key] + " was seen as " + seen, {node}});
  }

  const Program& program_;
  const std::vector<KeyClass>& classes_;
  std::vector<bool>& is_certain_;
  DependencyGraph& graph_;
  std::vector<std::array<std::vector<Addition>, kCounterThreads>> additions_;  // by key and thread
  std::vector<Look> looks_;
  std::vector<Anomaly> anomalies_;
};

}  // namespace

std::vector<Anomaly> AddCounterEdges(const Program& program, const std::vector<KeyClass>& classes,
                                     std::vector<bool>& is_certain, DependencyGraph& graph) {
  return Counters(program, classes, is_certain, graph).Run();
}

}  // namespace sealkv::history
