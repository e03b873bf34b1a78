// kvdump page: one structure of the file, decoded.
#include "absl/strings/str_cat.h"
#include "kv/lanes.h"
#include "tools/command.h"
#include "tools/output.h"
#include "tools/page.h"
#include "tools/segment_records.h"
#include "tools/store_access.h"
#include "tools/text.h"

namespace sealkv::tools {
namespace {

using internal::Image;
using internal::Offset;
using internal::Raw;
using internal::SegmentKind;
using internal::Superblock;

// The record that an offset lies in: found from the segment's beginning, if the headers can be read so far.
Offset RecordAround(const Image& image, const SegmentRun& run, Offset offset) {
  SegmentRecords records(image, run);
  while (records.Next() && Raw(records.offset()) <= Raw(offset)) {
    if (Raw(offset) < Raw(records.offset()) + records.record().bytes()) return records.offset();
  }
  return Offset{Raw(offset) / 8 * 8};
}

absl::StatusOr<nlohmann::ordered_json> Describe(const Image& image, Offset offset,
                                                const std::optional<std::string>& as) {
  if (Raw(offset) >= image.size_bytes()) {
    return absl::InvalidArgumentError(
        absl::StrCat(HexNumber(Raw(offset)), " lies behind the end of the store, ", HexNumber(image.size_bytes())));
  }
  const uint64_t segment = image.SegmentOf(offset);
  if (segment < image.header_segments()) return DescribeHeader(image, offset);
  const SegmentRun run = RunOf(image, segment);
  std::string kind = as.value_or(run.kind == SegmentKind::kNodes ? "node" : "record");
  if (!as.has_value() && (run.is_damaged || run.kind == SegmentKind::kFree)) {
    return absl::InvalidArgumentError(absl::StrCat(HexNumber(Raw(offset)), " lies in segment ", segment, ", which is ",
                                                   run.is_damaged ? "damaged" : "free",
                                                   " by the table: say --as=node or --as=record"));
  }
  if (kind == "node") return DescribeNode(image, Offset{Raw(offset) / internal::kNodeBytes * internal::kNodeBytes});
  if (kind == "record" && internal::RedoChunkAt(image, offset) != nullptr) return DescribeRedoChunk(image, offset);
  if (kind == "record") return DescribeRecord(image, as.has_value() ? offset : RecordAround(image, run, offset));
  return absl::InvalidArgumentError(absl::StrCat("--as=", kind, ": a page is a node or a record"));
}

absl::StatusOr<int> Run(const Args& args) {
  const std::string& text = args.positionals()[1];
  const std::optional<uint64_t> number = ParseNumber(text);
  if (!number.has_value() && text != "root") {
    return absl::InvalidArgumentError(
        absl::StrCat("OFFSET is a number (4096, 0x1000) or the word root, not ", Quote(text)));
  }
  const absl::StatusOr<OpenedImage> opened = OpenImageAsItIs(args.store());
  if (!opened.ok()) return opened.status();
  const Image& image = opened->image;
  const Offset offset{number.value_or(image.superblock().root)};
  const absl::StatusOr<nlohmann::ordered_json> page = Describe(image, offset, args.Value("as"));
  if (!page.ok()) return page.status();
  Output output;
  output.Write(args.Has("json") ? page->dump(2) + "\n" : PageForPeople(*page));
  if (absl::Status status = output.Close(); !status.ok()) return status;
  return kExitOk;
}

constexpr Flag kFlags[] = {{"json"}, {"as", 0, true}};

}  // namespace

const Command kPageCommand = {
    "page",
    "STORE OFFSET|root [--as=node|record] [--json]",
    "one node, record or word of the header, decoded",
    R"(Decodes what lies at OFFSET (decimal, or 0x… as `kvdump check` prints it), or the root node. An offset inside a node
or record shows the whole of it; one at which a part of a batch begins shows that. What it is, the segment table tells; --as overrules that. While a process has the store
open for writing, what lies there may be changing.

  --as=node|record  read it as that
  --json            the same for programs

examples:
  kvdump page /mnt/pmem/users root
  kvdump page /mnt/pmem/users 0x201000
  kvdump page /mnt/pmem/users 64                 (a word of the superblock)
)",
    kFlags,
    2,
    2,
    Run,
};

}  // namespace sealkv::tools
