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
  static Answer NotFound() { return {absl::StatusCode::kNotFound}; }
  // The values that "k" may have after a crash now; none: no order explains the answers.
  Values Allowed() const {
    Values values;
    for (const testing::Model& state : history_.Allowed()) {
      const auto found = state.find("k");
      values.insert(found == state.end() ? kAbsent : Value(found->second));
    }
    return values;
  }

  std::deque<Operation> operations_;
  History history_{testing::Model()};
};

TEST_F(LinearizableTest, WhatWasAcknowledgedIsThere) {
  EXPECT_EQ(Allowed(), Values{kAbsent});
  Call(Put("k", "a"));
  EXPECT_EQ(Allowed(), Values{"a"});
  Call(Put("k", "b"));
  EXPECT_EQ(Allowed(), Values{"b"});
}

TEST_F(LinearizableTest, WhatIsInFlightMayBeThere) {
  Call(Put("k", "a"));
  Begin(Put("k", "b"));
  EXPECT_EQ(Allowed(), (Values{"a", "b"}));
}

TEST_F(LinearizableTest, AValueThatWasReadIsThere) {
  Call(Put("k", "a"));
  const uint64_t put = Begin(Put("k", "b"));
  Call(Get("k"), Is("b"));
  EXPECT_EQ(Allowed(), Values{"b"});
  End(put);
  EXPECT_EQ(Allowed(), Values{"b"});
}

TEST_F(LinearizableTest, TheOldValueMayBeReadMeanwhile) {
  Call(Put("k", "a"));
  Begin(Put("k", "b"));
  Call(Get("k"), Is("a"));
  EXPECT_EQ(Allowed(), (Values{"a", "b"}));
}

TEST_F(LinearizableTest, NotTheOldOneAfterTheNew) {
  Call(Put("k", "a"));
  Begin(Put("k", "b"));
  Call(Get("k"), Is("b"));
  Call(Get("k"), Is("a"));
  EXPECT_TRUE(Allowed().empty());
}

TEST_F(LinearizableTest, CallsThatOverlapHaveNoOrder) {
  const uint64_t first = Begin(Put("k", "a"));
  const uint64_t second = Begin(Put("k", "b"));
  End(second);
  End(first);
  EXPECT_EQ(Allowed(), (Values{"a", "b"}));
  Call(Get("k"), Is("a"));
  EXPECT_EQ(Allowed(), Values{"a"});
}

TEST_F(LinearizableTest, CallsThatDontOverlapKeepTheirs) {
  const uint64_t reader = Begin(Get("k"));
  Call(Put("k", "a"));
  Call(Put("k", "b"));
  End(reader, Is("a"));
  EXPECT_EQ(Allowed(), Values{"b"});
}

TEST_F(LinearizableTest, SumsTellTheOrder) {
  const uint64_t one = Begin(Add("k", 1));
  const uint64_t ten = Begin(Add("k", 10));
  End(ten, Is(testing::WordValue(10)));
  EXPECT_EQ(Allowed(), (Values{testing::WordValue(10), testing::WordValue(11)}));
  End(one, Is(testing::WordValue(11)));
  EXPECT_EQ(Allowed(), Values{testing::WordValue(11)});
  Call(Add("k", 1), Is(testing::WordValue(11)));
  EXPECT_TRUE(Allowed().empty()) << "a lost update";
}

TEST_F(LinearizableTest, NoSpaceIsNoChange) {
  Call(Put("k", "a"));
  const uint64_t put = Begin(Put("k", "b"));
  EXPECT_EQ(Allowed(), (Values{"a", "b"}));
  End(put, {absl::StatusCode::kResourceExhausted});
  EXPECT_EQ(Allowed(), Values{"a"});
}

TEST_F(LinearizableTest, AnAnswerThatCantBe) {
  Call(Delete("k"), NotFound());
  EXPECT_EQ(Allowed(), Values{kAbsent});
  Call(Delete("k"));
  EXPECT_TRUE(Allowed().empty());
}

// What is done at once is there or not, as a whole, whoever else writes to its keys.
TEST_F(LinearizableTest, ABatchIsAllOrNothing) {
  using States = std::set<testing::Model>;
  Call(Put("k", "a"));
  const uint64_t batch = Begin(Batch({Put("k", "b"), Put("l", "b")}));
  EXPECT_EQ(history_.Allowed(), (States{{{"k", "a"}}, {{"k", "b"}, {"l", "b"}}}));
  const uint64_t put = Begin(Put("k", "c"));
  EXPECT_EQ(history_.Allowed(),
            (States{{{"k", "a"}}, {{"k", "c"}}, {{"k", "b"}, {"l", "b"}}, {{"k", "c"}, {"l", "b"}}}));
  End(put);
  EXPECT_EQ(history_.Allowed(), (States{{{"k", "c"}}, {{"k", "b"}, {"l", "b"}}, {{"k", "c"}, {"l", "b"}}}));
  // Half of it was seen: so it is there, and what was put was put before it or is put behind it.
  Call(Get("l"), Is("b"));
  EXPECT_EQ(history_.Allowed(), (States{{{"k", "b"}, {"l", "b"}}, {{"k", "c"}, {"l", "b"}}}));
  End(batch);
  EXPECT_EQ(Allowed(), (Values{"b", "c"}));
}

TEST_F(LinearizableTest, ASnapshotIsOfOneMoment) {
  Call(Put("k", "a"));
  const uint64_t scan = Begin(Scan());
  Call(Put("k", "b"));
  Call(Put("l", "b"));
  End(scan, {absl::StatusCode::kOk, kAbsent, {{"k", "a"}, {"l", "b"}}});
  EXPECT_FALSE(history_.IsExplained());
}

TEST_F(LinearizableTest, TransactionsTakeEffectAtOneMoment) {
  const Operation one = Transact({Get("k"), Put("l", "1")});
  const Operation other = Transact({Get("l"), Put("k", "2")});
  const uint64_t first = Begin(one);
  const uint64_t second = Begin(other);
  const Answer saw_nothing{absl::StatusCode::kOk, kAbsent, {}, {NotFound(), {}}};
  End(first, saw_nothing);
  EXPECT_TRUE(history_.IsExplained());
  End(second, saw_nothing);
  EXPECT_FALSE(history_.IsExplained()) << "a write skew";
}

}  // namespace
}  // namespace sealkv::crash
