// What the threads of a simulation (simulation.h) mean to do: steps whose answers aren't known yet. Keys are k0, k1, …
// and one counter.
#ifndef SEALKV_TESTS_HISTORY_RANDOM_STEPS_H_
#define SEALKV_TESTS_HISTORY_RANDOM_STEPS_H_

#include <cstdint>
#include <string>

#include "tests/history/history.h"
#include "tests/history/map_model.h"
#include "tests/random.h"

namespace sealkv::history {

class RandomSteps {
 public:
  RandomSteps(testing::Random& random, unsigned keys, bool are_values_unique)
      : random_(random), keys_(keys), are_values_unique_(are_values_unique) {}

  std::string NewValue();
  Step AnyRead();
  Step TransactionWrite();
  Step BlindWrite(unsigned thread);
  // Some of them make use of what is there.
  Step AnyOperation(unsigned thread, const Map& state);

 private:
  std::string AnyKey();
  Step AnyAdd(unsigned thread);

  testing::Random& random_;
  const unsigned keys_;
  const bool are_values_unique_;
  uint64_t last_value_ = 0;
};

}  // namespace sealkv::history

#endif  // SEALKV_TESTS_HISTORY_RANDOM_STEPS_H_
