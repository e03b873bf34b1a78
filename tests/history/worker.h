// One thread of a workload (generator.h).
#ifndef SEALKV_TESTS_HISTORY_WORKER_H_
#define SEALKV_TESTS_HISTORY_WORKER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/history/generator.h"
#include "tests/history/recorder.h"
#include "tests/history/store_under_test.h"
#include "tests/random.h"

namespace sealkv::history {

class Worker {
 public:
  Worker(StoreUnderTest& store, const Workload& workload, unsigned thread, Clock& clock);

  // Does all of its operations.
  void Run();
  void MoveTo(RecordedRun& run);

 private:
  struct HeldSnapshot {
    std::unique_ptr<SnapshotUnderTest> snapshot;
    Transaction* record = nullptr;
  };

  void DoOne();
  void DoGet();
  void DoPut();
  void DoPutIfAbsent();
  void DoDelete();
  void DoAdd();
  void DoCompareAndSwap();
  void DoUpdate();
  void DoBatch();
  void DoDeleteRange();
  void DoSnapshot();
  void DoTransaction(bool is_read_only);

  void Read(SnapshotUnderTest& reader, Transaction& record);
  void WriteIn(TransactionUnderTest& transaction, Transaction& record);
  Step BlindWrite();

  // Ends the record: committed, or aborted where the store had no space; anything else is an error.
  void End(Transaction& record, const absl::Status& status, std::vector<Step> steps);
  void NoteErrorButSpace(const absl::Status& status, const std::string& doing);
  void NoteError(const absl::Status& status, const std::string& doing);

  std::string AnyRegister();
  std::string AnyWord();
  std::string AnyCounter();
  std::string AnyKey();
  std::string ValueFor(const std::string& key);
  uint64_t NewWord() { return (uint64_t{thread_} + 1) << 40 | ++last_value_; }
  bool MayAdd(const std::string& counter);
  Bounds AnyBounds();

  StoreUnderTest& store_;
  const Workload& workload_;
  const unsigned thread_;
  testing::Random random_;
  ThreadLog log_;
  HeldSnapshot held_;
  uint64_t last_value_ = 0;
  std::map<std::string, unsigned> additions_;  // by counter
  std::vector<std::string> errors_;
};

}  // namespace sealkv::history

#endif  // SEALKV_TESTS_HISTORY_WORKER_H_
