// A result on its way from the process that measured it to the one that reports it.
#ifndef SEALKV_BENCH_RESULT_JSON_H_
#define SEALKV_BENCH_RESULT_JSON_H_

#include <string>

#include "absl/status/statusor.h"
#include "bench/result.h"

namespace sealkv::bench {

std::string Serialize(const Result& result);
absl::StatusOr<Result> Deserialize(const std::string& text);

}  // namespace sealkv::bench

#endif  // SEALKV_BENCH_RESULT_JSON_H_
