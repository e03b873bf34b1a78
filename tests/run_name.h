// A name for what a test leaves in a place that others use, too. Not the process's number: in two containers that may
// be the same.
#ifndef SEALKV_TESTS_RUN_NAME_H_
#define SEALKV_TESTS_RUN_NAME_H_

#include <cstdint>
#include <random>
#include <string>

namespace sealkv::testing {

// Another one in each process; the same whenever it is asked for in one, and in those that it forks off after that.
inline const std::string& RunName() {
  static const std::string name = [] {
    std::random_device entropy;
    return std::to_string(uint64_t{entropy()} << 32 | entropy());
  }();
  return name;
}

}  // namespace sealkv::testing

#endif  // SEALKV_TESTS_RUN_NAME_H_
