// The single operations that benchmarks repeat. Each reads or writes records of which it knows what must be in them,
// and checks that.
#ifndef SEALKV_BENCH_OPERATIONS_H_
#define SEALKV_BENCH_OPERATIONS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bench/data.h"
#include "bench/distribution.h"
#include "bench/histogram.h"
#include "bench/subject.h"
#include "bench/workload.h"
#include "daxfile/persist.h"

namespace sealkv::bench {

// What one thread does and finds.
struct Share {
  explicit Share(const DataOptions& options) : data(options) {}

  Data data;
  std::string value;
  uint64_t bytes = 0;
  uint64_t sum = 0;      // of what was scanned, so that it is read
  uint64_t missing = 0;  // reads that found nothing, where that may be
  absl::Status status;
  Histogram latency_ns;
  daxfile::PersistCounters persist;
  std::unique_ptr<EngineBatch> batch;
  // Of a batch of gets.
  struct Asked {
    uint64_t rank;
    size_t key_bytes;
  };
  std::vector<Asked> asked;
  std::vector<Key> keys;
  std::vector<char> key_bytes;
  std::vector<absl::StatusOr<std::string>> values;
  Contents::Extent inserted{0, 0};  // indexes that no other thread inserts
};

class Operations {
 public:
  Operations(std::string_view workload, const WorkloadOptions& options, const Subject& subject);

  // The i-th of all threads'.
  absl::Status Do(Share& share, uint64_t i) { return (this->*operate_)(share, i); }
  // After this an operation is the i-th batch of so many puts or gets, `operations` in all.
  void UseBatches(uint64_t batch_size, uint64_t operations) {
    batch_size_ = batch_size;
    operations_ = operations;
    operate_ = operate_ == &Operations::ReadRandom ? &Operations::ReadBatch : &Operations::WriteBatch;
  }

  absl::Status Overwrite(Share& share, uint64_t i);

  // What all threads together added to the hot key, is there.
  absl::Status CheckHotKey(uint64_t adds) const;

  // Which record the i-th deletion deletes; of benchmarks that delete.
  uint64_t RankToDelete(uint64_t i) const;

 private:
  // Everything that a loop of operations needs to know of its name is found out before it: the less the benchmark does
  // between two operations, the more of the engine is measured.
  using Operation = absl::Status (Operations::*)(Share& share, uint64_t i);
  static Operation OperationOf(std::string_view workload);

  // Picks one of the records that were there at the beginning, or were put by this thread since.
  uint64_t AnyRank(const Share& share, uint64_t i) const;
  Key KeyAt(Share& share, uint64_t index) const;
  Key KeyOf(Share& share, uint64_t rank) const;
  absl::Status Write(Share& share, const Key& key);
  absl::Status Read(Share& share, uint64_t rank);
  absl::Status Check(Share& share, uint64_t rank, uint64_t key_number, std::string_view key, std::string_view value);
  absl::Status Scan(Share& share, uint64_t from_rank, uint64_t count);
  // What to think of a read that didn't find the record's key, or found another value than those it was given.
  absl::Status JudgeNotFound(Share& share, uint64_t rank, const absl::Status& got) const;
  absl::Status JudgeOtherValue(uint64_t rank, std::string_view value) const;

  absl::Status Fill(Share& share, uint64_t i);
  absl::Status ReadRandom(Share& share, uint64_t i);
  absl::Status ReadMissing(Share& share, uint64_t i);
  absl::Status SeekRandom(Share& share, uint64_t i);
  absl::Status Delete(Share& share, uint64_t i);
  absl::Status AddHot(Share& share, uint64_t i);
  absl::Status AddCold(Share& share, uint64_t i);
  absl::Status TouchSnapshot(Share& share, uint64_t i);
  absl::Status WriteBatch(Share& share, uint64_t i);
  absl::Status ReadBatch(Share& share, uint64_t i);
  absl::Status Mix(Share& share, uint64_t i);

  const WorkloadOptions& options_;
  const Contents& contents_;
  Engine& engine_;
  const bool is_fill_;
  const bool deletes_most_;
  const bool has_gone_;
  Operation operate_;
  uint64_t batch_size_ = 1;
  uint64_t operations_ = 0;
  const YcsbMix mix_;
  const uint64_t records_;  // at the beginning
  const uint64_t order_;    // another one for each workload
  const Chooser chooser_;
};

}  // namespace sealkv::bench

#endif  // SEALKV_BENCH_OPERATIONS_H_
