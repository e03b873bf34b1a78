#include "bench/data.h"

#include <set>

#include "gtest/gtest.h"

namespace sealkv::bench {
namespace {

TEST(Data, RandomKeysAreDistinct) {
  for (const KeyKind kind : {KeyKind::kU64, KeyKind::kString}) {
    Data data({.key_kind = kind, .key_bytes = 20});
    std::set<std::string> keys;
    for (uint64_t i = 0; i < 100000; ++i) {
      data.RandomKey(i);
      keys.emplace(data.key());
    }
    EXPECT_EQ(keys.size(), 100000u);
    EXPECT_EQ(keys.begin()->size(), kind == KeyKind::kU64 ? 8u : 20u);
  }
}

TEST(Data, SequentialKeysAscend) {
  for (const KeyKind kind : {KeyKind::kU64, KeyKind::kString}) {
    Data data({.key_kind = kind});
    std::string last;
    for (uint64_t i = 0; i < 1000; ++i) {
      data.SequentialKey(i * 977);
      EXPECT_LT(last, data.key());
      last = data.key();
    }
  }
}

TEST(Data, AWrongValueIsNoticed) {
  for (const size_t bytes : {8, 9, 100}) {
    Data data({.value_bytes = bytes});
    const uint64_t number = data.RandomKey(7);
    const std::string good(data.ValueOf(number, 3));
    EXPECT_TRUE(data.IsValueOf(number, 3, good));
    EXPECT_FALSE(data.IsValueOf(number, 2, good)) << "a round that hasn't been written yet";
    EXPECT_FALSE(data.IsValueOf(number + 1, 3, good));
    EXPECT_FALSE(data.IsValueOf(number, 3, good.substr(1)));
    std::string bad = good;
    bad.back() = static_cast<char>(bad.back() ^ 1);
    EXPECT_FALSE(data.IsValueOf(number, 3, bad));
  }
}

}  // namespace
}  // namespace sealkv::bench
