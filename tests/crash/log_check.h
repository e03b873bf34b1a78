// Whether the log of a store says of its contents what is so.
#ifndef SEALKV_TESTS_CRASH_LOG_CHECK_H_
#define SEALKV_TESTS_CRASH_LOG_CHECK_H_

#include <string>

#include "kv/sealkv.h"

namespace sealkv::crash {

// Empty, or what is wrong: the entries don't follow one another; a key isn't what the last of them that names it made
// of it; or, if they are all there since the first, the store isn't what they make of an empty one. Nothing is wrong
// with a store that keeps no log.
std::string LogComplaint(const Store& store);

}  // namespace sealkv::crash

#endif  // SEALKV_TESTS_CRASH_LOG_CHECK_H_
