// What one benchmark of one engine gave.
#ifndef SEALKV_BENCH_RESULT_H_
#define SEALKV_BENCH_RESULT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/histogram.h"
#include "daxfile/persist.h"

namespace sealkv::bench {

struct Result {
  std::string engine;
  std::string benchmark;
  unsigned threads = 1;  // that ran: not always as many as were asked for
  uint64_t operations = 0;
  double seconds = 0;
  double cpu_seconds = 0;
  uint64_t bytes = 0;  // of keys and values that went in or out
  daxfile::PersistCounters persist;
  Histogram latency_ns;                    // of every sample_every-th operation
  std::optional<double> bytes_per_record;  // of persistent memory or files, after a fill
  uint64_t rss_bytes = 0;                  // of the process, after it
  uint64_t rss_anon_bytes = 0;             // of that, what is neither of a file nor shared
  std::vector<double> runs_ns;             // an operation's nanoseconds in each repetition
  std::string note;

  void AddNote(const std::string& text) { note += (note.empty() ? "" : "; ") + text; }

  double PerOperation(double amount) const { return amount / static_cast<double>(operations); }
  double NsPerOperation() const { return PerOperation(seconds * 1e9); }
};

}  // namespace sealkv::bench

#endif  // SEALKV_BENCH_RESULT_H_
