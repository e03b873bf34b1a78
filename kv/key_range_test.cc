// Ranges of keys from slices, and which of a damaged node's keys are still believed.
#include "kv/key_range.h"

#include <vector>

#include "gtest/gtest.h"
#include "kv/check_order.h"

namespace sealkv::internal {
namespace {

constexpr uint64_t kLastSlice = ~uint64_t{0};

uint64_t Slice(std::string_view bytes) { return SliceAt(bytes, 0); }

TEST(KeyRangeTest, OfSlicesHasAllKeysWithThemAndNoOther) {
  const KeyRange one = KeyRange::OfSlices("", Slice("ab"), Slice("ab"));
  for (const std::string_view key :
       {std::string_view("ab"), std::string_view("ab\0", 3), std::string_view("ab\0\0\0\0\0\0", 8),
        std::string_view("ab\0\0\0\0\0\0 on", 11)}) {
    EXPECT_TRUE(one.Contains(key));
  }
  for (const std::string_view key : {"a", "aa~", "ab\1", "b", ""}) EXPECT_FALSE(one.Contains(key)) << key;
}

TEST(KeyRangeTest, TheEnds) {
  EXPECT_EQ(KeyRange::OfSlices("", 0, kLastSlice), KeyRange::All());
  EXPECT_FALSE(KeyRange::OfSlices("", 5, kLastSlice).to.has_value());
  EXPECT_EQ(KeyRange::OfSlices("", 0, 0).from, "");
  EXPECT_TRUE(KeyRange::All().Contains(std::string(100, '\xff')));
}

TEST(KeyRangeTest, BehindAPathKeysGoOn) {
  const KeyRange layer = KeyRange::OfSlices("12345678", 0, kLastSlice);
  EXPECT_FALSE(layer.Contains("12345678"));
  EXPECT_TRUE(layer.Contains(std::string_view("12345678\0", 9)));
  EXPECT_TRUE(layer.Contains("12345678\xff\xff\xff\xff\xff\xff\xff\xff\xff"));
  EXPECT_FALSE(layer.Contains("12345679"));
  EXPECT_FALSE(KeyRange::OfSlices("\xff\xff\xff\xff\xff\xff\xff\xff", 1, kLastSlice).to.has_value());
}

Positions InPlaceOf(const std::vector<int>& numbers) {
  return InPlace(static_cast<unsigned>(numbers.size()), static_cast<Positions>(PositionBit(numbers.size()) - 1),
                 [&](unsigned before, unsigned after) { return numbers[before] < numbers[after]; });
}

TEST(InPlaceTest, OneThatIsFarOutOfPlaceIsTheOnlyOne) {
  EXPECT_EQ(InPlaceOf({1, 2, 3, 4}), 0b1111);
  EXPECT_EQ(InPlaceOf({10, 99, 30, 40, 50}), 0b11101);
  EXPECT_EQ(InPlaceOf({10, 20, 30, 40, 5}), 0b01111);
  EXPECT_EQ(InPlaceOf({}), 0);
}

TEST(InPlaceTest, OfTwoEitherMayBeWrong) {
  EXPECT_EQ(InPlaceOf({10, 35, 30, 40}), 0b1001);
  EXPECT_EQ(InPlaceOf({2, 1}), 0);
  EXPECT_EQ(InPlaceOf({7, 7, 8}), 0b100);
}

// Whatever one of the numbers becomes, none but it and a neighbour is doubted, and it is not believed out of order.
TEST(InPlaceTest, OneWrongNumberCostsAtMostTwo) {
  for (unsigned wrong = 0; wrong < kSlots; ++wrong) {
    for (int value = -5; value < 10 * static_cast<int>(kSlots) + 5; ++value) {
      std::vector<int> numbers;
      for (unsigned i = 0; i < kSlots; ++i) numbers.push_back(10 * static_cast<int>(i));
      numbers[wrong] = value;
      const bool fits =
          (wrong == 0 || value > numbers[wrong - 1]) && (wrong + 1 == kSlots || value < numbers[wrong + 1]);
      const Positions in_place = InPlaceOf(numbers);
      EXPECT_EQ((in_place & PositionBit(wrong)) != 0, fits) << wrong << " " << value;
      EXPECT_GE(std::popcount(in_place), static_cast<int>(kSlots) - 2);
    }
  }
}

}  // namespace
}  // namespace sealkv::internal
