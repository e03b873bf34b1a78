// What time it is, for the wall and for the process.
#ifndef SEALKV_BENCH_CLOCK_H_
#define SEALKV_BENCH_CLOCK_H_

#include <time.h>

#include <chrono>
#include <cstdint>

namespace sealkv::bench {

// Of all threads together.
inline double CpuSeconds() {
  timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

inline uint64_t NowNs() {
  return static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1));
}

}  // namespace sealkv::bench

#endif  // SEALKV_BENCH_CLOCK_H_
