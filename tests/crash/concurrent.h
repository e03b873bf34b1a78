// Several threads over one store and one recorder, interleaved by a seed, and what a crash in the middle may leave.
#ifndef SEALKV_TESTS_CRASH_CONCURRENT_H_
#define SEALKV_TESTS_CRASH_CONCURRENT_H_

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/crash/expectation.h"
#include "tests/crash/operation.h"

namespace sealkv::crash {

struct ConcurrentScenario {
  std::string kind;
  size_t memory_bytes = 68 << 10;               // 17 segments: the last free one is for compaction
  std::vector<Operation> setup;                 // by one thread, behind the Format that comes first
  std::vector<std::vector<Operation>> threads;  // what each does
  uint64_t seed = 0;                            // of the schedule
  unsigned switch_percent = 30;
  // This thread (from 1; 0: none) may be interrupted at any instruction, the others where they pass the seam.
  unsigned stepped_thread = 0;
  unsigned lanes = 0;  // so many batches at least are committed at once in some image, of some schedule
};

// A call: one operation of one thread.
struct Call {
  Operation operation;
  unsigned thread;  // from 1; 0 is the setup
  Answer answer;
};

struct ConcurrentRecording : Recording {
  std::unique_ptr<Expectation> NewExpectation() const override;
  std::string Describe(uint64_t number) const override {
    return "thread " + std::to_string(calls[number].thread) + ": " + crash::Describe(calls[number].operation);
  }

  std::vector<Call> calls;  // by number in the log
  testing::Model initial;
  std::set<std::string> keys;
};

// Problems: whatever a scenario's recording may have (scenario.h), and answers that no order of the calls explains.
ConcurrentRecording Record(const ConcurrentScenario& scenario);

// The scripts.
std::vector<ConcurrentScenario> ConcurrentScenarios();
// Of these: writers among themselves.
std::vector<ConcurrentScenario> WriterScenarios();

}  // namespace sealkv::crash

#endif  // SEALKV_TESTS_CRASH_CONCURRENT_H_
