// kvdump on a store whose writer died in the middle of a batch: what it had committed is there as a whole, whichever
// command looks, and the file stays as it is. And where a bit of a lane is wrong, so that nobody can open the store:
// what still says something.
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/half_batch.h"
#include "tests/model.h"
#include "tests/status.h"
#include "tools/testing/run_tool.h"
#include "tools/text.h"

namespace sealkv::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using tools::ToHex;

constexpr int kKeys = 100;

// Some values lie in leaves, some in records; the batch changes all and adds one.
std::string KeyOf(int i) { return i % 2 == 0 ? "key " + std::to_string(1000 + i) : "another " + std::to_string(i); }

class KvdumpBatchTest : public ::testing::Test {
 protected:
  void SetUp() override {
    WriteBatch before, batch;
    for (int i = 0; i < kKeys; ++i) {
      before.Put(KeyOf(i), i % 3 == 0 ? "8 before" : "before");
      batch.Put(KeyOf(i), i % 3 == 0 ? "8 behind" : "behind it");
      expected_[KeyOf(i)] = i % 3 == 0 ? "8 behind" : "behind it";
    }
    batch.Put("new", "one");
    expected_["new"] = "one";
    bytes_ = StoreWithHalfABatch(
        256 << 10, [&](Store& store) { EXPECT_OK(store.Write(before)); }, batch, 40);
    WriteFile(path_, bytes_);
  }
  void TearDown() override { EXPECT_TRUE(ReadFile(path_) == bytes_) << "kvdump changed the store"; }

  // A bit of a lane that is free.
  void DamageALane() {
    bytes_[kDamaged + 1] = static_cast<char>(bytes_[kDamaged + 1] ^ 0x40);
    WriteFile(path_, bytes_);
  }
  ToolResult Salvage() {
    return RunKvdump({"salvage", path_, folder_ + "new", "--tier=volatile", "--emulate-on-dram"});
  }
  std::map<std::string, std::string> ContentOfNew() {
    std::map<std::string, std::string> pairs;
    const auto store = Store::Open(folder_ + "new", {.weakest_tier = daxfile::Tier::kVolatile, .read_only = true});
    EXPECT_OK(store);
    const std::unique_ptr<Iterator> at = (*store)->NewIterator();
    for (at->SeekToFirst(); at->Valid(); at->Next()) pairs.emplace(at->key(), at->value());
    return pairs;
  }

  static constexpr uint64_t kDamaged = internal::Superblock::kLanesOffset + 5 * sizeof(internal::Superblock::Lane);
  const std::string folder_ = NewFolder();
  const std::string path_ = folder_ + "store";
  std::string bytes_;
  std::map<std::string, std::string> expected_;
};

TEST_F(KvdumpBatchTest, InfoAndPageTellThatOneWaits) {
  const ToolResult info = RunKvdump({"info", path_});
  EXPECT_EQ(info.exit_code, 0) << info.err;
  EXPECT_THAT(info.out, HasSubstr("1 committed, and finished by whoever opens the store next"));
  const auto json = nlohmann::json::parse(RunKvdump({"info", path_, "--json"}).out);
  EXPECT_EQ(json["batches_committed"], 1);
  EXPECT_EQ(json["lanes_damaged"], 0);
  EXPECT_THAT(RunKvdump({"page", path_, "0"}).out, HasSubstr("a batch is committed, by the blob at 0x"));
  const auto page = nlohmann::json::parse(RunKvdump({"page", path_, "192", "--json"}).out);
  ASSERT_EQ(page["lanes"].size(), internal::Superblock::kLanes);
  EXPECT_EQ(page["lanes"][0]["offset"], 192);
  EXPECT_EQ(page["lanes"][1]["meaning"], "free");
  EXPECT_TRUE(page.contains("epoch"));
}

TEST_F(KvdumpBatchTest, TheBlobIsShownAndRecordsBehindItAreFound) {
  const std::string word = nlohmann::json::parse(RunKvdump({"page", path_, "0", "--json"}).out)["lanes"][0]["word"];
  const std::string blob = "0x" + word.substr(word.size() - 8);
  const auto page = nlohmann::json::parse(RunKvdump({"page", path_, blob, "--json"}).out);
  EXPECT_EQ(page["what"], "part of a batch");
  EXPECT_GE(page["count"], 40);
  EXPECT_EQ(page["words"].size(), page["count"]);
  EXPECT_THAT(RunKvdump({"page", path_, blob}).out, HasSubstr("becomes 0x"));
  // Of both batches: the blob of the first lies in between.
  std::multiset<std::string> found;
  for (const auto& segment : nlohmann::json::parse(RunKvdump({"records", path_, "--json"}).out)) {
    if (segment["kind"] != "records") continue;
    const std::string number = std::to_string(segment["segment"].get<int>());
    const auto records = nlohmann::json::parse(RunKvdump({"records", path_, number, "--json"}).out);
    for (const auto& record : records["records"]) found.insert(record["key_hex"].get<std::string>());
    EXPECT_THAT(records["ended"].get<std::string>(), Not(HasSubstr("no record can be")));
  }
  EXPECT_EQ(found.count(ToHex("new")), 1u);
  EXPECT_EQ(found.count(ToHex(KeyOf(1))), 2u);
  EXPECT_EQ(found.count(ToHex(KeyOf(kKeys - 2))), 2u);
}

TEST_F(KvdumpBatchTest, AllOfItIsThereForEveryCommand) {
  const ToolResult check = RunKvdump({"check", path_});
  EXPECT_EQ(check.exit_code, 0) << check.out;
  EXPECT_THAT(check.out, HasSubstr("sound: 101 keys"));
  EXPECT_EQ(nlohmann::json::parse(RunKvdump({"stat", path_, "--json"}).out)["keys"], kKeys + 1);
  EXPECT_EQ(RunKvdump({"get", path_, "new"}).out, "one");
  std::string lines;
  for (const auto& [key, value] : expected_) lines += " " + key + "\n " + value + "\n";
  EXPECT_THAT(RunKvdump({"dump", "-p", path_}).out, HasSubstr("HEADER=END\n" + lines + "DATA=END\n"));
  const ToolResult salvage = Salvage();
  EXPECT_EQ(salvage.exit_code, 0) << salvage.err;
  EXPECT_THAT(salvage.err, HasSubstr("nothing is lost"));
  EXPECT_EQ(ContentOfNew(), expected_);
}

TEST_F(KvdumpBatchTest, ADamagedLaneIsOneProblemBesideWhichAllElseIsSound) {
  DamageALane();
  const auto check = nlohmann::json::parse(RunKvdump({"check", path_, "--json"}).out);
  EXPECT_EQ(check["major_problems"], 1);
  EXPECT_EQ(check["problems"].size(), 1);
  EXPECT_EQ(check["problems"][0]["offset"], kDamaged);
  EXPECT_THAT(check["problems"][0]["text"].get<std::string>(), AllOf(HasSubstr("0x4000"), HasSubstr("one bit")));
  EXPECT_EQ(check["keys"], kKeys + 1);
  EXPECT_EQ(RunKvdump({"check", path_}).exit_code, 2);
  EXPECT_EQ(RunKvdump({"stat", path_}).exit_code, 0);

  const ToolResult info = RunKvdump({"info", path_});
  EXPECT_EQ(info.exit_code, 3);
  EXPECT_THAT(info.out, HasSubstr("DAMAGED: 1 lane"));
  EXPECT_THAT(RunKvdump({"page", path_, "0"}).out, HasSubstr("0x4000  DAMAGED"));

  // A reader can't know whether a batch was there, and half of it is.
  const ToolResult get = RunKvdump({"get", path_, "new"});
  EXPECT_EQ(get.exit_code, 3);
  EXPECT_THAT(get.err, AllOf(HasSubstr("offset " + std::to_string(kDamaged)), HasSubstr("kvdump salvage")));
}

TEST_F(KvdumpBatchTest, SalvageSavesAllOfAStoreWithADamagedLaneAndWarns) {
  DamageALane();
  const ToolResult salvage = Salvage();
  EXPECT_EQ(salvage.exit_code, 1) << salvage.err;
  EXPECT_THAT(salvage.err, AllOf(HasSubstr("warning: " + path_), HasSubstr("offset " + std::to_string(kDamaged)),
                                 Not(HasSubstr("nothing is lost"))));
  EXPECT_THAT(salvage.out, IsEmpty());
  EXPECT_EQ(ContentOfNew(), expected_);
}

// The superblock's identity and a committed batch have nothing to do with one another.
TEST_F(KvdumpBatchTest, SalvageFinishesTheBatchOfAStoreWithADamagedSuperblock) {
  bytes_[17] = static_cast<char>(bytes_[17] ^ 1);
  WriteFile(path_, bytes_);
  const ToolResult salvage = Salvage();
  EXPECT_EQ(salvage.exit_code, 0) << salvage.err;
  EXPECT_EQ(ContentOfNew(), expected_);
}

}  // namespace
}  // namespace sealkv::testing
