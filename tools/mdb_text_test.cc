// The dump format: what is written is read back, what others write is read, and what can't be read is told with its
// line.
#include "tools/mdb_text.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/random.h"
#include "tests/status.h"
#include "tools/testing/run_tool.h"

namespace sealkv::tools {
namespace {

using ::sealkv::testing::IsError;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

using Pairs = std::vector<std::pair<std::string, std::string>>;

// A text as a file, and everything that is in it.
class Reading {
 public:
  explicit Reading(const std::string& text, bool is_plain = false, size_t line_bytes_max = 1 << 20)
      : fd_(memfd_create("text", 0)) {
    EXPECT_EQ(write(fd_, text.data(), text.size()), static_cast<ssize_t>(text.size()));
    lseek(fd_, 0, SEEK_SET);
    LineReader lines(fd_, "in", line_bytes_max);
    MdbTextReader reader(lines, is_plain, [this](const std::string& warning) { warnings.push_back(warning); });
    status = ReadAll(reader);
  }
  ~Reading() { close(fd_); }

  absl::Status status;
  Pairs pairs;
  std::vector<std::string> warnings;
  MdbTextReader::Header header;
  int databases = 0;

 private:
  absl::Status ReadAll(MdbTextReader& reader) {
    for (;;) {
      const absl::StatusOr<bool> database = reader.NextDatabase();
      if (!database.ok() || !*database) return database.status();
      ++databases;
      header = reader.header();
      std::string key, value;
      for (;;) {
        const absl::StatusOr<bool> pair = reader.NextPair(&key, &value);
        if (!pair.ok()) return pair.status();
        if (!*pair) break;
        pairs.emplace_back(key, value);
      }
    }
  }

  int fd_;
};

std::string Written(const Pairs& pairs, MdbEncoding encoding) {
  const std::string path = testing::NewFolder() + "dump";
  absl::StatusOr<Output> output = Output::ToFile(path);
  EXPECT_OK(output);
  MdbTextWriter writer(*output, encoding);
  writer.WriteHeader(4096);
  for (const auto& [key, value] : pairs) writer.WritePair(key, value);
  writer.WriteEnd();
  EXPECT_OK(output->Close());
  return testing::ReadFile(path);
}

std::string AllBytes() {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes.push_back(static_cast<char>(i));
  return bytes;
}

const char kByteValueHeader[] = "VERSION=3\nformat=bytevalue\ntype=btree\nmapsize=4096\nHEADER=END\n";
const char kPrintHeader[] = "VERSION=3\nformat=print\ntype=btree\nHEADER=END\n";

void ExpectError(const std::string& text, std::initializer_list<std::string_view> parts, bool is_plain = false) {
  EXPECT_TRUE(IsError(Reading(text, is_plain).status, absl::StatusCode::kInvalidArgument, parts)) << text;
}

TEST(MdbTextTest, ByteValueAsMdbDumpWritesIt) {
  EXPECT_EQ(Written({{"key", "value"}, {"", std::string("\0\xff", 2)}}, MdbEncoding::kByteValue),
            std::string(kByteValueHeader) + " 6b6579\n 76616c7565\n \n 00ff\nDATA=END\n");
}

TEST(MdbTextTest, PrintWithBackslashesThatEveryReaderTakes) {
  EXPECT_EQ(Written({{"a key", "back\\slash\n"}}, MdbEncoding::kPrint),
            "VERSION=3\nformat=print\ntype=btree\nmapsize=4096\nHEADER=END\n a key\n back\\5cslash\\0a\nDATA=END\n");
}

TEST(MdbTextTest, WhatIsWrittenIsReadBack) {
  testing::Random random(testing::TestSeed());
  Pairs pairs = {{"", ""}, {AllBytes(), AllBytes()}, {"x", random.Bytes(100'000)}};
  for (int i = 0; i < 500; ++i) pairs.emplace_back(random.Bytes(random.Below(100)), random.Bytes(random.Below(2000)));
  for (const MdbEncoding encoding : {MdbEncoding::kByteValue, MdbEncoding::kPrint}) {
    const Reading reading(Written(pairs, encoding));
    EXPECT_OK(reading.status);
    EXPECT_EQ(reading.pairs, pairs);
    EXPECT_THAT(reading.warnings, IsEmpty());
    EXPECT_EQ(reading.header.mapsize, 4096);
  }
}

TEST(MdbTextTest, HeadersOfOthers) {
  const Reading reading(
      "VERSION=3\nformat=bytevalue\ndatabase=users\ntype=btree\nmapsize=1048576\nmapaddr=7f\nmaxreaders=126\n"
      "duplicates=1\ndupsort=1\ndb_pagesize=4096\nHEADER=END\n 6B6579\n 4a\nDATA=END\n");
  EXPECT_OK(reading.status);
  EXPECT_THAT(reading.pairs, ElementsAre(Pair("key", "J")));
  EXPECT_THAT(reading.warnings, IsEmpty());
  EXPECT_EQ(reading.header.database, "users");
  EXPECT_TRUE(reading.header.may_repeat_keys);
}

TEST(MdbTextTest, UnknownHeaderLinesAreSkippedWithAWarning) {
  const Reading reading("VERSION=3\nformat=print\ntype=hash\nh_nelem=7\nHEADER=END\nDATA=END\n");
  EXPECT_OK(reading.status);
  EXPECT_THAT(reading.warnings, ElementsAre("in, line 4: skipped: h_nelem=7"));
}

TEST(MdbTextTest, SeveralDatabases) {
  const Reading reading(std::string(kPrintHeader) + " a\n 1\nDATA=END\n" + kByteValueHeader + " 62\n 32\nDATA=END\n");
  EXPECT_OK(reading.status);
  EXPECT_EQ(reading.databases, 2);
  EXPECT_THAT(reading.pairs, ElementsAre(Pair("a", "1"), Pair("b", "2")));
}

TEST(MdbTextTest, PlainPairs) {
  const Reading reading("a key\nits value\\0a\n b\n\\\\\n\n\nlast\nline", /*is_plain=*/true);
  EXPECT_OK(reading.status);
  EXPECT_THAT(reading.pairs,
              ElementsAre(Pair("a key", "its value\n"), Pair(" b", "\\"), Pair("", ""), Pair("last", "line")));
}

TEST(MdbTextTest, ErrorsInTheHeaderNameTheLine) {
  ExpectError("", {"in, line 0", "empty"});
  ExpectError("key\nvalue\n", {"line 1", "-T"});
  ExpectError("VERSION=2\n", {"line 1", "version 2"});
  ExpectError("VERSION=3\nformat=base64\n", {"line 2", "base64"});
  ExpectError("VERSION=3\ntype=recno\n", {"line 2", "recno"});
  ExpectError("VERSION=3\nmapsize=many\n", {"line 2", "many"});
  ExpectError("VERSION=3\nnonsense\n", {"line 2", "NAME=VALUE", "nonsense"});
  ExpectError("VERSION=3\nformat=print\n", {"line 2", "inside the header"});
}

TEST(MdbTextTest, ErrorsInTheDataNameTheLine) {
  const std::string header = kByteValueHeader;  // 5 lines
  ExpectError(header + "61\n 62\nDATA=END\n", {"line 6", "begins with a blank"});
  ExpectError(header + " 6\n 62\nDATA=END\n", {"line 6", "odd number"});
  ExpectError(header + " 61\n 6x\nDATA=END\n", {"line 7", "not hex digits", "6x"});
  ExpectError(header + " 61\nDATA=END\n", {"line 7", "without a value"});
  ExpectError(header + " 61\n 62\n", {"line 7", "without DATA=END"});
  ExpectError(header + " 61\n 62\n 63\n 64", {"line 9", "in the middle of this line"});
  ExpectError(header, {"line 5", "without DATA=END"});
  ExpectError(std::string(kPrintHeader) + " a\n C:\\dir\nDATA=END\n", {"line 6", "backslash", "\\\\di", "without -p"});
  ExpectError(std::string(kPrintHeader) + " a\n end\\\nDATA=END\n", {"line 6", "backslash"});
  ExpectError(std::string(kPrintHeader) + " a\n end\\0\nDATA=END\n", {"line 6", "backslash"});
  ExpectError("key without value\n", {"line 1", "without a value"}, /*is_plain=*/true);
}

TEST(MdbTextTest, PairsBeforeABadLineWereGiven) {
  const Reading reading(std::string(kByteValueHeader) + " 61\n 62\n zz\n");
  EXPECT_FALSE(reading.status.ok());
  EXPECT_THAT(reading.pairs, ElementsAre(Pair("a", "b")));
}

TEST(MdbTextTest, LinesHaveALimit) {
  const std::string text = std::string(kPrintHeader) + " a\n " + std::string(1 << 20, 'v') + "\nDATA=END\n";
  EXPECT_OK(Reading(text).status);
  const Reading reading(text, false, 1000);
  EXPECT_TRUE(IsError(reading.status, absl::StatusCode::kInvalidArgument, {"line 6", "longer than 1000 bytes"}));
}

}  // namespace
}  // namespace sealkv::tools
