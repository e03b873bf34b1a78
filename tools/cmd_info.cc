// kvdump info: what the file and its superblock say. Looks at nothing else, so it works while another process has the
// store open, and on stores that nothing else can open.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "daxfile/dax_file.h"
#include "kv/lane_word.h"
#include "kv/recovery.h"
#include "kv/superblock.h"
#include "tools/command.h"
#include "tools/output.h"
#include "tools/text.h"

namespace sealkv::tools {
namespace {

using internal::Superblock;

struct Info {
  daxfile::FileReport file;
  bool has_superblock = false;
  Superblock superblock{};
  std::string verdict;  // empty: the superblock is sound
};

// What the lanes say. While somebody writes they come and go.
struct LaneCounts {
  uint64_t set = 0;
  uint64_t damaged = 0;
};
LaneCounts CountLanes(const Superblock& superblock) {
  LaneCounts counts;
  for (uint64_t i = 0; i < Superblock::kLanes; ++i) {
    const internal::LaneWord word(superblock.lanes[i].word);
    counts.set += !word.is_free();
    counts.damaged += !word.IsWellFormed(i);
  }
  return counts;
}

// Maps the file without locking it: of the words read here most never change, and the others are one word each. A DAX
// device has no such way in.
absl::StatusOr<daxfile::DaxFile> LookAt(const daxfile::FileReport& report, void** mapping) {
  *mapping = nullptr;
  if (report.tier == daxfile::Tier::kDeviceDax) {
    return daxfile::DaxFile::Open(report.path,
                                  {.weakest_tier = daxfile::Tier::kVolatile, .read_only = true, .live = true});
  }
  const int fd = open(report.path.c_str(), O_RDONLY | O_CLOEXEC);
  const absl::Cleanup close_fd = [fd] { close(fd); };
  void* data = fd < 0 ? MAP_FAILED : mmap(nullptr, report.size_bytes, PROT_READ, MAP_SHARED, fd, 0);
  if (data == MAP_FAILED)
    return absl::UnavailableError(absl::StrCat(report.path, ": can't read: ", std::strerror(errno)));
  *mapping = data;
  return daxfile::DaxFile::OverMemory({static_cast<std::byte*>(data), report.size_bytes});
}

absl::Status Verdict(const daxfile::DaxFile& file, const daxfile::FileReport& report, const Superblock* superblock) {
  if (superblock == nullptr) return internal::OpenImage(file).status();
  const absl::Status status = internal::ValidateSuperblock(*superblock, file.size_bytes(), file.path());
  if (!status.ok() || !superblock->Has(Superblock::kGrows)) return status;
  const size_t there = daxfile::PartPathsOf(report.path, superblock->store_id).size();
  if (there >= internal::Image::PartCount(*superblock)) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(daxfile::PartPath(report.path, there + 1), ": this part of the store is missing, or isn't its own"));
}

absl::StatusOr<Info> ReadInfo(const std::string& path) {
  absl::StatusOr<daxfile::FileReport> report = daxfile::DaxFile::Inspect(path);
  if (!report.ok()) return report.status();
  void* mapping;
  const absl::StatusOr<daxfile::DaxFile> file = LookAt(*report, &mapping);
  if (!file.ok()) return file.status();
  const absl::Cleanup unmap = [&] {
    if (mapping != nullptr) munmap(mapping, report->size_bytes);
  };
  Info info;
  info.has_superblock = file->size_bytes() >= sizeof(Superblock);
  if (info.has_superblock) std::memcpy(&info.superblock, file->data(), sizeof(Superblock));
  info.verdict = std::string(Verdict(*file, *report, info.has_superblock ? &info.superblock : nullptr).message());
  if (info.verdict.empty() && CountLanes(info.superblock).damaged > 0) info.verdict = "a lane's word is damaged";
  // Messages begin with the path, of which the mapping knows nothing.
  if (absl::StartsWith(info.verdict, file->path() + ": ")) info.verdict.erase(0, file->path().size() + 2);
  info.file = *std::move(report);
  return info;
}

std::string Describe(const LaneCounts& lanes, bool has_writer) {
  if (lanes.damaged > 0) return absl::StrCat("DAMAGED: ", lanes.damaged, " lanes; see `kvdump check`");
  if (has_writer) return absl::StrCat(lanes.set, " being written");
  if (lanes.set == 0) return "none waits to be finished";
  return absl::StrCat(lanes.set, " committed, and finished by whoever opens the store next");
}

bool IsStore(const Info& info) { return info.has_superblock && info.superblock.magic == Superblock::kMagic; }

bool Grows(const Superblock& superblock) {
  return superblock.Has(Superblock::kGrows) && superblock.segment_bytes_log2 < 48;
}

uint64_t PartsBytes(const Superblock& superblock) {
  const uint64_t first_bytes = superblock.segment_count << superblock.segment_bytes_log2;
  return internal::Image::GeometryOf(superblock).size_bytes - first_bytes;
}

void PrintForPeople(const Info& info, Output& output) {
  const Superblock& superblock = info.superblock;
  output.Write(Heading("file"));
  output.Write(Row("path", Escape(info.file.path)));
  output.Write(
      Row("size", absl::StrCat(HumanBytes(info.file.size_bytes), " (", WithCommas(info.file.size_bytes), " bytes)")));
  output.Write(Row("filesystem", info.file.filesystem));
  output.Write(Row("tier", std::string(daxfile::TierName(info.file.tier))));
  output.Write(Row("because", info.file.reason));
  if (info.file.has_writer) output.Write(Row("open for writing", WriterName(info.file.writer_pid)));
  output.Write(
      Row("survives power cuts", daxfile::IsPowerSafe(info.file.tier) ? "yes" : "no: only the end of the process"));
  output.Write(Heading("store"));
  output.Write(Row("superblock", info.verdict.empty() ? "sound" : Escape(info.verdict)));
  if (!IsStore(info)) return;
  const uint64_t segment_bytes = superblock.segment_bytes_log2 < 64 ? uint64_t{1} << superblock.segment_bytes_log2 : 0;
  output.Write(Row("format", absl::StrCat(superblock.format_major, ".", superblock.format_minor)));
  output.Write(Row("features", absl::StrCat("incompatible ", HexNumber(superblock.features_incompatible),
                                            ", compatible ", HexNumber(superblock.features_compatible))));
  output.Write(Row("store id", HexNumber(superblock.store_id)));
  output.Write(Row("capacity", absl::StrCat(HumanBytes(superblock.capacity_bytes), " (",
                                            WithCommas(superblock.capacity_bytes), " bytes)")));
  if (Grows(superblock)) {
    output.Write(Row("  parts", absl::StrCat(internal::Image::PartCount(superblock), " more files, of ",
                                             HumanBytes(PartsBytes(superblock)), " in all")));
    output.Write(Row("  may grow to", HumanBytes(uint64_t{superblock.most_segments} << superblock.segment_bytes_log2)));
  }
  output.Write(
      Row("segments", absl::StrCat(WithCommas(superblock.segment_count), " of ", HumanBytes(segment_bytes), ", ",
                                   WithCommas(superblock.header_segments), " for superblock and table")));
  output.Write(Row("root", absl::StrCat("node at ", HexNumber(superblock.root))));
  if (superblock.Has(Superblock::kKeepsLog)) {
    output.Write(Row("keeps changes", absl::StrCat(HumanBytes(superblock.log_terms.most_bytes), "; root node at ",
                                                   HexNumber(superblock.log_root), ", lineage ",
                                                   HexNumber(superblock.log_terms.lineage))));
  }
  output.Write(Row("opened for writing",
                   absl::StrCat(WithCommas(superblock.generation), superblock.generation == 1 ? " time" : " times")));
  output.Write(Row("batches", Describe(CountLanes(superblock), info.file.has_writer)));
}

void PrintJson(const Info& info, Output& output) {
  const Superblock& superblock = info.superblock;
  nlohmann::ordered_json json;
  json["path"] = Escape(info.file.path);
  json["file_bytes"] = info.file.size_bytes;
  json["filesystem"] = info.file.filesystem;
  json["tier"] = std::string(daxfile::TierName(info.file.tier));
  json["tier_reason"] = info.file.reason;
  json["has_writer"] = info.file.has_writer;
  if (info.file.writer_pid != 0) json["writer_pid"] = info.file.writer_pid;
  json["power_safe"] = daxfile::IsPowerSafe(info.file.tier);
  json["is_store"] = IsStore(info);
  json["superblock_sound"] = info.verdict.empty();
  if (!info.verdict.empty()) json["superblock_error"] = Escape(info.verdict);
  if (IsStore(info)) {
    json["format_major"] = superblock.format_major;
    json["format_minor"] = superblock.format_minor;
    json["features_incompatible"] = superblock.features_incompatible;
    json["features_compatible"] = superblock.features_compatible;
    json["store_id"] = HexNumber(superblock.store_id);
    json["capacity_bytes"] = superblock.capacity_bytes;
    json["parts"] = Grows(superblock) ? internal::Image::PartCount(superblock) : 0;
    json["parts_bytes"] = Grows(superblock) ? PartsBytes(superblock) : 0;
    if (Grows(superblock)) json["most_segments"] = superblock.most_segments;
    json["segment_bytes_log2"] = superblock.segment_bytes_log2;
    json["segment_count"] = superblock.segment_count;
    json["header_segments"] = superblock.header_segments;
    json["root"] = superblock.root;
    if (superblock.Has(Superblock::kKeepsLog)) {
      json["change_log_bytes"] = superblock.log_terms.most_bytes;
      json["log_root"] = superblock.log_root;
      json["lineage"] = HexNumber(superblock.log_terms.lineage);
    }
    json["generation"] = superblock.generation;
    const LaneCounts lanes = CountLanes(superblock);
    json["batches_committed"] = lanes.set - lanes.damaged;
    json["lanes_damaged"] = lanes.damaged;
  }
  output.Write(json.dump(2) + "\n");
}

absl::StatusOr<int> Run(const Args& args) {
  const absl::StatusOr<Info> info = ReadInfo(args.store());
  if (!info.ok()) return info.status();
  Output output;
  if (args.Has("json")) {
    PrintJson(*info, output);
  } else {
    PrintForPeople(*info, output);
  }
  if (absl::Status status = output.Close(); !status.ok()) return status;
  return info->verdict.empty() ? kExitOk : kExitStore;
}

constexpr Flag kFlags[] = {{"json"}};

}  // namespace

const Command kInfoCommand = {
    "info",
    "STORE [--json]",
    "what the file and its superblock say",
    R"(Prints the file's durability tier and why it has that, and the superblock: format, geometry, root, and whether a batch
waits that its writer had committed and not finished when he died.

  --json        the same for programs

Reads the superblock only: it works while the store is in use, and says by whom it is written; and on a damaged one as
far as can be. Ends with 3 if the superblock is not sound.

examples:
  kvdump info /mnt/pmem/users
  kvdump info --json /dev/shm/store | jq .tier
)",
    kFlags,
    1,
    1,
    Run,
};

}  // namespace sealkv::tools
