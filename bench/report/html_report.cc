#include "bench/report/html_report.h"

#include <algorithm>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "bench/report/charts.h"
#include "bench/report/comparison.h"
#include "bench/report/style.h"
#include "bench/report/svg_chart.h"
#include "bench/report/tables.h"
#include "bench/report/text.h"

namespace sealkv::bench {
namespace {

std::string Paragraph(const char* classes, const std::string& text) {
  return absl::StrCat("<p class=\"", classes, "\">", EscapeXml(text), "</p>\n");
}

template <typename Chart>
std::string Charts(const std::vector<Chart>& charts) {
  std::string html = "<div class=\"charts\">\n";
  for (const Chart& chart : charts) absl::StrAppend(&html, Svg(chart));
  return html + "</div>\n";
}

// What bars of engines without durability are filled with.
std::string Hatchings() {
  std::string patterns;
  for (size_t i = 0; i < kColors; ++i) {
    absl::StrAppend(&patterns, "<pattern id=\"h", i, "\" class=\"e", i,
                    "\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\">"
                    "<rect width=\"6\" height=\"6\" fill=\"currentColor\" opacity=\".22\"/>"
                    "<rect width=\"2\" height=\"6\" fill=\"currentColor\"/></pattern>");
  }
  return absl::StrCat("<svg width=\"0\" height=\"0\" style=\"position:absolute\" aria-hidden=\"true\"><defs>", patterns,
                      "</defs></svg>\n");
}

// The different ones, in order.
template <typename Get>
std::string Distinct(const Results& results, const Get& get) {
  std::vector<std::string> texts;
  for (const Source& source : results.sources) {
    const std::string text = get(source);
    if (!text.empty() && std::find(texts.begin(), texts.end(), text) == texts.end()) texts.push_back(text);
  }
  return texts.empty() ? "not stated" : absl::StrJoin(texts, ", ");
}

std::string Numbers(const std::set<uint64_t>& numbers) {
  return absl::StrJoin(numbers, ", ", [](std::string* text, uint64_t number) {
    absl::StrAppend(text, Format(Unit::kCount, static_cast<double>(number)));
  });
}

std::string Facts(const Results& results, const std::vector<ShapeComparisons>& shapes) {
  std::set<uint64_t> nums, threads;
  for (const Measurement& measurement : results.measurements) {
    nums.insert(measurement.num);
    threads.insert(measurement.threads);
  }
  const auto keys = absl::StrJoin(shapes, "; ", [](std::string* text, const ShapeComparisons& shape) {
    absl::StrAppend(text, Describe(shape.shape));
  });
  std::string html = "<dl>";
  const auto add = [&](const char* name, const std::string& value) {
    absl::StrAppend(&html, "<dt>", name, "</dt><dd>", EscapeXml(value), "</dd>");
  };
  add("benchmarks", absl::StrJoin(results.benchmarks, ", "));
  add("keys and values", keys);
  add("records", Numbers(nums));
  add("threads", Numbers(threads));
  add("runs of each", Distinct(results, [](const Source& source) {
        return source.repetitions == 0 ? "" : absl::StrCat(source.repetitions);
      }));
  add("machine", Distinct(results, [](const Source& source) {
        if (source.cpus == 0) return source.host;
        return absl::StrCat(source.host.empty() ? "unnamed" : source.host, " (", source.cpus, " CPUs)");
      }));
  const auto [first, last] = std::minmax_element(results.sources.begin(), results.sources.end(),
                                                 [](const Source& a, const Source& b) { return a.date < b.date; });
  add("measured at", first->date == last->date ? first->date : absl::StrCat(first->date, " to ", last->date));
  return html + "</dl>\n";
}

std::string Remarks(const Results& results) {
  std::vector<std::string> remarks = results.remarks;
  std::set<Durability> durabilities;
  for (const EngineInfo& engine : results.engines) {
    durabilities.insert(engine.durability);
    if (engine.descriptions.size() > 1) {
      remarks.push_back(absl::StrCat(engine.name, " isn't described alike in all files: is it the same in all?"));
    }
  }
  if (durabilities != std::set<Durability>{Durability::kDurable}) {
    remarks.insert(remarks.begin(),
                   absl::StrCat(durabilities.size() > 1 ? "These engines don't promise the same. " : "",
                                "Solid bars and lines: a write is durable when it returns. Hatched bars and dashed "
                                "lines: it may be lost with the power, or the files don't say what it is."));
  }
  std::set<std::pair<std::string, uint64_t>> machines;
  for (const Source& source : results.sources) machines.emplace(source.host, source.cpus);
  if (machines.size() > 1) {
    remarks.push_back("The files come from different machines: differences may be theirs, not the engines'.");
  }
  std::string html;
  for (const std::string& remark : remarks) absl::StrAppend(&html, Paragraph("note", remark));
  return html;
}

// Throughput and latency of one comparison, and what it costs.
std::string ComparisonSection(const Results& results, const Comparison& comparison) {
  const std::string& baseline = Baseline(results);
  std::string html = "<h3>Throughput</h3>\n";
  absl::StrAppend(&html, Paragraph("quiet", absl::StrCat(Describe(comparison),
                                                         ". Black lines on bars: from the slowest run to the "
                                                         "fastest, where there were several.")));
  absl::StrAppend(&html, Charts(ThroughputCharts(results, comparison)));
  if (const std::string ratios = RatioTable(results, comparison); !ratios.empty()) {
    absl::StrAppend(&html, "<h3>", EscapeXml(absl::StrCat("Time beside ", baseline, "'s")), "</h3>\n",
                    Paragraph("quiet", absl::StrCat(Describe(comparison), ". An engine's time of one operation ÷ ",
                                                    baseline, "'s: above 1, it is slower than ", baseline,
                                                    " (blue); below 1, faster (orange).")),
                    ratios);
  }
  if (const std::vector<LineChart> charts = LatencyCharts(results, comparison); !charts.empty()) {
    absl::StrAppend(
        &html, "<h3>Latency</h3>\n",
        Paragraph("quiet", absl::StrCat(Describe(comparison), ". p99: of a hundred operations, one takes longer.")),
        Charts(charts));
  }
  absl::StrAppend(&html, "<h3>What it costs</h3>\n",
                  Paragraph("quiet", absl::StrCat(Describe(comparison),
                                                  ". Flushes, fences and bytes stored to persistent memory (PM) are "
                                                  "counted where an engine makes them itself; what is written through "
                                                  "system calls isn't counted (–).")),
                  CostTable(results, comparison));
  if (const std::string multiples = LimitMultiples(results, comparison); !multiples.empty()) {
    absl::StrAppend(&html, "<h3>Above what the machine can do</h3>\n",
                    Paragraph("quiet", absl::StrCat(Describe(comparison),
                                                    ". How many times each limit goes into one "
                                                    "operation; the limits are below.")),
                    multiples);
  }
  return html;
}

std::string ScalingSection(const Results& results, const ShapeComparisons& shape) {
  std::string html;
  if (const std::vector<LineChart> charts = ThreadCharts(results, shape); !charts.empty()) {
    absl::StrAppend(&html, "<h3>More threads</h3>\n", Charts(charts));
  }
  if (const std::vector<LineChart> charts = SizeCharts(results, shape); !charts.empty()) {
    absl::StrAppend(
        &html, "<h3>More records</h3>\n",
        Paragraph("quiet",
                  "An operation that misses the cache once more for each factor of ten takes so much longer each "
                  "time: a straight line, unless the axis of times is logarithmic too. Beside each engine's "
                  "name is what such a factor adds."),
        Charts(charts));
  }
  return html;
}

std::string ShapeSection(const Results& results, const ShapeComparisons& shape, size_t number) {
  std::string html =
      absl::StrCat("<h2 id=\"s", number, "\">", EscapeXml(Describe(shape.shape)), "</h2>\n",
                   ComparisonSection(results, shape.comparisons.front()), ScalingSection(results, shape));
  for (size_t i = 1; i < shape.comparisons.size(); ++i) {
    absl::StrAppend(&html, "<details><summary>The same charts for ", EscapeXml(Describe(shape.comparisons[i])),
                    "</summary>\n", ComparisonSection(results, shape.comparisons[i]), "</details>\n");
  }
  return html;
}

// As a shell reads it back.
std::string ShellQuote(const std::string& word) {
  constexpr char kPlain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./,=:+@%";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
  std::string quoted = "'";
  for (const char byte : word) {
    if (byte == '\'') {
      quoted += "'\\''";
    } else {
      quoted += byte;
    }
  }
  return quoted + "'";
}

std::string HowToReproduce(const Results& results) {
  std::string commands, paths;
  for (const Source& source : results.sources) {
    absl::StrAppend(&commands, EscapeXml(CommandLineOf(source)), "\n");
    absl::StrAppend(&paths, " ", ShellQuote(source.path));
  }
  return absl::StrCat("<h2 id=\"reproduce\">How to measure this again</h2>\n",
                      Paragraph("quiet",
                                "As far as the files say how they were made; where the store was (--db, --tier) they "
                                "may not say."),
                      "<pre>", commands, "kvbench report --output=report.html", EscapeXml(paths), "</pre>\n");
}

std::string Title(const Results& results) {
  constexpr size_t kNamed = 4;
  std::vector<std::string> names;
  for (size_t i = 0; i < results.engines.size() && i < kNamed; ++i) names.push_back(results.engines[i].name);
  const size_t rest = results.engines.size() - names.size();
  return absl::StrCat("kvbench: ", absl::StrJoin(names, ", "), rest > 0 ? absl::StrCat(" and ", rest, " more") : "");
}

}  // namespace

std::string CommandLineOf(const Source& source) {
  std::vector<std::string> benchmarks;
  // "overwrite #2" was asked for by another "overwrite".
  for (const std::string& name : source.benchmarks) benchmarks.push_back(name.substr(0, name.rfind(" #")));
  std::string command = "kvbench";
  const auto add = [&](const char* flag, const std::string& value) {
    absl::StrAppend(&command, " ", ShellQuote(absl::StrCat("--", flag, "=", value)));
  };
  add("engines", absl::StrJoin(source.engines, ","));
  add("benchmarks", absl::StrJoin(benchmarks, ","));
  add("num", absl::StrCat(source.num));
  add("threads", absl::StrCat(source.threads));
  add("key_kind", source.shape.key_kind);
  if (source.shape.key_kind == "string") add("key_size", absl::StrCat(source.shape.key_bytes));
  add("value_size", absl::StrCat(source.shape.value_bytes));
  if (source.shape.batch_size > 1) add("batch_size", absl::StrCat(source.shape.batch_size));
  if (!source.shape.distribution.empty()) add("distribution", source.shape.distribution);
  if (source.repetitions > 1) add("repetitions", absl::StrCat(source.repetitions));
  add("json", source.path);
  return command;
}

std::string HtmlReport(const Results& results) {
  const std::vector<ShapeComparisons> shapes = Compare(results);
  const std::string title = EscapeXml(Title(results));
  std::string nav = "<nav>", sections;
  for (size_t i = 0; i < shapes.size(); ++i) {
    absl::StrAppend(&nav, "<a href=\"#s", i, "\">", EscapeXml(Describe(shapes[i].shape)), "</a> ");
    absl::StrAppend(&sections, ShapeSection(results, shapes[i], i));
  }
  if (!results.limits_ns.empty()) {
    absl::StrAppend(&sections, "<h2 id=\"limits\">What the machine can do</h2>\n", LimitTable(results));
  }
  absl::StrAppend(&nav,
                  "<a href=\"#numbers\">All numbers</a> <a href=\"#reproduce\">How to measure this again</a></nav>\n");
  return absl::StrCat(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
      title, "</title>\n<style>", kReportStyle, "</style>\n</head>\n<body>\n", Hatchings(), "<h1>", title, "</h1>\n",
      Facts(results, shapes), "<div class=\"engines\">", EngineTable(results), "</div>\n", Remarks(results), nav,
      sections, "<h2 id=\"numbers\">All numbers</h2>\n",
      Paragraph("quiet", "Percentiles are of single operations, in ns."), NumberTable(results), HowToReproduce(results),
      "</body>\n</html>\n");
}

}  // namespace sealkv::bench
