#include "tools/live_stat.h"

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "tools/command.h"
#include "tools/output.h"
#include "tools/progress.h"
#include "tools/store_access.h"
#include "tools/text.h"

namespace sealkv::tools {
namespace {

struct Counts {
  uint64_t keys = 0;
  uint64_t inline_values = 0;
  uint64_t key_bytes = 0;
  uint64_t key_bytes_max = 0;
  uint64_t value_bytes = 0;
  uint64_t value_bytes_max = 0;
  bool was_stopped = false;
};

absl::StatusOr<Counts> Count(const Store& store) {
  CatchInterrupts();
  Progress progress;
  Counts counts;
  const std::unique_ptr<Iterator> at = store.NewIterator();
  for (at->SeekToFirst(); at->Valid(); at->Next()) {
    const uint64_t key_bytes = at->key().size();
    const uint64_t value_bytes = at->value().size();
    ++counts.keys;
    counts.inline_values += key_bytes == 8 && value_bytes == 8;
    counts.key_bytes += key_bytes;
    counts.key_bytes_max = std::max(counts.key_bytes_max, key_bytes);
    counts.value_bytes += value_bytes;
    counts.value_bytes_max = std::max(counts.value_bytes_max, value_bytes);
    if (progress.IsDue()) progress.Show(absl::StrCat("counting: ", WithCommas(counts.keys), " keys"));
    if (counts.was_stopped = WasInterrupted(); counts.was_stopped) break;
  }
  progress.Clear();
  if (!at->status().ok()) return at->status();
  return counts;
}

void PrintForPeople(const Counts& counts, const Stats& stats, Output& output) {
  output.Write(absl::StrCat(WriterName(stats.writer_pid),
                            " is writing: each leaf is counted as it was at one moment, not all at the same.\n"));
  output.Write(Heading("data"));
  output.Write(Row("keys", WithCommas(counts.keys)));
  output.Write(Row("  inline", absl::StrCat(WithCommas(counts.inline_values), " (8-byte keys with 8-byte values)")));
  output.Write(Row("  tied", "unknown"));
  output.Write(
      Row("key bytes", absl::StrCat(WithCommas(counts.key_bytes), ", longest ", WithCommas(counts.key_bytes_max))));
  output.Write(Row("value bytes",
                   absl::StrCat(WithCommas(counts.value_bytes), ", longest ", WithCommas(counts.value_bytes_max))));
  output.Write(Heading("tree"));
  output.Write(Row("nodes, fill, layers", "unknown: counted in a store at rest"));
  output.Write(Heading("space"));
  output.Write(Row("capacity", absl::StrCat(HumanBytes(stats.capacity_bytes), " in ", WithCommas(stats.segments_total),
                                            " segments of ", HumanBytes(stats.segment_bytes))));
  if (stats.max_bytes > stats.capacity_bytes) {
    output.Write(Row("  may grow to",
                     absl::StrCat(HumanBytes(stats.max_bytes), "; ", WithCommas(stats.parts), " parts so far")));
  }
  output.Write(Row("  free", absl::StrCat(WithCommas(stats.segments_free), " (",
                                          Percent(stats.segments_free, stats.segments_total), ")")));
  output.Write(Row("  header", WithCommas(stats.segments_header)));
  output.Write(Row("  nodes", WithCommas(stats.segments_nodes)));
  output.Write(Row("  records", WithCommas(stats.segments_records)));
  output.Write(Row("  large records", WithCommas(stats.segments_large)));
  output.Write(Row("live part of segments", "unknown: the writer's own"));
}

void PrintJson(const std::string& path, const Counts& counts, const Stats& stats, Output& output) {
  nlohmann::ordered_json json;
  json["path"] = Escape(path);
  json["being_written"] = true;
  if (stats.writer_pid != 0) json["writer_pid"] = stats.writer_pid;
  json["keys"] = counts.keys;
  json["inline_values"] = counts.inline_values;
  json["key_bytes"] = counts.key_bytes;
  json["key_bytes_max"] = counts.key_bytes_max;
  json["value_bytes"] = counts.value_bytes;
  json["value_bytes_max"] = counts.value_bytes_max;
  for (const char* unknown : {"tied_keys", "records", "nodes", "height_top", "layers"}) json[unknown] = nullptr;
  json["capacity_bytes"] = stats.capacity_bytes;
  json["max_bytes"] = stats.max_bytes;
  json["parts"] = stats.parts;
  json["segment_bytes"] = stats.segment_bytes;
  json["segments"] = {{"total", stats.segments_total},     {"header", stats.segments_header},
                      {"free", stats.segments_free},       {"nodes", stats.segments_nodes},
                      {"records", stats.segments_records}, {"large", stats.segments_large}};
  output.Write(json.dump(2) + "\n");
}

}  // namespace

absl::StatusOr<int> StatBesideWriter(const std::string& path, bool as_json) {
  const absl::StatusOr<std::unique_ptr<Store>> store = OpenStoreForReading(path);
  if (!store.ok()) return store.status();
  const absl::StatusOr<Counts> counts = Count(**store);
  if (!counts.ok()) return counts.status();
  if (counts->was_stopped) return kExitInterrupted;
  const Stats stats = (*store)->GetStats();
  Output output;
  as_json ? PrintJson(path, *counts, stats, output) : PrintForPeople(*counts, stats, output);
  if (absl::Status status = output.Close(); !status.ok()) return status;
  return kExitOk;
}

}  // namespace sealkv::tools
