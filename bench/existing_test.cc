#include "bench/existing.h"

#include <memory>
#include <optional>

#include "bench/testing/forwarding_engine.h"
#include "gtest/gtest.h"

namespace sealkv::bench {
namespace {

constexpr uint64_t kRecords = 1000;

std::unique_ptr<Engine> Filled(bool random_keys, uint64_t step) {
  auto engine = MakeVolatileEngine("std_map", KeyKind::kU64, sizeof(uint64_t));
  Data data({});
  for (uint64_t i = 0; i < kRecords; i += step) {
    const uint64_t number = random_keys ? data.RandomKey(i) : data.SequentialKey(i);
    EXPECT_TRUE(engine->Put({number, data.key()}, data.ValueOf(number, 3)).ok());
  }
  return engine;
}

TEST(Existing, TheOrderOfItsFillIsFound) {
  for (const bool random_keys : {false, true}) {
    const auto engine = Filled(random_keys, 1);
    EXPECT_EQ(HasRandomKeys(*engine, {}, kRecords).value(), std::optional(random_keys));
  }
}

TEST(Existing, TheOrderIsFoundAfterMostWasDeleted) {
  for (const bool random_keys : {false, true}) {
    const auto engine = Filled(random_keys, 10);
    EXPECT_EQ(HasRandomKeys(*engine, {}, kRecords).value(), std::optional(random_keys));
  }
}

TEST(Existing, AnEmptyStoreHasNeither) {
  const auto engine = MakeVolatileEngine("std_map", KeyKind::kU64, sizeof(uint64_t));
  EXPECT_EQ(HasRandomKeys(*engine, {}, kRecords).value(), std::nullopt);
}

TEST(Existing, TheOrderOfASmallStoreIsFoundByWhicheverRecordIsLeft) {
  constexpr uint64_t kFew = 8;
  for (uint64_t left = 0; left < kFew; ++left) {
    const auto engine = MakeVolatileEngine("std_map", KeyKind::kU64, sizeof(uint64_t));
    Data data({});
    const uint64_t number = data.SequentialKey(left);
    EXPECT_TRUE(engine->Put({number, data.key()}, data.ValueOf(number, 3)).ok());
    EXPECT_EQ(HasRandomKeys(*engine, {}, kFew).value(), std::optional(false)) << left;
  }
}

TEST(Existing, AReadErrorIsNoEmptyStore) {
  struct Broken : ForwardingEngine {
    using ForwardingEngine::ForwardingEngine;
    absl::Status Get(const Key&, std::string*) override { return absl::InternalError("the disk is gone"); }
  };
  Broken engine(Filled(true, 1));
  EXPECT_TRUE(absl::IsInternal(HasRandomKeys(engine, {}, kRecords).status()));
}

}  // namespace
}  // namespace sealkv::bench
