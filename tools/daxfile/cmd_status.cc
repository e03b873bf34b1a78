// daxfile status: how durable a file can be, where its blocks lie, whether it is sealed, and what keeps it from that.
#include <algorithm>
#include <cstdio>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "daxfile/dax_file.h"
#include "daxfile/extents.h"
#include "daxfile/sealing.h"
#include "tools/daxfile/commands.h"
#include "tools/output.h"
#include "tools/text.h"

namespace sealkv::tools {
namespace {

using daxfile::Extent;

constexpr size_t kExtentsShown = 10;
constexpr uint64_t kHugePageBytes = 2 << 20;

struct FileStatus {
  daxfile::FileReport file;
  daxfile::SealReport seal;
  absl::StatusOr<std::vector<Extent>> extents;
};

absl::StatusOr<FileStatus> Look(const std::string& path) {
  absl::StatusOr<daxfile::FileReport> file = daxfile::DaxFile::Inspect(path);
  if (!file.ok()) return file.status();
  absl::StatusOr<daxfile::SealReport> seal = daxfile::InspectSeal(path);
  if (!seal.ok()) return seal.status();
  return FileStatus{*std::move(file), *std::move(seal), daxfile::ReadExtents(path)};
}

// An error's message, without the path that stands above it already.
std::string Reason(const std::string& path, const absl::Status& status) {
  std::string text(status.message());
  if (text.rfind(path + ": ", 0) == 0) text.erase(0, path.size() + 2);
  return text;
}

std::string SealedText(const FileStatus& status) {
  if (!status.seal.is_sealed.ok())
    return absl::StrCat("not known: ", std::string(status.seal.is_sealed.status().message()));
  if (*status.seal.is_sealed) return "yes";
  return status.seal.obstacles.empty() ? "no; can be: `daxfile seal`" : "no, and can't be now:";
}

std::string AlignmentText(uint64_t alignment_bytes) {
  if (alignment_bytes == 0) return "-";
  return absl::StrCat(HumanBytes(alignment_bytes), alignment_bytes >= kHugePageBytes
                                                       ? ": huge pages are possible, if the device itself is aligned so"
                                                       : ": no huge pages, which need 2 MiB");
}

std::string ExtentLine(const Extent& extent) {
  const std::vector<std::string> flags = daxfile::ExtentFlagNames(extent.flags);
  return Row(absl::StrCat("  at ", HexNumber(extent.offset)),
             absl::StrCat(HexNumber(extent.bytes), " bytes on device at ", HexNumber(extent.physical),
                          flags.empty() ? "" : " ", absl::StrJoin(flags, ","), ""));
}

void PrintExtents(const FileStatus& status, Output& output) {
  if (!status.extents.ok())
    return output.Write(Row("extents", "not known: " + Reason(status.file.path, status.extents.status())));
  const std::vector<Extent>& extents = *status.extents;
  output.Write(Row("alignment", AlignmentText(daxfile::AlignmentOf(extents))));
  const size_t runs = daxfile::MergeAdjacent(extents).size();
  output.Write(Row("extents", absl::StrCat(WithCommas(extents.size()), ", in ", WithCommas(runs),
                                           runs == 1 ? " contiguous run" : " contiguous runs")));
  for (size_t i = 0; i < std::min(extents.size(), kExtentsShown); ++i) output.Write(ExtentLine(extents[i]));
  if (extents.size() > kExtentsShown) {
    output.Write(Row("  …", absl::StrCat("and ", WithCommas(extents.size() - kExtentsShown), " more (--json: all)")));
  }
}

void PrintForPeople(const FileStatus& status, Output& output) {
  const daxfile::FileReport& file = status.file;
  output.Write(Heading(Escape(file.path)));
  const std::string exact = file.size_bytes < 1024 ? "" : absl::StrCat(" (", WithCommas(file.size_bytes), " bytes)");
  output.Write(Row("size", absl::StrCat(HumanBytes(file.size_bytes), exact)));
  output.Write(Row("filesystem", file.filesystem));
  output.Write(Row("durability tier", std::string(daxfile::TierName(file.tier))));
  output.Write(Row("", file.reason));
  output.Write(Row("sealed", SealedText(status)));
  for (const std::string& obstacle : status.seal.obstacles) output.Write(Row("", "- " + obstacle));
  PrintExtents(status, output);
}

nlohmann::ordered_json JsonOf(const FileStatus& status) {
  const daxfile::FileReport& file = status.file;
  nlohmann::ordered_json json;
  json["path"] = Escape(file.path);
  json["file_bytes"] = file.size_bytes;
  json["filesystem"] = file.filesystem;
  json["tier"] = std::string(daxfile::TierName(file.tier));
  json["tier_reason"] = file.reason;
  json["power_safe"] = daxfile::IsPowerSafe(file.tier);
  json["sealed"] = nullptr;
  if (status.seal.is_sealed.ok()) json["sealed"] = *status.seal.is_sealed;
  json["sealable"] = status.seal.obstacles.empty() && status.seal.is_sealed.ok();
  json["obstacles"] = status.seal.obstacles;
  json["alignment_bytes"] = nullptr;
  json["extents"] = nullptr;
  if (!status.extents.ok()) {
    json["extents_error"] = Escape(Reason(file.path, status.extents.status()));
    return json;
  }
  json["alignment_bytes"] = daxfile::AlignmentOf(*status.extents);
  json["extents"] = nlohmann::ordered_json::array();
  for (const Extent& extent : *status.extents) {
    json["extents"].push_back({{"offset", extent.offset},
                               {"physical", extent.physical},
                               {"bytes", extent.bytes},
                               {"flags", daxfile::ExtentFlagNames(extent.flags)}});
  }
  return json;
}

// --sealed: an answer by the exit code, for scripts.
absl::StatusOr<bool> IsSealed(const std::string& path) {
  const absl::StatusOr<daxfile::SealReport> report = daxfile::InspectSeal(path);
  return report.ok() ? report->is_sealed : report.status();
}

void Complain(const absl::Status& status) {
  std::fprintf(stderr, "daxfile: %s\n", std::string(status.message()).c_str());
}

int RunSealed(const std::vector<std::string>& paths) {
  bool all_known = true;
  bool all_sealed = true;
  for (const std::string& path : paths) {
    const absl::StatusOr<bool> is_sealed = IsSealed(path);
    if (!is_sealed.ok()) Complain(is_sealed.status());
    all_known &= is_sealed.ok();
    all_sealed &= is_sealed.value_or(true);
  }
  if (!all_known) return kDaxfileFailed;
  return all_sealed ? kDaxfileOk : kDaxfileNotSealed;
}

absl::StatusOr<int> Run(const Args& args) {
  if (args.Has("sealed") && args.Has("json")) {
    return absl::InvalidArgumentError("--sealed answers by the exit code: leave --json out");
  }
  if (args.Has("sealed")) return RunSealed(args.positionals());
  int code = kDaxfileOk;
  Output output;
  for (const std::string& path : args.positionals()) {
    const absl::StatusOr<FileStatus> status = Look(path);
    if (!status.ok()) {
      Complain(status.status());  // and goes on with the next
      code = kDaxfileFailed;
    } else if (args.Has("json")) {
      output.Write(JsonOf(*status).dump(2) + "\n");
    } else {
      PrintForPeople(*status, output);
    }
  }
  if (absl::Status status = output.Close(); !status.ok()) return status;
  return code;
}

constexpr Flag kFlags[] = {{"json"}, {"sealed"}};

}  // namespace

const Command kStatusCommand = {
    "status",
    "FILE… [--json | --sealed]",
    "how durable a file can be, and whether it is or can be sealed",
    R"(Says of each file which durability tier it reaches and why, whether it is sealed, what keeps this process from sealing
it and what to do, and where its blocks lie (as the filesystem tells: an extent's place is that on the block device).

  --json      the same for programs, with all extents: an object for each file, one after the other
  --sealed    says nothing, and ends with 0 if all the files are sealed, with 3 if one isn't, with 1 if it can't be found
              out

Changes nothing, and takes no lock: it works while the file is in use. That a file can be sealed is what can be seen from
outside; the kernel has the last word.

examples:
  daxfile status /mnt/pmem/log
  daxfile status --json /mnt/pmem/log | jq '.extents | length'
  daxfile status --sealed /mnt/pmem/log || daxfile seal /mnt/pmem/log
)",
    kFlags,
    1,
    std::numeric_limits<size_t>::max(),
    Run,
};

}  // namespace sealkv::tools
