// An engine on its way through the list of benchmarks.
#ifndef SEALKV_BENCH_SUBJECT_H_
#define SEALKV_BENCH_SUBJECT_H_

#include <cstdint>
#include <memory>
#include <string>

#include "bench/contents.h"
#include "bench/doomed_writer.h"
#include "bench/engine.h"

namespace sealkv::bench {

struct Subject {
  std::string name;
  EngineOptions options;
  std::unique_ptr<Engine> engine;
  std::unique_ptr<DoomedWriter> doomed_writer;  // if `open` is among the benchmarks
  Contents contents;
  uint64_t hot_adds = 0;  // to the one key, since the fill
};

}  // namespace sealkv::bench

#endif  // SEALKV_BENCH_SUBJECT_H_
