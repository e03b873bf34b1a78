// Scenarios by a seed, for what the scripts don't think of.
#ifndef SEALKV_TESTS_CRASH_RANDOM_SCENARIO_H_
#define SEALKV_TESTS_CRASH_RANDOM_SCENARIO_H_

#include <cstdint>

#include "tests/crash/concurrent.h"
#include "tests/crash/scenario.h"

namespace sealkv::crash {

// A hundred operations or so, on few keys of every shape, with values of every size, in a store that may be full.
Scenario RandomScenario(uint64_t seed);

// Three or four threads over the same few keys, around nodes that are about to split or to be merged.
ConcurrentScenario RandomConcurrentScenario(uint64_t seed);

}  // namespace sealkv::crash

#endif  // SEALKV_TESTS_CRASH_RANDOM_SCENARIO_H_
