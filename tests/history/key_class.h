// What the dependency graph can make of a key, by the operations that a history has on it.
#ifndef SEALKV_TESTS_HISTORY_KEY_CLASS_H_
#define SEALKV_TESTS_HISTORY_KEY_CLASS_H_

#include <cstdint>
#include <vector>

#include "tests/history/program.h"

namespace sealkv::history {

enum class KeyClass : uint8_t {
  kRegister,  // a read shows one transaction's value
  kCounter,   // only added to and read, by the rule of CounterDelta: a read shows who has added (counters.h)
  kOther,     // left to the search for a serial order
};

// A counter is eight fields, one a thread, and each thread adds 1 to its own: what is read tells how many additions of
// each thread came before. So the sum of a blind addition needn't be known, nor the order of two that nobody looked
// between.
inline constexpr unsigned kCounterThreads = 8;
inline constexpr unsigned kCounterBits = 64 / kCounterThreads;
inline constexpr unsigned kMostAdditions = (1 << kCounterBits) - 1;  // of a thread to a counter
inline uint64_t CounterDelta(unsigned thread) { return uint64_t{1} << (kCounterBits * thread); }
inline unsigned CounterField(uint64_t word, unsigned thread) {
  return word >> (kCounterBits * thread) & kMostAdditions;
}

std::vector<KeyClass> ClassifyKeys(const Program& program);
// By key: whether it isn't a register.
std::vector<bool> AllButRegisters(const std::vector<KeyClass>& classes);

}  // namespace sealkv::history

#endif  // SEALKV_TESTS_HISTORY_KEY_CLASS_H_
