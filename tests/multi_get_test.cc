// MultiGet says of each key what a Get of its own says, whatever the others are.
#include <chrono>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "gtest/gtest.h"
#include "kv/expiry.h"
#include "kv/sealkv.h"
#include "tests/memory_store.h"
#include "tests/model.h"
#include "tests/random.h"
#include "tests/status.h"

namespace sealkv {
namespace {

using testing::MemoryStore;
using testing::Random;
using testing::WordValue;

constexpr uint64_t kKeys = 1500;

// Of each length and kind: those that end in a leaf of the top layer, its values inline or records; those of layers
// below, in the table of records or not.
std::string KeyOf(uint64_t id) {
  switch (id % 5) {
    case 0:
      return U64Key(id);
    case 1:
      return U64Key(id).substr(4);
    case 2:
      return "a long key, number " + std::to_string(id);
    case 3:
      return std::to_string(id);
    default:
      return "/a/path/with/a/number/" + std::to_string(id) + "/of/" + std::string(id % 300, 'x');
  }
}
std::string ValueOf(uint64_t id) { return id % 3 == 0 ? WordValue(id) : std::string(id % 1000, 'v') + KeyOf(id); }

class MultiGetTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK(store_.Format());
    for (uint64_t id = 0; id < kKeys; ++id) {
      if (id % 7 == 0) continue;
      ASSERT_OK(store_->Put(KeyOf(id), ValueOf(id)));
    }
  }

  void ExpectAsByGets(const std::vector<std::string>& keys) {
    std::vector<absl::StatusOr<std::string>> values;
    store_->MultiGet(std::vector<std::string_view>(keys.begin(), keys.end()), &values);
    ASSERT_EQ(values.size(), keys.size());
    for (size_t i = 0; i < keys.size(); ++i) {
      const absl::StatusOr<std::string> value = store_->Get(keys[i]);
      ASSERT_EQ(values[i].status(), value.status()) << i;
      if (!value.ok()) continue;
      ASSERT_EQ(*values[i], *value) << i;
    }
  }

  MemoryStore store_{64 << 20};
};

TEST_F(MultiGetTest, EachKeyAsByAGetOfItsOwn) {
  Random random(testing::TestSeed());
  // As many as come to lie in one step, some more than that, and more than are read in one epoch.
  for (const uint64_t count : {0, 1, 2, 3, 4, 5, 11, 12, 13, 16, 17, 100, 511, 512, 513, 3000}) {
    std::vector<std::string> keys;
    while (keys.size() < count) keys.push_back(KeyOf(random.Below(kKeys)));
    ExpectAsByGets(keys);
  }
  ASSERT_OK(store_.Reopen());
  std::vector<std::string> keys;
  for (uint64_t id = 0; id < kKeys; ++id) keys.push_back(KeyOf(id));
  ExpectAsByGets(keys);
}

TEST_F(MultiGetTest, TheSameKeyAgainAndKeysThatCantBe) {
  const std::string too_long(kMaxKeyBytes + 1, 'k');
  std::vector<std::string> keys;
  for (int i = 0; i < 40; ++i) {
    keys.insert(keys.end(), {KeyOf(2), KeyOf(5), "", too_long, std::string(kMaxKeyBytes, 'k'), KeyOf(2)});
  }
  ExpectAsByGets(keys);
  ASSERT_OK(store_->Put("", "the empty key's"));
  ExpectAsByGets(keys);
}

TEST_F(MultiGetTest, OfAnEmptyStoreNothing) {
  MemoryStore empty(8 << 20);
  ASSERT_OK(empty.Format());
  const std::string_view keys[] = {"a", "eight by", "a key longer than that"};
  for (const absl::StatusOr<std::string>& value : empty->MultiGet(keys)) {
    EXPECT_TRUE(absl::IsNotFound(value.status())) << value.status();
  }
}

TEST_F(MultiGetTest, ABufferIsUsedAgain) {
  const std::string long_key = KeyOf(4);
  const std::string_view first[] = {long_key, "not there", KeyOf(1)};
  std::vector<absl::StatusOr<std::string>> values(1, std::string(4000, 'o'));
  const char* const bytes = values[0]->data();
  store_->MultiGet(std::span(first, 2), &values);
  ASSERT_EQ(values.size(), 2u);
  EXPECT_EQ(*values[0], ValueOf(4));
  EXPECT_EQ(values[0]->data(), bytes);
  EXPECT_TRUE(absl::IsNotFound(values[1].status()));
  const std::string_view other[] = {"not there", long_key};
  store_->MultiGet(other, &values);
  EXPECT_TRUE(absl::IsNotFound(values[0].status()));
  EXPECT_EQ(*values[1], ValueOf(4));
}

TEST_F(MultiGetTest, WhatIsOverIsMissing) {
  internal::seconds_for_tests = 1000;
  const std::chrono::sys_seconds expiry{std::chrono::seconds(1010)};
  ASSERT_OK(store_->PutUntil(KeyOf(2), "for ten seconds", expiry));
  ASSERT_OK(store_->PutUntil(KeyOf(5), WordValue(5), expiry));
  const std::string first = KeyOf(2), second = KeyOf(5);
  const std::string_view keys[] = {first, second};
  EXPECT_EQ(*store_->MultiGet(keys)[0], "for ten seconds");
  EXPECT_EQ(*store_->MultiGet(keys)[1], WordValue(5));
  internal::seconds_for_tests = 1010;
  for (const auto& value : store_->MultiGet(keys)) EXPECT_TRUE(absl::IsNotFound(value.status())) << value.status();
  internal::seconds_for_tests = 0;
}

TEST_F(MultiGetTest, ADamagedRecordIsSaidOfItsKeyAlone) {
  const std::string value = "a value of which there is no second one";
  const std::string damaged = KeyOf(7), sound = KeyOf(2);
  ASSERT_OK(store_->Put(damaged, value));
  const std::string_view keys[] = {sound, damaged, sound};
  EXPECT_EQ(*store_->MultiGet(keys)[1], value);  // it is in the table then, too
  const auto memory = store_.memory().span();
  const std::string_view bytes(reinterpret_cast<const char*>(memory.data()), memory.size());
  const size_t at = bytes.find(value);
  ASSERT_NE(at, bytes.npos);
  memory[at] ^= std::byte{1};
  const auto values = store_->MultiGet(keys);
  EXPECT_EQ(*values[0], ValueOf(2));
  EXPECT_TRUE(absl::IsDataLoss(values[1].status())) << values[1].status();
  EXPECT_EQ(*values[2], ValueOf(2));
}

}  // namespace
}  // namespace sealkv
