// An axis: what it spans, and where its ticks are.
#ifndef SEALKV_BENCH_REPORT_SCALE_H_
#define SEALKV_BENCH_REPORT_SCALE_H_

#include <vector>

namespace sealkv::bench {

struct Scale {
  double low = 0;
  double high = 1;
  bool is_log = false;
  std::vector<double> ticks;  // ascending; of the series 1, 2, 5, 10, …

  // 0 at `low`, 1 at `high`; what lies beyond is put at the end.
  double Position(double value) const;
};

// From 0 to a tick at or above `high`.
Scale LinearScale(double high, int ticks_max);
// From a number of the series at or below `low` to one at or above `high`; 0 < low <= high.
Scale LogScale(double low, double high, int ticks_max);

// Whether values from `low` to `high` are told apart on a logarithmic scale only.
inline bool NeedsLog(double low, double high) {
  constexpr double kRatio = 20;
  return low > 0 && high > kRatio * low;
}

}  // namespace sealkv::bench

#endif  // SEALKV_BENCH_REPORT_SCALE_H_
