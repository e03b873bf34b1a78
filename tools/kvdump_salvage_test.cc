// kvdump salvage as a user meets it: what it saves, prints and leaves behind.
#include <sys/stat.h>

#include <filesystem>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/testing/damage.h"
#include "tools/testing/run_tool.h"

namespace sealkv::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class KvdumpSalvageTest : public ::testing::Test {
 protected:
  KvdumpSalvageTest() : folder_(NewFolder()), path_(folder_ + "damaged"), new_path_(folder_ + "new") {}

  void Write(const Sample& sample) {
    bytes_.assign(reinterpret_cast<const char*>(sample.bytes.data()), sample.bytes.size());
    WriteFile(path_, bytes_);
  }
  void FlipBit(size_t offset, unsigned bit) {
    bytes_[offset] = static_cast<char>(bytes_[offset] ^ 1 << bit);
    WriteFile(path_, bytes_);
  }
  ToolResult Salvage(std::vector<std::string> flags = {}) {
    std::vector<std::string> words = {"salvage", path_, new_path_, "--tier=volatile", "--emulate-on-dram"};
    words.insert(words.end(), flags.begin(), flags.end());
    const ToolResult result = RunKvdump(words);
    EXPECT_EQ(ReadFile(path_), bytes_) << "salvage changed the damaged store";
    return result;
  }
  std::map<std::string, std::string> NewContent() {
    EXPECT_EQ(RunKvdump({"check", new_path_}).exit_code, 0);
    Options options;
    options.weakest_tier = daxfile::Tier::kVolatile;
    options.read_only = true;
    const auto store = Store::Open(new_path_, options);
    EXPECT_OK(store);
    std::map<std::string, std::string> pairs;
    if (!store.ok()) return pairs;
    const std::unique_ptr<Iterator> at = (*store)->NewIterator();
    for (at->SeekToFirst(); at->Valid(); at->Next()) pairs.emplace(at->key(), at->value());
    return pairs;
  }
  std::vector<std::string> Files() {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }
  uint64_t RootWord() const {
    uint64_t root;
    std::memcpy(&root, bytes_.data() + 64, sizeof(root));
    return root;
  }

  const std::string folder_;
  const std::string path_;
  const std::string new_path_;
  std::string bytes_;  // of the damaged store
};

const Sample& Mixed() {
  static const Sample sample = MakeSamples()[4];
  return sample;
}

TEST_F(KvdumpSalvageTest, ASoundStoreIsSavedWhole) {
  Write(Mixed());
  const ToolResult result = Salvage();
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, IsEmpty());
  EXPECT_THAT(result.err, HasSubstr("nothing is lost"));
  EXPECT_EQ(NewContent(), Mixed().model);
  EXPECT_EQ(std::filesystem::file_size(new_path_), bytes_.size());
}

TEST_F(KvdumpSalvageTest, WhatIsLostIsListedWithItsOffset) {
  Write(Mixed());
  const std::string value = Mixed().model.at("");
  const size_t at = bytes_.find(value);  // of the record with the empty key
  ASSERT_NE(at, std::string::npos);
  FlipBit(at, 0);
  const ToolResult result = Salvage();
  EXPECT_EQ(result.exit_code, 1);
  std::ostringstream line;
  line << "lost\t\"\"\t\"\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x01\"\t0x" << std::hex << at - 24
       << "\tthe record's checksum";
  EXPECT_THAT(result.out, StartsWith(line.str()));
  EXPECT_THAT(result.err, AllOf(HasSubstr("keys saved from the tree"), HasSubstr(", 1 range lost")));
  std::map<std::string, std::string> expected = Mixed().model;
  expected.erase("");
  EXPECT_EQ(NewContent(), expected);
}

TEST_F(KvdumpSalvageTest, WhatIsPerhapsStaleIsListedAndMayBeLeftOut) {
  Write(Mixed());
  FlipBit(64, 3);  // the root word: can't be a node's now
  const ToolResult trusted = Salvage({"--trusted-only", "--hex"});
  EXPECT_EQ(trusted.exit_code, 1) << trusted.err;
  EXPECT_THAT(trusted.out, AllOf(StartsWith("lost\t\tend\t0x40\t"), HasSubstr("\tleft out\n")));
  EXPECT_TRUE(NewContent().empty());
  std::filesystem::remove(new_path_);

  const ToolResult result = Salvage({"--lost=" + folder_ + "list"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out, IsEmpty());
  const std::string list = ReadFile(folder_ + "list");
  EXPECT_THAT(list,
              AllOf(StartsWith("lost\t\"\"\tend\t0x40\t"), HasSubstr("\nrecovered\t\"\"\t0x"), HasSubstr("\tput\n")));
  EXPECT_EQ(static_cast<size_t>(std::count(list.begin(), list.end(), '\n')), 1 + Mixed().model.size());
  EXPECT_THAT(result.err, HasSubstr("perhaps stale"));
  EXPECT_EQ(NewContent(), Mixed().model);
}

TEST_F(KvdumpSalvageTest, WhatIsWrongWithTheSuperblockIsSaid) {
  Write(Mixed());
  bytes_.replace(0, 64, 64, '\0');
  WriteFile(path_, bytes_);
  const ToolResult result = Salvage();
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.err, HasSubstr("superblock damaged: assumed that the store has the file's size"));
  EXPECT_EQ(NewContent(), Mixed().model);
}

TEST_F(KvdumpSalvageTest, OfACutFileWhatIsLeftIsSaved) {
  Write(Mixed());
  bytes_.resize(bytes_.size() / 8 + 100);
  WriteFile(path_, bytes_);
  const ToolResult result = Salvage();
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("cut short: "));
  const std::map<std::string, std::string> content = NewContent();
  EXPECT_GT(content.size(), 0);
  for (const auto& [key, value] : content) EXPECT_EQ(Mixed().model.at(key), value);
  EXPECT_EQ(std::filesystem::file_size(new_path_), Mixed().bytes.size());
}

TEST_F(KvdumpSalvageTest, AFailureLeavesNothingBehind) {
  Write(Mixed());
  const ToolResult small = Salvage({"--capacity=64K", "--max-capacity=64K", "--lost=" + folder_ + "list"});
  EXPECT_EQ(small.exit_code, 3);
  EXPECT_THAT(small.err, AllOf(HasSubstr("give --capacity"), HasSubstr("removed")));
  EXPECT_EQ(Files(), (std::vector<std::string>{"damaged"}));
  EXPECT_EQ(Salvage({"--tier=device-dax"}).exit_code, 64);  // given twice
  EXPECT_EQ(RunKvdump({"salvage", folder_ + "none", new_path_}).exit_code, 4);
  EXPECT_EQ(RunKvdump({"salvage", path_, folder_ + "no/folder"}).exit_code, 4);
  EXPECT_EQ(RunKvdump({"salvage", path_}).exit_code, 64);
  EXPECT_EQ(Files(), (std::vector<std::string>{"damaged"}));
}

TEST_F(KvdumpSalvageTest, AnExistingFileIsLeftAlone) {
  Write(Mixed());
  WriteFile(new_path_, "precious");
  const ToolResult result = Salvage();
  EXPECT_EQ(result.exit_code, 4);
  EXPECT_THAT(result.err, HasSubstr("is there already"));
  EXPECT_EQ(ReadFile(new_path_), "precious");
}

TEST_F(KvdumpSalvageTest, WhatIsNoStoreGivesNone) {
  bytes_ = Random(1).Bytes(256 << 10);
  WriteFile(path_, bytes_);
  const ToolResult result = Salvage();
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.err, HasSubstr("no key of a SealKV store"));
  bytes_ = "short";
  WriteFile(path_, bytes_);
  EXPECT_EQ(Salvage().exit_code, 3);
  EXPECT_EQ(Files(), (std::vector<std::string>{"damaged"}));
}

// Zeros are being written to a file far too large to be done before the signal comes.
TEST_F(KvdumpSalvageTest, InterruptedItLeavesNothingBehind) {
  Write(Mixed());
  const ToolResult result = RunProgram({"bash", "-c",
                                        "\"$0\" salvage \"$1\" \"$2\" --tier=msync --capacity=2G &\n"
                                        "until ls \"$2\".*.part > /dev/null 2>&1 || ! kill -0 $!; do :; done\n"
                                        "kill -INT $!\n"
                                        "kill -TERM $! 2>/dev/null\n"
                                        "wait $!\n",
                                        Kvdump(), path_, new_path_});
  if (result.exit_code != 0) {  // else the disk was faster
    EXPECT_EQ(result.exit_code, 130) << result.err;
    EXPECT_EQ(Files(), (std::vector<std::string>{"damaged"}));
  }
}

// Hundreds of thousands of keys, and damage all over.
TEST_F(KvdumpSalvageTest, AStoreOfRealSize) {
  const uint64_t keys = Scaled(200'000);
  Options options;
  options.capacity_bytes = 96 << 20;
  options.weakest_tier = daxfile::Tier::kVolatile;
  options.emulate_on_dram = true;
  const auto key_of = [](uint64_t i) { return "/users/" + std::to_string(i % 1000) + "/item " + std::to_string(i); };
  const auto value_of = [](uint64_t i) { return "value of " + std::to_string(i * i); };
  {
    const auto store = Store::Create(path_, options);
    ASSERT_OK(store);
    for (uint64_t i = 0; i < keys; ++i) ASSERT_OK((*store)->Put(key_of(i), value_of(i)));
    for (uint64_t i = 0; i < keys; ++i) ASSERT_OK((*store)->Put(U64Key(i * 0x9e3779b97f4a7c15), U64Key(i)));
  }
  bytes_ = ReadFile(path_);
  Random random(TestSeed());
  size_t used_end = bytes_.size();
  while (bytes_[used_end - 1] == '\0') --used_end;
  constexpr int kFaults = 100;
  for (int i = 0; i < kFaults; ++i) std::memset(bytes_.data() + random.Between(64, used_end / 64 - 1) * 64, 0, 64);
  WriteFile(path_, bytes_);
  const ToolResult result = Salvage({"--trusted-only"});
  EXPECT_EQ(result.exit_code, 1) << result.err;
  const std::map<std::string, std::string> content = NewContent();
  EXPECT_GT(content.size(), 2 * keys * 9 / 10);
  size_t found = 0;
  for (uint64_t i = 0; i < keys; ++i) {
    const auto at = content.find(key_of(i));
    if (at == content.end()) continue;
    ++found;
    ASSERT_EQ(at->second, value_of(i));
  }
  EXPECT_GT(found, keys * 9 / 10);
  std::printf("seed %lu: %zu of %lu keys saved; %s", TestSeed(), content.size(), 2 * keys, result.err.c_str());
}

}  // namespace
}  // namespace sealkv::testing
