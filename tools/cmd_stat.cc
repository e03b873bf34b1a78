// kvdump stat: what the store is made of, counted by walking it.
#include <cstdio>
#include <nlohmann/json.hpp>
#include <span>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "kv/check.h"
#include "tools/command.h"
#include "tools/live_stat.h"
#include "tools/output.h"
#include "tools/progress.h"
#include "tools/store_access.h"
#include "tools/text.h"

namespace sealkv::tools {
namespace {

using internal::CheckReport;
using internal::FillFigures;
using internal::Image;
using internal::SegmentKind;

uint64_t SegmentsOf(const CheckReport& report, SegmentKind kind) {
  return report.segments_by_kind[static_cast<size_t>(kind)];
}

std::string PerKey(uint64_t bytes, const CheckReport& report) {
  if (report.keys == 0) return "";
  return absl::StrCat(" (", Fixed(static_cast<double>(bytes) / static_cast<double>(report.keys), 1), " a key)");
}

std::string Fill(const FillFigures& figures) {
  if (figures.nodes == 0) return "none";
  return absl::StrCat(WithCommas(figures.nodes), ", ", Percent(figures.entries, figures.nodes * internal::kSlots),
                      " full");
}

// A column a tenth: how many segments have so much of their space alive.
std::string Tenths(std::span<const uint64_t> tenths) {
  std::string text;
  for (const uint64_t count : tenths) absl::StrAppend(&text, absl::StrFormat("%7s", WithCommas(count)));
  return text;
}

std::string TenthsHeading() {
  std::string text;
  for (int tenth = 0; tenth < 10; ++tenth) absl::StrAppend(&text, absl::StrFormat("%6d%%", 10 * tenth));
  return text + " and more";
}

void PrintData(const CheckReport& report, Output& output) {
  output.Write(Heading("data"));
  output.Write(Row("keys", WithCommas(report.keys)));
  output.Write(Row("  inline", absl::StrCat(WithCommas(report.inline_values), " (8-byte keys with 8-byte values)")));
  output.Write(Row("  tied", absl::StrCat(WithCommas(report.tied_keys), " (share their slice, fingerprint decides)")));
  output.Write(Row("key bytes", absl::StrCat(WithCommas(report.key_bytes), PerKey(report.key_bytes, report),
                                             ", longest ", WithCommas(report.key_bytes_max))));
  output.Write(Row("value bytes", absl::StrCat(WithCommas(report.value_bytes), PerKey(report.value_bytes, report),
                                               ", longest ", WithCommas(report.value_bytes_max))));
}

void PrintLog(const CheckReport& report, const Image& image, Output& output) {
  if (!image.superblock().Has(internal::Superblock::kKeepsLog)) return;
  output.Write(Row("changes kept", absl::StrCat(WithCommas(report.log_entries), ", ", HumanBytes(report.log_bytes),
                                                " of at most ", HumanBytes(image.superblock().log_terms.most_bytes),
                                                " (counted among nodes and records)")));
}

void PrintTree(const CheckReport& report, Output& output) {
  const uint64_t node_bytes = report.nodes * internal::kNodeBytes;
  output.Write(Heading("tree"));
  output.Write(
      Row("nodes", absl::StrCat(WithCommas(report.nodes), ", ", HumanBytes(node_bytes), PerKey(node_bytes, report))));
  output.Write(Row("  leaves", Fill(report.leaf_fill())));
  output.Write(Row("  inner nodes", Fill(report.inner_fill())));
  for (size_t level = 0; level < report.height_max; ++level) {
    output.Write(Row(absl::StrCat("  level ", level), Fill(report.nodes_by_level[level])));
  }
  output.Write(Row("height of top layer", WithCommas(report.height_top)));
  output.Write(Row("layers below the top",
                   absl::StrCat(WithCommas(report.layers), ", ", WithCommas(report.layers_with_prefix),
                                " with a prefix, ", WithCommas(report.prefix_records), " of these in records; deepest ",
                                WithCommas(report.layer_depth_max), ", highest ", WithCommas(report.height_max))));
  // A pathological store has thousands of depths; the first few tell.
  constexpr size_t kDepthsShown = 16;
  for (size_t depth = 0; depth < std::min(report.nodes_by_layer_depth.size(), kDepthsShown); ++depth) {
    output.Write(Row(absl::StrCat("  nodes at depth ", depth), Fill(report.nodes_by_layer_depth[depth])));
  }
  if (report.empty_leaves > 0) output.Write(Row("empty leaves", WithCommas(report.empty_leaves)));
}

void PrintSpace(const Image& image, const CheckReport& report, Output& output) {
  const uint64_t free = SegmentsOf(report, SegmentKind::kFree);
  const uint64_t total = image.segment_count();
  output.Write(Heading("space"));
  output.Write(Row("capacity", absl::StrCat(HumanBytes(image.size_bytes()), " in ", WithCommas(total), " segments of ",
                                            HumanBytes(image.segment_bytes()))));
  if (image.most_segments() > total) {
    output.Write(Row("  may grow to", absl::StrCat(HumanBytes(image.most_segments() * image.segment_bytes()), "; ",
                                                   Image::PartCount(image.superblock()), " parts so far")));
  }
  output.Write(Row("  free", absl::StrCat(WithCommas(free), " (", Percent(free, total), ")")));
  output.Write(Row("  header", WithCommas(image.header_segments())));
  output.Write(Row("  nodes", WithCommas(SegmentsOf(report, SegmentKind::kNodes))));
  output.Write(Row("  records", WithCommas(SegmentsOf(report, SegmentKind::kRecords))));
  output.Write(Row("  large records", WithCommas(SegmentsOf(report, SegmentKind::kLarge))));
  if (report.segments_damaged > 0) output.Write(Row("  damaged", WithCommas(report.segments_damaged)));
  output.Write(Row("  nothing alive", absl::StrCat(WithCommas(report.segments_unreachable),
                                                   " (in use by the table; the next writer frees them)")));
  output.Write(Row("records", absl::StrCat(WithCommas(report.records), ", ", HumanBytes(report.record_bytes),
                                           " with headers and padding")));
  output.Write(Row("segments by live part", TenthsHeading()));
  output.Write(Row("  node segments", Tenths(report.node_segments_by_tenth)));
  output.Write(Row("  record segments", Tenths(report.record_segments_by_tenth)));
}

nlohmann::ordered_json FillJson(std::span<const FillFigures> figures) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const FillFigures& each : figures) json.push_back({{"nodes", each.nodes}, {"entries", each.entries}});
  return json;
}

void PrintJson(const std::string& path, const Image& image, const CheckReport& report, Output& output) {
  nlohmann::ordered_json json;
  json["path"] = Escape(path);
  json["problems_seen"] = report.major_problems + report.minor_problems;
  json["keys"] = report.keys;
  json["inline_values"] = report.inline_values;
  json["tied_keys"] = report.tied_keys;
  json["key_bytes"] = report.key_bytes;
  json["key_bytes_max"] = report.key_bytes_max;
  json["value_bytes"] = report.value_bytes;
  json["value_bytes_max"] = report.value_bytes_max;
  json["records"] = report.records;
  json["record_bytes"] = report.record_bytes;
  json["prefix_records"] = report.prefix_records;
  json["prefix_record_bytes"] = report.prefix_record_bytes;
  json["log_entries"] = report.log_entries;
  json["log_bytes"] = report.log_bytes;
  json["log_bytes_max"] = image.superblock().log_terms.most_bytes;
  json["nodes"] = report.nodes;
  json["node_bytes"] = report.nodes * internal::kNodeBytes;
  json["leaves"] = report.leaves;
  json["leaf_fill"] = report.leaf_fill().fill();
  json["inner_fill"] = report.inner_fill().fill();
  json["empty_leaves"] = report.empty_leaves;
  json["height_top"] = report.height_top;
  json["height_max"] = report.height_max;
  json["layers"] = report.layers;
  json["layers_with_prefix"] = report.layers_with_prefix;
  json["layer_depth_max"] = report.layer_depth_max;
  json["nodes_by_level"] = FillJson({report.nodes_by_level.data(), report.height_max});
  json["nodes_by_layer_depth"] = FillJson(report.nodes_by_layer_depth);
  json["capacity_bytes"] = image.size_bytes();
  json["max_bytes"] = image.most_segments() * image.segment_bytes();
  json["parts"] = Image::PartCount(image.superblock());
  json["segment_bytes"] = image.segment_bytes();
  json["segments"] = {{"total", image.segment_count()},
                      {"header", image.header_segments()},
                      {"free", SegmentsOf(report, SegmentKind::kFree)},
                      {"nodes", SegmentsOf(report, SegmentKind::kNodes)},
                      {"records", SegmentsOf(report, SegmentKind::kRecords)},
                      {"large", SegmentsOf(report, SegmentKind::kLarge)},
                      {"damaged", report.segments_damaged},
                      {"nothing_alive", report.segments_unreachable}};
  json["node_segments_by_tenth_alive"] = report.node_segments_by_tenth;
  json["record_segments_by_tenth_alive"] = report.record_segments_by_tenth;
  output.Write(json.dump(2) + "\n");
}

absl::StatusOr<int> Run(const Args& args) {
  const absl::StatusOr<OpenedImage> opened = OpenImageAtRest(args.store());
  if (absl::IsUnavailable(opened.status())) return StatBesideWriter(args.store(), args.Has("json"));
  if (!opened.ok()) return opened.status();
  CatchInterrupts();
  Progress progress;
  internal::CheckOptions options;
  options.verify_checksums = false;
  options.progress = [&progress](uint64_t keys) {
    if (progress.IsDue()) progress.Show(absl::StrCat("counting: ", WithCommas(keys), " keys"));
    return !WasInterrupted();
  };
  const CheckReport report = internal::Check(opened->image, options);
  progress.Clear();
  if (report.was_stopped) return kExitInterrupted;
  Output output;
  if (args.Has("json")) {
    PrintJson(args.store(), opened->image, report, output);
  } else {
    PrintData(report, output);
    PrintLog(report, opened->image, output);
    PrintTree(report, output);
    PrintSpace(opened->image, report, output);
  }
  if (!report.is_sound()) {
    std::fprintf(
        stderr, "kvdump: %s: the store is damaged, and the figures are of what could be reached. Run `kvdump check`.\n",
        Escape(args.store()).c_str());
  }
  if (absl::Status status = output.Close(); !status.ok()) return status;
  return kExitOk;
}

constexpr Flag kFlags[] = {{"json"}};

}  // namespace

const Command kStatCommand = {
    "stat",
    "STORE [--json]",
    "figures: keys, nodes and their fill, layers, space",
    R"(Walks the whole tree and counts. Doesn't verify checksums, nor read values: see `kvdump check`.

While a process has the store open for writing only its keys and values are counted, and the segments by the table: nodes,
and what of the segments is alive, are unknown then (null in JSON).

  --json        the same for programs, all sizes in bytes

examples:
  kvdump stat /mnt/pmem/users
  kvdump stat --json /mnt/pmem/users | jq '.node_bytes / .keys'
)",
    kFlags,
    1,
    1,
    Run,
};

}  // namespace sealkv::tools
