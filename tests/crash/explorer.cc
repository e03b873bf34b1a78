#include "tests/crash/explorer.h"

#include <unistd.h>

#include <unordered_set>

#include "tests/crash/lock_words.h"
#include "tests/crash/oracle.h"
#include "tests/memory_store.h"

namespace sealkv::crash {
namespace {

constexpr size_t kFailuresKept = 3;

class Explorer {
 public:
  Explorer(const Recording& recording, const ExploreOptions& options)
      : recording_(recording),
        options_(options),
        model_(recording.log.initial_words),
        image_(recording.log.initial_words.size() * kWordBytes) {}

  Exploration Run() {
    for (at_ = 0; at_ < recording_.log.events.size() && !is_stopped_; ++at_) Step(recording_.log.events[at_]);
    return std::move(result_);
  }

 private:
  bool IsMeasured() const { return operation_ >= recording_.first_operation; }

  void Step(const Event& event) {
    switch (event.kind) {
      case EventKind::kOperationBegin:
        operation_ = event.count;
        allowed_ = recording_.AllowedDuring(operation_);
        return;
      case EventKind::kOperationEnd:
        allowed_ = {&recording_.states[operation_ + 1]};
        if (IsMeasured()) TryImages(/*is_acknowledged=*/true);
        return;
      case EventKind::kStore:
      case EventKind::kCopy:
      case EventKind::kNonTemporalCopy:
        Apply(event);
        if (IsMeasured() && options_.at_each_store) TryImages(false);
        return;
      case EventKind::kFlush:
        Apply(event);
        return;
      case EventKind::kFence:
        if (IsMeasured() && !options_.at_each_store) TryImages(false);
        Apply(event);
        if (IsMeasured()) TryImages(false);
        return;
    }
  }

  void Apply(const Event& event) {
    FollowGeneration(event);
    if (options_.mutated_site != event.site) return model_.Apply(recording_.log, event);
    if (event.kind == EventKind::kFlush || event.kind == EventKind::kFence) return;
    Event mutated = event;
    if (event.kind == EventKind::kNonTemporalCopy) mutated.kind = EventKind::kCopy;
    model_.Apply(recording_.log, mutated);
  }

  void TryImages(bool is_acknowledged) {
    ++result_.points;
    const uint64_t oracle = 2 * operation_ + is_acknowledged + 1;
    ForEachCrashImage(model_, options_.limits, options_.seed ^ at_, [&](const CrashImage& image) {
      result_.images += seen_.insert(image.hash).second;
      if (seen_with_oracle_.insert(image.hash ^ testing::Random(oracle).Next()).second) TryImage(image);
      return !is_stopped_;
    });
  }

  void TryImage(const CrashImage& image) {
    ++result_.judgements;
    image.WriteTo(image_.span(), model_);
    if (image.hash % 2 == 0) SpoilLockWords();
    alarm(options_.most_seconds_per_image);
    const std::string complaint = Judge(image_.span(), allowed_);
    alarm(0);
    if (complaint.empty()) return;
    ++result_.failures;
    is_stopped_ = options_.stop_at_first_failure;
    if (result_.first_failures.size() < kFailuresKept) result_.first_failures.push_back(Describe(image, complaint));
  }

  // Nodes are locked by a generation once the fence that began it is behind. (Format sets it back to 0, and writes all
  // the nodes it leaves anew.)
  void FollowGeneration(const Event& event) {
    constexpr uint64_t kGenerationWord = offsetof(internal::Superblock, generation) / kWordBytes;
    if (event.kind == EventKind::kFence) generation_ = generation_stored_;
    if (event.kind == EventKind::kFlush || event.kind == EventKind::kFence) return;
    if (event.first_word > kGenerationWord || kGenerationWord >= event.first_word + event.count) return;
    generation_stored_ = recording_.log.payload[event.payload + kGenerationWord - event.first_word];
  }

  // Volatile words may hold anything: the worst is "locked and obsolete" by the generation that crashed.
  void SpoilLockWords() {
    auto* words = reinterpret_cast<uint64_t*>(image_.data());
    ForEachLockWord({words, image_.size() / kWordBytes}, [&](uint64_t word) { words[word] = generation_ << 32 | 3; });
  }

  std::string Describe(const CrashImage& image, const std::string& complaint) const {
    const Event& event = recording_.log.events[at_];
    std::string text = "operation " + std::to_string(operation_) + ", event " + std::to_string(at_);
    if (event.kind == EventKind::kOperationEnd) {
      text += " (acknowledged)";
    } else {
      text += " (" + recording_.log.sites[event.site].Name() + ")";
    }
    text += ": " + complaint + "\n    durable of what was pending: lines at";
    for (const CrashImage::ChangedLine& line : image.changed) text += " " + std::to_string(line.line * kLineBytes);
    text += "\n    pending: lines at";
    for (const auto& [line, pending] : model_.pending()) text += " " + std::to_string(line * kLineBytes);
    return text;
  }

  const Recording& recording_;
  const ExploreOptions& options_;
  DurabilityModel model_;
  testing::Memory image_;
  Exploration result_;
  uint64_t operation_ = 0;
  uint64_t generation_stored_ = 0;
  uint64_t generation_ = 0;
  std::vector<const State*> allowed_;
  std::unordered_set<uint64_t> seen_;
  std::unordered_set<uint64_t> seen_with_oracle_;
  size_t at_ = 0;
  bool is_stopped_ = false;
};

}  // namespace

Exploration Explore(const Recording& recording, const ExploreOptions& options) {
  return Explorer(recording, options).Run();
}

}  // namespace sealkv::crash
