#include "bench/data.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>

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

TEST(Data, YcsbKeysAreShortDecimals) {
  Data data({.key_kind = KeyKind::kYcsb});
  std::set<std::string> keys;
  for (uint64_t i = 0; i < 100000; ++i) {
    data.RandomKey(i);
    ASSERT_EQ(data.key().substr(0, 4), "user");
    ASSERT_LE(data.key().size(), 24u);
    ASSERT_GE(data.key().size(), 16u);
    keys.emplace(data.key());
  }
  EXPECT_EQ(keys.size(), 100000u);
}

class PathsTest : public ::testing::Test {
 protected:
  PathsTest() {
    std::filesystem::create_directories(folder_);
    std::ofstream(folder_ + "/a.list") << "/usr\n/usr/bin\n/usr/bin/env\n";
    std::ofstream(folder_ + "/b.list") << "/usr\n/etc\n/etc/hosts\n";
    std::ofstream(folder_ + "/b.md5sums") << "no path\n";
  }
  ~PathsTest() override { std::filesystem::remove_all(folder_); }
  const std::string folder_ = ::testing::TempDir() + "data_test." + std::to_string(getpid());
};

TEST_F(PathsTest, AreSortedAndEachOnce) {
  const auto paths = Paths::Load(folder_);
  ASSERT_TRUE(paths.ok()) << paths.status();
  ASSERT_EQ((*paths)->size(), 5u);
  EXPECT_EQ((**paths)[0], "/etc");
  EXPECT_EQ((**paths)[4], "/usr/bin/env");
  EXPECT_TRUE(absl::IsNotFound(Paths::Load("/nowhere").status()));
}

TEST_F(PathsTest, AsKeysGoOnBeyondTheLast) {
  Data data({.key_kind = KeyKind::kPath, .paths = *Paths::Load(folder_)});
  std::set<std::string> keys;
  for (uint64_t i = 0; i < 20; ++i) {
    data.RandomKey(i);
    keys.emplace(data.key());
    if (i == 4) {
      EXPECT_EQ(keys, (std::set<std::string>{"/etc", "/etc/hosts", "/usr", "/usr/bin", "/usr/bin/env"}));
    }
  }
  EXPECT_EQ(keys.size(), 20u);
}

TEST(Data, SequentialKeysAscend) {
  for (const KeyKind kind : {KeyKind::kU64, KeyKind::kString, KeyKind::kYcsb}) {
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
