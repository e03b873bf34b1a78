// kvbench as its users run it.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "gtest/gtest.h"

namespace sealkv::bench {
namespace {

class KvbenchTest : public ::testing::Test {
 protected:
  KvbenchTest() { std::filesystem::create_directories(folder_); }
  ~KvbenchTest() override { std::filesystem::remove_all(folder_); }

  // Runs it in the test's folder; returns what it printed, errors too.
  std::string Run(const std::string& arguments, int expected_exit_code = 0) {
    const std::string binary = std::filesystem::absolute("bench/kvbench");
    std::FILE* pipe = popen(("cd " + folder_ + " && " + binary + " " + arguments + " 2>&1").c_str(), "r");
    std::string output;
    char buffer[4096];
    for (size_t got; (got = fread(buffer, 1, sizeof(buffer), pipe)) > 0;) output.append(buffer, got);
    const int status = pclose(pipe);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == expected_exit_code) << arguments << "\n" << output;
    return output;
  }
  static bool Contains(const std::string& text, const std::string& part) { return text.find(part) != text.npos; }
  size_t FilesInFolder() const {
    return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder_), {}));
  }

  const std::string folder_ = "/dev/shm/kvbench_test." + std::to_string(getpid());
};

TEST_F(KvbenchTest, EveryBenchmarkOfTwoEnginesAndTwoRuns) {
  const std::string output =
      Run("--engines=sealkv,btree_map --num=2000 --repetitions=2 --db=store --against=sealkv --json=result.json "
          "--benchmarks=fillseq,fillrandom,readrandom,readmissing,overwrite,seekrandom,readseq,readreverse,addhot,"
          "addcold,multireadrandom,ycsba,ycsbb,ycsbc,ycsbd,ycsbe,ycsbf,readrandom,readwhilewriting,readseqwhilewriting,"
          "snapshot,open,"
          "deletemost,compact");
  EXPECT_TRUE(Contains(output, "x sealkv)")) << output;
  EXPECT_TRUE(Contains(output, "medians of 2 runs")) << output;
  EXPECT_EQ(FilesInFolder(), 1u) << "of the stores nothing stays";
  std::ifstream file(folder_ + "/result.json");
  const auto json = nlohmann::json::parse(file);
  EXPECT_EQ(json["context"]["engines"].size(), 2u);
  for (const auto& entry : json["benchmarks"]) {
    EXPECT_EQ(entry["real_time_runs"].size(), 2u) << entry;
    EXPECT_GT(entry["rss_bytes"], 0) << entry;
  }
}

TEST_F(KvbenchTest, WhatIsMeasuredTwiceIsShownTwice) {
  const std::string output =
      Run("--engines=btree_map,std_map --num=500 --limits --benchmarks='fillrandom, overwrite,readrandom,overwrite'");
  const size_t second = output.find("\noverwrite #2 ");
  ASSERT_NE(second, output.npos) << output;
  const std::string row = output.substr(second + 1, output.find('\n', second + 1) - second - 1);
  EXPECT_NE(row.back(), '-') << "a multiple of the floor, as the first: " << row;
}

TEST_F(KvbenchTest, OnStandardOutputTheResultIsAlone) {
  const std::string json = Run("--engines=btree_map --num=500 --json=- 2>/dev/null | cat");
  EXPECT_EQ(nlohmann::json::parse(json)["context"]["engines"].size(), 1u);
  const std::string csv = Run("--engines=btree_map --num=500 --csv=- 2>/dev/null | cat");
  EXPECT_TRUE(csv.starts_with("engine,")) << csv;
}

TEST_F(KvbenchTest, WithoutTheYardstickAskedForThereIsAnother) {
  const std::string output = Run("--engines=sealkv,std_map --num=500 --benchmarks=fillrandom");
  EXPECT_TRUE(Contains(output, "x std_map)")) << output;
}

TEST_F(KvbenchTest, ManyThreadsInsertAndReadOn) {
  Run("--engines=sealkv,lmdb-nosync --num=3000 --threads=3 --key_kind=ycsb --value_size=100 "
      "--benchmarks=ycsbload,ycsbd,ycsbe,ycsbd,readrandom,readseq,readmissing");
}

TEST_F(KvbenchTest, AnotherProcessFindsWhatWasKept) {
  Run("--engines=sealkv,lmdb,sqlite-nosync --num=500 --benchmarks=fillrandom --db=store --keep");
  Run("--engines=sealkv,lmdb,sqlite-nosync --num=500 --benchmarks=readrandom,ycsbd,readrandom,open,readseq --db=store "
      "--use_existing_db");
  const std::string refusal = Run("--engines=btree_map,sealkv --benchmarks=fillrandom --db=store", 1);
  EXPECT_TRUE(Contains(refusal, "store exists")) << refusal;
}

TEST_F(KvbenchTest, AWrongReadEndsTheRun) {
  Run("--engines=sealkv,btree_map --num=500 --seed=1 --benchmarks=fillrandom --db=store --keep");
  const std::string other_seed =
      Run("--engines=sealkv --num=500 --seed=2 --benchmarks=readrandom --db=store --use_existing_db", 1);
  EXPECT_TRUE(Contains(other_seed, "store: none of the records")) << other_seed;
  const std::string written =
      Run("--engines=sealkv --num=500 --seed=2 --benchmarks=overwrite,ycsba --db=store --use_existing_db", 1);
  EXPECT_TRUE(Contains(written, "store: none of the records")) << written;
  const std::string other_size =
      Run("--engines=sealkv --num=500 --seed=1 --value_size=9 --benchmarks=readrandom --db=store --use_existing_db", 1);
  EXPECT_TRUE(Contains(other_size, "sealkv readrandom: a wrong value was read")) << other_size;
}

TEST_F(KvbenchTest, KeptFilesAreThoseOfTheLastFill) {
  Run("--engines=sealkv,lmdb --num=500 --benchmarks=fillrandom,fillseq --repetitions=2 --db=store --keep");
  EXPECT_TRUE(
      Contains(Run("--engines=sealkv,lmdb --num=500 --benchmarks=readrandom --db=store --use_existing_db --csv=-"),
               "sealkv,readrandom,500,"));
}

TEST_F(KvbenchTest, AnExistingStoreMayBeAsAnyRunLeftIt) {
  const std::string existing = " --engines=sealkv,rocksdb --num=500 --db=store --use_existing_db";
  const std::string reads = "readrandom,readmissing,seekrandom,readseq,ycsbc";
  Run("--engines=sealkv,rocksdb --num=500 --benchmarks=fillseq,overwrite,overwrite,addcold,ycsbd --db=store --keep");
  Run("--benchmarks=" + reads + ",ycsba,deletemost" + existing);
  const std::string output = Run("--benchmarks=" + reads + ",ycsba,ycsbd,readrandom" + existing);
  EXPECT_TRUE(Contains(output, "of what was asked for isn't there)")) << output;
}

TEST_F(KvbenchTest, VolatileEnginesHaveNothingThatExists) {
  Run("--engines=sealkv --num=500 --benchmarks=fillrandom --db=store --keep");
  const std::string output = Run("--num=500 --benchmarks=readrandom --db=store --use_existing_db");
  EXPECT_TRUE(Contains(output, "btree_map      left out: it forgets everything")) << output;
}

TEST_F(KvbenchTest, ABadPathOfAResultIsNoticedBeforeAnythingIsMeasured) {
  for (const std::string flag : {"--csv", "--json"}) {
    const std::string output = Run("--engines=sealkv --num=500 " + flag + "=nowhere/result", 1);
    EXPECT_TRUE(Contains(output, "kvbench: " + flag + ": nowhere/result")) << output;
    EXPECT_FALSE(Contains(output, "fillrandom")) << output;
  }
}

TEST_F(KvbenchTest, AnOldResultStaysUntilThereIsANewOne) {
  std::ofstream(folder_ + "/result.json") << "old";
  const auto read = [&] {
    std::ifstream file(folder_ + "/result.json");
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  std::ofstream(folder_ + "/store") << "somebody's";
  Run("--engines=sealkv --num=500 --db=store --json=result.json", 1);
  EXPECT_EQ(read(), "old");
  EXPECT_EQ(FilesInFolder(), 2u) << "of the new result nothing stays";
  Run("--engines=sealkv --num=500 --json=result.json");
  EXPECT_TRUE(Contains(read(), "sealkv/fillrandom"));
}

TEST_F(KvbenchTest, ValueSizeIsChangedOnlyByPropertiesAndThisIsSaid) {
  const std::string plain = Run("--engines=btree_map --num=100 --value_size=24 --benchmarks=ycsbload,ycsb");
  EXPECT_TRUE(Contains(plain, "values 24 bytes")) << plain;
  const std::string with_property = Run("--engines=btree_map --benchmarks=ycsbload,ycsb -p recordcount=100");
  EXPECT_TRUE(Contains(with_property, "values of 1000 bytes (fieldcount * fieldlength")) << with_property;
  EXPECT_TRUE(Contains(with_property, "instead of --value_size=8")) << with_property;
}

TEST_F(KvbenchTest, ACompactionIsMarked) {
  Run("--engines=sealkv --num=500 --benchmarks=fillrandom,deletemost,compact --mark_operations=marks");
  std::ifstream file(folder_ + "/marks");
  const std::string marks(std::istreambuf_iterator<char>(file), {});
  EXPECT_TRUE(Contains(marks, " compact -\n"));
}

TEST_F(KvbenchTest, PropertiesOfYcsb) {
  std::ofstream(folder_ + "/workload") << "# a mix\nrecordcount=100\noperationcount=300\nreadproportion=0.4\n"
                                          "updateproportion=0.6\nrequestdistribution=latest\nfieldlength=20\nhue=red\n";
  const std::string output =
      Run("--engines=btree_map --benchmarks=ycsbload,ycsb -P workload -p recordcount=200 -p fieldcount=2 --csv=-");
  EXPECT_TRUE(Contains(output, "records 200,")) << output;
  EXPECT_TRUE(Contains(output, "values 40 bytes")) << output;
  EXPECT_TRUE(Contains(output, "hue=red")) << output;
  EXPECT_TRUE(Contains(output, "btree_map,ycsb,200,1,u64,40,1,300,")) << output;
}

TEST_F(KvbenchTest, WrongUsage) {
  EXPECT_TRUE(Contains(Run("--engines=bdb", 2), "no such engine: 'bdb'"));
  EXPECT_TRUE(Contains(Run("--benchmarks=fill", 2), "no such benchmark"));
  EXPECT_TRUE(Contains(Run("--distribution=normal", 2), "no such distribution"));
  EXPECT_TRUE(Contains(Run("--key_kind=uuid", 2), "no such key kind"));
  EXPECT_TRUE(Contains(Run("--engines=sealkv,sealkv", 2), "twice"));
  EXPECT_TRUE(Contains(Run("limit", 2), "unexpected argument"));
  EXPECT_TRUE(Contains(Run("--benchmarks=ycsb -p readproportion=2", 2), "readproportion=2"));
  EXPECT_TRUE(Contains(Run("-P", 2), "-P needs a file"));
  EXPECT_TRUE(Contains(Run("-P . --benchmarks=ycsbload,ycsb", 2), "is a folder"));
  EXPECT_TRUE(Contains(Run("--benchmarks=readrandom", 2), "readrandom needs records"));
  EXPECT_TRUE(Contains(Run("--db=memory --tier=map-sync", 2), "--tier asks how durable a file is"));
  EXPECT_TRUE(
      Contains(Run("--db=memory --use_existing_db --benchmarks=readrandom", 2), "of --db=memory nothing stays"));
  EXPECT_TRUE(Contains(Run("--batch_size=18446744073709551615", 2), "must be 1 to"));
  EXPECT_TRUE(Contains(Run("-p readproportion=1", 2), "--benchmarks=ycsbload,ycsb"));
}

TEST_F(KvbenchTest, LimitsAreATableAndJson) {
  EXPECT_TRUE(Contains(Run("limits --json=limits.json"), "clwb + sfence"));
  std::ifstream file(folder_ + "/limits.json");
  EXPECT_GT(nlohmann::json::parse(file).at("cold_persist_ns"), 0);
}

}  // namespace
}  // namespace sealkv::bench
