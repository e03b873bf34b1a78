#include "tests/crash/campaign.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "tests/crash/concurrent.h"
#include "tests/crash/minimise.h"
#include "tests/crash/random_scenario.h"
#include "tests/crash/scenario.h"

namespace sealkv::crash {
namespace {

using Kind = Case::Kind;

constexpr ImageLimits kThreadLimits{.exhaustive_images = 256, .line_contents = 8, .random_images = 16};
constexpr const char* kKindNames[] = {"operations", "threads", "scripts"};

Exploration ExploreRecording(const Recording& recording, ExploreOptions options, bool stop_at_first_failure) {
  options.most_seconds_per_image = 60;
  options.stop_at_first_failure = stop_at_first_failure;
  Exploration found = Explore(recording, options);
  for (const std::string& problem : recording.problems) {
    ++found.failures;
    found.first_failures.push_back(problem);
  }
  return found;
}

Platform PlatformOf(uint64_t seed) {
  constexpr Platform kPlatforms[] = {Platform::kPx86, Platform::kPx86, Platform::kEadr, Platform::kPageCache};
  return kPlatforms[seed % 4];
}

Exploration RunOperations(const Scenario& scenario, uint64_t seed, bool stop_at_first_failure = false) {
  ExploreOptions options{.platform = PlatformOf(seed), .seed = seed};
  if (options.platform == Platform::kPx86) {
    options.recovery_crashes = 2;
    options.recovery_one_in = 4;
  }
  return ExploreRecording(Record(scenario), options, stop_at_first_failure);
}

Exploration RunThreads(const ConcurrentScenario& scenario, uint64_t seed, bool stop_at_first_failure = false) {
  return ExploreRecording(Record(scenario), {.limits = kThreadLimits, .seed = seed}, stop_at_first_failure);
}

Exploration RunScripts(uint64_t seed) {
  Exploration all;
  for (const Scenario& scenario : AllScenarios()) all += RunOperations(scenario, seed);
  for (ConcurrentScenario& scenario : ConcurrentScenarios()) {
    scenario.seed = seed;
    all += RunThreads(scenario, seed);
  }
  return all;
}

// Whether `run`, an Exploration(), has failures or brings its process down.
template <typename Run>
bool FailsInChild(Run run) {
  const pid_t child = fork();
  if (child == 0) _exit(run().failures > 0 ? 1 : 0);
  int status = 0;
  waitpid(child, &status, 0);
  return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

// An operation of a thread (0: the setup).
struct Step {
  size_t thread;
  Operation operation;
};

ConcurrentScenario WithSteps(ConcurrentScenario scenario, const std::vector<Step>& steps) {
  scenario.setup.clear();
  for (auto& thread : scenario.threads) thread.clear();
  for (const Step& step : steps) {
    (step.thread == 0 ? scenario.setup : scenario.threads[step.thread - 1]).push_back(step.operation);
  }
  return scenario;
}

// Fewer steps meet in other ways: some schedules are tried for each list. Returns the first one that fails.
std::optional<uint64_t> FailingSchedule(const ConcurrentScenario& scenario, uint64_t seed) {
  constexpr uint64_t kSchedules = 16;
  for (uint64_t i = 0; i < kSchedules; ++i) {
    ConcurrentScenario tried = scenario;
    tried.seed = scenario.seed + i;
    if (FailsInChild([&] { return RunThreads(tried, seed, true); })) return tried.seed;
  }
  return std::nullopt;
}

std::vector<std::string> MinimiseThreads(const Case& one) {
  const ConcurrentScenario scenario = RandomConcurrentScenario(one.seed);
  std::vector<Step> steps;
  for (const Operation& operation : scenario.setup) steps.push_back({0, operation});
  for (size_t i = 0; i < scenario.threads.size(); ++i) {
    for (const Operation& operation : scenario.threads[i]) steps.push_back({i + 1, operation});
  }
  const auto fails = [&](const std::vector<Step>& some) {
    return FailingSchedule(WithSteps(scenario, some), one.seed).has_value();
  };
  if (!fails(steps)) return {};
  steps = Minimise(std::move(steps), fails);
  std::vector<std::string> lines;
  for (const Step& step : steps) {
    lines.push_back((step.thread == 0 ? "setup: " : "thread " + std::to_string(step.thread) + ": ") +
                    Describe(step.operation));
  }
  return lines;
}

std::vector<std::string> MinimiseOperations(const Case& one) {
  Scenario scenario = RandomScenario(one.seed);
  const auto fails = [&](const std::vector<Operation>& some) {
    scenario.operations = some;
    return FailsInChild([&] { return RunOperations(scenario, one.seed, true); });
  };
  std::vector<Operation> operations = scenario.setup;
  operations.insert(operations.end(), scenario.operations.begin(), scenario.operations.end());
  operations.insert(operations.begin(), Format());
  scenario.setup.clear();
  if (!fails(operations)) return {};
  const auto fails_formatted = [&](std::vector<Operation> some) {
    some.insert(some.begin(), Format());
    return fails(some);
  };
  operations.erase(operations.begin());
  std::vector<std::string> lines;
  for (const Operation& operation : Minimise(std::move(operations), fails_formatted)) {
    lines.push_back(Describe(operation));
  }
  return lines;
}

}  // namespace

std::string Case::Name() const { return std::string(kKindNames[static_cast<int>(kind)]) + ":" + std::to_string(seed); }

std::optional<Case> Case::Parse(std::string_view name) {
  const size_t colon = name.find(':');
  if (colon == std::string_view::npos || colon + 1 == name.size()) return std::nullopt;
  const std::string digits(name.substr(colon + 1));
  if (digits.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
  for (int kind = 0; kind < 3; ++kind) {
    if (name.substr(0, colon) == kKindNames[kind]) {
      return Case{static_cast<Kind>(kind), std::strtoull(digits.c_str(), nullptr, 10)};
    }
  }
  return std::nullopt;
}

Case CaseOf(uint64_t campaign_seed, uint64_t number) {
  const uint64_t seed = testing::Random(campaign_seed + number).Next() >> 20;  // short enough to be typed
  if (number % 200 == 100) return {Kind::kScripts, seed};
  return {number % 16 == 0 ? Kind::kOperations : Kind::kThreads, seed};
}

Exploration Run(const Case& one) {
  switch (one.kind) {
    case Kind::kOperations:
      return RunOperations(RandomScenario(one.seed), one.seed);
    case Kind::kThreads:
      return RunThreads(RandomConcurrentScenario(one.seed), one.seed);
    case Kind::kScripts:
      return RunScripts(one.seed);
  }
  return {};
}

std::string RowOf(const Case& one) {
  if (one.kind == Kind::kThreads) return "random threads";
  return std::string(one.kind == Kind::kOperations ? "random operations, " : "scripts, ") +
         PlatformName(PlatformOf(one.seed));
}

std::vector<std::string> MinimiseFailure(const Case& one) {
  switch (one.kind) {
    case Kind::kOperations:
      return MinimiseOperations(one);
    case Kind::kThreads:
      return MinimiseThreads(one);
    case Kind::kScripts:
      return {};  // they are short as they are
  }
  return {};
}

}  // namespace sealkv::crash
