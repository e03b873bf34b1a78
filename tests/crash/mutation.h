// What could be wrong with a commit path: a flush, fence or non-temporal copy that isn't there, and two actions in the
// wrong order. Found in recordings, by site, so that none is forgotten; a mutant is the recording of a program in which
// that one thing is wrong.
#ifndef SEALKV_TESTS_CRASH_MUTATION_H_
#define SEALKV_TESTS_CRASH_MUTATION_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/crash/log.h"

namespace sealkv::crash {

struct Mutation {
  enum class Kind : uint8_t {
    kLeaveOut,       // a flush or fence isn't there
    kLeaveOutFirst,  // a flush of several lines leaves out the first of them
    kLeaveOutLast,   // … the last
    kCached,         // a non-temporal copy is an ordinary one, and nobody flushes it
    kSwap,           // `other` is done before `site` instead of right after it
  };
  Kind kind;
  Site site;
  Site other = {};  // kSwap

  std::string Name() const;
  friend auto operator<=>(const Mutation&, const Mutation&) = default;
};

// The events that a mutation concerns in a log: of a kSwap the earlier one of each pair.
using Occurrences = std::vector<size_t>;

// All mutations that make a difference. Not swaps that change no promise: of actions on different lines, for example,
// or of a store to a word that nothing refers to yet or that nothing will refer to.
std::map<Mutation, Occurrences> MutationsOf(const Log& log);

Log Mutate(const Log& log, const Mutation& mutation, const Occurrences& occurrences);

}  // namespace sealkv::crash

#endif  // SEALKV_TESTS_CRASH_MUTATION_H_
