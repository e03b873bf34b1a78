// Data moves from and to LMDB with its own tools (Debian package lmdb-utils), byte for byte, both ways, in both
// encodings.
#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/random.h"
#include "tests/status.h"
#include "tools/mdb_text.h"
#include "tools/output.h"
#include "tools/testing/run_tool.h"

namespace sealkv::testing {
namespace {

using tools::MdbEncoding;
using Pairs = std::map<std::string, std::string>;

// What LMDB can hold: keys of 1 to 511 bytes. Every byte value is in some key and in some value, at both ends too.
Pairs ManyPairs(bool with_backslashes) {
  Random random(TestSeed());
  Pairs pairs;
  for (int byte = 0; byte < 256; ++byte) {
    const std::string one(1, static_cast<char>(byte));
    pairs[one] = one + one;
    pairs["key" + one + one] = "";
  }
  for (size_t bytes = 1; bytes <= 511; ++bytes) pairs[random.Bytes(bytes)] = random.Bytes(random.Below(300));
  for (int i = 0; i < 500; ++i) pairs["/usr/share/doc/" + std::to_string(i)] = random.Bytes(8);
  for (const size_t bytes : {2000, 4096, 5000, 100'000}) pairs["large " + std::to_string(bytes)] = random.Bytes(bytes);
  if (with_backslashes) return pairs;
  const auto replaced = [](std::string text) {
    std::replace(text.begin(), text.end(), '\\', '/');
    return text;
  };
  Pairs without;
  for (const auto& [key, value] : pairs) without[replaced(key)] = replaced(value);
  return without;
}

std::string TextOf(const Pairs& pairs, MdbEncoding encoding) {
  const std::string path = NewFolder() + "dump";
  absl::StatusOr<tools::Output> output = tools::Output::ToFile(path);
  EXPECT_OK(output);
  tools::MdbTextWriter writer(*output, encoding);
  writer.WriteHeader(64 << 20);
  for (const auto& [key, value] : pairs) writer.WritePair(key, value);
  writer.WriteEnd();
  EXPECT_OK(output->Close());
  return ReadFile(path);
}

// All lines behind the header, which the two write differently.
std::string DataOf(const std::string& dump) { return dump.substr(dump.find("HEADER=END\n")); }

ToolResult LoadIntoStore(const std::string& path, const std::string& dump) {
  return RunKvdump({"load", path, "--tier=volatile", "--emulate-on-dram"}, dump);
}

class LmdbTest : public ::testing::TestWithParam<MdbEncoding> {
 protected:
  LmdbTest() : folder_(NewFolder()) {}

  // The options that choose the encoding.
  std::vector<std::string> WithEncoding(std::vector<std::string> words) const {
    if (GetParam() == MdbEncoding::kPrint) words.insert(words.begin() + 1, "-p");
    return words;
  }

  const std::string folder_;
};

TEST_P(LmdbTest, FromAStoreToLmdb) {
  const Pairs pairs = ManyPairs(/*with_backslashes=*/true);
  ASSERT_EQ(LoadIntoStore(folder_ + "store", TextOf(pairs, MdbEncoding::kByteValue)).exit_code, 0);
  const ToolResult dump = RunKvdump(WithEncoding({"dump", folder_ + "store"}));
  ASSERT_EQ(dump.exit_code, 0) << dump.err;
  const ToolResult load = RunProgram({"mdb_load", "-n", folder_ + "lmdb"}, dump.out);
  ASSERT_EQ(load.exit_code, 0) << load.err << " (Debian package lmdb-utils)";
  EXPECT_EQ(load.err, "");
  const ToolResult back = RunProgram({"mdb_dump", "-n", folder_ + "lmdb"});
  EXPECT_EQ(DataOf(back.out), DataOf(TextOf(pairs, MdbEncoding::kByteValue)));
}

TEST_P(LmdbTest, FromLmdbToAStore) {
  // mdb_dump -p of LMDB 0.9.24 writes a backslash as it is, so that nobody can tell it from the start of \xx, its own
  // mdb_load included. In that encoding only data without backslashes passes.
  const Pairs pairs = ManyPairs(/*with_backslashes=*/GetParam() == MdbEncoding::kByteValue);
  const ToolResult made = RunProgram({"mdb_load", "-n", folder_ + "lmdb"}, TextOf(pairs, MdbEncoding::kByteValue));
  ASSERT_EQ(made.exit_code, 0) << made.err << " (Debian package lmdb-utils)";
  const ToolResult dump = RunProgram(WithEncoding({"mdb_dump", "-n", folder_ + "lmdb"}));
  ASSERT_EQ(dump.exit_code, 0) << dump.err;
  const ToolResult load = LoadIntoStore(folder_ + "store", dump.out);
  ASSERT_EQ(load.exit_code, 0) << load.err;
  EXPECT_EQ(load.err, "");
  EXPECT_EQ(DataOf(RunKvdump({"dump", folder_ + "store"}).out), DataOf(TextOf(pairs, MdbEncoding::kByteValue)));
  EXPECT_EQ(RunKvdump({"check", folder_ + "store"}).exit_code, 0);
}

TEST_P(LmdbTest, ANamedDatabaseOfAnLmdbEnvironment) {
  const std::string dump = TextOf({{"a", "1"}, {"b", "2"}}, MdbEncoding::kByteValue);
  ASSERT_EQ(RunProgram({"mdb_load", "-n", "-s", "users", folder_ + "lmdb"}, dump).exit_code, 0);
  const ToolResult all = RunProgram(WithEncoding({"mdb_dump", "-n", "-a", folder_ + "lmdb"}));
  ASSERT_EQ(all.exit_code, 0) << all.err;
  EXPECT_THAT(all.out, ::testing::HasSubstr("database=users"));
  ASSERT_EQ(LoadIntoStore(folder_ + "store", all.out).exit_code, 0);
  EXPECT_EQ(RunKvdump({"scan", folder_ + "store"}).out, "a\t1\nb\t2\n");
}

INSTANTIATE_TEST_SUITE_P(Encodings, LmdbTest, ::testing::Values(MdbEncoding::kByteValue, MdbEncoding::kPrint),
                         [](const auto& info) { return info.param == MdbEncoding::kPrint ? "Print" : "ByteValue"; });

}  // namespace
}  // namespace sealkv::testing
