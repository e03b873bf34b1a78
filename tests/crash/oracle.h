// Judges a crash image: it must open, be sound, hold what is allowed, leak nothing, and go on working.
#ifndef SEALKV_TESTS_CRASH_ORACLE_H_
#define SEALKV_TESTS_CRASH_ORACLE_H_

#include <cstddef>
#include <span>
#include <string>

#include "tests/crash/expectation.h"

namespace sealkv::crash {

// What is wrong with the image; empty if nothing is. Writes to the image.
std::string Judge(std::span<std::byte> image, const Expectation& expectation);

}  // namespace sealkv::crash

#endif  // SEALKV_TESTS_CRASH_ORACLE_H_
