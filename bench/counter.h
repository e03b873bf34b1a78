// What an addition makes of a counter, in engines that must read it first.
#ifndef SEALKV_BENCH_COUNTER_H_
#define SEALKV_BENCH_COUNTER_H_

#include <cstdint>
#include <cstring>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace sealkv::bench {

// 1 more than what a get found; 1 if it found nothing. An error of the get is the addition's: it must not begin anew.
inline absl::StatusOr<uint64_t> CountOneMore(const absl::Status& got, std::string_view value) {
  if (absl::IsNotFound(got)) return uint64_t{1};
  if (!got.ok()) return got;
  uint64_t counter = 0;
  if (value.size() != sizeof(counter)) return absl::FailedPreconditionError("the value isn't 8 bytes");
  std::memcpy(&counter, value.data(), sizeof(counter));
  return counter + 1;
}

inline std::string_view BytesOfCounter(const uint64_t& counter) {
  return {reinterpret_cast<const char*>(&counter), sizeof(counter)};
}

}  // namespace sealkv::bench

#endif  // SEALKV_BENCH_COUNTER_H_
