// kvdump as a user meets it: what each command prints, how it fails, and what it leaves behind.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kv/sealkv.h"
#include "tests/key_shapes.h"
#include "tests/status.h"
#include "tools/testing/run_tool.h"

namespace sealkv::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

const std::vector<std::string> kCommands = {"info", "stat", "check", "backup", "salvage", "dump",
                                            "load", "get",  "scan",  "page",   "records", "shrink"};

Options FastOptions(uint64_t capacity_bytes = 1 << 20) {
  Options options;
  options.capacity_bytes = capacity_bytes;
  options.weakest_tier = daxfile::Tier::kVolatile;
  options.emulate_on_dram = true;
  return options;
}

class KvdumpTest : public ::testing::Test {
 protected:
  KvdumpTest() : folder_(NewFolder()), path_(folder_ + "store") {}

  std::unique_ptr<Store> Create(uint64_t capacity_bytes = 1 << 20) {
    auto store = Store::Create(path_, FastOptions(capacity_bytes));
    EXPECT_OK(store);
    return *std::move(store);
  }
  std::unique_ptr<Store> Open(const std::string& path) {
    auto store = Store::Open(path, FastOptions());
    EXPECT_OK(store);
    return *std::move(store);
  }
  void CreateWith(const std::map<std::string, std::string>& pairs, uint64_t capacity_bytes = 1 << 20) {
    const std::unique_ptr<Store> store = Create(capacity_bytes);
    for (const auto& [key, value] : pairs) ASSERT_OK(store->Put(key, value));
  }
  std::map<std::string, std::string> ContentOf(const std::string& path) {
    std::map<std::string, std::string> pairs;
    const std::unique_ptr<Store> store = Open(path);
    const std::unique_ptr<Iterator> at = store->NewIterator();
    for (at->SeekToFirst(); at->Valid(); at->Next()) pairs.emplace(at->key(), at->value());
    EXPECT_OK(at->status());
    return pairs;
  }
  // Without arguments: of a store that holds a few words.
  void CreateWords() {
    CreateWith({{"ada", "countess"}, {"alan", "8 bytes!"}, {"grace", "admiral"}, {"\x01\t", "\\"}});
  }

  static ToolResult Load(std::vector<std::string> words, const std::string& input) {
    words.insert(words.begin(), "load");
    words.insert(words.end(), {"--tier=volatile", "--emulate-on-dram"});
    return RunKvdump(words, input);
  }
  void FlipByte(uint64_t offset) {
    std::string bytes = ReadFile(path_);
    bytes[offset] = static_cast<char>(bytes[offset] ^ 1);
    WriteFile(path_, bytes);
  }
  bool Exists(const std::string& path) {
    struct stat info;
    return stat(path.c_str(), &info) == 0;
  }

  const std::string folder_;
  const std::string path_;
};

// ---- the command line

TEST_F(KvdumpTest, HelpNamesAllCommandsAndEachHasExamples) {
  const ToolResult general = RunKvdump({"--help"});
  EXPECT_EQ(general.exit_code, 0);
  EXPECT_THAT(general.out, AllOf(HasSubstr("examples:"), HasSubstr("exit codes:")));
  for (const std::string& command : kCommands) {
    EXPECT_THAT(general.out, HasSubstr("\n  " + command + " "));
    const ToolResult help = RunKvdump({command, "--help"});
    EXPECT_EQ(help.exit_code, 0) << command;
    EXPECT_THAT(help.out, AllOf(StartsWith("usage: kvdump " + command + " STORE"), HasSubstr("examples:\n  ")));
  }
}

TEST_F(KvdumpTest, UsageErrorsExitWith64AndSayWhatIsWrong) {
  CreateWords();
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{}, "which command?"},
      {{"frobnicate"}, "no such command: frobnicate"},
      {{"get", path_}, "an argument is missing"},
      {{"get", path_, "a", "b"}, "one argument too many: b"},
      {{"get", path_, "a", "--frob"}, "unknown option --frob"},
      {{"get", path_, "a", "-hex"}, "unknown option -hex"},
      {{"get", path_, "a", "--hex=1"}, "--hex takes no value"},
      {{"get", path_, "xyz", "--hex"}, "even number of hex digits"},
      {{"scan", path_, "--limit"}, "--limit needs a value"},
      {{"scan", path_, "--limit=ten"}, "--limit=ten: not a number"},
      {{"scan", path_, "--limit=1", "--limit=2"}, "--limit is given twice"},
      {{"page", path_, "top"}, "the word root, not \"top\""},
      {{"page", path_, "9999999999"}, "behind the end"},
      {{"page", path_, "root", "--as=book"}, "a node or a record"},
      {{"records", path_, "0"}, "segment 0 holds no records"},
      {{"records", path_, "999999"}, "segment 999999 holds no records"},
      {{"records", path_, "first"}, "SEGMENT is a number"},
      {{"load", path_, "--tier=gold", "-T"}, "--tier=gold: no such tier"},
      {{"load", path_ + "2", "--capacity=1", "-T"}, "at least 65536"},
      {{"load", path_ + "2", "--capacity=99999999999999999999", "-T"}, "not a number"},
      {{"load", path_ + "2", "--emulate-on-dram", "--capacity=1M", "-T"}, "volatile"},
  };
  for (const auto& [words, text] : cases) {
    const ToolResult result = RunKvdump(words, "a\nb\n");
    EXPECT_EQ(result.exit_code, 64) << text << "\n" << result.err;
    EXPECT_THAT(result.err, HasSubstr(text));
    EXPECT_THAT(result.out, IsEmpty());
  }
  EXPECT_FALSE(Exists(path_ + "2"));
}

// ---- files that can't be opened

TEST_F(KvdumpTest, AMissingFileIsASystemError) {
  for (const std::string& command : kCommands) {
    if (command == "load") continue;
    const std::string argument = command == "get" ? "key" : "0";
    const bool takes_two = command == "get" || command == "page" || command == "salvage" || command == "backup";
    const ToolResult result = RunKvdump(takes_two ? std::vector<std::string>{command, path_, argument}
                                                  : std::vector<std::string>{command, path_});
    EXPECT_EQ(result.exit_code, 4) << command;
    EXPECT_THAT(result.err, AllOf(StartsWith("kvdump: " + path_), HasSubstr("No such file")));
  }
}

TEST_F(KvdumpTest, FilesThatAreNoStores) {
  WriteFile(folder_ + "empty", "");
  WriteFile(folder_ + "short", "short");
  WriteFile(folder_ + "text", std::string(100'000, 'x'));
  for (const char* name : {"", "empty", "short", "text"}) {
    for (const char* command : {"info", "stat", "check", "dump", "scan", "records"}) {
      const ToolResult result = RunKvdump({command, folder_ + name});
      EXPECT_EQ(result.exit_code, 3) << command << " " << name << result.err;
      EXPECT_THAT(result.out + result.err, Not(IsEmpty()));
    }
  }
  EXPECT_THAT(RunKvdump({"info", folder_ + "text"}).out, HasSubstr("not a SealKV store"));
}

TEST_F(KvdumpTest, ATruncatedStoreIsNotOpenedButInfoLooksAtIt) {
  CreateWords();
  ASSERT_EQ(truncate(path_.c_str(), 512 << 10), 0);
  const ToolResult get = RunKvdump({"get", path_, "ada"});
  EXPECT_EQ(get.exit_code, 3);
  EXPECT_THAT(get.err, HasSubstr("truncated"));
  const ToolResult info = RunKvdump({"info", path_});
  EXPECT_EQ(info.exit_code, 3);
  EXPECT_THAT(info.out, AllOf(HasSubstr("truncated"), HasSubstr("1.00 MiB (1,048,576 bytes)")));
}

TEST_F(KvdumpTest, ADamagedSuperblockIsMajorForCheck) {
  CreateWords();
  FlipByte(17);
  EXPECT_EQ(RunKvdump({"get", path_, "ada"}).exit_code, 3);
  const ToolResult check = RunKvdump({"check", path_});
  EXPECT_EQ(check.exit_code, 2);
  EXPECT_THAT(check.out, HasSubstr("superblock"));
  const ToolResult info = RunKvdump({"info", path_, "--json"});
  EXPECT_EQ(info.exit_code, 3);
  const auto json = nlohmann::json::parse(info.out);
  EXPECT_TRUE(json["is_store"]);
  EXPECT_FALSE(json["superblock_sound"]);
  EXPECT_EQ(json["capacity_bytes"], (1 << 20) ^ 256);
}

TEST_F(KvdumpTest, AStoreThatIsOpenForWritingCanBeReadButNotChecked) {
  const std::unique_ptr<Store> writer = Create();
  ASSERT_OK(writer->Put("ada", "countess"));
  ASSERT_OK(writer->Put("12345678", "8 bytes."));
  const std::string pid = std::to_string(getpid());
  EXPECT_EQ(RunKvdump({"get", path_, "ada"}).out, "countess");
  EXPECT_THAT(RunKvdump({"scan", path_}).out, HasSubstr("ada\tcountess\n"));
  EXPECT_THAT(RunKvdump({"dump", path_}).out, HasSubstr("DATA=END"));
  EXPECT_EQ(nlohmann::json::parse(RunKvdump({"page", path_, "root", "--json"}).out)["entries"].size(), 2);
  EXPECT_EQ(RunKvdump({"records", path_}).exit_code, 0);
  EXPECT_THAT(RunKvdump({"info", path_}).out, HasSubstr("process " + pid));
  EXPECT_EQ(nlohmann::json::parse(RunKvdump({"info", path_, "--json"}).out)["writer_pid"], getpid());

  EXPECT_THAT(RunKvdump({"stat", path_}).out, AllOf(HasSubstr("process " + pid + " is writing"), HasSubstr("unknown")));
  const auto stat = nlohmann::json::parse(RunKvdump({"stat", path_, "--json"}).out);
  EXPECT_EQ(stat["keys"], 2);
  EXPECT_EQ(stat["inline_values"], 1);
  EXPECT_EQ(stat["segments"]["records"], 1);
  EXPECT_TRUE(stat["nodes"].is_null());

  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"check", path_}, {"salvage", path_, folder_ + "new"}}) {
    const ToolResult refused = RunKvdump(words);
    EXPECT_EQ(refused.exit_code, 4) << words[0];
    EXPECT_THAT(refused.err, AllOf(HasSubstr("process " + pid + " has it open for writing; close it there first"),
                                   HasSubstr("needs a store at rest")));
  }
  EXPECT_THAT(RunKvdump({"load", path_, "-T"}, "a\nb\n").err, HasSubstr("process " + pid + " has it open"));
  EXPECT_OK(writer->Put("ada", "still a countess"));
}

TEST_F(KvdumpTest, ADumpBesideAWriterIsWhole) {
  const std::unique_ptr<Store> writer = Create(8 << 20);
  constexpr int kKeys = 20'000;
  for (int i = 0; i < kKeys; ++i) ASSERT_OK(writer->Put(U64Key(i), std::string(20, 'a')));
  std::atomic<bool> is_done = false;
  std::thread busy([&] {
    for (int i = 0; !is_done; ++i) {
      EXPECT_OK(writer->Put(U64Key(i % kKeys), std::string(20, static_cast<char>('a' + i % 26))));
      EXPECT_OK(writer->Put("extra" + std::to_string(i % 999), "x"));
      EXPECT_OK(writer->Delete("extra" + std::to_string(i % 999)));
    }
  });
  for (int i = 0; i < 5; ++i) {
    const ToolResult dump = RunKvdump({"dump", "-p", path_});
    EXPECT_EQ(dump.exit_code, 0) << dump.err;
    EXPECT_THAT(dump.out, HasSubstr("DATA=END"));
    EXPECT_GE(std::count(dump.out.begin(), dump.out.end(), '\n'), 2 * kKeys);
  }
  is_done = true;
  busy.join();
}

// ---- looking

TEST_F(KvdumpTest, GetWritesTheValueAsItIs) {
  const std::string value("line\n\0\xff", 7);
  CreateWith({{"key", value}, {std::string("\0k", 2), "8 bytes!"}, {"", "of the empty key"}});
  EXPECT_EQ(RunKvdump({"get", path_, "key"}).out, value);
  EXPECT_EQ(RunKvdump({"get", path_, ""}).out, "of the empty key");
  EXPECT_EQ(RunKvdump({"get", path_, "006b", "--hex"}).out, "3820627974657321\n");
  const ToolResult absent = RunKvdump({"get", path_, "--", "--no such key"});
  EXPECT_EQ(absent.exit_code, 1);
  EXPECT_THAT(absent.out + absent.err, IsEmpty());
}

TEST_F(KvdumpTest, ScanWritesALineAKey) {
  CreateWords();
  EXPECT_EQ(RunKvdump({"scan", path_}).out, "\\x01\\t\t\\\\\nada\tcountess\nalan\t8 bytes!\ngrace\tadmiral\n");
  EXPECT_EQ(RunKvdump({"scan", path_, "--prefix=a", "--keys-only"}).out, "ada\nalan\n");
  EXPECT_EQ(RunKvdump({"scan", path_, "--from", "alan", "--to", "grace"}).out, "alan\t8 bytes!\n");
  EXPECT_EQ(RunKvdump({"scan", path_, "-r", "-n", "2", "--keys-only"}).out, "grace\nalan\n");
  EXPECT_EQ(RunKvdump({"scan", path_, "--hex", "--to=02"}).out, "0109\t5c\n");
  EXPECT_EQ(RunKvdump({"scan", path_, "--limit=0"}).out, "");
}

TEST_F(KvdumpTest, InfoTellsTierAndGeometry) {
  CreateWords();
  const ToolResult people = RunKvdump({"info", path_});
  EXPECT_EQ(people.exit_code, 0) << people.err;
  EXPECT_THAT(people.out, AllOf(HasSubstr("tier "), HasSubstr("superblock              sound"),
                                HasSubstr("format                  3.2")));
  const auto json = nlohmann::json::parse(RunKvdump({"info", "--json", path_}).out);
  EXPECT_EQ(json["capacity_bytes"], 1 << 20);
  EXPECT_EQ(json["generation"], 1);
  EXPECT_TRUE(daxfile::TierFromName(json["tier"].get<std::string>()).has_value());
}

TEST_F(KvdumpTest, StatCounts) {
  CreateWords();
  const ToolResult people = RunKvdump({"stat", path_});
  EXPECT_EQ(people.exit_code, 0);
  EXPECT_THAT(people.out, AllOf(HasSubstr("  keys                    4\n"), HasSubstr("28.6 % full")));
  const auto json = nlohmann::json::parse(RunKvdump({"stat", path_, "--json"}).out);
  EXPECT_EQ(json["keys"], 4);
  EXPECT_EQ(json["records"], 4);
  EXPECT_EQ(json["key_bytes"], 3 + 4 + 5 + 2);
  EXPECT_EQ(json["value_bytes"], 8 + 8 + 7 + 1);
  EXPECT_EQ(json["nodes"], 1);
  EXPECT_EQ(json["segments"]["nodes"], 1);
  EXPECT_EQ(json["problems_seen"], 0);
}

TEST_F(KvdumpTest, CheckOfASoundStore) {
  CreateWords();
  const ToolResult check = RunKvdump({"check", path_});
  EXPECT_EQ(check.exit_code, 0);
  EXPECT_EQ(check.out, path_ + ": sound: 4 keys, 1 nodes, 4 records\n");
  const auto json = nlohmann::json::parse(RunKvdump({"check", "--json", path_}).out);
  EXPECT_TRUE(json["sound"]);
  EXPECT_THAT(json["problems"], IsEmpty());
}

TEST_F(KvdumpTest, CheckExitsWith1ForMinorAnd2ForMajorProblemsAndChangesNothing) {
  CreateWords();
  FlipByte(1000);  // a reserved word of the superblock
  const std::string minor_bytes = ReadFile(path_);
  const ToolResult minor = RunKvdump({"check", path_});
  EXPECT_EQ(minor.exit_code, 1);
  EXPECT_THAT(minor.out, AllOf(StartsWith("minor  0x3e8  "), HasSubstr("0 major and 1 minor")));
  EXPECT_EQ(ReadFile(path_), minor_bytes);

  const uint64_t record = ReadFile(path_).find("countess") - 32;
  FlipByte(record + 32);
  // "countess" has 8 bytes, which no checksum covers; its key is covered.
  EXPECT_EQ(RunKvdump({"check", path_}).exit_code, 1);
  FlipByte(record + 24);
  const std::string major_bytes = ReadFile(path_);
  const ToolResult major = RunKvdump({"check", path_, "--json"});
  EXPECT_EQ(major.exit_code, 2);
  const auto json = nlohmann::json::parse(major.out);
  EXPECT_EQ(json["major_problems"], 1);
  EXPECT_EQ(json["problems"][1]["offset"], record);
  EXPECT_EQ(json["problems"][1]["severity"], "major");
  EXPECT_EQ(ReadFile(path_), major_bytes);
}

TEST_F(KvdumpTest, PageDecodesWhatLiesThere) {
  CreateWords();
  const auto root = nlohmann::json::parse(RunKvdump({"page", path_, "root", "--json"}).out);
  EXPECT_EQ(root["what"], "node");
  ASSERT_EQ(root["entries"].size(), 4);
  EXPECT_EQ(root["entries"][1]["kind"], "ends with 3");
  EXPECT_THAT(root["entries"][1]["meaning"].get<std::string>(), HasSubstr("\"ada\" → 8 bytes"));
  const uint64_t node = root["offset"];
  EXPECT_EQ(nlohmann::json::parse(RunKvdump({"page", path_, std::to_string(node + 17), "--json"}).out), root);
  EXPECT_THAT(RunKvdump({"page", path_, "root"}).out, HasSubstr("4 of 14 slots in use"));

  const uint64_t record = ReadFile(path_).find("countess") - 32;
  const auto page = nlohmann::json::parse(RunKvdump({"page", path_, std::to_string(record + 20), "--json"}).out);
  EXPECT_EQ(page["what"], "record");
  EXPECT_EQ(page["offset"], record);
  EXPECT_EQ(page["key"], "\"ada\"");
  EXPECT_EQ(page["value"], "\"countess\"");
  EXPECT_EQ(page["checksum"]["meaning"], "holds");
  EXPECT_THAT(RunKvdump({"page", path_, "64"}).out, StartsWith("superblock at 0x0\n"));
  EXPECT_THAT(RunKvdump({"page", path_, "0x800"}).out, StartsWith("segment word at 0x800\n"));
}

TEST_F(KvdumpTest, RecordsListsSegmentsAndWhatTheyHold) {
  CreateWords();
  const auto segments = nlohmann::json::parse(RunKvdump({"records", path_, "--json"}).out);
  ASSERT_EQ(segments.size(), 2);
  EXPECT_EQ(segments[0]["kind"], "nodes");
  EXPECT_EQ(segments[1]["kind"], "records");
  const std::string segment = std::to_string(segments[1]["segment"].get<int>());
  const auto listed = nlohmann::json::parse(RunKvdump({"records", path_, segment, "--json"}).out);
  ASSERT_EQ(listed["records"].size(), 4);
  EXPECT_EQ(listed["records"][0]["key_hex"], "0109");
  EXPECT_TRUE(listed["records"][0]["checksum_holds"]);
  const ToolResult people = RunKvdump({"records", path_, segment});
  EXPECT_THAT(people.out,
              AllOf(HasSubstr("\"grace\" → 7 bytes"), HasSubstr("4 records; nothing was ever written from")));

  FlipByte(listed["records"][3]["offset"].get<uint64_t>() + 24);
  EXPECT_THAT(RunKvdump({"records", path_, segment}).out, HasSubstr("BAD"));
  EXPECT_EQ(RunKvdump({"records", path_, std::to_string(segments[0]["segment"].get<int>())}).exit_code, 64);
}

// ---- shrink

TEST_F(KvdumpTest, ShrinkGivesFilesBackAndInfoCountsThem) {
  {
    const std::unique_ptr<Store> store = Create();
    for (int i = 0; i < 4000; ++i) ASSERT_OK(store->Put("key " + std::to_string(i), std::string(1000, 'v')));
    for (int i = 10; i < 4000; ++i) ASSERT_OK(store->Delete("key " + std::to_string(i)));
  }
  ASSERT_TRUE(Exists(path_ + ".3"));
  const auto parts = [&] {
    return nlohmann::json::parse(RunKvdump({"info", "--json", path_}).out)["parts"].get<int>();
  };
  EXPECT_GT(parts(), 3);
  EXPECT_EQ(RunKvdump({"check", path_}).exit_code, 0);
  const ToolResult result = RunKvdump({"shrink", path_, "--tier=volatile", "--emulate-on-dram"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.err, AllOf(HasSubstr("before: "), HasSubstr("1.00 MiB in 1 file")));
  EXPECT_FALSE(Exists(path_ + ".1"));
  EXPECT_EQ(parts(), 0);
  EXPECT_EQ(ContentOf(path_).size(), 10u);
  EXPECT_EQ(RunKvdump({"check", path_}).exit_code, 0);
}

TEST_F(KvdumpTest, WithoutAPartInfoSaysWhich) {
  {
    const std::unique_ptr<Store> store = Create();
    for (int i = 0; i < 4000; ++i) ASSERT_OK(store->Put("key " + std::to_string(i), std::string(1000, 'v')));
  }
  std::filesystem::remove(path_ + ".2");
  const ToolResult info = RunKvdump({"info", path_});
  EXPECT_EQ(info.exit_code, 3);
  EXPECT_THAT(info.out, AllOf(HasSubstr("/store.2"), HasSubstr("missing")));
  EXPECT_THAT(RunKvdump({"check", path_}).err, HasSubstr("/store.2: is missing"));
  // What lies elsewhere is saved all the same.
  const ToolResult salvage = RunKvdump({"salvage", "--tier=volatile", "--emulate-on-dram", path_, path_ + ".saved"});
  EXPECT_EQ(salvage.exit_code, 1);
  EXPECT_THAT(salvage.err, HasSubstr("a part of it is lost"));
  EXPECT_GT(ContentOf(path_ + ".saved").size(), 2000u);
}

// ---- dump

TEST_F(KvdumpTest, DumpGolden) {
  CreateWords();
  const std::string header = "VERSION=3\nformat=bytevalue\ntype=btree\nmapsize=4276224\nHEADER=END\n";
  EXPECT_EQ(RunKvdump({"dump", path_}).out, header +
                                                " 0109\n 5c\n 616461\n 636f756e74657373\n 616c616e\n 3820627974657321\n"
                                                " 6772616365\n 61646d6972616c\nDATA=END\n");
  EXPECT_EQ(RunKvdump({"dump", "-p", path_, "--prefix=a"}).out,
            "VERSION=3\nformat=print\ntype=btree\nmapsize=4276224\nHEADER=END\n ada\n countess\n alan\n 8 "
            "bytes!\nDATA=END\n");
}

TEST_F(KvdumpTest, ADumpThatMeetsDamageFailsAndLacksItsEnd) {
  CreateWords();
  FlipByte(ReadFile(path_).find("admiral"));
  const ToolResult result = RunKvdump({"dump", path_});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.out, AllOf(HasSubstr(" 616c616e\n"), Not(HasSubstr("DATA=END"))));
  EXPECT_THAT(result.err, HasSubstr("damaged at offset"));
  WriteFile(folder_ + "old", "an older dump");
  EXPECT_EQ(RunKvdump({"dump", path_, "-f", folder_ + "old"}).exit_code, 3);
  EXPECT_EQ(ReadFile(folder_ + "old"), "an older dump");
}

TEST_F(KvdumpTest, OutputErrorsAreErrorsAndAClosedPipeIsNone) {
  CreateWith({{"big", std::string(1 << 20, 'x')}}, 4 << 20);
  const ToolResult full = RunKvdump({"get", path_, "big"}, "", "/dev/full");
  EXPECT_EQ(full.exit_code, 4);
  EXPECT_THAT(full.err, HasSubstr("standard output: can't write"));
  EXPECT_EQ(RunKvdump({"dump", path_, "-f", folder_ + "no/such/folder"}).exit_code, 4);
  for (const std::string trap : {"", "trap '' PIPE; "}) {
    const ToolResult piped =
        RunProgram({"bash", "-c", trap + "set -o pipefail; \"$0\" dump \"$1\" | head -c 100", Kvdump(), path_});
    EXPECT_EQ(piped.exit_code, 141) << trap;
    EXPECT_THAT(piped.err, IsEmpty());
  }
}

// ---- load

TEST_F(KvdumpTest, DumpAndLoadGiveTheSameStore) {
  Random random(TestSeed());
  for (const KeyShape& shape : PlainKeyShapes()) {
    const std::string name = folder_ + shape.name;
    {
      auto store = Store::Create(name, FastOptions(32 << 20));
      ASSERT_OK(store);
      const KeyMaker make = shape.new_maker();
      for (int i = 0; i < 300; ++i) {
        ASSERT_OK((*store)->Put(make(random), random.Bytes(random.OneIn(3) ? 8 : random.Below(500))));
      }
    }
    for (const std::vector<std::string>& encoding : {std::vector<std::string>{}, std::vector<std::string>{"-p"}}) {
      std::vector<std::string> words = {"dump", name};
      words.insert(words.end(), encoding.begin(), encoding.end());
      const ToolResult dump = RunKvdump(words);
      ASSERT_EQ(dump.exit_code, 0) << dump.err;
      std::remove((name + "2").c_str());
      const ToolResult load = Load({name + "2"}, dump.out);
      ASSERT_EQ(load.exit_code, 0) << load.err;
      words[1] += "2";
      const std::string again = RunKvdump(words).out;
      EXPECT_EQ(again.substr(again.find("HEADER=END")), dump.out.substr(dump.out.find("HEADER=END"))) << shape.name;
      EXPECT_EQ(RunKvdump({"check", words[1]}).exit_code, 0);
    }
  }
}

TEST_F(KvdumpTest, LoadOverwritesOrKeeps) {
  CreateWith({{"a", "old"}, {"b", "old"}});
  EXPECT_THAT(Load({path_, "-T", "-n"}, "a\nnew\nc\nnew\n").out, StartsWith("1 pair loaded, 1 were there already"));
  EXPECT_EQ(ContentOf(path_), (std::map<std::string, std::string>{{"a", "old"}, {"b", "old"}, {"c", "new"}}));
  EXPECT_THAT(Load({path_, "-T"}, "a\nnew\n").out, StartsWith("1 pair loaded ("));
  EXPECT_EQ(ContentOf(path_)["a"], "new");
}

TEST_F(KvdumpTest, ABadLineEndsTheLoadAndWhatCameBeforeStays) {
  CreateWords();
  const std::string header = "VERSION=3\nformat=print\nHEADER=END\n";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {header + " k1\n v1\nk2\n v2\nDATA=END\n", "line 6: a key begins with a blank"},
      {header + " k1\n v1\n k2\n", "line 6: the input ends here, without DATA=END"},
      {header + " k1\n v1\n" + " " + std::string(70'000, 'k') + "\n v2\nDATA=END\n",
       "line 7: a key of 70000 bytes is too large"},
      {"VERSION=3\nformat=print\nduplicates=1\nHEADER=END\n k1\n v1\n k1\n v2\nDATA=END\n",
       "line 8: a second value for one key"},
      {header + " k1\n v1\nDATA=END\n" + header + " k2\n v2\nDATA=END\n", "line 9: here begins another database"},
  };
  for (const auto& [input, text] : cases) {
    const ToolResult result = Load({path_}, input);
    EXPECT_EQ(result.exit_code, 1) << text;
    EXPECT_THAT(result.err,
                AllOf(StartsWith("kvdump: standard input, line "), HasSubstr(text), HasSubstr("1 pair loaded")));
    EXPECT_EQ(ContentOf(path_).size(), 5) << text;
    EXPECT_EQ(ContentOf(path_)["k1"], "v1");
  }
}

TEST_F(KvdumpTest, AnInputThatIsNoDumpLeavesNoStore) {
  const ToolResult result = Load({path_}, "key\nvalue\n");
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, AllOf(HasSubstr("line 1"), HasSubstr("use -T"), HasSubstr("Nothing was changed")));
  EXPECT_FALSE(Exists(path_));
  EXPECT_EQ(Load({path_, "-f", folder_ + "none"}, "").exit_code, 4);
  EXPECT_EQ(Load({path_, "-f", folder_}, "").exit_code, 4);
  EXPECT_FALSE(Exists(path_));
}

TEST_F(KvdumpTest, ADatabaseOfSeveral) {
  const auto section = [](const std::string& name) {
    return "VERSION=3\nformat=print\ndatabase=" + name + "\ntype=btree\nHEADER=END\n from\n " + name + "\nDATA=END\n";
  };
  EXPECT_EQ(Load({path_, "-s", "two"}, section("one") + section("two") + section("three")).exit_code, 0);
  EXPECT_EQ(ContentOf(path_), (std::map<std::string, std::string>{{"from", "two"}}));
  const ToolResult absent = Load({path_, "--database=four"}, section("one"));
  EXPECT_EQ(absent.exit_code, 1);
  EXPECT_THAT(absent.err, HasSubstr("no database \"four\""));
}

TEST_F(KvdumpTest, AFullStoreSaysHowFarItCame) {
  std::string input;
  for (int i = 0; i < 2000; ++i) input += "key " + std::to_string(i) + "\n" + std::string(100, 'v') + "\n";
  const ToolResult result = Load({path_, "-T", "--capacity=64K", "--max-capacity=64K"}, input);
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.err, AllOf(HasSubstr("no space"), HasSubstr("pairs loaded")));
  EXPECT_EQ(RunKvdump({"check", path_}).exit_code, 0);
  EXPECT_GT(ContentOf(path_).size(), 100);
}

TEST_F(KvdumpTest, TheCapacityOfANewStoreComesFromTheInput) {
  const auto capacity = [](const std::string& path) {
    return nlohmann::json::parse(RunKvdump({"info", "--json", path}).out)["capacity_bytes"].get<uint64_t>();
  };
  const std::string header = "VERSION=3\nmapsize=";
  const std::string data = "\nHEADER=END\n 61\n 62\nDATA=END\n";
  ASSERT_EQ(Load({path_ + "1"}, header + "2000000" + data).exit_code, 0);
  EXPECT_EQ(capacity(path_ + "1"), 2'000'000 / 4096 * 4096 + 4096);
  // LMDB's mapsize is only addresses: a terabyte of them doesn't become a file of that size.
  ASSERT_EQ(Load({path_ + "2"}, header + "1099511627776" + data).exit_code, 0);
  EXPECT_LT(capacity(path_ + "2"), 8 << 20);
  ASSERT_EQ(Load({path_ + "3", "--capacity=3M"}, header + "5000000" + data).exit_code, 0);
  EXPECT_EQ(capacity(path_ + "3"), 3 << 20);
  // From a pipe there is only the mapsize.
  const ToolResult piped =
      RunProgram({"bash", "-c", "printf 'a\\nb\\n' | \"$0\" load -T \"$1\"", Kvdump(), path_ + "4"});
  EXPECT_EQ(piped.exit_code, 64);
  EXPECT_THAT(piped.err, HasSubstr("give --capacity"));
}

TEST_F(KvdumpTest, AnInterruptedLoadKeepsWholePairs) {
  // The input never ends: the load waits for more when the signal comes.
  const ToolResult result =
      RunProgram({"bash", "-c",
                  "mkfifo \"$1.fifo\"\n"
                  "\"$0\" load -T \"$1\" --capacity=1M --tier=volatile --emulate-on-dram -f \"$1.fifo\" &\n"
                  "exec 3> \"$1.fifo\"\n"
                  "printf 'k1\\nv1\\nk2\\nv2\\nk3\\n' >&3\n"
                  "until [ \"$(head -c 6 \"$1\" 2>/dev/null)\" = SealKV ]; do :; done\n"
                  "kill -TERM $!\n"
                  "wait $!\n",
                  Kvdump(), path_});
  EXPECT_EQ(result.exit_code, 130) << result.out << result.err;
  EXPECT_THAT(result.out, HasSubstr("then interrupted"));
  EXPECT_EQ(RunKvdump({"check", path_}).exit_code, 0);
  for (const auto& [key, value] : ContentOf(path_)) EXPECT_EQ(value, key == "k1" ? "v1" : "v2");
}

TEST_F(KvdumpTest, BackupCopiesAStoreAtRest) {
  CreateWords();
  const std::string copy = folder_ + "copy";
  const std::vector<std::string> command = {"backup", "--tier=volatile", "--emulate-on-dram", path_, copy};
  {
    const std::unique_ptr<Store> writer = Open(path_);
    const ToolResult busy = RunKvdump(command);
    EXPECT_EQ(busy.exit_code, 4);
    EXPECT_THAT(busy.err, HasSubstr("process " + std::to_string(getpid())));
  }
  const ToolResult done = RunKvdump(command);
  EXPECT_EQ(done.exit_code, 0) << done.err;
  EXPECT_THAT(done.err, HasSubstr("4 keys copied"));
  {
    // The copy's copy, while it is written.
    Options options;
    options.weakest_tier = daxfile::Tier::kVolatile;
    options.capacity_bytes = 1 << 20;
    options.change_log_bytes = 64 << 10;
    const std::string kept = folder_ + "kept";
    const absl::StatusOr<std::unique_ptr<Store>> writer = Store::Create(kept, options);
    ASSERT_TRUE(writer.ok()) << writer.status();
    ASSERT_TRUE((*writer)->Put("one", "1").ok());
    const ToolResult live = RunKvdump({"backup", "--tier=volatile", "--emulate-on-dram", kept, folder_ + "live copy"});
    EXPECT_EQ(live.exit_code, 0) << live.err;
    EXPECT_THAT(live.err, HasSubstr("1 keys copied"));
  }
  EXPECT_EQ(ContentOf(copy), ContentOf(path_));
  EXPECT_EQ(RunKvdump({"check", copy}).exit_code, 0);
  EXPECT_EQ(RunKvdump(command).exit_code, 4) << "it is there already";
}

}  // namespace
}  // namespace sealkv::testing
