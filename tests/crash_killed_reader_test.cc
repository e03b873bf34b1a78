// A process that reads a store beside its writer, who is killed; perhaps another writer comes. Then the power fails:
// what the reader was shown after the kill, or told that it isn't there, is as it was.
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daxfile/dax_file.h"
#include "gtest/gtest.h"
#include "kv/sealkv.h"
#include "tests/check_clean.h"
#include "tests/crash/killed.h"
#include "tests/memory_store.h"
#include "tests/model.h"
#include "tests/status.h"

namespace sealkv::crash {
namespace {

// Of each key, what it has; nothing, if it isn't there. A key that the reader can't tell anything of isn't in it.
using Answers = std::map<std::string, std::optional<std::string>>;

Answers Ask(const Store& store, const testing::Model& keys) {
  Answers answers;
  for (const auto& [key, value] : keys) {
    const absl::StatusOr<std::string> got = store.Get(key);
    if (got.ok()) {
      answers[key] = *got;
    } else if (absl::IsNotFound(got.status())) {
      answers[key] = std::nullopt;
    } else {
      EXPECT_TRUE(absl::IsUnavailable(got.status())) << got.status();  // half a batch: it has to be opened again
    }
  }
  return answers;
}

enum class After : uint8_t { kNobody, kAnotherWriter };

class CrashKilledReaderTest : public ::testing::TestWithParam<std::pair<bool, After>> {
 protected:
  bool is_on_disk() const { return GetParam().first; }

  // The reader opened the store before the writer began with the run.
  void TryAllKills(const KilledRun& run) {
    size_t unknown = 0;
    for (size_t i = 0; i < run.kills.size() && !HasFailure(); ++i) {
      SCOPED_TRACE("killed at action " + std::to_string(i));
      unknown += TryKill(run.begin, run.kills[i], run.keys);
    }
    EXPECT_LT(unknown, run.kills.size() * run.keys.size() * 3 / 4) << "else this shows nothing";
  }

  // The reader looks after the first kill, another writer opens the store, changes the same keys, and is killed too.
  void TryTwoKills(const KilledRun& run, const Kill& first) {
    const std::vector<Kill> kills = KilledNext(first, [&](Store& store) {
      for (const auto& [key, value] : run.keys) EXPECT_OK(store.Put(key, testing::WordValue(77)));
    });
    EXPECT_GT(kills.size(), 2 * run.keys.size());
    for (size_t i = 0; i < kills.size() && !HasFailure(); i += 3) {
      SCOPED_TRACE("the next one at action " + std::to_string(i));
      const StoreFile file(is_on_disk() ? PathOnDisk() : PathInMemory(), run.begin.visible);
      DurableBytes of_reader(file.span(), run.begin.durable);
      std::optional<absl::StatusOr<daxfile::DaxFile>> writer(file.LockForWriting());
      const std::unique_ptr<Store> reader = file.Open(of_reader, /*read_only=*/true);
      if (reader == nullptr) return;
      file.Write(first.visible);
      of_reader.Set(first.durable);
      writer.reset();
      EXPECT_EQ(Ask(*reader, run.keys).size(), run.keys.size());
      writer.emplace(file.LockForWriting());
      EXPECT_OK(*writer);
      file.Write(kills[i].visible);
      of_reader.Set(Joined(of_reader.bytes(), first.durable, kills[i].durable));
      writer.reset();
      ExpectDurable(Ask(*reader, run.keys), of_reader.bytes(), run.keys);
    }
  }

 private:
  void SetUp() override {
    if (!is_on_disk()) return;
    if (const daxfile::Tier tier = TierOnDisk(); tier != daxfile::Tier::kMsync) {
      GTEST_SKIP() << "the test's directory has another tier: " << daxfile::TierName(tier);
    }
  }

  static void ExpectDurable(const Answers& answers, const Bytes& durable, const testing::Model& keys) {
    const std::unique_ptr<testing::Memory> left = MemoryOf(durable);
    const std::unique_ptr<Store> after = Open(*left);
    if (after == nullptr) return;
    const Answers now = Ask(*after, keys);
    for (const auto& [key, answer] : answers) EXPECT_EQ(now.at(key), answer) << "the power cut took it back: " << key;
    EXPECT_TRUE(testing::IsClean(left->span()));
  }

  size_t TryKill(const Kill& before, const Kill& kill, const testing::Model& keys) {
    const StoreFile file(is_on_disk() ? PathOnDisk() : PathInMemory(), before.visible);
    std::optional<absl::StatusOr<daxfile::DaxFile>> writer(file.LockForWriting());
    EXPECT_OK(*writer);
    DurableBytes of_reader(file.span(), before.durable);
    const std::unique_ptr<Store> reader = file.Open(of_reader, /*read_only=*/true);
    if (reader == nullptr) return 0;
    EXPECT_EQ(Ask(*reader, keys).size(), keys.size());
    file.Write(kill.visible);
    of_reader.Set(kill.durable);
    writer.reset();  // dead
    DurableBytes of_next(file.span(), of_reader);
    const std::unique_ptr<Store> next =
        GetParam().second == After::kAnotherWriter ? file.Open(of_next, /*read_only=*/false) : nullptr;
    const Answers answers = Ask(*reader, keys);
    ExpectDurable(answers, of_reader.bytes(), keys);
    return keys.size() - answers.size();
  }

  // What the reader has made durable meanwhile stays so, where the next writer has made nothing else durable.
  static Bytes Joined(const Bytes& by_reader, const Bytes& before_next, const Bytes& by_next) {
    Bytes joined = by_next;
    for (size_t at = 0; at < joined.size(); at += kLineBytes) {
      const bool is_next = std::memcmp(&by_next[at], &before_next[at], kLineBytes) != 0;
      if (!is_next) std::memcpy(&joined[at], &by_reader[at], kLineBytes);
    }
    return joined;
  }
};

TEST_P(CrashKilledReaderTest, Pairs) { TryAllKills(Pairs()); }
TEST_P(CrashKilledReaderTest, RecordsAndLayers) { TryAllKills(RecordsAndLayers()); }
TEST_P(CrashKilledReaderTest, Batches) { TryAllKills(Batches()); }
TEST_P(CrashKilledReaderTest, ABatchBesideAnotherWriter) { TryAllKills(ABatchBesideAnotherWriter()); }

TEST_P(CrashKilledReaderTest, TwoWritersOneAfterTheOther) {
  const KilledRun run = Pairs();
  for (size_t i = 0; i < run.kills.size() && !HasFailure(); i += 29) {
    SCOPED_TRACE("the first one killed at action " + std::to_string(i));
    TryTwoKills(run, run.kills[i]);
  }
}

INSTANTIATE_TEST_SUITE_P(Places, CrashKilledReaderTest,
                         ::testing::Values(std::pair(false, After::kNobody), std::pair(false, After::kAnotherWriter),
                                           std::pair(true, After::kNobody), std::pair(true, After::kAnotherWriter)),
                         [](const auto& param) {
                           return std::string(param.param.first ? "OnDisk" : "InMemory") +
                                  (param.param.second == After::kNobody ? "" : "BesideAnotherWriter");
                         });

}  // namespace
}  // namespace sealkv::crash
