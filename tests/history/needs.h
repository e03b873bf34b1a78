// Which values are still to be read: a search for a serial order needn't go on where one has been overwritten that a
// transaction yet to come saw and that nobody will write again.
#ifndef SEALKV_TESTS_HISTORY_NEEDS_H_
#define SEALKV_TESTS_HISTORY_NEEDS_H_

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "tests/history/chains.h"
#include "tests/history/program.h"

namespace sealkv::history {

class Needs {
 public:
  Needs(const Program& program, const Chains& chains, const std::vector<bool>& is_certain);

  // `done`: how many nodes of each chain have been.
  bool IsNeeded(Key key, ValueNumber value, const std::vector<uint32_t>& done) const;

 private:
  // By chain: behind the last node that reads the value, and that writes it.
  struct Ends {
    std::vector<uint32_t> readers;
    std::vector<uint32_t> writers;
  };
  Ends& EndsOf(Key key, ValueNumber value);

  const Chains& chains_;
  std::map<std::pair<Key, ValueNumber>, Ends> ends_;
};

}  // namespace sealkv::history

#endif  // SEALKV_TESTS_HISTORY_NEEDS_H_
