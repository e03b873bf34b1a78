#include "bench/report/tables.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "bench/report/charts.h"
#include "bench/report/svg_chart.h"
#include "bench/report/text.h"

namespace sealkv::bench {
namespace {

constexpr const char* kNothing = "–";

// Heads and cells are HTML; the first `texts` columns are text, the others are numbers. A column without any isn't
// shown.
class HtmlTable {
 public:
  HtmlTable(std::vector<std::string> head, size_t texts) : head_(std::move(head)), texts_(texts) {}

  void Add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  bool empty() const { return rows_.empty(); }
  // `has_groups`: rows that begin alike stand together.
  std::string Html(bool has_groups = false) const {
    std::string html = absl::StrCat("<div class=\"scroll\"><table><thead>", Row("th", head_, ""), "</thead><tbody>\n");
    for (size_t i = 0; i < rows_.size(); ++i) {
      const bool is_first = has_groups && i > 0 && rows_[i][0] != rows_[i - 1][0];
      absl::StrAppend(&html, Row("td", rows_[i], is_first ? " class=\"first\"" : ""));
    }
    return absl::StrCat(html, "</tbody></table></div>\n");
  }

 private:
  bool IsShown(size_t column) const {
    return std::any_of(rows_.begin(), rows_.end(), [&](const auto& row) { return row[column] != kNothing; });
  }
  std::string Row(const char* tag, const std::vector<std::string>& cells, const char* attribute) const {
    std::string row = absl::StrCat("<tr", attribute, ">");
    for (size_t i = 0; i < cells.size(); ++i) {
      if (IsShown(i)) absl::StrAppend(&row, "<", tag, i < texts_ ? " class=\"text\">" : ">", cells[i], "</", tag, ">");
    }
    return row + "</tr>\n";
  }

  const std::vector<std::string> head_;
  const size_t texts_;
  std::vector<std::vector<std::string>> rows_;
};

std::string Optional(Unit unit, const std::optional<double>& value) {
  return value.has_value() ? Format(unit, *value) : kNothing;
}

std::string Times(double ratio) { return absl::StrCat(Format(Unit::kPlain, ratio), "×"); }

std::string RatioCell(double ratio) {
  constexpr double kAlike = 1.05;
  const char* tint = ratio > kAlike ? "slower" : ratio * kAlike < 1 ? "faster" : "alike";
  return absl::StrCat("<span class=\"", tint, "\">", Times(ratio), "</span>");
}

// Named and coloured as in charts.
std::string EngineCell(const Results& results, const std::string& engine) {
  return absl::StrCat(BarSample(LookOf(results, engine)), " ", EscapeXml(engine));
}

const char* BadgeClass(Durability durability) { return durability == Durability::kDurable ? "badge durable" : "badge"; }

// SealKV counts its own flushes and fences. Of an engine that has none at all nothing was counted.
bool IsCounted(const Results& results, const std::string& engine) {
  return std::any_of(results.measurements.begin(), results.measurements.end(), [&](const Measurement& m) {
    return m.engine == engine && (m.flushes.value_or(0) > 0 || m.fences.value_or(0) > 0);
  });
}

}  // namespace

std::string EngineTable(const Results& results) {
  HtmlTable table({"engine", "durability", "what it is"}, 3);
  for (const EngineInfo& engine : results.engines) {
    std::string description = absl::StrJoin(engine.descriptions, "; in another file: ");
    if (description.empty()) description = "The files don't describe it.";
    table.Add({absl::StrCat("<b>", EngineCell(results, engine.name), "</b>"),
               absl::StrCat("<span class=\"", BadgeClass(engine.durability), "\">", DurabilityText(engine.durability),
                            "</span>"),
               EscapeXml(description)});
  }
  return table.Html();
}

std::string RatioTable(const Results& results, const Comparison& comparison) {
  const std::string& baseline = Baseline(results);
  std::vector<std::string> head = {"engine"};
  std::vector<const Measurement*> bases;
  for (const std::string& benchmark : results.benchmarks) {
    const Measurement* base = comparison.Find(baseline, benchmark);
    if (base == nullptr) continue;
    bases.push_back(base);
    head.push_back(EscapeXml(benchmark));
  }
  HtmlTable table(head, 1);
  bool has_ratio = false;
  for (const EngineInfo& engine : results.engines) {
    std::vector<std::string> cells = {EngineCell(results, engine.name)};
    for (const Measurement* base : bases) {
      const Measurement* measurement = comparison.Find(engine.name, base->benchmark);
      has_ratio |= measurement != nullptr && measurement != base;
      cells.push_back(measurement == nullptr ? kNothing
                      : measurement == base  ? Format(Unit::kNanoseconds, base->ns)
                                             : RatioCell(measurement->ns / base->ns));
    }
    if (std::any_of(cells.begin() + 1, cells.end(), [](const auto& cell) { return cell != kNothing; })) {
      table.Add(cells);
    }
  }
  return has_ratio ? table.Html() : "";
}

std::string CostTable(const Results& results, const Comparison& comparison) {
  HtmlTable table({"benchmark", "engine", "flushes/op", "fences/op", "PM bytes/op", "bytes/record", "CPU/op", "RSS",
                   "of it anonymous"},
                  2);
  for (const std::string& benchmark : results.benchmarks) {
    for (const EngineInfo& engine : results.engines) {
      const Measurement* m = comparison.Find(engine.name, benchmark);
      if (m == nullptr) continue;
      const bool is_counted = IsCounted(results, engine.name);
      const auto counted = [&](const std::optional<double>& value) {
        return is_counted ? Optional(Unit::kPlain, value) : kNothing;
      };
      table.Add({EscapeXml(benchmark), EngineCell(results, engine.name), counted(m->flushes), counted(m->fences),
                 counted(m->pm_bytes), Optional(Unit::kPlain, m->bytes_per_record),
                 Optional(Unit::kNanoseconds, m->cpu_ns), Optional(Unit::kBytes, m->rss_bytes),
                 Optional(Unit::kBytes, m->rss_anon_bytes)});
    }
  }
  return table.Html(/*has_groups=*/true);
}

std::string LimitTable(const Results& results) {
  if (results.limits_ns.empty()) return "";
  HtmlTable table({"limit of the machine", "time"}, 1);
  for (const auto& [name, ns] : results.limits_ns) table.Add({EscapeXml(name), Format(Unit::kNanoseconds, ns)});
  return table.Html();
}

std::string LimitMultiples(const Results& results, const Comparison& comparison) {
  if (results.limits_ns.empty()) return "";
  std::vector<std::string> head = {EscapeXml(absl::StrCat(Baseline(results), ": benchmark")), "time/op"};
  for (const auto& [name, ns] : results.limits_ns) head.push_back(EscapeXml(absl::StrCat("÷ ", name)));
  HtmlTable table(head, 1);
  for (const std::string& benchmark : results.benchmarks) {
    const Measurement* measurement = comparison.Find(Baseline(results), benchmark);
    if (measurement == nullptr) continue;
    std::vector<std::string> cells = {EscapeXml(benchmark), Format(Unit::kNanoseconds, measurement->ns)};
    for (const auto& [name, ns] : results.limits_ns) cells.push_back(Times(measurement->ns / ns));
    table.Add(cells);
  }
  return table.empty() ? "" : table.Html();
}

std::string NumberTable(const Results& results) {
  std::vector<std::string> head = {"benchmark",   "engine",  "keys",    "values", "distribution",
                                   "batch",       "records", "threads", "ns/op",  "fastest run",
                                   "slowest run", "ops/s",   "MB/s"};
  head.insert(head.end(), kPercentileNames.begin(), kPercentileNames.end());
  HtmlTable table(head, 5);
  for (const Measurement& m : results.measurements) {
    std::vector<std::string> cells = {EscapeXml(m.benchmark), EscapeXml(m.engine)};
    cells.push_back(EscapeXml(absl::StrCat(m.shape.key_bytes, " B ", m.shape.key_kind)));
    cells.push_back(absl::StrCat(m.shape.value_bytes, " B"));
    cells.push_back(m.shape.distribution.empty() ? kNothing : EscapeXml(m.shape.distribution));
    cells.push_back(m.shape.batch_size == 1 ? kNothing : absl::StrCat(m.shape.batch_size));
    cells.push_back(absl::StrCat(m.num));
    cells.push_back(absl::StrCat(m.threads));
    cells.push_back(absl::StrFormat("%.1f", m.ns));
    const auto [least, greatest] = std::minmax_element(m.ns_runs.begin(), m.ns_runs.end());
    cells.push_back(m.ns_runs.empty() ? kNothing : absl::StrFormat("%.1f", *least));
    cells.push_back(m.ns_runs.empty() ? kNothing : absl::StrFormat("%.1f", *greatest));
    cells.push_back(absl::StrFormat("%.0f", 1e9 / m.ns));
    cells.push_back(m.bytes_per_second.has_value() ? absl::StrFormat("%.1f", *m.bytes_per_second / 1e6) : kNothing);
    for (size_t i = 0; i < kPercentileNames.size(); ++i) {
      cells.push_back(m.percentiles_ns.has_value() ? absl::StrFormat("%.0f", (*m.percentiles_ns)[i]) : kNothing);
    }
    table.Add(cells);
  }
  return table.Html();
}

}  // namespace sealkv::bench
