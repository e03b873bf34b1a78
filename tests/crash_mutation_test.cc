// The crash tests can fail: whatever flush, fence or non-temporal copy is left out, and whatever two actions are done
// in the wrong order, some image tells. The mutants are found in the recordings (crash/mutation.h), none is listed by
// hand. A survivor is a redundant flush, to be removed, or a hole in the harness, to be closed.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/crash/concurrent.h"
#include "tests/crash/explorer.h"
#include "tests/crash/mutation.h"
#include "tests/crash/scenario.h"
#include "tests/random.h"

namespace sealkv::crash {
namespace {

// Few images show most of the mutants; all of them, and then those of the setups too, are for the others.
enum class Effort : uint8_t { kFewImages, kAllImages, kSetups };
constexpr Effort kEfforts[] = {Effort::kFewImages, Effort::kAllImages, Effort::kSetups};

struct Subject {
  std::string kind;
  std::shared_ptr<Recording> recording;
  std::map<Mutation, Occurrences> mutations;
  bool is_large = false;
  // Those of the original, for each effort: most of a mutant's are among them, and tell nothing of it. (They are right:
  // crash_test and crash_concurrent_test judge them, and the operations of setups elsewhere.)
  std::map<Effort, ImageSet> images;
};

// What to explore of a subject; it is the recording's mutant, or itself, until this is gone.
class Trimmed {
 public:
  Trimmed(Subject& subject, Effort effort) : recording_(*subject.recording) {
    if (effort == Effort::kSetups) {
      is_worth_it_ = !subject.is_large && dynamic_cast<ScenarioRecording*>(&recording_) != nullptr;
      recording_.first_operation = std::min<uint64_t>(recording_.first_operation, 1);
    }
    options_.seed = testing::TestSeed();
    options_.stop_at_first_failure = true;
    options_.most_seconds_per_image = 20;  // of a busy machine too; most take some 100 microseconds
    options_.at_each_store = effort != Effort::kFewImages;
    if (effort != Effort::kAllImages || subject.is_large) options_.limits = kFewImages;
  }
  ~Trimmed() { recording_.first_operation = first_operation_; }

  bool is_worth_it() const { return is_worth_it_; }
  Recording& recording() { return recording_; }
  ExploreOptions& options() { return options_; }

 private:
  Recording& recording_;
  const uint64_t first_operation_ = recording_.first_operation;
  bool is_worth_it_ = true;
  ExploreOptions options_;
};

std::vector<Subject> RecordAll() {
  std::vector<Subject> subjects;
  for (const Scenario& scenario : AllScenarios()) {
    subjects.push_back({scenario.kind, std::make_shared<ScenarioRecording>(Record(scenario)), {}, scenario.is_large});
  }
  for (const ConcurrentScenario& scenario : ConcurrentScenarios()) {
    subjects.push_back({scenario.kind, std::make_shared<ConcurrentRecording>(Record(scenario)), {}});
  }
  for (Subject& subject : subjects) {
    subject.mutations = MutationsOf(subject.recording->log);
    for (const Effort effort : kEfforts) {
      Trimmed trimmed(subject, effort);
      if (trimmed.is_worth_it()) subject.images[effort] = ImagesOf(trimmed.recording(), trimmed.options());
    }
  }
  return subjects;
}

// Whether an image tells the mutant from the real thing.
bool IsKilledBy(Subject& subject, const Mutation& mutation, Effort effort) {
  const auto found = subject.mutations.find(mutation);
  if (found == subject.mutations.end()) return false;
  Trimmed trimmed(subject, effort);
  if (!trimmed.is_worth_it()) return false;
  trimmed.options().known_images = &subject.images[effort];
  // The recording is that of the mutant for a while: what it expects stays that of the original.
  Recording& recording = trimmed.recording();
  Log original = std::exchange(recording.log, Mutate(recording.log, mutation, found->second));
  const Exploration exploration = Explore(recording, trimmed.options());
  recording.log = std::move(original);
  return exploration.failures > 0;
}

// The kind of operation that shows the mutant up; empty: none does.
std::string KillerOf(const Mutation& mutation, std::vector<Subject>& subjects) {
  for (const Effort effort : kEfforts) {
    for (Subject& subject : subjects) {
      if (IsKilledBy(subject, mutation, effort)) return subject.kind + (effort == Effort::kSetups ? ", setup" : "");
    }
  }
  return "";
}

// Looks for who kills a mutant, in a process of its own: a damaged image may well bring it down, and that is as good an
// answer.
class Trial {
 public:
  Trial(const Mutation& mutation, std::vector<Subject>& subjects) {
    if (pipe(pipe_ends_) != 0) std::abort();
    child_ = fork();
    if (child_ == 0) {
      const std::string killer = KillerOf(mutation, subjects);
      const bool is_told = write(pipe_ends_[1], killer.data(), killer.size()) == static_cast<ssize_t>(killer.size());
      _exit(is_told ? 0 : 1);
    }
    close(pipe_ends_[1]);
  }

  std::string Killer() {
    std::string killer(200, '\0');
    const ssize_t bytes = read(pipe_ends_[0], killer.data(), killer.size());
    close(pipe_ends_[0]);
    int status = 0;
    waitpid(child_, &status, 0);
    if (WIFSIGNALED(status)) return std::string("signal ") + std::to_string(WTERMSIG(status));
    killer.resize(std::max<ssize_t>(bytes, 0));
    return killer;
  }

 private:
  int pipe_ends_[2];
  pid_t child_;
};

// The kinds of operation in which it occurs.
std::string SubjectsOf(const Mutation& mutation, const std::vector<Subject>& subjects) {
  std::string kinds;
  for (const Subject& subject : subjects) {
    if (subject.mutations.contains(mutation)) kinds += (kinds.empty() ? "" : "; ") + subject.kind;
  }
  return kinds;
}

// Two actions that stand side by side in some operation, and whose order nothing relies on: either way round each crash
// image is one of those that are allowed. (Where the first is a fence, it is needed for what else it covers: each is
// missed when it is left out.)
struct Independent {
  const char* function;  // that has the first
  const char* action;
  const char* next_function;  // … the second
  const char* next_action;
  const char* why;
};
constexpr Independent kIndependent[] = {
    {"Release", "fence", "Release", "store", "what is given back could be reached from nowhere before"},
    {"Release", "fence", "StoreCommitWord", "store", "what is given back could be reached from nowhere before"},
    {"DiscardRecords", "fence", "Release", "store", "what is given back could be reached from nowhere before"},
    {"StoreCommitWord", "fence", "SetPartWord", "store", "what was moved out of a part was given back before, durably"},
    {"Take", "fence", "Release", "store", "the segment just taken was good for nothing, and is given back"},
    {"StoreCommitWord", "fence", "Take", "store", "nothing lies in the new segment yet"},
    {"DiscardRecords", "fence", "Take", "store", "nothing lies in the new segment yet"},
    {"StoreCommitWord", "fence", "StoreCommitWord", "store",
     "a clean-up after a delete: alone it makes the same keys go as the delete before it"},
    {"ClearLane", "fence", "StoreCommitWord", "store",
     "what the redo of a batch undoes isn't acknowledged yet, and lies on what was before it"},
    {"DiscardRecords", "fence", "SetPartWord", "store", "nothing of what was discarded lies in the part"},
    {"Apply", "store", "Apply", "store",
     "the lane is set: whichever of a batch's words are there, all are stored again"},
};

const Independent* FindIndependent(const Mutation& mutation) {
  if (mutation.kind != Mutation::Kind::kSwap) return nullptr;
  const auto found = std::find_if(std::begin(kIndependent), std::end(kIndependent), [&](const Independent& one) {
    return mutation.site.function == one.function && mutation.site.action == one.action &&
           mutation.other.function == one.next_function && mutation.other.action == one.next_action;
  });
  return found == std::end(kIndependent) ? nullptr : found;
}

// What a killed writer has left is gone after a power cut: that this is needed is shown by crash_killed_test.
bool IsForKilledWriters(const Mutation& mutation) {
  return mutation.site.file == "settle.cc" || mutation.other.file == "settle.cc";
}

TEST(CrashMutationTest, EachMutantIsKilled) {
  std::vector<Subject> subjects = RecordAll();
  std::set<Mutation> mutations;
  for (const Subject& subject : subjects) {
    for (const auto& [mutation, occurrences] : subject.mutations) {
      if (!IsForKilledWriters(mutation)) mutations.insert(mutation);
    }
  }
  ASSERT_GT(mutations.size(), 60u);
  size_t killed = 0;
  std::set<const Independent*> independent;
  const char* const only = std::getenv("SEALKV_MUTANT");  // a part of a name, to look at few of them
  if (only != nullptr) {
    std::erase_if(mutations,
                  [only](const Mutation& mutation) { return mutation.Name().find(only) == std::string::npos; });
  }
  const size_t at_once = std::max(1u, std::thread::hardware_concurrency());
  std::deque<Trial> trials;
  auto next = mutations.begin();
  for (const Mutation& mutation : mutations) {
    for (; next != mutations.end() && trials.size() < at_once; ++next) trials.emplace_back(*next, subjects);
    const std::string killer = trials.front().Killer();
    trials.pop_front();
    const Independent* const reason = FindIndependent(mutation);
    if (reason != nullptr) independent.insert(reason);
    killed += !killer.empty();
    std::printf("%-100s ", mutation.Name().c_str());
    if (killer.empty()) {
      std::printf("%s%s\n", reason != nullptr ? "independent: " : "SURVIVED", reason != nullptr ? reason->why : "");
      EXPECT_NE(reason, nullptr) << "nothing breaks by this: " << mutation.Name() << ", in "
                                 << SubjectsOf(mutation, subjects);
    } else {
      std::printf("killed by: %s\n", killer.c_str());
      EXPECT_EQ(reason, nullptr) << "the order matters after all: " << mutation.Name();
    }
    std::fflush(stdout);
  }
  if (only != nullptr) return;
  EXPECT_EQ(independent.size(), std::size(kIndependent)) << "the list of independent ones is out of date";
  std::printf("%zu of %zu mutants killed; %zu orders that nothing relies on\n", killed,
              mutations.size() - independent.size(), independent.size());
}

}  // namespace
}  // namespace sealkv::crash
