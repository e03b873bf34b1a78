// kvdump records: what lies in a segment, found without the tree.
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tools/command.h"
#include "tools/output.h"
#include "tools/segment_records.h"
#include "tools/store_access.h"
#include "tools/text.h"

namespace sealkv::tools {
namespace {

using internal::Image;
using internal::Raw;
using internal::RecordView;
using internal::SegmentKind;

constexpr int kGenerationShift = 40;

nlohmann::ordered_json RecordJson(const SegmentRecords& records) {
  const RecordView record = records.record();
  return {
      {"offset", Raw(records.offset())},           {"bytes", record.bytes()},
      {"checksum_holds", record.ChecksumHolds()},  {"is_prefix", record.header().flags() == internal::kPrefixRecord},
      {"sequence", record.header().sequence},      {"key_hex", ToHex(record.key())},
      {"value_bytes", record.header().value_bytes}};
}

void PrintRecord(const SegmentRecords& records, Output& output) {
  const RecordView record = records.record();
  const uint64_t sequence = record.header().sequence;
  output.Write(absl::StrFormat(
      "%-12s %9s  %-8s  %12s  %s %s%s\n", HexNumber(Raw(records.offset())), WithCommas(record.bytes()),
      record.ChecksumHolds() ? "ok" : "BAD",
      absl::StrCat(sequence >> kGenerationShift, ".", sequence & ((uint64_t{1} << kGenerationShift) - 1)),
      Quote(record.key()), absl::StrCat("→ ", WithCommas(record.header().value_bytes), " bytes"),
      record.header().flags() == internal::kPrefixRecord ? " (a layer's prefix)" : ""));
}

absl::Status ListRecords(const Image& image, uint64_t segment, bool as_json, Output& output) {
  if (segment < image.header_segments() || segment >= image.segment_count()) {
    return absl::InvalidArgumentError(absl::StrCat("segment ", segment, " holds no records: they can be in ",
                                                   image.header_segments(), " to ", image.segment_count() - 1));
  }
  const SegmentRun run = RunOf(image, segment);
  if (run.kind == SegmentKind::kNodes) {
    return absl::InvalidArgumentError(absl::StrCat("segment ", segment, " holds nodes: see `kvdump page STORE ",
                                                   HexNumber(Raw(image.SegmentStart(segment))), "`"));
  }
  SegmentRecords records(image, run);
  nlohmann::ordered_json json;
  if (!as_json) {
    output.Write(absl::StrCat("segment ", run.first, " at ", HexNumber(Raw(image.SegmentStart(run.first))), ": ",
                              run.is_damaged ? "damaged word" : SegmentKindName(run.kind), "\n"));
    output.Write(
        absl::StrFormat("%-12s %9s  %-8s  %12s  %s\n", "offset", "bytes", "checksum", "sequence", "key → value"));
  }
  uint64_t count = 0;
  while (output.status().ok() && records.Next()) {
    ++count;
    if (as_json) {
      json.push_back(RecordJson(records));
    } else {
      PrintRecord(records, output);
    }
  }
  if (as_json) {
    const nlohmann::ordered_json whole = {{"segment", run.first},
                                          {"kind", run.is_damaged ? "damaged" : SegmentKindName(run.kind)},
                                          {"records", std::move(json)},
                                          {"ended", records.why_ended()}};
    output.Write(whole.dump(2) + "\n");
  } else {
    output.Write(absl::StrCat(WithCommas(count), count == 1 ? " record" : " records", "; ", records.why_ended(), "\n"));
  }
  return absl::OkStatus();
}

void ListSegments(const Image& image, bool as_json, Output& output) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  if (!as_json) output.Write(absl::StrFormat("%-10s %-14s %-10s %s\n", "segment", "offset", "kind", "segments"));
  for (uint64_t segment = image.header_segments(); segment < image.segment_count();) {
    const SegmentRun run = RunOf(image, segment);
    const uint64_t length = run.length;
    segment += length;
    if (run.kind == SegmentKind::kFree && !run.is_damaged) continue;
    const char* kind = run.is_damaged ? "damaged" : SegmentKindName(run.kind);
    const uint64_t offset = Raw(image.SegmentStart(run.first));
    if (as_json) {
      json.push_back({{"segment", run.first}, {"offset", offset}, {"kind", kind}, {"segments", length}});
    } else {
      output.Write(absl::StrFormat("%-10d %-14s %-10s %d\n", run.first, HexNumber(offset), kind, length));
    }
    if (!output.status().ok()) return;
  }
  if (as_json) output.Write(json.dump(2) + "\n");
}

absl::StatusOr<int> Run(const Args& args) {
  std::optional<uint64_t> segment;
  if (args.positionals().size() > 1) {
    segment = ParseNumber(args.positionals()[1]);
    if (!segment.has_value()) {
      return absl::InvalidArgumentError(absl::StrCat("SEGMENT is a number, not ", Quote(args.positionals()[1])));
    }
  }
  const absl::StatusOr<OpenedImage> opened = OpenImageAsItIs(args.store());
  if (!opened.ok()) return opened.status();
  Output output;
  if (segment.has_value()) {
    if (absl::Status status = ListRecords(opened->image, *segment, args.Has("json"), output); !status.ok())
      return status;
  } else {
    ListSegments(opened->image, args.Has("json"), output);
  }
  if (absl::Status status = output.Close(); !status.ok()) return status;
  return kExitOk;
}

constexpr Flag kFlags[] = {{"json"}};

}  // namespace

const Command kRecordsCommand = {
    "records",
    "STORE [SEGMENT] [--json]",
    "the segments in use, or the records of one",
    R"(Without SEGMENT: lists the segments that the table says are in use. With it: lists the records there, from header to
header as far as they can be read, whether they are alive or not, and whether their checksums hold. While a process has the
store open for writing, a record may be half written.

  --json        the same for programs

examples:
  kvdump records /mnt/pmem/users
  kvdump records /mnt/pmem/users 3
)",
    kFlags,
    1,
    2,
    Run,
};

}  // namespace sealkv::tools
