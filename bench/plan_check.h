// Whether what the command line asks for can be done.
#ifndef SEALKV_BENCH_PLAN_CHECK_H_
#define SEALKV_BENCH_PLAN_CHECK_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "bench/plan.h"

namespace sealkv::bench {

// InvalidArgument unless `name` is one of `names`, which the message lists. `what`: of what kind they are.
absl::Status CheckIsOneOf(const std::vector<std::string>& names, const std::string& name, const char* what);

// InvalidArgument: what is wrong with which flag. `plan.db` is as it was given.
absl::Status CheckPlan(const Plan& plan);

}  // namespace sealkv::bench

#endif  // SEALKV_BENCH_PLAN_CHECK_H_
