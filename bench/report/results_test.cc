#include "bench/report/results.h"

#include <string>

#include "bench/report/test_data.h"
#include "gtest/gtest.h"

namespace sealkv::bench {
namespace {

using Json = nlohmann::ordered_json;

Results Read(const Json& json) {
  Results results;
  const absl::Status status = AddResults("a.json", json.dump(), results);
  EXPECT_TRUE(status.ok()) << status;
  return results;
}

TEST(ResultsTest, NamesAreSplitAndSealkvComesFirst) {
  const Results results = Read(TestFile());
  ASSERT_EQ(results.engines.size(), 2u);
  EXPECT_EQ(results.engines[0].name, "sealkv");
  EXPECT_EQ(results.engines[0].durability, Durability::kNotStated);
  EXPECT_EQ(results.engines[1].name, "lmdb");
  EXPECT_EQ(results.benchmarks, (std::vector<std::string>{"fillrandom", "readrandom"}));
  ASSERT_EQ(results.measurements.size(), 4u);
  const Measurement& first = results.measurements[0];
  EXPECT_EQ(first.engine, "lmdb");
  EXPECT_EQ(first.benchmark, "fillrandom");
  EXPECT_EQ(first.num, 1000u);
  EXPECT_EQ(first.ns, 20000);
  EXPECT_EQ(first.shape.key_kind, "u64");
  EXPECT_EQ(first.percentiles_ns->at(5), 900 * 20000);
}

TEST(ResultsTest, AnEntrysOwnFieldsCountBeforeTheContexts) {
  Json json = TestFile();
  json["benchmarks"][0].update(
      {{"engine", "other"}, {"benchmark", "some/thing"}, {"num", 7}, {"value_bytes", 100}, {"threads", 3}});
  const Results results = Read(json);
  EXPECT_EQ(results.measurements[0].engine, "other");
  EXPECT_EQ(results.measurements[0].benchmark, "some/thing");
  EXPECT_EQ(results.measurements[0].num, 7u);
  EXPECT_EQ(results.measurements[0].threads, 3u);
  EXPECT_EQ(results.measurements[0].shape.value_bytes, 100u);
}

// As kvbench has it where keys differ in length: what one of the two writes the other reads.
TEST(ResultsTest, AMeanLengthOfKeysIsNoWholeNumber) {
  Json json = TestFile();
  json["context"]["key_kind"] = "ycsb";
  json["context"]["key_bytes"] = 23.4;
  EXPECT_EQ(Read(json).measurements[0].shape.key_bytes, 23.4);
}

TEST(ResultsTest, DurableIsWhoSaysSoAndSaysNothingElse) {
  Json json = TestFile();
  json["context"]["engines"] = {{"sealkv", "SealKV: durable when a write returns"}, {"lmdb", "lost with the power"}};
  Results results = Read(json);
  EXPECT_EQ(results.engines[0].durability, Durability::kDurable);
  EXPECT_EQ(results.engines[1].durability, Durability::kNotDurable);
  json["context"]["engines"] = {{"sealkv", "SealKV: not durable when a write returns"}};
  ASSERT_TRUE(AddResults("b.json", json.dump(), results).ok());
  EXPECT_EQ(results.engines[0].durability, Durability::kNotDurable);
}

TEST(ResultsTest, TheSameBenchmarkTwiceInAFileIsTwoThings) {
  Json json = TestFile();
  json["benchmarks"].push_back(TestEntry("sealkv", "readrandom", 50));
  const Results results = Read(json);
  EXPECT_EQ(results.measurements.back().benchmark, "readrandom #2");
  EXPECT_TRUE(results.remarks.empty());
}

TEST(ResultsTest, OfTwoFilesTheLaterCounts) {
  Results results = Read(TestFile());
  Json later = TestFile();
  later["benchmarks"] = {TestEntry("sealkv", "readrandom", 50)};
  ASSERT_TRUE(AddResults("b.json", later.dump(), results).ok());
  ASSERT_EQ(results.measurements.size(), 4u);
  EXPECT_EQ(results.measurements.back().ns, 50);
  ASSERT_EQ(results.remarks.size(), 1u);
  EXPECT_NE(results.remarks[0].find("b.json measured 1 thing "), std::string::npos) << results.remarks[0];
  // Of another number of records, it is something else.
  ASSERT_TRUE(AddResults("c.json", TestFile(2000).dump(), results).ok());
  EXPECT_EQ(results.measurements.size(), 8u);
}

TEST(ResultsTest, AnEmptyHistogramAndNullAreNoNumbers) {
  Json json = TestFile();
  for (const char* field : kPercentileFields) json["benchmarks"][0][field] = 0;
  json["benchmarks"][0]["cpu_time"] = nullptr;
  const Results results = Read(json);
  EXPECT_FALSE(results.measurements[0].percentiles_ns.has_value());
  EXPECT_FALSE(results.measurements[0].cpu_ns.has_value());
}

TEST(ResultsTest, WhatIsWrongIsNamedAndNothingIsAdded) {
  const std::string context = R"({"context": {"num": 1}, "benchmarks": )";
  const std::string entry = context + R"([{"name": "a/b", "real_time": 1, )";
  const std::pair<std::string, std::string> kBad[] = {
      {"", "not JSON"},
      {"{\"context\": ", "not JSON"},
      {"\xff", "not JSON"},
      {"[]", "the whole is missing, or not an object"},
      {"{}", "context is missing"},
      {R"({"context": {"num": 1}})", "has no benchmarks"},
      {context + "[]}", "has no benchmarks"},
      {context + "{}}", "has no benchmarks"},
      {context + "[1]}", "benchmark 1 is missing, or not an object"},
      {context + R"([{"name": "a/b", "real_time": 1}, {}]})", "benchmark 2 has no name"},
      {context + R"([{"name": "a", "real_time": 1}]})", "has no name of the form engine/benchmark"},
      {context + R"([{"name": "a/b"}]})", "has no real_time above 0"},
      {context + R"([{"name": "a/b", "real_time": "1"}]})", "has a real_time that isn't a number"},
      {context + R"([{"name": "a/b", "real_time": -1}]})", "has a real_time that isn't a number"},
      {context + R"([{"name": "a/b", "real_time": 1e-300}]})", "isn't a number, or not a sensible one"},
      {context + R"([{"name": "a/b", "real_time": 1e300}]})", "isn't a number, or not a sensible one"},
      {entry + R"("time_unit": "us"}]})", "another unit than ns"},
      {entry + R"("threads": 1.5}]})", "has a threads that isn't a whole number"},
      {entry + R"("num": 1e300}]})", "has a num that isn't a number"},
      {entry + R"("real_time_runs": ["x"]}]})", "has a real_time_runs that isn't a number"},
      {R"({"context": {"engines": 1}, "benchmarks": []})", "engines that aren't an object"},
      {R"({"context": {"engines": {"a": 1}}, "benchmarks": []})", "description of an engine"},
      {R"({"context": {"limits": {"a": "b"}}, "benchmarks": []})", "limit that isn't a number"},
  };
  for (const auto& [text, why] : kBad) {
    Results results;
    const absl::Status status = AddResults("bad.json", text, results);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << text;
    const std::string message(status.message());
    EXPECT_EQ(message.find("bad.json: "), 0u) << message;
    EXPECT_NE(message.find(why), std::string::npos) << message << " for " << text;
    EXPECT_NE(message.find("kvbench --json"), std::string::npos) << message;
    EXPECT_TRUE(results.engines.empty() && results.sources.empty()) << text;
  }
}

}  // namespace
}  // namespace sealkv::bench
