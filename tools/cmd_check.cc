// kvdump check: is all of it true? Exit codes as those of mdbx_chk.
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "kv/check.h"
#include "tools/command.h"
#include "tools/output.h"
#include "tools/progress.h"
#include "tools/store_access.h"
#include "tools/text.h"

namespace sealkv::tools {
namespace {

using internal::CheckReport;
using internal::Problem;

const char* Name(Problem::Severity severity) { return severity == Problem::Severity::kMajor ? "major" : "minor"; }

int ExitCodeOf(const CheckReport& report) {
  if (report.was_stopped) return kExitInterrupted;
  if (report.major_problems > 0) return kExitMajor;
  return report.minor_problems > 0 ? kExitNo : kExitOk;
}

std::string Verdict(const CheckReport& report) {
  const std::string seen = absl::StrCat(WithCommas(report.keys), report.keys == 1 ? " key, " : " keys, ",
                                        WithCommas(report.nodes), " nodes, ", WithCommas(report.records), " records");
  if (report.was_stopped) return absl::StrCat("stopped: not checked to the end (", seen, " so far)");
  if (report.is_sound()) return absl::StrCat("sound: ", seen);
  return absl::StrCat("DAMAGED: ", WithCommas(report.major_problems), " major and ", WithCommas(report.minor_problems),
                      " minor problems; ", seen, " could be read");
}

void PrintForPeople(const std::string& path, const CheckReport& report, Output& output) {
  for (const Problem& problem : report.problems) {
    output.Write(absl::StrCat(Name(problem.severity), "  ", HexNumber(problem.offset), "  ", problem.text, "\n"));
  }
  const uint64_t problems = report.major_problems + report.minor_problems;
  if (problems > report.problems.size()) {
    output.Write(absl::StrCat("… and ", WithCommas(problems - report.problems.size()), " more\n"));
  }
  if (report.segments_unreachable > 0) {
    output.Write(
        absl::StrCat("note: ", WithCommas(report.segments_unreachable),
                     " segments are in use with nothing alive in them. That is normal after a crash or deletes; "
                     "the next program that writes reuses them.\n"));
  }
  if (report.nodes_marked_replaced > 0) {
    output.Write(absl::StrCat("note: ", WithCommas(report.nodes_marked_replaced),
                              " nodes of the tree are marked as replaced, the first at ",
                              HexNumber(report.first_marked_replaced),
                              ". Where keys are missing, the root word or a reference may lead to an old version: "
                              "`kvdump salvage` finds what is newer.\n"));
  }
  output.Write(absl::StrCat(Escape(path), ": ", Verdict(report), "\n"));
  if (report.major_problems > 0) {
    output.Write(
        "Restore a backup. Without one: `kvdump salvage STORE NEW` saves what can be saved into a new store, and lists "
        "what "
        "is lost; `kvdump page STORE OFFSET` shows what is there.\n");
  }
}

void PrintJson(const std::string& path, const CheckReport& report, Output& output) {
  nlohmann::ordered_json json;
  json["path"] = Escape(path);
  json["sound"] = report.is_sound() && !report.was_stopped;
  json["stopped"] = report.was_stopped;
  json["major_problems"] = report.major_problems;
  json["minor_problems"] = report.minor_problems;
  json["problems"] = nlohmann::ordered_json::array();
  for (const Problem& problem : report.problems) {
    json["problems"].push_back(
        {{"severity", Name(problem.severity)}, {"offset", problem.offset}, {"text", Escape(problem.text)}});
  }
  json["keys"] = report.keys;
  json["nodes"] = report.nodes;
  json["records"] = report.records;
  json["segments_unreachable"] = report.segments_unreachable;
  json["nodes_marked_replaced"] = report.nodes_marked_replaced;
  output.Write(json.dump(2) + "\n");
}

absl::StatusOr<int> Run(const Args& args) {
  const absl::StatusOr<OpenedImage> opened = OpenImageAtRest(args.store());
  if (!opened.ok()) {
    // A superblock that can't be used is as major as a problem can be.
    if (!absl::IsDataLoss(opened.status())) return opened.status();
    CheckReport report;
    report.major_problems = 1;
    report.problems.push_back({Problem::Severity::kMajor, 0, std::string(opened.status().message())});
    Output output;
    args.Has("json") ? PrintJson(args.store(), report, output) : PrintForPeople(args.store(), report, output);
    if (absl::Status status = output.Close(); !status.ok()) return status;
    return kExitMajor;
  }
  CatchInterrupts();
  Progress progress;
  internal::CheckOptions options;
  options.progress = [&progress](uint64_t keys) {
    if (progress.IsDue()) progress.Show(absl::StrCat("checking: ", WithCommas(keys), " keys"));
    return !WasInterrupted();
  };
  const CheckReport report = internal::Check(opened->image, options);
  progress.Clear();
  Output output;
  args.Has("json") ? PrintJson(args.store(), report, output) : PrintForPeople(args.store(), report, output);
  if (absl::Status status = output.Close(); !status.ok()) return status;
  return ExitCodeOf(report);
}

constexpr Flag kFlags[] = {{"json"}};

}  // namespace

const Command kCheckCommand = {
    "check",
    "STORE [--json]",
    "whether all of the store is as it must be; never writes",
    R"(Walks everything: permutations, order, slices and fingerprints against the records' keys, checksums, references,
the segment table against what is reachable. What a writer had committed when he died is looked at as the next one will
find it. Prints each problem with its offset (the first 100; all are counted).

Needs a store at rest: what a writer is in the middle of looks like damage. While a process has it open for writing this
ends with 4 and names that process; and nobody can open it for writing while this runs.

  --json        the same for programs

exit codes:
  0  sound
  1  minor problems: contradictions that harm nobody
  2  major problems: something is lost, wrong, or at risk
  3  it can't be checked: not a store, truncated, of another version
  4  the system refuses: no such file, no permission, in use by a writer

examples:
  kvdump check /mnt/pmem/users
  kvdump check --json /mnt/pmem/users | jq '.problems[].offset'
)",
    kFlags,
    1,
    1,
    Run,
};

}  // namespace sealkv::tools
