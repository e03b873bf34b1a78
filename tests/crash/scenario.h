// Scripts that make a small store do each thing that changes persistent memory, and how to run one over the recorder.
// A later feature registers its own here (AllScenarios) and is then covered by enumeration and mutation alike.
#ifndef SEALKV_TESTS_CRASH_SCENARIO_H_
#define SEALKV_TESTS_CRASH_SCENARIO_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "tests/crash/expectation.h"
#include "tests/crash/operation.h"
#include "tests/crash/shape.h"
#include "tests/model.h"

namespace sealkv::crash {

// What a file holds: a store with these contents, or nothing that is a store.
using State = std::optional<testing::Model>;

struct Scenario {
  std::string kind;
  size_t memory_bytes = 68 << 10;  // 17 segments: the last free one is for compaction
  size_t capacity_bytes = 0;       // what the store begins with: it may grow to all of the memory. 0: that is all of it
  uint64_t change_log_bytes = 0;   // how much it keeps of what was changed
  uint8_t memory_fill = 0;         // what the memory holds before the first Format
  // If given: what the memory holds, and what the store in it. Then `setup` is empty, and `operations` begin with
  // Reopen or Recover.
  std::vector<std::byte> image;
  testing::Model image_contents;
  // The store begins with Format, unless the scenario is about that: then `setup` is empty and `operations` begin with
  // it.
  std::vector<Operation> setup;
  std::vector<Operation> operations;  // these are crashed at each store and fence
  // Whether an operation that found the tree as `before` and left it as `after` did what this scenario is for.
  std::function<bool(const Shape& before, const Shape& after)> happened;
  unsigned times = 1;        // how many of the operations must have done it
  bool may_be_full = false;  // an operation that finds no space is fine, and changes nothing
  // Whether a crash may find a batch that is committed and not yet done (kv/lanes.h).
  enum class Redo : uint8_t { kMayBe, kIs, kNever };
  Redo redo = Redo::kMayBe;
  bool is_large = false;  // so much is pending at once that few of the images will have to do
};

// How GoogleTest names one in its messages.
inline void PrintTo(const Scenario& scenario, std::ostream* out) { *out << scenario.kind; }

std::vector<Scenario> AllScenarios();
// Of these: what is done at once, what is done again after a crash, and what is done while a snapshot is open.
std::vector<Scenario> BatchScenarios();
std::vector<Scenario> RedoScenarios();
std::vector<Scenario> SnapshotScenarios();
// Of values that expire.
std::vector<Scenario> ExpiryScenarios();
// Of stores that keep what was changed in them.
std::vector<Scenario> LogScenarios();

// A scenario that was run over the recorder.
struct ScenarioRecording : Recording {
  std::unique_ptr<Expectation> NewExpectation() const override;
  std::string Describe(uint64_t number) const override { return crash::Describe(operations[number]); }

  // states[k]: before operation k of the log; states[k + 1]: after it.
  std::vector<State> states;
  std::vector<Operation> operations;
  std::set<std::string> keys;
  unsigned times_happened = 0;
};

ScenarioRecording Record(const Scenario& scenario);

}  // namespace sealkv::crash

#endif  // SEALKV_TESTS_CRASH_SCENARIO_H_
