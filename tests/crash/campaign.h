// Random runs, as long as one likes: each is a case with a kind and a seed, from which all of it follows.
#ifndef SEALKV_TESTS_CRASH_CAMPAIGN_H_
#define SEALKV_TESTS_CRASH_CAMPAIGN_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/crash/explorer.h"

namespace sealkv::crash {

struct Case {
  enum class Kind : uint8_t {
    kOperations,  // RandomScenario, with a platform by the seed
    kThreads,     // RandomConcurrentScenario
    kScripts,     // all of scenarios.cc and concurrent_scenarios.cc; the seed selects images and schedules
  };
  Kind kind;
  uint64_t seed;

  // As "operations:17".
  std::string Name() const;
  static std::optional<Case> Parse(std::string_view name);
};

// What case number `number` of the campaign with this seed is.
Case CaseOf(uint64_t campaign_seed, uint64_t number);

// A failure counts as one whatever it was: an image, an answer, a stray. The first ones are told in words.
Exploration Run(const Case& one);

// The row of a table that the case belongs to.
std::string RowOf(const Case& one);

// The shortest list of operations that still fails, a line each, and what fails then. Each attempt runs in a process of
// its own, for it may well crash. Empty: it didn't fail again.
std::vector<std::string> MinimiseFailure(const Case& one);

}  // namespace sealkv::crash

#endif  // SEALKV_TESTS_CRASH_CAMPAIGN_H_
