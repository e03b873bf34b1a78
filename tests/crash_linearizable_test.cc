// The search for an order of calls (crash/linearizable.h), on histories whose orders can be told by looking.
#include <deque>
#include <set>
#include <string>

#include "gtest/gtest.h"
#include "tests/crash/linearizable.h"

namespace sealkv::crash {
namespace {

const Value kAbsent = std::nullopt;
using Values = std::set<Value>;

class LinearizableTest : public ::testing::Test {
 protected:
  uint64_t Begin(Operation operation) {
    operations_.push_back(std::move(operation));
    history_.Begin(operations_.size(), operations_.back());
    return operations_.size();
  }
  void End(uint64_t call, Answer answer = {}) { history_.End(call, std::move(answer)); }
  void Call(Operation operation, Answer answer = {}) { End(Begin(std::move(operation)), std::move(answer)); }
  static Answer Is(std::string value) { return {absl::StatusCode::kOk, std::move(value)}; }
  static Answer NotFound() { return {absl::StatusCode::kNotFound, std::nullopt}; }

  std::deque<Operation> operations_;
  KeyHistory history_{kAbsent};
};

TEST_F(LinearizableTest, WhatWasAcknowledgedIsThere) {
  EXPECT_EQ(history_.Allowed(), Values{kAbsent});
  Call(Put("k", "a"));
  EXPECT_EQ(history_.Allowed(), Values{"a"});
  Call(Put("k", "b"));
  EXPECT_EQ(history_.Allowed(), Values{"b"});
}

TEST_F(LinearizableTest, WhatIsInFlightMayBeThere) {
  Call(Put("k", "a"));
  Begin(Put("k", "b"));
  EXPECT_EQ(history_.Allowed(), (Values{"a", "b"}));
}

TEST_F(LinearizableTest, AValueThatWasReadIsThere) {
  Call(Put("k", "a"));
  const uint64_t put = Begin(Put("k", "b"));
  Call(Get("k"), Is("b"));
  EXPECT_EQ(history_.Allowed(), Values{"b"});
  End(put);
  EXPECT_EQ(history_.Allowed(), Values{"b"});
}

TEST_F(LinearizableTest, TheOldValueMayBeReadMeanwhile) {
  Call(Put("k", "a"));
  Begin(Put("k", "b"));
  Call(Get("k"), Is("a"));
  EXPECT_EQ(history_.Allowed(), (Values{"a", "b"}));
}

TEST_F(LinearizableTest, NotTheOldOneAfterTheNew) {
  Call(Put("k", "a"));
  Begin(Put("k", "b"));
  Call(Get("k"), Is("b"));
  Call(Get("k"), Is("a"));
  EXPECT_TRUE(history_.Allowed().empty());
}

TEST_F(LinearizableTest, CallsThatOverlapHaveNoOrder) {
  const uint64_t first = Begin(Put("k", "a"));
  const uint64_t second = Begin(Put("k", "b"));
  End(second);
  End(first);
  EXPECT_EQ(history_.Allowed(), (Values{"a", "b"}));
  Call(Get("k"), Is("a"));
  EXPECT_EQ(history_.Allowed(), Values{"a"});
}

TEST_F(LinearizableTest, CallsThatDontOverlapKeepTheirs) {
  const uint64_t reader = Begin(Get("k"));
  Call(Put("k", "a"));
  Call(Put("k", "b"));
  End(reader, Is("a"));
  EXPECT_EQ(history_.Allowed(), Values{"b"});
}

TEST_F(LinearizableTest, SumsTellTheOrder) {
  const uint64_t one = Begin(Add("k", 1));
  const uint64_t ten = Begin(Add("k", 10));
  End(ten, Is(testing::WordValue(10)));
  EXPECT_EQ(history_.Allowed(), (Values{testing::WordValue(10), testing::WordValue(11)}));
  End(one, Is(testing::WordValue(11)));
  EXPECT_EQ(history_.Allowed(), Values{testing::WordValue(11)});
  Call(Add("k", 1), Is(testing::WordValue(11)));
  EXPECT_TRUE(history_.Allowed().empty()) << "a lost update";
}

TEST_F(LinearizableTest, NoSpaceIsNoChange) {
  Call(Put("k", "a"));
  const uint64_t put = Begin(Put("k", "b"));
  EXPECT_EQ(history_.Allowed(), (Values{"a", "b"}));
  End(put, {absl::StatusCode::kResourceExhausted, std::nullopt});
  EXPECT_EQ(history_.Allowed(), Values{"a"});
}

TEST_F(LinearizableTest, AnAnswerThatCantBe) {
  Call(Delete("k"), NotFound());
  EXPECT_EQ(history_.Allowed(), Values{kAbsent});
  Call(Delete("k"));
  EXPECT_TRUE(history_.Allowed().empty());
}

}  // namespace
}  // namespace sealkv::crash
