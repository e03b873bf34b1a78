// What is read is judged: engines that fail, forget or don't delete are noticed; those that do as they should aren't.
#include "bench/workload.h"

#include <memory>
#include <string>
#include <utility>

#include "bench/testing/forwarding_engine.h"
#include "gtest/gtest.h"

namespace sealkv::bench {
namespace {

// Fails to read once it is told to.
struct BrokenEngine : ForwardingEngine {
  using ForwardingEngine::ForwardingEngine;
  absl::Status Get(const Key& key, std::string* value) override {
    return is_broken ? absl::InternalError("the disk is gone") : ForwardingEngine::Get(key, value);
  }
  absl::StatusOr<uint64_t> Scan(const std::optional<Key>& from, uint64_t count, bool reverse, uint64_t* sum) override {
    if (is_broken) return absl::InternalError("the disk is gone");
    return ForwardingEngine::Scan(from, count, reverse, sum);
  }
  bool is_broken = false;
};

struct UndeletingEngine : ForwardingEngine {
  using ForwardingEngine::ForwardingEngine;
  absl::Status Delete(const Key&) override { return absl::OkStatus(); }
};

class WorkloadTest : public ::testing::Test {
 protected:
  WorkloadTest() {
    options_.num = 1000;
    options_.seek_nexts = 10;
  }
  template <typename E>
  E& Use() {
    auto engine = std::make_unique<E>(MakeVolatileEngine("std_map", KeyKind::kU64, sizeof(uint64_t)));
    E& used = *engine;
    subject_.engine = std::move(engine);
    return used;
  }
  absl::StatusOr<Result> Run(const std::string& workload) {
    return RunWorkload(workload, options_, subject_, progress_, stop_);
  }
  void ExpectAllPass(const std::vector<std::string>& workloads) {
    for (const std::string& workload : workloads) {
      const absl::StatusOr<Result> result = Run(workload);
      ASSERT_TRUE(result.ok()) << workload << ": " << result.status();
    }
  }

  WorkloadOptions options_;
  Subject subject_;
  Progress progress_;
  const std::atomic<bool> stop_{false};
};

TEST_F(WorkloadTest, AReadErrorIsNoMissingKey) {
  BrokenEngine& engine = Use<BrokenEngine>();
  ExpectAllPass({"fillrandom", "deleterandom"});
  engine.is_broken = true;
  for (const char* workload :
       {"readrandom", "multireadrandom", "readmissing", "seekrandom", "readseq", "readreverse", "ycsbc", "addhot"}) {
    const absl::Status status = Run(workload).status();
    EXPECT_TRUE(absl::IsInternal(status)) << workload << ": " << status;
  }
}

TEST_F(WorkloadTest, WhatWasDeletedMayBeMissingInAllThatFollows) {
  Use<ForwardingEngine>();
  ExpectAllPass({"fillrandom", "deleterandom", "readrandom", "seekrandom", "readseq", "deletemost", "readrandom",
                 "addcold", "readrandom", "overwrite", "multireadrandom", "ycsbd", "ycsbf", "deleterandom",
                 "readrandom", "multireadrandom", "deletemost", "readseq", "readmissing"});
}

TEST_F(WorkloadTest, TheNumberOfDeletedKeysMetIsInTheNote) {
  Use<ForwardingEngine>();
  ExpectAllPass({"fillrandom", "deletemost"});
  EXPECT_NE(Run("readrandom")->note.find("of what was asked for was deleted"), std::string::npos);
}

TEST_F(WorkloadTest, AKeyThatIsMissingWithoutBeingDeletedIsNoticed) {
  Use<ForwardingEngine>();
  ExpectAllPass({"fillrandom", "deletemost"});
  // Index 0 is one that deletemost keeps.
  Data data({});
  const uint64_t number = data.RandomKey(0);
  ASSERT_TRUE(subject_.engine->Delete({number, data.key()}).ok());
  options_.reads = 20000;
  const absl::Status status = Run("readrandom").status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
}

TEST_F(WorkloadTest, AKeyThatIsThereAlthoughItWasDeletedIsNoticed) {
  Use<UndeletingEngine>();
  ExpectAllPass({"fillrandom", "deleterandom"});
  const absl::Status status = Run("readrandom").status();
  EXPECT_EQ(status.message(), "a key was found that had been deleted");
}

TEST_F(WorkloadTest, DeletemostCountsWhatItDeletes) {
  Use<ForwardingEngine>();
  for (const auto& [num, deleted] : {std::pair(1000, 900), std::pair(11, 9), std::pair(9, 8), std::pair(2, 1)}) {
    options_.num = num;
    subject_.engine->Close();
    ExpectAllPass({"fillrandom"});
    const absl::StatusOr<Result> result = Run("deletemost");
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->operations, static_cast<uint64_t>(deleted)) << num;
    EXPECT_EQ(Run("readseq")->operations, static_cast<uint64_t>(num - deleted)) << num;
  }
  options_.num = 1;
  ExpectAllPass({"fillrandom"});
  EXPECT_TRUE(absl::IsUnimplemented(Run("deletemost").status()));
}

TEST_F(WorkloadTest, AnExistingStoreMayBeAsARunLeftIt) {
  Use<ForwardingEngine>();
  ExpectAllPass({"fillseq", "overwrite", "overwrite", "addcold", "deleterandom", "addcold", "ycsbd"});
  subject_.contents.TakeOver(options_.num, false, sizeof(uint64_t));
  ExpectAllPass(
      {"readrandom", "readmissing", "seekrandom", "readseq", "overwrite", "readrandom", "ycsbd", "deletemost"});
}

TEST_F(WorkloadTest, AnExistingStoreWithAWrongValueIsNoticed) {
  Use<ForwardingEngine>();
  ExpectAllPass({"fillrandom"});
  Data data({});
  for (uint64_t i = 0; i < options_.num; ++i) {
    const uint64_t number = data.RandomKey(i);
    ASSERT_TRUE(subject_.engine->Put({number, data.key()}, data.ValueOf(number + 1, 0)).ok());
  }
  subject_.contents.TakeOver(options_.num, true, sizeof(uint64_t));
  EXPECT_EQ(Run("readrandom").status().message(), "a wrong value was read");
}

TEST_F(WorkloadTest, WithoutBatchesPutsAreMadeOneByOne) {
  Use<ForwardingEngine>();
  options_.batch_size = 10;
  const absl::StatusOr<Result> result = Run("fillrandom");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_NE(result->note.find("no batches"), std::string::npos) << result->note;
  ExpectAllPass({"readrandom"});
}

TEST_F(WorkloadTest, ThreadsAreThoseThatRan) {
  Use<ForwardingEngine>();  // not for several writers
  options_.threads = 3;
  EXPECT_EQ(Run("fillrandom")->threads, 1u);
  EXPECT_EQ(Run("readrandom")->threads, 3u);
  EXPECT_EQ(Run("readseq")->threads, 1u);
}

}  // namespace
}  // namespace sealkv::bench
