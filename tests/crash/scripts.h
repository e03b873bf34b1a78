// What scripts are put together from.
#ifndef SEALKV_TESTS_CRASH_SCRIPTS_H_
#define SEALKV_TESTS_CRASH_SCRIPTS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kv/sealkv.h"
#include "tests/crash/operation.h"

namespace sealkv::crash {

using Operations = std::vector<Operation>;

inline Operations operator+(Operations a, const Operations& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// Puts of 8-byte keys with 8-byte values: inline entries.
inline Operations PutNumbers(uint64_t first, uint64_t last, uint64_t step = 1) {
  Operations puts;
  for (uint64_t i = first; i <= last; i += step) puts.push_back(Put(U64Key(i), i * 1000));
  return puts;
}
inline Operations DeleteNumbers(uint64_t first, uint64_t last, uint64_t step = 1) {
  Operations deletes;
  for (uint64_t i = first; i <= last; i += step) deletes.push_back(Delete(U64Key(i)));
  return deletes;
}
// Keys that share `prefix` and differ behind it.
inline Operations PutBehind(const std::string& prefix, std::string_view ends, size_t value_bytes = 20) {
  Operations puts;
  for (const char end : ends) puts.push_back(Put(prefix + end, std::string(value_bytes, end)));
  return puts;
}
inline Operations DeleteBehind(const std::string& prefix, std::string_view ends) {
  Operations deletes;
  for (const char end : ends) deletes.push_back(Delete(prefix + end));
  return deletes;
}
inline Operations Repeat(const Operation& operation, unsigned times) { return Operations(times, operation); }
// A value that takes so many segments of 4 KiB, nearly.
inline Operation PutLarge(std::string key, size_t segments) {
  return Put(std::move(key), std::string(4096 * segments - 100, 'L'));
}

}  // namespace sealkv::crash

#endif  // SEALKV_TESTS_CRASH_SCRIPTS_H_
