// No content of a file, however damaged, crashes or hangs the checker or a store opened over it; and what the checker
// calls sound reads as it was written. Thousands of seeded cases; a failure names its sample and case.
#include "tools/testing/damage.h"

#include <signal.h>
#include <unistd.h>

#include <cstdio>

#include "gtest/gtest.h"
#include "kv/check.h"
#include "kv/recovery.h"

namespace sealkv::testing {
namespace {

constexpr uint64_t kCasesPerSample = 2000;
constexpr unsigned kHangSeconds = 60;

const char* volatile current_sample = "";
volatile uint64_t current_case = 0;

// The case that is running when the process dies or hangs.
void TellCase(int signal) {
  char text[200];
  const int length = std::snprintf(text, sizeof(text), "\n*** signal %d in sample %s, case %llu\n", signal,
                                   current_sample, static_cast<unsigned long long>(current_case));
  if (write(STDERR_FILENO, text, static_cast<size_t>(length)) < 0) _exit(3);
  ::signal(signal, SIG_DFL);
  raise(signal == SIGALRM ? SIGABRT : signal);
}

class DamageTest : public ::testing::TestWithParam<int> {
 protected:
  static void SetUpTestSuite() {
    for (const int signal : {SIGALRM, SIGSEGV, SIGBUS, SIGFPE, SIGABRT, SIGILL}) ::signal(signal, TellCase);
  }

  // Runs `act` on each damaged copy that still opens as a store.
  void ForEachCase(uint64_t cases, const std::function<void(daxfile::DaxFile file, const Sample& sample)>& act) {
    static const std::vector<Sample> samples = MakeSamples();
    const Sample& sample = samples[GetParam()];
    current_sample = sample.name.c_str();
    const char* only = std::getenv("SEALKV_TEST_CASE");
    for (uint64_t i = 0; i < Scaled(cases); ++i) {
      if (only != nullptr && i != std::strtoull(only, nullptr, 0)) continue;
      current_case = i;
      std::vector<std::byte> bytes = sample.bytes;
      const size_t left = Damage(sample, Random(TestSeed()).Next() + i).Apply(bytes);
      if (left == 0) continue;
      const GuardedMemory memory(left);
      std::memcpy(memory.Last(left).data(), bytes.data(), left);
      alarm(kHangSeconds);
      act(daxfile::DaxFile::OverMemory(memory.Last(left)), sample);
      alarm(0);
      if (HasFailure()) FAIL() << "sample " << sample.name << ", SEALKV_TEST_CASE=" << i;
    }
  }

  static void ExpectReadable(const absl::Status& status) {
    EXPECT_TRUE(status.ok() || absl::IsNotFound(status) || absl::IsDataLoss(status)) << status;
  }
};

// What is read of a store that the checker called sound. A word that nothing else repeats may have changed: an inline
// key or value, an 8-byte value; and an entry may have gone as if deleted.
void ExpectAsWritten(std::string_view key, std::string_view value, const Sample& sample) {
  if (value.size() == sizeof(uint64_t)) return;
  const auto found = sample.model.find(std::string(key));
  ASSERT_NE(found, sample.model.end());
  EXPECT_EQ(value, found->second);
}

TEST_P(DamageTest, TheCheckerEndsAndWhatItCallsSoundIsReadAsWritten) {
  uint64_t opened = 0, sound = 0;
  ForEachCase(kCasesPerSample, [&](daxfile::DaxFile file, const Sample& sample) {
    const absl::StatusOr<internal::Image> image = internal::OpenImage(file);
    if (!image.ok()) return;
    ++opened;
    const internal::CheckReport report = internal::Check(*image);
    if (!report.is_sound()) return;
    ++sound;
    const absl::StatusOr<std::unique_ptr<Store>> store = Store::Attach(std::move(file));
    ASSERT_OK(store);
    const std::unique_ptr<Iterator> at = (*store)->NewIterator();
    uint64_t count = 0;
    for (at->SeekToFirst(); at->Valid(); at->Next(), ++count) ExpectAsWritten(at->key(), at->value(), sample);
    EXPECT_OK(at->status());
    EXPECT_EQ(count, report.keys);
  });
  RecordProperty("opened", static_cast<int>(opened));
  RecordProperty("sound", static_cast<int>(sound));
  std::printf("%s: %lu opened, %lu of these sound\n", current_sample, opened, sound);
}

TEST_P(DamageTest, ReadsOfADamagedStoreGiveOnlyStatusErrors) {
  ForEachCase(kCasesPerSample, [](daxfile::DaxFile file, const Sample& sample) {
    const absl::StatusOr<std::unique_ptr<Store>> store = Store::Attach(std::move(file));
    if (!store.ok()) return;
    size_t count = 0;
    for (const auto& [key, value] : sample.model) {
      if (++count % 16 == 0) ExpectReadable((*store)->Get(key).status());
    }
    const std::unique_ptr<Iterator> at = (*store)->NewIterator();
    for (at->SeekToFirst(); at->Valid(); at->Next()) continue;
    ExpectReadable(at->status());
    for (at->SeekToLast(); at->Valid(); at->Prev()) continue;
    ExpectReadable(at->status());
    for (const auto& [key, value] : sample.model) {
      if (++count % 32 != 0) continue;
      at->Seek(key + '\0');
      ExpectReadable(at->status());
      at->SeekForPrev(key);
      ExpectReadable(at->status());
    }
  });
}

TEST_P(DamageTest, WritesToADamagedStoreGiveOnlyStatusErrors) {
  ForEachCase(kCasesPerSample / 2, [](daxfile::DaxFile file, const Sample& sample) {
    const absl::StatusOr<std::unique_ptr<Store>> store = Store::Attach(std::move(file));
    if (!store.ok()) return;
    size_t count = 0;
    for (const auto& [key, value] : sample.model) {
      ++count;
      if (count % 8 == 0) (void)(*store)->Put(key + "x", value);
      if (count % 8 == 1) (void)(*store)->Put(key, value + "more");
      if (count % 8 == 2) (void)(*store)->Delete(key);
    }
    (void)(*store)->WaitUntilSpaceIsKnown();
    for (const auto& [key, value] : sample.model) {
      if (++count % 4 != 0) continue;
      (void)(*store)->Delete(key);
      (void)(*store)->Put(key.substr(0, key.size() / 2), value);
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Samples, DamageTest, ::testing::Range(0, 5));

}  // namespace
}  // namespace sealkv::testing
