// The crash campaign: random runs, crashed at every store and fence, for hours. ./dev crash runs it.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/str_cat.h"
#include "tests/crash/campaign.h"
#include "tests/crash/table.h"

ABSL_FLAG(double, hours, 1.0 / 60, "how long to go on");
ABSL_FLAG(std::optional<uint64_t>, seed, std::nullopt, "of the campaign (default: another one each time, printed)");
ABSL_FLAG(std::string, replay, "",
          "run this one case, as a failure has named it: operations:17, threads:17, scripts:17");
ABSL_FLAG(bool, minimise, true, "after a failure, look for the shortest list of operations that still fails");

namespace sealkv::crash {
namespace {

volatile sig_atomic_t stop = 0;

void OnInterrupt(int) {
  stop = 1;
  signal(SIGINT, SIG_DFL);
}

// What failed, how to see it again, and the least that fails.
void Report(const Case& one, const Exploration& found) {
  std::printf("\nFAILED: %s\n", one.Name().c_str());
  for (const std::string& failure : found.first_failures) std::printf("  %s\n", failure.c_str());
  std::printf("again: ./dev crash --replay=%s\n", one.Name().c_str());
  std::fflush(stdout);
  if (!absl::GetFlag(FLAGS_minimise) || one.kind == Case::Kind::kScripts) return;
  std::printf("looking for the shortest list of operations that fails (some minutes)\n");
  std::fflush(stdout);
  const std::vector<std::string> operations = MinimiseFailure(one);
  if (operations.empty()) std::printf("it didn't fail again\n");
  for (const std::string& operation : operations) std::printf("  %s\n", operation.c_str());
}

// One line of numbers, then what failed.
std::string ToText(const Exploration& found) {
  std::string text = absl::StrCat(found.points, " ", found.points_sampled, " ", found.images, " ",
                                  found.recovery_images, " ", found.judgements, " ", found.redo_images, " ",
                                  found.most_lanes, " ", found.failures, " ", found.seconds, "\n");
  for (const std::string& failure : found.first_failures) absl::StrAppend(&text, failure, "\n");
  return text;
}

std::optional<Exploration> FromText(const std::string& text) {
  Exploration found;
  int length = 0;
  const int fields = std::sscanf(text.c_str(), "%lu %lu %lu %lu %lu %lu %lu %lu %lf\n%n", &found.points,
                                 &found.points_sampled, &found.images, &found.recovery_images, &found.judgements,
                                 &found.redo_images, &found.most_lanes, &found.failures, &found.seconds, &length);
  if (fields != 9) return std::nullopt;
  if (found.failures > 0) found.first_failures.push_back(text.substr(static_cast<size_t>(length)));
  return found;
}

// In a process of its own: what brings that down ends the case and not the campaign.
Exploration RunInChild(const Case& one) {
  int pipe_ends[2];
  if (pipe(pipe_ends) != 0) return Run(one);
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGINT, SIG_IGN);  // the parent ends after this case
    const std::string text = ToText(Run(one));
    for (size_t at = 0; at < text.size();) {
      const ssize_t written = write(pipe_ends[1], text.data() + at, text.size() - at);
      if (written <= 0) _exit(2);
      at += static_cast<size_t>(written);
    }
    _exit(0);
  }
  close(pipe_ends[1]);
  std::string text;
  char bytes[4096];
  for (ssize_t count; (count = read(pipe_ends[0], bytes, sizeof(bytes))) > 0 || (count < 0 && errno == EINTR);) {
    if (count > 0) text.append(bytes, static_cast<size_t>(count));
  }
  close(pipe_ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (std::optional<Exploration> found = FromText(text); found.has_value()) return *std::move(found);
  Exploration died;
  died.failures = 1;
  died.first_failures.push_back(WIFSIGNALED(status) ? absl::StrCat("it ended by signal ", WTERMSIG(status), " (",
                                                                   strsignal(WTERMSIG(status)), ")")
                                                    : "it ended without an answer");
  return died;
}

int Replay(const std::string& name) {
  const std::optional<Case> one = Case::Parse(name);
  if (!one.has_value()) {
    std::fprintf(stderr, "crash: --replay=%s: not a case; it should look like operations:17 or threads:17\n",
                 name.c_str());
    return 2;
  }
  const Exploration found = RunInChild(*one);
  Table table;
  table.Add(RowOf(*one), found);
  table.Print();
  if (found.failures > 0) Report(*one, found);
  return found.failures > 0 ? 1 : 0;
}

int RunCampaign() {
  const uint64_t seed = absl::GetFlag(FLAGS_seed).value_or(std::random_device()());
  const auto begin = std::chrono::steady_clock::now();
  const auto end = begin + std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                               std::chrono::duration<double, std::ratio<3600>>(absl::GetFlag(FLAGS_hours)));
  auto next_line = begin + std::chrono::seconds(10);
  std::printf("--seed=%lu\n", seed);
  signal(SIGINT, OnInterrupt);
  Table table;
  for (uint64_t number = 0; stop == 0 && std::chrono::steady_clock::now() < end; ++number) {
    const Case one = CaseOf(seed, number);
    const Exploration found = RunInChild(one);
    table.Add(RowOf(one), found);
    if (found.failures > 0) {
      Report(one, found);
      table.Print();
      return 1;
    }
    const auto now = std::chrono::steady_clock::now();
    if (now < next_line) continue;
    next_line = now + std::chrono::seconds(10);
    std::fprintf(stderr, "%lu cases, %lu images, no failure; %.1f minutes left\n", number + 1, table.all().images,
                 std::max(0.0, std::chrono::duration<double, std::ratio<60>>(end - now).count()));
  }
  table.Print();
  return 0;
}

}  // namespace
}  // namespace sealkv::crash

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage(
      "crashes the store at every store and fence of random runs, and judges what is left. Exit status 1: a failure.\n"
      "examples:\n"
      "  ./dev crash --hours=8\n"
      "  ./dev crash --hours=0.1 --seed=7\n"
      "  ./dev crash --replay=threads:1234");
  const std::vector<char*> rest = absl::ParseCommandLine(argc, argv);
  if (rest.size() > 1) {
    std::fprintf(stderr, "crash: unexpected argument: %s (see --help)\n", rest[1]);
    return 2;
  }
  const std::string replay = absl::GetFlag(FLAGS_replay);
  return replay.empty() ? sealkv::crash::RunCampaign() : sealkv::crash::Replay(replay);
}
