#include "bench/report/command.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "bench/report/html_report.h"
#include "bench/report/results.h"
#include "tools/output.h"
#include "tools/program.h"

namespace sealkv::bench {
namespace {

constexpr int kFailed = 1;
constexpr int kUsage = 2;
constexpr size_t kFilesMax = 10000;

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
  std::string text;
  // A folder can be opened, but not read.
  if (file != nullptr) {
    char part[1 << 14];
    while (const size_t bytes = std::fread(part, 1, sizeof(part), file.get())) text.append(part, bytes);
    if (std::ferror(file.get()) == 0) return text;
  }
  return absl::NotFoundError(absl::StrCat(path, ": can't be read: ", std::strerror(errno)));
}

// Nothing is written before everything is read.
absl::StatusOr<int> RunReport(const tools::Args& args) {
  Results results;
  for (const std::string& path : args.positionals()) {
    const absl::StatusOr<std::string> text = ReadFile(path);
    if (!text.ok()) return text.status();
    // What the file has is at fault, not the command line.
    if (const absl::Status status = AddResults(path, *text, results); !status.ok()) {
      return absl::DataLossError(status.message());
    }
  }
  // A page isn't for a terminal.
  const std::string path = args.Value("output").value_or(isatty(STDOUT_FILENO) != 0 ? "report.html" : "-");
  absl::StatusOr<tools::Output> output = path == "-" ? tools::Output() : tools::Output::ToFile(path);
  if (!output.ok()) return output.status();
  output->Write(HtmlReport(results));
  if (const absl::Status status = output->Close(); !status.ok()) return status;
  if (path != "-") {
    std::cerr << path << ": " << results.measurements.size() << " measurements of " << results.engines.size()
              << (results.engines.size() == 1 ? " engine\n" : " engines\n");
  }
  return 0;
}

constexpr tools::Flag kFlags[] = {{.name = "output", .letter = 'o', .has_value = true}};

constexpr char kHelp[] = R"(  --output=FILE, -o FILE   where the page goes; - is standard output
                           (default: report.html if standard output is a terminal, else standard output)

Makes one HTML page, with charts, of what `kvbench --json` has written. It needs no network and no script, and follows its
reader's choice of light or dark. The files may differ in engines, benchmarks, records, threads, keys and values: what can be
compared stands together, and where they differ in threads or records, it is shown how times grow. If two files have the same
measurement, the later one's is shown.

An engine's bars are solid if its description in the file says "durable when a write returns", else hatched.

examples:
  kvbench --repetitions=5 --json=result.json && kvbench report --output=report.html result.json
  for n in 10000 100000 1000000; do kvbench --num=$n --json=n$n.json; done; kvbench report -o sizes.html n*.json
  for t in 1 2 4 8; do kvbench --threads=$t --json=t$t.json; done; kvbench report t?.json >threads.html
)";

constexpr tools::Command kReport = {
    .name = "report",
    .synopsis = "RESULT.json…",
    .summary = "makes a page with charts of what --json has written",
    .help = kHelp,
    .flags = kFlags,
    .positionals_min = 1,
    .positionals_max = kFilesMax,
    .run = RunReport,
};
constexpr const tools::Command* kCommands[] = {&kReport};

int ExitCodeOf(absl::StatusCode) { return kFailed; }

constexpr tools::Program kKvbench = {
    .name = "kvbench",
    .synopsis = "report RESULT.json…",
    .help_end = "",
    .commands = kCommands,
    .exit_usage = kUsage,
    .exit_code_of = ExitCodeOf,
};

}  // namespace

int ReportMain(int argc, char** argv) { return tools::RunProgram(kKvbench, {argv + 1, argv + argc}); }

}  // namespace sealkv::bench
