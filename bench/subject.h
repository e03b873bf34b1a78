// An engine on its way through the list of benchmarks, and what they left in it.
#ifndef SEALKV_BENCH_SUBJECT_H_
#define SEALKV_BENCH_SUBJECT_H_

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bench/doomed_writer.h"
#include "bench/engine.h"

namespace sealkv::bench {

struct Subject {
  // Indexes of keys: count of them, from the first on.
  struct Extent {
    uint64_t first;
    uint64_t count;
  };

  std::string name;
  EngineOptions options;
  std::unique_ptr<Engine> engine;
  std::unique_ptr<DoomedWriter> doomed_writer;  // if `open` is among the benchmarks

  bool has_random_keys = true;  // what the last fill put
  bool is_complete = true;      // nothing has been deleted since
  uint8_t round = 0;            // of the last overwrite
  uint64_t cold_adds = 0;       // additions to records since
  uint64_t hot_adds = 0;        // additions to the one key
  std::vector<Extent> extents;  // the records: those of the fill, then those that each inserting thread added

  void BeginFill(uint64_t records, bool random_keys) {
    has_random_keys = random_keys;
    is_complete = true;
    round = 0;
    cold_adds = hot_adds = 0;
    extents = {{0, records}};
  }
  // What is written from now on is told from what was written before, as far as a byte can count.
  void BeginRound() {
    if (round < 255) ++round;
  }
  // No value is of a later round than this.
  uint64_t last_round() const { return round + cold_adds; }

  uint64_t records() const {
    uint64_t sum = 0;
    for (const Extent& extent : extents) sum += extent.count;
    return sum;
  }
  // The rank-th record's index; rank < records().
  uint64_t IndexOf(uint64_t rank) const {
    for (const Extent& extent : extents) {
      if (rank < extent.count) [[likely]]
        return extent.first + rank;
      rank -= extent.count;
    }
    return rank;
  }
  // No record has this index, or a greater one.
  uint64_t EndOfIndexes() const {
    uint64_t end = 0;
    for (const Extent& extent : extents) end = std::max(end, extent.first + extent.count);
    return end;
  }
};

}  // namespace sealkv::bench

#endif  // SEALKV_BENCH_SUBJECT_H_
