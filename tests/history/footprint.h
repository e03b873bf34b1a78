// What each transaction saw of others, and what it left for others, key by key: its reads of what it had not written
// itself, and its last writes. What is wrong within one transaction, whatever the others did, is found here.
#ifndef SEALKV_TESTS_HISTORY_FOOTPRINT_H_
#define SEALKV_TESTS_HISTORY_FOOTPRINT_H_

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "tests/history/anomaly.h"
#include "tests/history/program.h"

namespace sealkv::history {

struct Observation {
  Node reader = 0;
  Key key = 0;
  ValueNumber value = kAbsent;
  bool is_presence = false;  // only that there was a value
  bool is_by_scan = false;

  bool Matches(ValueNumber written) const { return is_presence ? written != kAbsent : written == value; }
};

struct Effect {
  Node writer = 0;
  Key key = 0;
  ValueNumber value = kAbsent;
};

struct Footprint {
  std::vector<Observation> observations;
  std::vector<Effect> effects;
  // Overwritten by the same transaction: nobody else may see these.
  std::map<std::pair<Key, ValueNumber>, Node> intermediate;
  std::vector<Anomaly> anomalies;
};

// Without the keys that `is_skipped`: not all keys are of the kind for which this says it all (key_class.h).
Footprint FootprintOf(const Program& program, const std::vector<bool>& is_skipped);

}  // namespace sealkv::history

#endif  // SEALKV_TESTS_HISTORY_FOOTPRINT_H_
