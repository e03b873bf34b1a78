// Media faults, exhaustively over small stores that hold every structure: each bit of the metadata, each cache line,
// each block, each end. Of each the claim is: opening it is an error, or the checker finds something and says where, or
// everything reads as written; but for words that are said once, which a table at the end counts by class. A value that
// has a checksum is never wrong; nothing crashes, hangs, or reads outside.
#include "tools/testing/media_fault.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>

#include "gtest/gtest.h"
#include "kv/check.h"
#include "kv/recovery.h"
#include "tools/testing/case_watch.h"
#include "tools/testing/damage.h"
#include "tools/testing/salvage.h"

namespace sealkv::testing {
namespace {

constexpr const char* kNoChange = "nothing changed";
constexpr const char* kByOpen = "found by open";
constexpr const char* kByCheck = "found by check";
constexpr const char* kByNote = "noted by check";  // as no problem: a node that was replaced
constexpr const char* kHarmless = "harmless";

// How a damaged store reads against what was written.
class Reading {
 public:
  Reading(const Sample& sample, const Excuses& excuses, bool is_noticed)
      : sample_(sample), excuses_(excuses), is_noticed_(is_noticed) {}

  // The class of what couldn't be noticed, or null.
  const char* excuse() const { return excuse_; }

  // By get, forwards and backwards.
  void All(const Store& store, bool asks_each) {
    const std::unique_ptr<Iterator> at = store.NewIterator();
    auto written = sample_.model.begin();
    for (at->SeekToFirst(); at->Valid(); at->Next()) {
      for (; written != sample_.model.end() && written->first < at->key(); ++written) Missing(written->first);
      const bool is_written = written != sample_.model.end() && written->first == at->key();
      is_written ? Found(*written++, at->value()) : MadeUp(at->key(), at->value());
    }
    Ended(at->status());
    if (at->status().ok()) {
      for (; written != sample_.model.end(); ++written) Missing(written->first);
    }
    auto before = sample_.model.rbegin();
    for (at->SeekToLast(); at->Valid(); at->Prev()) {
      for (; before != sample_.model.rend() && before->first > at->key(); ++before) Missing(before->first);
      const bool is_written = before != sample_.model.rend() && before->first == at->key();
      is_written ? Found(*before++, at->value()) : MadeUp(at->key(), at->value());
    }
    Ended(at->status());
    if (!asks_each) return;
    std::string value;
    for (const auto& pair : sample_.model) {
      const absl::Status status = store.Get(pair.first, &value);
      Answered(pair, status, value);
    }
  }

  void Answered(const std::pair<const std::string, std::string>& written, const absl::Status& status,
                std::string_view value) {
    if (status.ok()) return Found(written, value);
    if (absl::IsNotFound(status)) return Missing(written.first);
    Ended(status);
  }

  void MadeUp(std::string_view key, std::string_view value) {
    if (is_noticed_ && value.size() == sizeof(uint64_t)) return;
    // Another's place: the walk will find that keys don't ascend.
    const auto written = sample_.model.find(std::string(key));
    if (is_noticed_ && written != sample_.model.end() && written->second == value) return;
    Excuse(excuses_.ForMadeUp(key, value), "made up", key, value);
  }
  void Found(const std::pair<const std::string, std::string>& written, std::string_view value) {
    if (value == written.second || (is_noticed_ && value.size() == sizeof(uint64_t))) return;
    Excuse(excuses_.ForWrongValue(written.first, value), "a wrong value of", written.first, value);
  }
  void Missing(std::string_view key) {
    if (!is_noticed_) Excuse(excuses_.ForMissing(key), "missing", key);
  }

 private:
  void Ended(const absl::Status& status) {
    if (status.ok() || (is_noticed_ && absl::IsDataLoss(status))) return;
    ADD_FAILURE() << "what the checker calls sound can't be read: " << status;
  }
  void Excuse(const char* excuse, const char* what, std::string_view key, std::string_view value = {}) {
    if (excuse == nullptr) {
      ADD_FAILURE() << what << " " << ::testing::PrintToString(std::string(key)) << ": "
                    << ::testing::PrintToString(std::string(value));
    } else if (excuse_ == nullptr) {
      excuse_ = excuse;
    }
  }

  const Sample& sample_;
  const Excuses& excuses_;
  const bool is_noticed_;
  const char* excuse_ = nullptr;
};

// A few writes, whatever they answer. What nobody wrote reads as before.
void WriteAndReadAgain(Store& store, const Sample& sample, const Excuses& excuses, bool is_noticed) {
  const std::string last = sample.model.rbegin()->first;
  (void)store.Put("a new key that goes on", "a value");
  (void)store.Put(U64Key(Random(1).Next()), "8 bytes!");
  (void)store.Add("a counter", 1);
  (void)store.Put(last, "another value");
  (void)store.Delete(sample.model.begin()->first);
  const absl::Status space = store.WaitUntilSpaceIsKnown();
  if (is_noticed) return;
  EXPECT_OK(space);
  Reading reading(sample, excuses, is_noticed);
  std::string value;
  size_t count = 0;
  for (const auto& pair : sample.model) {
    if (count++ == 0 || pair.first == last) continue;
    const absl::Status status = store.Get(pair.first, &value);
    reading.Answered(pair, status, value);
  }
}

// What is saved is as written; what isn't is called lost.
void JudgeSalvage(std::span<std::byte> damaged, const Sample& sample, const Excuses& excuses) {
  const Salvaged salvaged = SalvageMemory(damaged);
  if (!salvaged.status.ok()) {
    EXPECT_TRUE(absl::IsFailedPrecondition(salvaged.status)) << salvaged.status;
    return;
  }
  Reading reading(sample, excuses, /*is_noticed=*/false);
  for (const auto& [key, value] : salvaged.content) {
    const auto written = sample.model.find(key);
    written != sample.model.end() ? reading.Found(*written, value) : reading.MadeUp(key, value);
  }
  for (const auto& [key, value] : sample.model) {
    if (!salvaged.content.contains(key) && !salvaged.CallsLost(key)) reading.Missing(key);
  }
}

class MediaFaultTest : public ::testing::Test {
 public:
  static void SetUpTestSuite() { CaseWatch::Install(); }

 protected:
  using Counts = std::map<std::string_view, uint64_t>;

  explicit MediaFaultTest(const Sample& sample = MakeEverything(96 << 10, 190, 7))
      : sample_(sample), sound_(sample.bytes.size()), damaged_(sample.bytes.size()) {
    std::memcpy(sound_.data(), sample.bytes.data(), sample.bytes.size());
  }

  std::span<std::byte> Damaged(const MediaFault& fault) {
    const std::span<std::byte> memory = damaged_.Last(sample_.bytes.size());
    std::memcpy(memory.data(), sound_.data(), memory.size());
    return memory.first(fault.Apply(memory));
  }

  // The class of the fault.
  const char* Judge(const MediaFault& fault, const Anatomy& anatomy) {
    const std::span<std::byte> memory = Damaged(fault);
    if (fault.kind == MediaFault::Kind::kCut) return JudgeCut(memory);
    const Excuses excuses(anatomy, memory);
    if (excuses.are_none()) return kNoChange;
    daxfile::DaxFile file = daxfile::DaxFile::OverMemory(memory);
    const absl::StatusOr<internal::Image> image = internal::OpenImage(file);
    if (!image.ok()) {
      EXPECT_TRUE(absl::IsDataLoss(image.status()) || absl::IsFailedPrecondition(image.status())) << image.status();
      EXPECT_EQ(Store::Attach(std::move(file)).status(), image.status());
      return kByOpen;
    }
    const internal::CheckReport report = internal::Check(*image);
    const bool is_noticed = !report.is_sound() || report.nodes_marked_replaced > 0;
    for (const internal::Problem& problem : report.problems) EXPECT_LT(problem.offset, memory.size()) << problem.text;
    const absl::StatusOr<std::unique_ptr<Store>> store = Store::Attach(std::move(file));
    if (!store.ok()) {
      EXPECT_TRUE(absl::IsDataLoss(store.status())) << store.status();
      EXPECT_TRUE(NamesALane(report, store.status())) << store.status();
      return kByOpen;
    }
    Reading reading(sample_, excuses, is_noticed);
    reading.All(**store, /*asks_each=*/true);
    WriteAndReadAgain(**store, sample_, excuses, is_noticed);
    if (is_noticed) return report.is_sound() ? kByNote : kByCheck;
    return reading.excuse() != nullptr ? reading.excuse() : kHarmless;
  }

  // What the checker goes on beside, and an open doesn't: a lane that names no batch.
  static bool NamesALane(const internal::CheckReport& report, const absl::Status& opened) {
    using internal::Superblock;
    return std::any_of(report.problems.begin(), report.problems.end(), [&](const internal::Problem& problem) {
      const uint64_t at = problem.offset - Superblock::kLanesOffset;
      return at < sizeof(Superblock::lanes) && at % sizeof(Superblock::Lane) == 0 &&
             opened.message().find("offset " + std::to_string(problem.offset) + ":") != std::string_view::npos;
    });
  }

  const char* JudgeCut(std::span<std::byte> left) {
    const absl::Status opened = internal::OpenImage(daxfile::DaxFile::OverMemory(left)).status();
    EXPECT_TRUE(absl::IsFailedPrecondition(opened)) << opened;
    return kByOpen;
  }

  static void Print(const std::map<MediaFault::Kind, Counts>& table, double seconds) {
    constexpr std::string_view kOutcomes[] = {kByOpen, kByCheck, kByNote, kHarmless, kNoChange};
    Counts excuses;
    uint64_t all = 0;
    std::printf("%-36s %7s %7s %7s %7s %9s %10s %11s\n", "", "cases", "open", "check", "noted", "harmless", "no change",
                "unnoticed");
    for (const auto& [kind, counts] : table) {
      uint64_t cases = 0, unnoticed = 0;
      for (const auto& [outcome, count] : counts) {
        cases += count;
        if (std::count(std::begin(kOutcomes), std::end(kOutcomes), outcome) > 0) continue;
        unnoticed += count;
        excuses[outcome] += count;
      }
      const auto count_of = [&counts](const char* outcome) {
        const auto found = counts.find(outcome);
        return found == counts.end() ? 0 : found->second;
      };
      std::printf("%-36s %7lu %7lu %7lu %7lu %9lu %10lu %11lu\n", MediaFault::kNames[static_cast<size_t>(kind)], cases,
                  count_of(kByOpen), count_of(kByCheck), count_of(kByNote), count_of(kHarmless), count_of(kNoChange),
                  unnoticed);
      all += cases;
    }
    std::printf("unnoticed, for nothing repeats what was changed:\n");
    for (const auto& [excuse, count] : excuses) std::printf("  %7lu  %s\n", count, std::string(excuse).c_str());
    std::printf("%lu cases, %.0f a second\n", all, static_cast<double>(all) / seconds);
  }

  // Runs `act` on each fault, or on the one that SEALKV_TEST_CASE names; under a sanitizer on every tenth.
  template <typename Act>
  void ForEach(const std::vector<MediaFault>& faults, uint64_t stride, const Act& act) {
    const uint64_t seed = TestSeed();
    const char* only = std::getenv("SEALKV_TEST_CASE");
    const uint64_t first = only != nullptr ? std::strtoull(only, nullptr, 0) : seed % stride;
    for (uint64_t i = first; i < faults.size() && !HasFailure(); i += stride) {
      const CaseWatch watch("everything", i);
      act(faults[i]);
      if (HasFailure()) ADD_FAILURE() << faults[i] << "; SEALKV_TEST_CASE=" << i << ", seed " << seed;
      if (only != nullptr) return;
    }
  }
  static uint64_t Stride() { return 10 / std::min<uint64_t>(Scaled(10), 10); }

  const Sample sample_;
  Memory sound_;
  GuardedMemory damaged_;
};

TEST_F(MediaFaultTest, EachIsNoticedOrHarmlessOrOfAKnownClass) {
  const internal::Image image(sound_.data());
  const Anatomy anatomy(image);
  ASSERT_EQ(anatomy.keys().size(), sample_.model.size());
  const std::vector<MediaFault> faults = AllMediaFaults(anatomy, TestSeed());
  std::printf("seed %lu; %zu keys, %zu nodes, %zu records\n", TestSeed(), anatomy.keys().size(), anatomy.nodes().size(),
              anatomy.records().size());
  std::map<MediaFault::Kind, Counts> table;
  const auto begin = std::chrono::steady_clock::now();
  ForEach(faults, Stride(), [&](const MediaFault& fault) { ++table[fault.kind][Judge(fault, anatomy)]; });
  Print(table, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
}

TEST_F(MediaFaultTest, SalvageSavesWhatIsAsWritten) {
  const internal::Image image(sound_.data());
  const Anatomy anatomy(image);
  const std::vector<MediaFault> faults = AllMediaFaults(anatomy, TestSeed());
  constexpr uint64_t kEach = 7;  // no divisor of the bits in a byte, word, or node
  ForEach(faults, kEach * Stride(), [&](const MediaFault& fault) {
    const std::span<std::byte> memory = Damaged(fault);
    const Excuses excuses(anatomy, memory);
    JudgeSalvage(memory, sample_, excuses);
  });
}

}  // namespace
}  // namespace sealkv::testing
