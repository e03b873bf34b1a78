#include "tests/history/footprint.h"

#include <optional>
#include <string>

namespace sealkv::history {
namespace {

// Follows one transaction through its steps.
class Walk {
 public:
  Walk(const Program& program, const std::vector<bool>& is_skipped, Node node, Footprint& footprint)
      : program_(program), is_skipped_(is_skipped), node_(node), footprint_(footprint) {}

  void Run() {
    for (const Instruction& instruction : program_.nodes()[node_].instructions) {
      if (instruction.action == Action::kScan || instruction.action == Action::kDeleteRange) {
        StepRange(instruction);
      } else if (!is_skipped_[instruction.first]) {
        StepKey(instruction);
      }
    }
    for (const auto& [key, known] : known_) {
      if (known.observation.has_value()) footprint_.observations.push_back(*known.observation);
      if (known.is_own && !program_.nodes()[node_].is_aborted) {
        footprint_.effects.push_back({.writer = node_, .key = key, .value = known.value});
      }
    }
  }

 private:
  struct Known {
    ValueNumber value = kAbsent;
    bool is_presence = false;  // there is a value, but which?
    bool is_own = false;
    std::optional<Observation> observation;  // of what others wrote
  };

  void StepRange(const Instruction& instruction) {
    if (instruction.is_malformed) {
      Report(AnomalyKind::kMalformedScan, "a scan showed keys out of order, twice, or out of its range");
      return;
    }
    for (Key key = instruction.first; key < instruction.last; ++key) {
      if (is_skipped_[key]) continue;
      if (instruction.action == Action::kScan) {
        See(key, instruction.rows[key - instruction.first], /*is_by_scan=*/true);
      } else {
        Write(key, kAbsent);
      }
    }
  }

  void StepKey(const Instruction& instruction) {
    const Key key = instruction.first;
    switch (instruction.action) {
      case Action::kGet:
        See(key, instruction.seen);
        break;
      case Action::kPut:
        Write(key, instruction.value);
        break;
      case Action::kPutIfAbsent:
        SeePresence(key, instruction.was_there);
        if (instruction.was_there == false) Write(key, instruction.value);
        break;
      case Action::kDelete:
        SeePresence(key, instruction.was_there);
        if (instruction.was_there != false) Write(key, kAbsent);
        break;
      case Action::kCompareAndSwap:
        See(key, instruction.seen);
        if (instruction.seen == instruction.expected) Write(key, instruction.value);
        break;
      case Action::kUpdate:
        See(key, instruction.seen);
        Write(key, instruction.value);
        break;
      case Action::kAdd:
      case Action::kScan:
      case Action::kDeleteRange:
        break;
    }
  }

  void See(Key key, ValueNumber value, bool is_by_scan = false) {
    const auto [found, is_new] = known_.try_emplace(key);
    Known& known = found->second;
    if (is_new || (known.is_presence && value != kAbsent)) {
      known.observation = Observation{.reader = node_, .key = key, .value = value, .is_by_scan = is_by_scan};
      known.value = value;
      known.is_presence = false;
    } else if (known.is_presence || known.value != value) {
      ReportContradiction(key, known, Describe(program_.values().TextOf(value)));
    }
  }

  void SeePresence(Key key, std::optional<bool> was_there) {
    if (!was_there.has_value()) return;
    if (!*was_there) return See(key, kAbsent);
    const auto [found, is_new] = known_.try_emplace(key);
    Known& known = found->second;
    if (is_new) {
      known.observation = Observation{.reader = node_, .key = key, .is_presence = true};
      known.is_presence = true;
    } else if (!known.is_presence && known.value == kAbsent) {
      ReportContradiction(key, known, "something");
    }
  }

  void Write(Key key, ValueNumber value) {
    Known& known = known_[key];
    if (known.is_own && known.value != kAbsent && known.value != value) {
      footprint_.intermediate[{key, known.value}] = node_;
    }
    known.value = value;
    known.is_presence = false;
    known.is_own = true;
  }

  void ReportContradiction(Key key, const Known& known, const std::string& seen) {
    const std::string was = known.is_presence ? "something" : Describe(program_.values().TextOf(known.value));
    Report(known.is_own ? AnomalyKind::kOwnWriteNotSeen : AnomalyKind::kUnrepeatableRead,
           program_.keys()[key] + (known.is_own ? " was written by it as " : " was seen as ") + was +
               ", then seen as " + seen);
  }

  void Report(AnomalyKind kind, std::string explanation) {
    // One that may not have taken effect is as if it had never been.
    if (program_.nodes()[node_].is_optional) return;
    footprint_.anomalies.push_back({kind, std::move(explanation), {node_}});
  }

  const Program& program_;
  const std::vector<bool>& is_skipped_;
  Node node_;
  Footprint& footprint_;
  std::map<Key, Known> known_;
};

}  // namespace

Footprint FootprintOf(const Program& program, const std::vector<bool>& is_skipped) {
  Footprint footprint;
  for (Node node = 0; node < program.nodes().size(); ++node) Walk(program, is_skipped, node, footprint).Run();
  return footprint;
}

}  // namespace sealkv::history
