#include "bench/report/scale.h"

#include <algorithm>
#include <cmath>

namespace sealkv::bench {
namespace {

constexpr double kSteps[] = {1, 2, 5};
// What rounding may add: 10^k isn't exact for every k.
constexpr double kSlack = 1 + 1e-9;

// The k-th of … 0.5, 1, 2, 5, 10, …; the 0th is 1.
double Nice(int k) {
  const int decade = k >= 0 ? k / 3 : -((2 - k) / 3);
  return kSteps[k - 3 * decade] * std::pow(10.0, decade);
}

int NiceAtMost(double value) {
  int k = 3 * static_cast<int>(std::floor(std::log10(value))) + 3;
  while (Nice(k) > value * kSlack) --k;
  return k;
}

int NiceAtLeast(double value) {
  const int k = NiceAtMost(value);
  return Nice(k) * kSlack >= value ? k : k + 1;
}

}  // namespace

double Scale::Position(double value) const {
  const double position = is_log ? (std::log(std::max(value, low)) - std::log(low)) / (std::log(high) - std::log(low))
                                 : (value - low) / (high - low);
  return std::clamp(position, 0.0, 1.0);
}

Scale LinearScale(double high, int ticks_max) {
  if (!(high > 0)) high = 1;
  const double step = Nice(NiceAtLeast(high / ticks_max));
  const int count = static_cast<int>(std::ceil(high / step / kSlack));
  Scale scale{.low = 0, .high = count * step};
  for (int i = 0; i <= count; ++i) scale.ticks.push_back(i * step);
  return scale;
}

Scale LogScale(double low, double high, int ticks_max) {
  const int first = NiceAtMost(low);
  const int last = std::max(NiceAtLeast(high), first + 1);
  Scale scale{.low = Nice(first), .high = Nice(last), .is_log = true};
  // All of the series, or the powers of ten, or each second of these, …
  int step = 1;
  while ((last - first) / step + 1 > ticks_max) step = step == 1 ? 3 : step + 3;
  for (int k = first; k <= last; ++k) {
    if (k % step == 0) scale.ticks.push_back(Nice(k));
  }
  return scale;
}

}  // namespace sealkv::bench
