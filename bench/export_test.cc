#include "bench/export.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "bench/result_json.h"
#include "gtest/gtest.h"

namespace sealkv::bench {
namespace {

Result Example() {
  Result result;
  result.engine = "lmdb";
  result.benchmark = "fillrandom";
  result.operations = 1000;
  result.seconds = 0.001;
  result.cpu_seconds = 0.0005;
  result.bytes = 16000;
  result.persist = {.lines_flushed = 2000, .fences = 1000, .bytes_stored = 24000};
  for (uint64_t i = 0; i < 100; ++i) result.latency_ns.Add(i * i * 1000);
  result.bytes_per_record = 41.5;
  result.rss_bytes = 8 << 20;
  result.rss_anon_bytes = 2 << 20;
  result.runs_ns = {900, 1000, 1100};
  result.note = "one, \"two\"";
  return result;
}

Plan ExamplePlan() {
  Plan plan;
  plan.workload.num = 1000;
  plan.repetitions = 3;
  return plan;
}

const Outcome& ExampleOutcome() {
  static const auto* const outcome = new Outcome{{{"lmdb", "LMDB, durable"}}, {Example()}};
  return *outcome;
}

TEST(ResultJson, ComesBackAsItWas) {
  const Result result = Example();
  const auto back = Deserialize(Serialize(result));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->benchmark, result.benchmark);
  EXPECT_EQ(back->operations, result.operations);
  EXPECT_EQ(back->persist.lines_flushed, 2000u);
  EXPECT_EQ(back->bytes_per_record, 41.5);
  EXPECT_EQ(back->latency_ns.count(), 100u);
  EXPECT_EQ(back->latency_ns.max(), result.latency_ns.max());
  for (const double percent : {1.0, 50.0, 99.9}) {
    EXPECT_EQ(back->latency_ns.Percentile(percent), result.latency_ns.Percentile(percent));
  }
  EXPECT_FALSE(Deserialize("{}").ok());
  EXPECT_FALSE(Deserialize("nonsense").ok());
}

TEST(Json, HasWhatReportsReadOfIt) {
  const auto json = nlohmann::json::parse(Json(ExamplePlan(), ExampleOutcome(), {{"cold_persist_ns", "…", 300}}));
  for (const char* name : {"date", "num_cpus", "num", "threads", "key_kind", "key_bytes", "value_bytes", "batch_size",
                           "distribution", "repetitions", "engines", "limits"}) {
    EXPECT_TRUE(json["context"].contains(name)) << name;
  }
  EXPECT_EQ(json["context"]["engines"]["lmdb"], "LMDB, durable");
  EXPECT_EQ(json["context"]["limits"]["cold_persist_ns"], 300);
  EXPECT_EQ(json["context"]["key_kind"], "u64");
  const auto& entry = json["benchmarks"].at(0);
  for (const char* name : {"name",
                           "real_time",
                           "cpu_time",
                           "items_per_second",
                           "flushes_per_op",
                           "fences_per_op",
                           "pm_bytes_per_op",
                           "p50",
                           "p90",
                           "p99",
                           "p99_9",
                           "p99_99",
                           "max",
                           "bytes_per_record",
                           "engine",
                           "benchmark",
                           "num",
                           "key_kind",
                           "value_bytes",
                           "rss_bytes",
                           "rss_anon_bytes",
                           "repetitions",
                           "real_time_runs"}) {
    EXPECT_TRUE(entry.contains(name)) << name;
  }
  EXPECT_EQ(entry["name"], "lmdb/fillrandom");
  EXPECT_DOUBLE_EQ(entry["real_time"], 1000);
  EXPECT_DOUBLE_EQ(entry["cpu_time"], 500);
  EXPECT_EQ(entry["real_time_runs"].size(), 3u);
  EXPECT_EQ(entry["flushes_per_op"], 2);
}

TEST(Csv, HasALineForEachResult) {
  const std::string csv = Csv(ExamplePlan(), ExampleOutcome());
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 2);
  EXPECT_EQ(csv.rfind("engine,benchmark,num,", 0), 0u) << csv;
  EXPECT_NE(csv.find("\nlmdb,fillrandom,1000,"), std::string::npos) << csv;
  EXPECT_NE(csv.find(",\"one, \"\"two\"\"\"\n"), std::string::npos) << csv;
}

TEST(Medians, AreOfEachBenchmark) {
  std::vector<std::vector<Result>> runs;
  for (const double seconds : {3.0, 1.0, 2.0}) {
    runs.push_back({Example()});
    runs.back()[0].seconds = seconds;
  }
  const std::vector<Result> medians = Medians(runs);
  ASSERT_EQ(medians.size(), 1u);
  EXPECT_DOUBLE_EQ(medians[0].seconds, 2);
  EXPECT_EQ(medians[0].runs_ns, (std::vector<double>{3e6, 1e6, 2e6}));
}

TEST(Medians, OfAnEvenNumberAllIsOfTheFasterOfTheMiddleTwo) {
  std::vector<std::vector<Result>> runs;
  for (const double seconds : {4.0, 1.0, 3.0, 2.0}) {
    runs.push_back({Example()});
    runs.back()[0].seconds = seconds;
    runs.back()[0].cpu_seconds = 10 * seconds;
  }
  const std::vector<Result> medians = Medians(runs);
  EXPECT_DOUBLE_EQ(medians[0].seconds, 2);
  EXPECT_DOUBLE_EQ(medians[0].cpu_seconds, 20);
  EXPECT_EQ(medians[0].runs_ns.size(), 4u);
}

TEST(Json, ThreadsAreThoseThatRan) {
  Plan plan = ExamplePlan();
  plan.workload.threads = 4;
  Outcome outcome = ExampleOutcome();
  outcome.results.push_back(Example());
  outcome.results[1].threads = 4;
  const auto json = nlohmann::json::parse(Json(plan, outcome, {}));
  EXPECT_EQ(json["context"]["threads"], 4) << "what was asked for";
  EXPECT_EQ(json["benchmarks"][0]["threads"], 1);
  EXPECT_EQ(json["benchmarks"][1]["threads"], 4);
  EXPECT_EQ(Deserialize(Serialize(outcome.results[1]))->threads, 4u);
}

}  // namespace
}  // namespace sealkv::bench
