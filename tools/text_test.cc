#include "tools/text.h"

#include "gtest/gtest.h"
#include "tests/random.h"
#include "tools/args.h"

namespace sealkv::tools {
namespace {

TEST(TextTest, EscapesKeepALineALine) {
  EXPECT_EQ(Escape("plain text~"), "plain text~");
  EXPECT_EQ(Escape(std::string_view("\\\n\t\r\0\x1b\x7f\xff", 8)), "\\\\\\n\\t\\r\\x00\\x1b\\x7f\\xff");
}

TEST(TextTest, QuotesShortenLongBytes) {
  EXPECT_EQ(Quote("say \"hi\""), "\"say \\\"hi\\\"\"");
  EXPECT_EQ(Quote(std::string(1000, 'x'), 3), "\"xxx\"… (1,000 bytes)");
  EXPECT_EQ(Quote("xxx", 3), "\"xxx\"");
}

TEST(TextTest, HexBothWays) {
  testing::Random random(1);
  const std::string bytes = random.Bytes(300);
  EXPECT_EQ(FromHex(ToHex(bytes)), bytes);
  EXPECT_EQ(FromHex("00fFAb"), std::string("\0\xff\xab", 3));
  EXPECT_EQ(FromHex(""), "");
  EXPECT_FALSE(FromHex("abc").has_value());
  EXPECT_FALSE(FromHex("ag").has_value());
}

TEST(TextTest, Numbers) {
  EXPECT_EQ(WithCommas(0), "0");
  EXPECT_EQ(WithCommas(999), "999");
  EXPECT_EQ(WithCommas(1000), "1,000");
  EXPECT_EQ(WithCommas(1234567), "1,234,567");
  EXPECT_EQ(WithCommas(~uint64_t{0}), "18,446,744,073,709,551,615");
  EXPECT_EQ(HumanBytes(0), "0 bytes");
  EXPECT_EQ(HumanBytes(1), "1 byte");
  EXPECT_EQ(HumanBytes(1536), "1.50 KiB");
  EXPECT_EQ(HumanBytes(uint64_t{20} << 30), "20.0 GiB");
  EXPECT_EQ(HumanBytes(~uint64_t{0}), "16.0 EiB");
  EXPECT_EQ(Percent(1, 3), "33.3 %");
  EXPECT_EQ(Percent(0, 0), "-");
  EXPECT_EQ(HexNumber(0x1f00), "0x1f00");
}

TEST(ArgsTest, NumbersWithBasesAndSuffixes) {
  EXPECT_EQ(ParseNumber("4096"), 4096);
  EXPECT_EQ(ParseNumber("0x1F"), 31);
  EXPECT_EQ(ParseNumber("3K"), 3072);
  EXPECT_EQ(ParseNumber("2G"), uint64_t{2} << 30);
  EXPECT_EQ(ParseNumber("18446744073709551615"), ~uint64_t{0});
  for (const char* text : {"", "K", "0x", "-1", "+1", "1.5", "12x", "1KK", "18446744073709551616", "99999999T"}) {
    EXPECT_FALSE(ParseNumber(text).has_value()) << text;
  }
}

TEST(ArgsTest, FlagsMayStandAnywhere) {
  static constexpr Flag kFlags[] = {{"hex"}, {"file", 'f', true}, {"limit", 0, true}};
  const char* const words[] = {"store", "--hex", "-f", "-", "--limit=a=b", "-", "--", "--hex", "-f"};
  const absl::StatusOr<Args> args = Args::Parse(words, kFlags);
  ASSERT_TRUE(args.ok()) << args.status();
  EXPECT_EQ(args->positionals(), (std::vector<std::string>{"store", "-", "--hex", "-f"}));
  EXPECT_TRUE(args->Has("hex"));
  EXPECT_EQ(args->Value("file"), "-");
  EXPECT_EQ(args->Value("limit"), "a=b");
}

}  // namespace
}  // namespace sealkv::tools
