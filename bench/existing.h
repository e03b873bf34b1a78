// What can be learned of a store that an earlier run has kept.
#ifndef SEALKV_BENCH_EXISTING_H_
#define SEALKV_BENCH_EXISTING_H_

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "bench/data.h"
#include "bench/engine.h"

namespace sealkv::bench {

// Whether its keys are those of a fill in random order, rather than of fillseq; nothing: it has neither. Asks for some
// of both, of `num`.
absl::StatusOr<std::optional<bool>> HasRandomKeys(Engine& engine, const DataOptions& data, uint64_t num);

}  // namespace sealkv::bench

#endif  // SEALKV_BENCH_EXISTING_H_
