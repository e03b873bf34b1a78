// What was explored, as a table: kind, points, images, failures, images per second.
#ifndef SEALKV_TESTS_CRASH_TABLE_H_
#define SEALKV_TESTS_CRASH_TABLE_H_

#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "tests/crash/explorer.h"

namespace sealkv::crash {

class Table {
 public:
  // Rows of one kind are added up.
  void Add(const std::string& kind, const Exploration& found) {
    all_ += found;
    for (auto& [other_kind, row] : rows_) {
      if (other_kind == kind) {
        row += found;
        return;
      }
    }
    rows_.emplace_back(kind, found);
  }

  const Exploration& all() const { return all_; }

  // `sampled`: points with too many images to try all. `judged`: again where something else is allowed, and not what
  // was known. `in recovery`: images by crashes of recovery. `to redo`: images with a committed batch that is to be
  // done again.
  void Print() const {
    std::printf("%-56s %8s %8s %10s %10s %11s %8s %9s %9s\n", "kind", "points", "sampled", "images", "judged",
                "in recovery", "to redo", "failures", "images/s");
    for (const auto& [kind, row] : rows_) PrintRow(kind, row);
    PrintRow("all", all_);
    std::fflush(stdout);
  }

 private:
  static void PrintRow(const std::string& kind, const Exploration& row) {
    std::printf("%-56s %8lu %8lu %10lu %10lu %11lu %8lu %9lu %9.0f\n", kind.c_str(), row.points, row.points_sampled,
                row.images, row.judgements, row.recovery_images, row.redo_images, row.failures,
                static_cast<double>(row.images) / row.seconds);
  }

  std::vector<std::pair<std::string, Exploration>> rows_;
  Exploration all_;
};

}  // namespace sealkv::crash

#endif  // SEALKV_TESTS_CRASH_TABLE_H_
