#include "bench/report/comparison.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "bench/report/text.h"

namespace sealkv::bench {

const Measurement* Comparison::Find(const std::string& engine, const std::string& benchmark) const {
  for (const Measurement* measurement : measurements) {
    if (measurement->engine == engine && measurement->benchmark == benchmark) return measurement;
  }
  return nullptr;
}

std::vector<ShapeComparisons> Compare(const Results& results) {
  std::vector<Shape> shapes;  // as they came
  std::map<Shape, std::map<std::pair<uint64_t, uint64_t>, Comparison>> by_shape;
  for (const Measurement& measurement : results.measurements) {
    if (!by_shape.contains(measurement.shape)) shapes.push_back(measurement.shape);
    Comparison& comparison = by_shape[measurement.shape][{measurement.num, measurement.threads}];
    comparison.shape = measurement.shape;
    comparison.num = measurement.num;
    comparison.threads = measurement.threads;
    comparison.measurements.push_back(&measurement);
  }
  std::vector<ShapeComparisons> all;
  for (const Shape& shape : shapes) {
    ShapeComparisons one{.shape = shape};
    for (auto& [setting, comparison] : by_shape[shape]) one.comparisons.push_back(std::move(comparison));
    const auto rank = [](const Comparison& c) { return std::tuple(c.measurements.size(), c.num, ~c.threads); };
    const auto first = std::max_element(one.comparisons.begin(), one.comparisons.end(),
                                        [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
    std::rotate(one.comparisons.begin(), first, first + 1);
    all.push_back(std::move(one));
  }
  return all;
}

std::string Describe(const Shape& shape) {
  std::string text = absl::StrCat(shape.key_bytes, "-byte ", shape.key_kind == "u64" ? "integer" : shape.key_kind,
                                  " keys, ", shape.value_bytes, "-byte values");
  if (shape.batch_size > 1) absl::StrAppend(&text, ", batches of ", shape.batch_size);
  if (!shape.distribution.empty()) absl::StrAppend(&text, ", ", shape.distribution, " distribution");
  return text;
}

std::string Describe(const Comparison& comparison) {
  return absl::StrCat(Format(Unit::kCount, static_cast<double>(comparison.num)), " records, ",
                      CountThreads(comparison.threads));
}

std::string CountThreads(uint64_t threads) { return absl::StrCat(threads, threads == 1 ? " thread" : " threads"); }

}  // namespace sealkv::bench
