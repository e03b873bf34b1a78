#include "tests/history/generator.h"

#include <deque>
#include <latch>
#include <thread>

#include "tests/history/worker.h"
#include "tests/random.h"

namespace sealkv::history {
namespace {

void Preload(StoreUnderTest& store, const Workload& workload, RecordedRun& run) {
  testing::Random random(~workload.seed);
  uint64_t last_value = 0;  // as if of a thread that has no number
  const auto put_some = [&](const std::string& prefix, unsigned count) {
    for (unsigned i = 0; i < count; ++i) {
      if (random.OneIn(2)) continue;
      const std::string key = prefix + std::to_string(i);
      const std::string value = WordValue(++last_value);
      const absl::Status status = store.Put(key, value);
      if (!status.ok()) run.errors.push_back(key + ": " + status.ToString());
      run.history.initial[key] = value;
    }
  };
  put_some("k", workload.registers);
  put_some("w", workload.words);
}

}  // namespace

RecordedRun RunWorkload(StoreUnderTest& store, const Workload& workload) {
  RecordedRun run;
  Preload(store, workload, run);
  Clock clock;
  std::deque<Worker> workers;
  for (unsigned i = 0; i < workload.threads; ++i) workers.emplace_back(store, workload, i, clock);
  std::latch start(workload.threads);
  std::vector<std::thread> threads;
  threads.reserve(workers.size());
  for (Worker& worker : workers) {
    threads.emplace_back([&worker, &start] {
      start.arrive_and_wait();
      worker.Run();
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (Worker& worker : workers) worker.MoveTo(run);
  return run;
}

}  // namespace sealkv::history
