// The crash tests can fail: whatever flush, fence or non-temporal copy is left out, some image tells.
//
// For each line of source that asked the seam for one, found in the recordings and not listed by hand, the recordings
// are explored as if that line hadn't. A mutant that no image tells from the real thing is a survivor: a redundant
// flush, or a hole in the harness. The redundant ones are listed below, with the reason why; any other survivor fails
// the test.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/crash/explorer.h"
#include "tests/crash/scenario.h"
#include "tests/random.h"

namespace sealkv::crash {
namespace {

// The id that a site has in a log, if it is there.
std::optional<SiteId> IdIn(const Log& log, const Site& site) {
  const auto found = std::find(log.sites.begin(), log.sites.end(), site);
  if (found == log.sites.end()) return std::nullopt;
  return static_cast<SiteId>(found - log.sites.begin());
}

struct Subject {
  std::string kind;
  Recording recording;
};

std::vector<Subject> RecordAll() {
  std::vector<Subject> subjects;
  for (const Scenario& scenario : AllScenarios()) subjects.push_back({scenario.kind, Record(scenario)});
  return subjects;
}

std::vector<Site> SitesToMutate(const std::vector<Subject>& subjects) {
  std::map<Site, bool> sites;
  for (const Subject& subject : subjects) {
    for (const Site& site : subject.recording.log.sites) {
      if (site.action == "flush" || site.action == "fence" || site.action == "copy-nt") sites[site] = true;
    }
  }
  std::vector<Site> ordered;
  for (const auto& [site, present] : sites) ordered.push_back(site);
  return ordered;
}

// The kind of operation that shows the mutant up; empty: none does.
std::string KillerOf(const Site& site, const std::vector<Subject>& subjects) {
  ExploreOptions options;
  options.seed = testing::TestSeed();
  options.stop_at_first_failure = true;
  options.most_seconds_per_image = 2;
  // Few images show most of the mutants; all of them are for the others.
  for (const bool is_thorough : {false, true}) {
    options.at_each_store = is_thorough;
    options.limits = is_thorough ? ImageLimits() : kFewImages;
    for (const Subject& subject : subjects) {
      options.mutated_site = IdIn(subject.recording.log, site);
      if (!options.mutated_site.has_value()) continue;
      if (Explore(subject.recording, options).failures > 0) return subject.kind;
    }
  }
  return "";
}

// In a process of its own: a damaged image may well bring it down, and that is as good an answer.
std::string KillerInChild(const Site& site, const std::vector<Subject>& subjects) {
  int pipe_ends[2];
  if (pipe(pipe_ends) != 0) return "";
  const pid_t child = fork();
  if (child == 0) {
    const std::string killer = KillerOf(site, subjects);
    const bool is_told = write(pipe_ends[1], killer.data(), killer.size()) == static_cast<ssize_t>(killer.size());
    _exit(is_told ? 0 : 1);
  }
  close(pipe_ends[1]);
  std::string killer(200, '\0');
  const ssize_t bytes = read(pipe_ends[0], killer.data(), killer.size());
  close(pipe_ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) return std::string("signal ") + std::to_string(WTERMSIG(status));
  killer.resize(std::max<ssize_t>(bytes, 0));
  return killer;
}

// Mutants that no image can tell from the real thing, and why.
struct Redundant {
  const char* function;
  const char* action;
  const char* why;
};
constexpr Redundant kRedundant[] = {
    {"ZeroHeader", "fence", "the magic comes two fences later; this one keeps non-temporal and cached stores apart"},
    {"CommitIdentity", "fence", "Format goes on to begin a generation, whose fence covers it before Format returns"},
    {"Take", "fence", "the fence before the commit that publishes what is put there covers the flush"},
};

const char* WhyRedundant(const Site& site) {
  for (const Redundant& redundant : kRedundant) {
    if (site.function == redundant.function && site.action == redundant.action) return redundant.why;
  }
  return nullptr;
}

TEST(CrashMutationTest, EachFlushFenceAndNonTemporalCopyIsMissed) {
  const std::vector<Subject> subjects = RecordAll();
  const std::vector<Site> sites = SitesToMutate(subjects);
  ASSERT_GT(sites.size(), 20u);
  size_t survivors = 0;
  size_t explained = 0;
  for (const Site& site : sites) {
    const std::string killer = KillerInChild(site, subjects);
    const char* why_redundant = WhyRedundant(site);
    explained += why_redundant != nullptr;
    if (killer.empty()) {
      ++survivors;
      std::printf("%-56s SURVIVED: %s\n", site.Name().c_str(), why_redundant != nullptr ? why_redundant : "?");
      EXPECT_NE(why_redundant, nullptr) << "without it nothing breaks: " << site.Name();
    } else {
      std::printf("%-56s killed by: %s\n", site.Name().c_str(), killer.c_str());
      EXPECT_EQ(why_redundant, nullptr) << "isn't redundant at all: " << site.Name();
    }
  }
  std::printf("%zu of %zu mutants killed\n", sites.size() - survivors, sites.size());
  EXPECT_EQ(explained, std::size(kRedundant)) << "the list of redundant ones is out of date";
}

}  // namespace
}  // namespace sealkv::crash
