// How large a store must be for what it is to be measured by.
#ifndef SEALKV_BENCH_CAPACITY_H_
#define SEALKV_BENCH_CAPACITY_H_

#include <cstdint>

#include "bench/plan.h"

namespace sealkv::bench {

// Nodes and records of one fill, a quarter more for splitting and slack, and the records that writes leave behind
// faster than they are compacted.
uint64_t CapacityFor(const Plan& plan);

}  // namespace sealkv::bench

#endif  // SEALKV_BENCH_CAPACITY_H_
