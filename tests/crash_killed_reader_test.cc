// A process that reads a store beside its writer, who is killed; perhaps another writer comes. Then the power fails:
// what the reader was shown after the kill, or told that it isn't there, is as it was.
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

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

 private:
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
    const std::unique_ptr<testing::Memory> left = MemoryOf(of_reader.bytes());
    const std::unique_ptr<Store> after = Open(*left);
    if (after == nullptr) return 0;
    const Answers now = Ask(*after, keys);
    for (const auto& [key, answer] : answers) EXPECT_EQ(now.at(key), answer) << "the power cut took it back: " << key;
    EXPECT_TRUE(testing::IsClean(left->span()));
    return keys.size() - answers.size();
  }
};

TEST_P(CrashKilledReaderTest, Pairs) { TryAllKills(Pairs()); }
TEST_P(CrashKilledReaderTest, RecordsAndLayers) { TryAllKills(RecordsAndLayers()); }
TEST_P(CrashKilledReaderTest, Batches) { TryAllKills(Batches()); }
TEST_P(CrashKilledReaderTest, ABatchBesideAnotherWriter) { TryAllKills(ABatchBesideAnotherWriter()); }

INSTANTIATE_TEST_SUITE_P(Places, CrashKilledReaderTest,
                         ::testing::Values(std::pair(false, After::kNobody), std::pair(false, After::kAnotherWriter),
                                           std::pair(true, After::kNobody), std::pair(true, After::kAnotherWriter)),
                         [](const auto& param) {
                           return std::string(param.param.first ? "OnDisk" : "InMemory") +
                                  (param.param.second == After::kNobody ? "" : "BesideAnotherWriter");
                         });

}  // namespace
}  // namespace sealkv::crash
