// Which version each read saw, and what follows for the order of versions. After Adya (1999) and Elle (Kingsbury and
// Alvaro, VLDB 2020), where each value names its writer; and after Biswas and Enea (OOPSLA 2019) and Cobra (Tan et al.,
// OSDI 2020), where the order of versions isn't given but is drawn from what is known already, until nothing new
// follows:
//
//   r read key k from w, and w' wrote k too: w' comes before w, or after r. So
//     if w' comes before r, it comes before w (ww);
//     if w' comes after w, it comes after r (rw).
//
// "Absent" names no writer, nor does the answer that there was some value: such a read has candidates, which become
// fewer; and what holds whichever of them it was, holds. (Polygraphs: Papadimitriou, JACM 1979, without the guesses.)
//
// Every edge is implied: a cycle is a proof that there is no serial order. That there is no cycle isn't a proof of the
// contrary, unless the order of versions is known; then the search for a serial order decides, and has these edges to
// go by (strict_serializability.h).
#ifndef SEALKV_TESTS_HISTORY_INFERENCE_H_
#define SEALKV_TESTS_HISTORY_INFERENCE_H_

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "tests/history/anomaly.h"
#include "tests/history/dependency_graph.h"
#include "tests/history/footprint.h"
#include "tests/history/program.h"

namespace sealkv::history {

inline constexpr Node kInitialState = std::numeric_limits<Node>::max();  // as a writer

class Inference {
 public:
  // `is_certain`: which nodes have taken effect, as is known before. All must live as long.
  Inference(const Program& program, const Footprint& footprint, std::vector<bool>& is_certain, DependencyGraph& graph);

  // Adds what follows to the graph, until nothing does. False: there is a cycle.
  bool Run();
  // Reads of what no version can have been.
  const std::vector<Anomaly>& anomalies() const { return anomalies_; }

  // Whether both saw the same version of the key, and replaced it: what they saw.
  std::optional<ValueNumber> ReplacedByBoth(Node a, Node b, Key key) const;

 private:
  struct Version {
    Node writer = 0;
    ValueNumber value = kAbsent;
  };
  struct Read {
    Observation seen;
    std::vector<Node> candidates;
    bool is_resolved = false;
  };
  using Versions = std::vector<std::vector<Version>>;  // by chain, in its order

  bool IsBefore(Node a, Node b) const { return a == kInitialState || graph_.before().IsBefore(a, b); }
  void AddVersion(const Effect& effect);
  void Certify(Node node);
  void FindCandidates(Read& read);
  std::vector<Node> AllThatMatch(const Observation& seen) const;
  void ReportImpossible(const Observation& seen);

  bool Conclude(Read& read);
  bool Narrow(Read& read);
  bool IsOverwritten(Node writer, const Observation& seen) const;
  bool Resolve(Read& read);
  bool PutOthersBefore(const Read& read);
  // `with_known`: also where the order is known already.
  bool PutOthersAfter(const Read& read, bool with_known = false);
  void PutAllAfter();

  std::optional<ValueNumber> VersionOf(Node writer, Key key) const;
  const Version* LastBefore(Node node, const std::vector<Version>& chain, size_t chain_number) const;

  const Program& program_;
  const Footprint& footprint_;
  std::vector<bool>& is_certain_;
  DependencyGraph& graph_;
  std::vector<Versions> versions_;                // by key; of writers that are certain
  std::map<Key, std::vector<Version>> optional_;  // of the others
  std::vector<Read> reads_;
  std::map<std::pair<Node, Key>, Node> sources_;  // of reads that are resolved
  std::vector<Anomaly> anomalies_;
};

}  // namespace sealkv::history

#endif  // SEALKV_TESTS_HISTORY_INFERENCE_H_
