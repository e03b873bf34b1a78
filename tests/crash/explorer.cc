#include "tests/crash/explorer.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <span>
#include <unordered_set>

#include "kv/superblock.h"
#include "tests/crash/lock_words.h"
#include "tests/crash/oracle.h"
#include "tests/crash/recorder.h"
#include "tests/memory_store.h"

namespace sealkv::crash {
namespace {

constexpr size_t kFailuresKept = 3;

double CpuSeconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// What an explorer and those of the recoveries below it have in common.
struct Shared {
  Exploration result;
  std::unordered_set<uint64_t> seen;
  ImageSet seen_with_expectation;
  bool judges = true;
  bool is_stopped = false;
  std::vector<uint64_t> judged_at_depth;

  // An image, and the memory that its recovery is recorded in: one of each for every depth, not a new one each time.
  struct Memories {
    explicit Memories(size_t bytes) : image(bytes), recovery(bytes) {}
    testing::Memory image;
    testing::Memory recovery;
  };
  std::vector<std::unique_ptr<Memories>> memories;

  Memories& MemoriesOf(unsigned depth, size_t bytes) {
    while (memories.size() <= depth) memories.push_back(std::make_unique<Memories>(bytes));
    return *memories[depth];
  }
};

class Explorer {
 public:
  Explorer(const Recording& recording, Expectation& expectation, const ExploreOptions& options, unsigned depth,
           Shared& shared)
      : recording_(recording),
        expectation_(expectation),
        options_(options),
        depth_(depth),
        limits_(depth == 0 ? options.limits : options.recovery_limits),
        shared_(shared),
        model_(recording.log.initial_words, options.platform),
        memories_(shared.MemoriesOf(depth, recording.log.initial_words.size() * kWordBytes)),
        image_(memories_.image.span()),
        generation_stored_(recording.log.initial_words[kGenerationWord]),
        generation_(generation_stored_) {}

  void Run() {
    for (at_ = 0; at_ < recording_.log.events.size() && !shared_.is_stopped; ++at_) Step(recording_.log.events[at_]);
  }

 private:
  static constexpr uint64_t kGenerationWord = offsetof(internal::Superblock, generation) / kWordBytes;

  void Step(const Event& event) {
    const bool is_fence = event.kind == EventKind::kFence;
    if (event.kind == EventKind::kOperationBegin && event.count == recording_.first_operation) is_measured_ = true;
    if (is_fence && !options_.at_each_store) TryImages();
    if (event.is_mark()) {
      expectation_.Apply(event);
      operation_of_thread_[event.thread] = event.count;
    } else {
      FollowGeneration(event);
      model_.Apply(recording_.log, event);
    }
    const bool is_point =
        is_fence || event.kind == EventKind::kOperationEnd || (event.is_write() && options_.at_each_store);
    if (is_point) TryImages();
  }

  void TryImages() {
    if (!is_measured_) return;
    ++shared_.result.points;
    const uint64_t expectation_hash = testing::Random(expectation_.version()).Next();
    const bool is_complete = ForEachCrashImage(model_, limits_, options_.seed ^ at_, [&](const CrashImage& image) {
      const bool is_new = shared_.seen.insert(image.hash).second;
      shared_.result.images += is_new;
      if (depth_ > 0) shared_.result.recovery_images += is_new;
      const uint64_t hash = image.hash ^ expectation_hash;
      const bool is_known = options_.known_images != nullptr && options_.known_images->contains(hash);
      if (!is_known && shared_.seen_with_expectation.insert(hash).second && shared_.judges) TryImage(image);
      return !shared_.is_stopped;
    });
    shared_.result.points_sampled += !is_complete;
  }

  void TryImage(const CrashImage& image) {
    ++shared_.result.judgements;
    image.WriteTo(image_, model_);
    // By the count and not by the hash: the store's random identity is in that, and a run must replay.
    const uint64_t number = shared_.result.judgements;
    if (number % 2 == 0) SpoilLockWords();
    CountLanes();
    ++shared_.judged_at_depth[depth_];
    if (depth_ < options_.recovery_crashes && testing::Random(number).OneIn(options_.recovery_one_in) &&
        shared_.judged_at_depth[depth_ + 1] <= shared_.judged_at_depth[depth_]) {
      TryRecoveryCrashes();
    }
    alarm(options_.most_seconds_per_image);
    const std::string complaint = Judge(image_, expectation_);
    alarm(0);
    if (complaint.empty()) return;
    ++shared_.result.failures;
    shared_.is_stopped = options_.stop_at_first_failure;
    std::vector<std::string>& failures = shared_.result.first_failures;
    if (failures.size() < kFailuresKept) failures.push_back(Describe(image, complaint));
  }

  void CountLanes() {
    const auto& superblock = *reinterpret_cast<const internal::Superblock*>(image_.data());
    if (superblock.magic != internal::Superblock::kMagic) return;
    const uint64_t lanes = std::count_if(std::begin(superblock.lanes), std::end(superblock.lanes),
                                         [](const auto& lane) { return lane.word != 0; });
    shared_.result.redo_images += lanes > 0;
    shared_.result.most_lanes = std::max(shared_.result.most_lanes, lanes);
  }

  // A recovery of the image, crashed itself.
  class Recovery : public Recording {
   public:
    Recovery(std::span<std::byte> memory, const Expectation& expectation) : expectation_(expectation) {
      Recorder recorder(memory);
      const uint64_t operation = recorder.BeginOperation();
      absl::StatusOr<std::unique_ptr<Store>> store =
          Store::Attach(daxfile::DaxFile::OverMemory(memory, &recorder), Background::kNone);
      if (store.ok()) (void)(*store)->WaitUntilSpaceIsKnown();  // what goes wrong, the oracle will say
      recorder.EndOperation(operation);
      log = recorder.log();
    }
    std::unique_ptr<Expectation> NewExpectation() const override { return std::make_unique<Frozen>(expectation_); }
    std::string Describe(uint64_t) const override { return "recovery"; }

   private:
    const Expectation& expectation_;
  };

  void TryRecoveryCrashes() {
    std::memcpy(memories_.recovery.data(), image_.data(), image_.size());
    const Recovery recovery(memories_.recovery.span(), expectation_);
    const std::unique_ptr<Expectation> expectation = recovery.NewExpectation();
    Explorer(recovery, *expectation, options_, depth_ + 1, shared_).Run();
  }

  // Nodes are locked by a generation once the fence that began it is behind. (Format sets it back to 0, and writes all
  // the nodes it leaves anew.)
  void FollowGeneration(const Event& event) {
    if (event.kind == EventKind::kFence) generation_ = generation_stored_;
    if (!event.is_write()) return;
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
    const uint64_t operation = operation_of_thread_.at(event.thread);
    std::string text = "operation " + std::to_string(operation) + ", " + recording_.Describe(operation) + ", event " +
                       std::to_string(at_) +
                       (event.is_mark() ? " (acknowledged)" : " (" + recording_.log.sites[event.site].Name() + ")") +
                       ": " + complaint + "\n    durable of what was pending: lines at";
    for (const CrashImage::ChangedLine& line : image.changed) text += " " + std::to_string(line.line * kLineBytes);
    text += "\n    pending: lines at";
    for (const auto& [line, pending] : model_.pending()) text += " " + std::to_string(line * kLineBytes);
    return text;
  }

  const Recording& recording_;
  Expectation& expectation_;
  const ExploreOptions& options_;
  const unsigned depth_;  // crashes of recovery above
  const ImageLimits& limits_;
  Shared& shared_;
  DurabilityModel model_;
  Shared::Memories& memories_;
  const std::span<std::byte> image_;
  uint64_t generation_stored_;
  uint64_t generation_;
  std::map<ThreadNumber, uint64_t> operation_of_thread_;
  bool is_measured_ = false;
  size_t at_ = 0;
};

}  // namespace

Exploration& Exploration::operator+=(const Exploration& other) {
  points += other.points;
  points_sampled += other.points_sampled;
  images += other.images;
  recovery_images += other.recovery_images;
  judgements += other.judgements;
  redo_images += other.redo_images;
  most_lanes = std::max(most_lanes, other.most_lanes);
  failures += other.failures;
  seconds += other.seconds;
  for (const std::string& failure : other.first_failures) {
    if (first_failures.size() < kFailuresKept) first_failures.push_back(failure);
  }
  return *this;
}

Exploration Explore(const Recording& recording, const ExploreOptions& options) {
  const double begin = CpuSeconds();
  Shared shared;
  shared.judged_at_depth.resize(options.recovery_crashes + 1);
  const std::unique_ptr<Expectation> expectation = recording.NewExpectation();
  Explorer(recording, *expectation, options, 0, shared).Run();
  shared.result.seconds = CpuSeconds() - begin;
  return std::move(shared.result);
}

ImageSet ImagesOf(const Recording& recording, const ExploreOptions& options) {
  Shared shared;
  shared.judges = false;
  const std::unique_ptr<Expectation> expectation = recording.NewExpectation();
  Explorer(recording, *expectation, options, 0, shared).Run();
  return std::move(shared.seen_with_expectation);
}

}  // namespace sealkv::crash
