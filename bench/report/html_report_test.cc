#include "bench/report/html_report.h"

#include <regex>
#include <string>
#include <string_view>
#include <vector>

#include "bench/report/test_data.h"
#include "gtest/gtest.h"

namespace sealkv::bench {
namespace {

using Json = nlohmann::ordered_json;

std::string PageOf(const std::vector<Json>& files) {
  Results results;
  for (size_t i = 0; i < files.size(); ++i) {
    const absl::Status status = AddResults("r" + std::to_string(i) + ".json", files[i].dump(), results);
    EXPECT_TRUE(status.ok()) << status;
  }
  return HtmlReport(results);
}

bool Has(const std::string& page, std::string_view text) { return page.find(text) != std::string::npos; }

size_t Count(const std::string& page, std::string_view text) {
  size_t count = 0;
  for (size_t at = page.find(text); at != std::string::npos; at = page.find(text, at + 1)) ++count;
  return count;
}

// Whether every tag is closed by its own, in order; attributes are as XML has them; no number came out as nan.
void ExpectWellFormed(const std::string& svg) {
  static const std::regex kTag(R"re(<(/?)([a-zA-Z]+)((?: [a-zA-Z0-9:-]+="[^"<&]*(?:&[a-z#0-9]+;[^"<&]*)*")*)(/?)>)re");
  std::vector<std::string> open;
  size_t at = 0;
  while ((at = svg.find('<', at)) != std::string::npos) {
    std::smatch match;
    const std::string rest = svg.substr(at, svg.find('>', at) + 1 - at);
    ASSERT_TRUE(std::regex_match(rest, match, kTag)) << rest;
    if (match[1] == "/") {
      ASSERT_FALSE(open.empty()) << rest;
      ASSERT_EQ(open.back(), match[2]);
      open.pop_back();
    } else if (match[4] != "/") {
      open.push_back(match[2]);
    }
    at += rest.size();
  }
  EXPECT_TRUE(open.empty());
  EXPECT_FALSE(std::regex_search(svg, std::regex("\\b(nan|inf)\\b"))) << svg;
}

void ExpectAllWellFormed(const std::string& page) {
  size_t charts = 0;
  for (size_t at = page.find("<svg"); at != std::string::npos; at = page.find("<svg", at + 1), ++charts) {
    ExpectWellFormed(page.substr(at, page.find("</svg>", at) + 6 - at));
  }
  EXPECT_GT(charts, 0u);
}

TEST(HtmlReportTest, ShowsEachEngineAndBenchmark) {
  const std::string page = PageOf({TestFile()});
  for (const char* text : {"sealkv", "lmdb", "fillrandom", "readrandom", "durability not stated", "more is better",
                           "less is better", "8-byte integer keys, 8-byte values", "p99.99", "2026-11-27", "4 CPUs"}) {
    EXPECT_TRUE(Has(page, text)) << text;
  }
  EXPECT_TRUE(Has(page, "50×")) << "lmdb's fillrandom beside sealkv's";
  // fillrandom's engines differ by more than 20 times, readrandom's don't.
  EXPECT_EQ(Count(page, ">operations per second (log scale) — more is better<"), 1u);
  EXPECT_EQ(Count(page, ">operations per second — more is better<"), 1u);
  EXPECT_TRUE(Has(page, "<title>lmdb: 50 K</title>"));
  ExpectAllWellFormed(page);
}

TEST(HtmlReportTest, NeedsNothingFromOutside) {
  const std::string page = PageOf({TestFile()});
  for (const char* text : {"<script", "<link", "@import", "src=", "url(http", "<img", "javascript:"}) {
    EXPECT_FALSE(Has(page, text)) << text;
  }
  // The name of SVG's namespace isn't fetched.
  EXPECT_EQ(Count(page, "http"), Count(page, "xmlns=\"http://www.w3.org/2000/svg\""));
}

TEST(HtmlReportTest, WhatAFileSaysIsTextAndNothingElse) {
  const std::string evil = "</text></title><script>alert(1)</script>\"'&<b onload=x>";
  Json json = TestFile();
  Json entry = TestEntry("x", "y", 100);
  entry["engine"] = "E" + evil;
  entry["benchmark"] = "B" + evil;
  entry["key_kind"] = "K" + evil;
  json["benchmarks"].push_back(entry);
  entry["key_kind"] = "u64";
  json["benchmarks"].push_back(entry);
  json["context"].update({{"date", evil}, {"host_name", evil}, {"distribution", evil}});
  json["context"]["engines"] = {{"E" + evil, "D" + evil}, {"sealkv", evil}};
  json["context"]["limits"] = {{"L" + evil, 80}};
  const std::string page = PageOf({json});
  EXPECT_FALSE(Has(page, "<script"));
  EXPECT_FALSE(Has(page, "<b "));
  EXPECT_TRUE(Has(page, "E&lt;/text&gt;"));
  EXPECT_TRUE(Has(page, "B&lt;/text&gt;"));
  EXPECT_TRUE(Has(page, "L&lt;/text&gt;"));
  ExpectAllWellFormed(page);
}

TEST(HtmlReportTest, DurableIsSolidAndTheRestIsHatched) {
  Json json = TestFile();
  json["context"]["engines"] = {{"sealkv", "SealKV: durable when a write returns"}, {"lmdb", "NOSYNC"}};
  const std::string page = PageOf({json});
  EXPECT_TRUE(Has(page, "<span class=\"badge durable\">durable when a write returns</span>"));
  EXPECT_TRUE(Has(page, "<span class=\"badge\">not durable when a write returns</span>"));
  EXPECT_TRUE(Has(page, "These engines don't promise the same") ||
              Has(page, "These engines don&#39;t promise the same"));
  EXPECT_TRUE(Has(page, "fill=\"url(#h1)\""));
  EXPECT_FALSE(Has(page, "fill=\"url(#h0)\""));
}

TEST(HtmlReportTest, ScalingIsShownIfFilesDiffer) {
  const std::string one = PageOf({TestFile(1000)});
  EXPECT_FALSE(Has(one, "More threads"));
  EXPECT_FALSE(Has(one, "More records"));
  Json larger = TestFile(10000);
  for (auto& entry : larger["benchmarks"]) entry["real_time"] = entry["real_time"].get<double>() + 85;
  const std::string sizes = PageOf({TestFile(1000), larger});
  EXPECT_FALSE(Has(sizes, "More threads"));
  EXPECT_TRUE(Has(sizes, "More records"));
  EXPECT_TRUE(Has(sizes, "sealkv (+85 ns per ×10)"));
  ExpectAllWellFormed(sizes);
  const std::string threads = PageOf({TestFile(1000, 1), TestFile(1000, 2), TestFile(1000, 3)});
  EXPECT_TRUE(Has(threads, "More threads"));
  EXPECT_FALSE(Has(threads, "More records"));
  ExpectAllWellFormed(threads);
}

TEST(HtmlReportTest, RunsLimitsAndMemoryAreShownIfThereAreAny) {
  EXPECT_FALSE(Has(PageOf({TestFile()}), "What the machine can do"));
  EXPECT_FALSE(Has(PageOf({TestFile()}), ">RSS<"));
  Json json = TestFile();
  json["context"]["limits"] = {{"one dependent load", 100}};
  json["benchmarks"][3]["real_time_runs"] = {100, 200, 250};
  json["benchmarks"][3]["rss_bytes"] = 3 << 20;
  const std::string page = PageOf({json});
  EXPECT_TRUE(Has(page, "What the machine can do"));
  EXPECT_TRUE(Has(page, "÷ one dependent load"));
  EXPECT_TRUE(Has(page, "<title>sealkv: 5 M; runs from 4 M to 10 M</title>"));
  EXPECT_TRUE(Has(page, ">3 MiB<"));
}

TEST(HtmlReportTest, ExtremeNumbersAndNamesDontBreakCharts) {
  Json json = TestFile();
  json["benchmarks"] = {TestEntry("sealkv", "fillrandom", 1e-9), TestEntry("lmdb", "fillrandom", 1e27),
                        TestEntry(std::string(5000, 'x'), "fillrandom", 1), TestEntry("sealkv", "one", 1)};
  json["context"]["num"] = 0;
  ExpectAllWellFormed(PageOf({json, TestFile(10)}));
  Json many = TestFile();
  for (int i = 0; i < 40; ++i)
    many["benchmarks"].push_back(TestEntry("engine" + std::to_string(i), "fillrandom", 1 + i));
  ExpectAllWellFormed(PageOf({many}));
}

TEST(HtmlReportTest, CommandsStandInLinesOfTheirOwn) {
  const std::string page = PageOf({TestFile(1000), TestFile(2000)});
  EXPECT_TRUE(
      Has(page, " --json=r0.json\nkvbench --engines=lmdb,sealkv --benchmarks=fillrandom,readrandom --num=2000 "));
  EXPECT_TRUE(Has(page, " --json=r1.json\nkvbench report --output=report.html r0.json r1.json</pre>"));
  EXPECT_FALSE(Has(page, "\uFFFD"));
}

TEST(HtmlReportTest, TheCommandSaysHowTheFileWasMade) {
  Source source{.path = "a b.json", .num = 5000, .threads = 2, .repetitions = 3};
  source.shape = {.key_kind = "string", .key_bytes = 24, .value_bytes = 100, .batch_size = 10, .distribution = "zipf"};
  source.engines = {"sealkv", "lmdb"};
  source.benchmarks = {"fillrandom", "overwrite", "overwrite #2"};
  EXPECT_EQ(CommandLineOf(source),
            "kvbench --engines=sealkv,lmdb --benchmarks=fillrandom,overwrite,overwrite --num=5000 --threads=2 "
            "--key_kind=string --key_size=24 --value_size=100 --batch_size=10 --distribution=zipf --repetitions=3 "
            "'--json=a b.json'");
  source = {.path = "$(rm -rf x)';.json", .shape = {.key_kind = "u64", .key_bytes = 8}};
  source.engines = {"sealkv"};
  source.benchmarks = {"fillseq"};
  EXPECT_NE(CommandLineOf(source).find("'--json=$(rm -rf x)'\\'';.json'"), std::string::npos) << CommandLineOf(source);
}

}  // namespace
}  // namespace sealkv::bench
