// The benchmark `open`: how long a store takes to be opened after its process was killed.
#ifndef SEALKV_BENCH_OPENS_H_
#define SEALKV_BENCH_OPENS_H_

#include <atomic>

#include "absl/status/statusor.h"
#include "bench/result.h"
#include "bench/subject.h"

namespace sealkv::bench {

// DataLoss: what the killed process put last isn't there. None of the engines needs a sync for that, only for the
// power.
absl::StatusOr<Result> TimeOpens(Subject& subject, const std::atomic<bool>& stop);

}  // namespace sealkv::bench

#endif  // SEALKV_BENCH_OPENS_H_
