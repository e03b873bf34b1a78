// The check of histories key by key (history/linearizable.h): what it finds, what it leaves to the check of the whole,
// and how much it has to try.
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/history/by_hand.h"
#include "tests/history/linearizable.h"
#include "tests/history/strict_serializability.h"
#include "tests/random.h"

namespace sealkv::history {
namespace {

const Value kAbsent = std::nullopt;

TEST(LinearizableTest, NamesTheKeyAndWhereItEnds) {
  const History history{.initial = {},
                        .transactions = {Call(1, 2, Put("good", "1")), Call(3, 4, Put("bad", "1")),
                                         Call(5, 6, Get("bad", "1")), Call(7, 8, Get("bad", kAbsent))}};
  const LinearizabilityReport report = CheckLinearizability(history);
  EXPECT_EQ(report.verdict, Verdict::kNo);
  EXPECT_EQ(report.key, "bad");
  EXPECT_NE(report.text.find("after 2 of 3"), std::string::npos) << report.text;
  EXPECT_NE(report.text.find("Get bad -> absent"), std::string::npos) << report.text;
}

TEST(LinearizableTest, ValuesMayComeAgain) {
  History history{.initial = {}, .transactions = {Call(1, 2, Put("k", "a")), Call(3, 4, Put("k", "b"))}};
  history.transactions.push_back(Call(5, 10, Put("k", "a")));
  history.transactions.push_back(Call(6, 7, Get("k", "b")));
  history.transactions.push_back(Call(8, 9, Get("k", "a")));
  EXPECT_EQ(CheckLinearizability(history).verdict, Verdict::kYes);
  history.transactions.push_back(Call(11, 12, Get("k", "b")));
  EXPECT_EQ(CheckLinearizability(history).verdict, Verdict::kNo);
}

// Sums that were told fix the order, whoever was over first.
TEST(LinearizableTest, AdditionsThatOverlap) {
  History history;
  for (unsigned i = 0; i < 8; ++i) history.transactions.push_back(Call(1 + i, 100 + i, Add("n", 1, 8 - i)));
  EXPECT_EQ(CheckLinearizability(history).verdict, Verdict::kYes);
  history.transactions.push_back(Call(200, 201, Get("n", WordValue(7))));
  EXPECT_EQ(CheckLinearizability(history).verdict, Verdict::kNo);
}

TEST(LinearizableTest, ARangeConcernsEachOfItsKeys) {
  const History history{.initial = {{"a", "1"}, {"c", "1"}},
                        .transactions = {Call(1, 2, DeleteRange("b", "d")), Call(3, 4, Get("a", "1")),
                                         Snapshot(5, 6, {Scan("a", "d", {{"a", "1"}, {"c", "1"}})})}};
  const LinearizabilityReport report = CheckLinearizability(history);
  EXPECT_EQ(report.verdict, Verdict::kNo);
  EXPECT_EQ(report.key, "c");
}

// What is torn is right key by key.
TEST(LinearizableTest, IsNotTheWhole) {
  const History history{.initial = {},
                        .transactions = {Batch(1, 5, {Put("x", "1"), Put("y", "1")}),
                                         Snapshot(2, 3, {Get("x", "1"), Get("y", kAbsent)})}};
  EXPECT_EQ(CheckLinearizability(history).verdict, Verdict::kYes);
  EXPECT_EQ(CheckStrictSerializability(history).verdict, Verdict::kNo);
}

// Of a transaction that writes elsewhere the reads, too, are of the time of its commit.
TEST(LinearizableTest, APartKeepsTheTimesOfTheWhole) {
  const History history{.initial = {{"x", "0"}},
                        .transactions = {Txn(1, 8, 9, {Get("x", "0"), Put("y", "1")}), Call(2, 3, Put("x", "1"))}};
  EXPECT_EQ(CheckLinearizability(history).verdict, Verdict::kNo);
}

// Calls of eight threads on one key that all overlap their neighbours; `ValueOf` says what a writer of a round writes.
template <typename ValueOf>
History Rounds(uint64_t rounds, ValueOf value_of) {
  testing::Random random(testing::TestSeed());
  History history;
  Value last = std::nullopt;
  Time now = 0;
  for (uint64_t round = 0; round < rounds; ++round) {
    // Eight calls, all at once; the writers among them in the order of their numbers, as the last reader tells.
    for (unsigned thread = 0; thread < 8; ++thread) {
      const Time begin = now + 1 + random.Below(10);
      const Time end = now + 20 + random.Below(10);
      if (thread % 2 == 0) {
        last = value_of(round, thread);
        history.transactions.push_back(Call(begin, end, Put("k", *last), thread));
      } else {
        history.transactions.push_back(Call(begin, end, Get("k", last), thread));
      }
    }
    now += 40;
    history.transactions.push_back(Call(now + 1, now + 2, Get("k", last)));
    now += 10;
  }
  return history;
}

TEST(LinearizableTest, EightThreadsAtOnce) {
  constexpr uint64_t kRounds = 100;
  const auto unique = [](uint64_t round, unsigned thread) { return WordValue(round << 8 | thread); };
  const auto few = [](uint64_t, unsigned thread) { return WordValue(thread / 4); };
  for (const History& history : {Rounds(kRounds, unique), Rounds(kRounds, few)}) {
    const LinearizabilityReport report = CheckLinearizability(history);
    EXPECT_EQ(report.verdict, Verdict::kYes);
    EXPECT_LT(report.states, kRounds * 50);
  }
  // The last read is wrong: all has to be tried, and is tried once.
  for (History history : {Rounds(kRounds, unique), Rounds(kRounds, few)}) {
    history.transactions.back().steps = {Get("k", kAbsent)};
    const LinearizabilityReport report = CheckLinearizability(history);
    EXPECT_EQ(report.verdict, Verdict::kNo);
    EXPECT_LT(report.states, kRounds * 100);
  }
}

TEST(LinearizableTest, GivesUpWhereItIsTold) {
  const History history = Rounds(100, [](uint64_t round, unsigned thread) { return WordValue(round << 8 | thread); });
  EXPECT_EQ(CheckLinearizability(history, {.most_states = 10}).verdict, Verdict::kUndecided);
}

}  // namespace
}  // namespace sealkv::history
