#include "tests/history/strict_serializability.h"

#include <algorithm>
#include <set>

#include "tests/history/classify.h"
#include "tests/history/counters.h"
#include "tests/history/dependency_graph.h"
#include "tests/history/footprint.h"
#include "tests/history/inference.h"
#include "tests/history/key_class.h"
#include "tests/history/program.h"

namespace sealkv::history {
namespace {

std::string TextOf(const Program& program, const std::vector<Anomaly>& anomalies) {
  std::string text;
  std::set<Node> concerned;
  for (const Anomaly& anomaly : anomalies) {
    text += std::string(NameOf(anomaly.kind)) + ": " + anomaly.explanation + "\n";
    concerned.insert(anomaly.nodes.begin(), anomaly.nodes.end());
  }
  for (const Node node : concerned) {
    text += "  T" + std::to_string(node) + ": " + Describe(*program.nodes()[node].transaction) + "\n";
  }
  return text;
}

Anomaly NoSerialOrder(const Program& program, const SerialOrder& search) {
  return {AnomalyKind::kNoSerialOrder,
          "after " + std::to_string(search.longest) + " of " + std::to_string(program.nodes().size()) +
              " transactions, in whatever order, none of these fits",
          search.stuck};
}

// Runs the steps in turn.
class Check {
 public:
  Check(const History& history, const CheckOptions& options)
      : options_(options),
        program_(history, options.with_aborted),
        intervals_(program_.Intervals()),
        chains_(intervals_),
        graph_(chains_, intervals_) {
    for (const ProgramNode& node : program_.nodes()) is_certain_.push_back(!node.is_optional);
  }

  Report Run() {
    if (FindByGraph()) {
      report_.verdict = Verdict::kNo;
    } else if (!options_.is_graph_only) {
      Search();
    }
    report_.edges = graph_.edge_count();
    report_.text = TextOf(program_, report_.anomalies);
    return std::move(report_);
  }

 private:
  bool FindByGraph() {
    const std::vector<KeyClass> classes = ClassifyKeys(program_);
    const Footprint footprint = FootprintOf(program_, AllButRegisters(classes));
    Note(footprint.anomalies);
    Note(AddCounterEdges(program_, classes, is_certain_, graph_));
    Inference inference(program_, footprint, is_certain_, graph_);
    const bool has_cycle = !inference.Run();
    Note(inference.anomalies());
    if (has_cycle) Note({ClassifyCycles(program_, graph_, inference)});
    return !report_.anomalies.empty();
  }

  void Search() {
    const SerialOrder search = FindSerialOrder(program_, chains_, graph_.before(), is_certain_, options_.search);
    report_.verdict = search.verdict;
    report_.states = search.states;
    if (search.verdict == Verdict::kNo) Note({NoSerialOrder(program_, search)});
  }

  void Note(const std::vector<Anomaly>& anomalies) {
    report_.anomalies.insert(report_.anomalies.end(), anomalies.begin(), anomalies.end());
  }

  const CheckOptions& options_;
  Program program_;
  std::vector<Interval> intervals_;
  Chains chains_;
  DependencyGraph graph_;
  std::vector<bool> is_certain_;
  Report report_;
};

}  // namespace

bool Report::Has(AnomalyKind kind) const {
  return std::any_of(anomalies.begin(), anomalies.end(), [&](const Anomaly& one) { return one.kind == kind; });
}

Report CheckStrictSerializability(const History& history, const CheckOptions& options) {
  return Check(history, options).Run();
}

}  // namespace sealkv::history
