// The checkers of concurrent histories (history/), on histories whose fault, or soundness, can be told by looking. Each
// wrong one must be found by the search for a serial order, and found and named by the dependency graph.
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/history/by_hand.h"
#include "tests/history/key_class.h"
#include "tests/history/linearizable.h"
#include "tests/history/strict_serializability.h"

namespace sealkv::history {
namespace {

const Value kAbsent = std::nullopt;
const Value kEnd = std::nullopt;

History Of(std::vector<Transaction> transactions) { return {.initial = {}, .transactions = std::move(transactions)}; }
History From(std::map<std::string, std::string> initial, std::vector<Transaction> transactions) {
  return {.initial = std::move(initial), .transactions = std::move(transactions)};
}

void ExpectNamed(const History& history, AnomalyKind kind) {
  EXPECT_FALSE(SerialOrderExists(history)) << Describe(history);
  EXPECT_EQ(FindSerialOrder(history, {.is_plain = true}).verdict, Verdict::kNo);
  const Report report = CheckStrictSerializability(history, {.search = {}, .is_graph_only = true});
  EXPECT_EQ(report.verdict, Verdict::kNo) << Describe(history);
  EXPECT_TRUE(report.Has(kind)) << "wanted: " << NameOf(kind) << "\nreport:\n" << report.text;
}

void ExpectSound(const History& history) {
  EXPECT_TRUE(SerialOrderExists(history)) << Describe(history);
  EXPECT_EQ(FindSerialOrder(history, {.is_plain = true}).verdict, Verdict::kYes);
  const Report report = CheckStrictSerializability(history);
  EXPECT_EQ(report.verdict, Verdict::kYes) << report.text << Describe(history);
  EXPECT_EQ(CheckLinearizability(history).verdict, Verdict::kYes);
}

TEST(SoundTest, OneAfterTheOther) {
  ExpectSound(Of({}));
  ExpectSound(
      From({{"k", "a"}},
           {Call(1, 2, Get("k", "a")), Call(3, 4, Put("k", "b")), Call(5, 6, Get("k", "b")),
            Call(7, 8, Delete("k", true)), Call(9, 10, Get("k", kAbsent)), Call(11, 12, Delete("k", false)),
            Call(13, 14, PutIfAbsent("k", "c", false)), Call(15, 16, PutIfAbsent("k", "d", true)),
            Call(17, 18, CompareAndSwap("k", "b", "e", "c")), Call(19, 20, CompareAndSwap("k", "c", "e", "c")),
            Call(21, 22, Update("k", "e", "f")), Call(23, 24, DeleteRange("a", "k")), Call(25, 26, Get("k", "f")),
            Call(27, 28, DeleteRange("k", kEnd)), Call(29, 30, Get("k", kAbsent))}));
}

TEST(SoundTest, OverlappingReadsSeeOldOrNew) {
  ExpectSound(From({{"k", "a"}}, {Call(1, 10, Put("k", "b")), Call(2, 3, Get("k", "a")), Call(4, 5, Get("k", "b")),
                                  Call(6, 7, Get("k", "b"))}));
}

TEST(SoundTest, ScansInBothDirections) {
  ExpectSound(From({{"a", "1"}, {"b", "2"}, {"c", "3"}},
                   {Snapshot(1, 2,
                             {Scan("a", "c", {{"a", "1"}, {"b", "2"}}),
                              Scan("a", kEnd, {{"c", "3"}, {"b", "2"}, {"a", "1"}}, /*is_reverse=*/true)}),
                    Call(3, 4, Delete("b", true)), Snapshot(5, 6, {Scan("", kEnd, {{"a", "1"}, {"c", "3"}})})}));
}

TEST(SoundTest, TransactionsSeeTheirOwnWrites) {
  ExpectSound(From({{"x", "0"}}, {Txn(1, 2, 3,
                                      {Get("x", "0"), Put("x", "1"), Get("x", "1"), Delete("x"), Get("x", kAbsent),
                                       Put("x", "2"), Scan("", kEnd, {{"x", "2"}})}),
                                  Call(4, 5, Get("x", "2"))}));
}

// What only reads may be put anywhere from its begin; what writes, in its commit only.
TEST(SoundTest, AReaderMayComeBeforeItsCommit) {
  ExpectSound(From({{"x", "0"}}, {Txn(1, 8, 9, {Get("x", "0")}), Call(2, 3, Put("x", "1"))}));
  ExpectNamed(From({{"x", "0"}}, {Txn(1, 8, 9, {Get("x", "0"), Put("y", "1")}), Call(2, 3, Put("x", "1"))}),
              AnomalyKind::kStaleRead);
}

// A snapshot is of the time when it was opened, however late it is read.
TEST(SoundTest, ASnapshotStaysWhatItWas) {
  ExpectSound(From({{"x", "0"}}, {Snapshot(1, 2, {Get("x", "0"), Scan("", kEnd, {{"x", "0"}})}),
                                  Call(3, 4, Put("x", "1")), Call(5, 6, Get("x", "1"))}));
}

TEST(SoundTest, AbortedLeavesNothing) {
  ExpectSound(
      From({{"x", "0"}}, {Txn(1, 2, 3, {Get("x", "0"), Put("x", "1")}, Outcome::kAborted), Call(4, 5, Get("x", "0"))}));
}

TEST(SoundTest, WhatIsInFlightMayBeThereOrNot) {
  ExpectSound(Of({InFlight(1, Put("x", "1")), Call(2, 3, Get("x", kAbsent)), Call(4, 5, Get("x", "1"))}));
  ExpectSound(Of({InFlight(1, Put("x", "1")), Call(2, 3, Get("x", kAbsent)), Call(4, 5, Get("x", kAbsent))}));
  ExpectSound(From({{"x", "0"}}, {InFlight(1, Delete("x")), Call(2, 3, Get("x", "0")), Call(4, 5, Get("x", kAbsent))}));
}

TEST(SoundTest, WhatIsInFlightMayComeLate) {
  Transaction unknown = Call(1, 3, Put("x", "1"));
  unknown.outcome = Outcome::kUnknown;
  ExpectSound(Of({unknown, Call(4, 5, Get("x", kAbsent)), Call(6, 7, Get("x", "1"))}));
}

// It saw what is overwritten by now: it can't have taken effect, and nobody needs what it saw.
TEST(SoundTest, WhatIsInFlightMayHaveNoPlace) {
  ExpectSound(From({{"x", "0"}}, {Txn(1, 4, kNever, {Get("x", "0"), Put("y", "1")}, Outcome::kUnknown),
                                  Call(2, 3, Put("x", "1")), Call(5, 6, Get("y", kAbsent))}));
}

TEST(SoundTest, OfTwoAdditionsOfAThreadTheFirstMayBeMissing) {
  const uint64_t a = CounterDelta(0);
  ExpectSound(Of({InFlight(1, Add("n", a), 0), Call(2, 3, Add("n", a, a), 0), Call(4, 5, Get("n", WordValue(a)), 1)}));
}

TEST(StaleReadTest, WhatIsInFlightStaysOnceSeen) {
  ExpectNamed(Of({InFlight(1, Put("x", "1")), Call(2, 3, Get("x", "1")), Call(4, 5, Get("x", kAbsent))}),
              AnomalyKind::kNonMonotonicRead);
  ExpectNamed(Of({InFlight(1, Add("n", CounterDelta(0)), 0), Call(2, 3, Get("n", WordValue(CounterDelta(0)))),
                  Call(4, 5, Get("n", kAbsent))}),
              AnomalyKind::kNonMonotonicRead);
}

// That a value is there, and then which.
TEST(SoundTest, PresenceAndThenTheValue) {
  const std::vector<Step> steps{PutIfAbsent("x", "9", true), Get("x", "0")};
  ExpectSound(From({{"x", "0"}}, {Txn(1, 2, 3, steps)}));
  ExpectNamed(From({{"x", "0"}}, {Call(1, 2, Put("x", "1")), Txn(3, 4, 5, steps)}), AnomalyKind::kStaleRead);
  ExpectNamed(From({{"x", "0"}}, {Txn(1, 2, 3, {PutIfAbsent("x", "9", true), Get("x", kAbsent)})}),
              AnomalyKind::kUnrepeatableRead);
}

TEST(SoundTest, CountersOfManyThreads) {
  const uint64_t a = CounterDelta(0);
  const uint64_t b = CounterDelta(1);
  ExpectSound(Of({Call(1, 5, Add("n", a, a + b), 0), Call(2, 4, Add("n", b, b), 1), Batch(6, 9, {Add("n", a)}, 0),
                  Batch(7, 8, {Add("n", b), Add("m", b)}, 1),
                  Snapshot(10, 11, {Get("n", WordValue(2 * a + 2 * b)), Get("m", WordValue(b))})}));
}

// Where counters are also put and deleted, only the search can tell.
TEST(SoundTest, CountersThatAreReset) {
  ExpectSound(Of({Call(1, 2, Add("n", 5, 5)), Call(3, 4, Put("n", WordValue(7))), Call(5, 8, Add("n", 1, 9)),
                  Call(6, 7, Add("n", 1, 8)), Call(9, 10, Delete("n", true)), Call(11, 12, Add("n", 3, 3))}));
}

TEST(SoundTest, BlindWritesOfEqualValues) {
  ExpectSound(Of({Call(1, 2, Put("x", "1")), Call(3, 9, Put("x", "2")), Call(4, 10, Put("x", "1")),
                  Call(5, 6, Get("x", "2")), Call(11, 12, Get("x", "1"))}));
}

TEST(DirtyReadTest, OfAnAbortedTransaction) {
  ExpectNamed(Of({Txn(1, 4, 5, {Put("x", "1")}, Outcome::kAborted), Call(2, 3, Get("x", "1"))}),
              AnomalyKind::kAbortedRead);
}

TEST(DirtyReadTest, OfAnIntermediateValue) {
  ExpectNamed(Of({Txn(1, 4, 5, {Put("x", "1"), Put("x", "2")}), Call(2, 6, Get("x", "1"))}),
              AnomalyKind::kIntermediateRead);
}

TEST(DirtyReadTest, OfWhatNobodyWrote) {
  ExpectNamed(Of({Call(1, 2, Put("x", "1")), Call(3, 4, Get("x", "2"))}), AnomalyKind::kGarbageRead);
  ExpectNamed(From({{"x", "1"}}, {Call(3, 4, Get("x", kAbsent))}), AnomalyKind::kGarbageRead);
}

TEST(DirtyReadTest, BeforeTheCommit) {
  ExpectNamed(Of({Call(1, 2, Get("x", "1")), Txn(1, 3, 4, {Put("x", "1")})}), AnomalyKind::kFutureRead);
}

TEST(OwnReadsTest, OfItsOwnWriteIsMissing) {
  ExpectNamed(From({{"x", "0"}}, {Txn(1, 2, 3, {Put("x", "1"), Get("x", "0")})}), AnomalyKind::kOwnWriteNotSeen);
  ExpectNamed(From({{"x", "0"}}, {Txn(1, 2, 3, {Delete("x"), Scan("", kEnd, {{"x", "0"}})})}),
              AnomalyKind::kOwnWriteNotSeen);
}

TEST(OwnReadsTest, ASnapshotMoves) {
  ExpectNamed(From({{"x", "0"}}, {Snapshot(1, 2, {Get("x", "0"), Get("x", "1")}), Call(1, 3, Put("x", "1"))}),
              AnomalyKind::kUnrepeatableRead);
  ExpectNamed(
      From({{"x", "0"}},
           {Snapshot(1, 2,
                     {Scan("", kEnd, {{"x", "0"}}), Scan("", kEnd, {{"y", "1"}, {"x", "0"}}, /*is_reverse=*/true)}),
            Call(1, 3, Put("y", "1"))}),
      AnomalyKind::kUnrepeatableRead);
}

TEST(OwnReadsTest, AScanIsOutOfOrder) {
  const std::map<std::string, std::string> initial{{"a", "1"}, {"b", "2"}};
  for (const std::vector<Row>& rows :
       {std::vector<Row>{{"b", "2"}, {"a", "1"}}, {{"a", "1"}, {"a", "1"}, {"b", "2"}}}) {
    ExpectNamed(From(initial, {Snapshot(1, 2, {Scan("", kEnd, rows)})}), AnomalyKind::kMalformedScan);
  }
  ExpectNamed(From(initial, {Snapshot(1, 2, {Scan("", "b", {{"a", "1"}, {"b", "2"}})})}), AnomalyKind::kMalformedScan);
}

TEST(LostUpdateTest, OfTwoTransactions) {
  ExpectNamed(
      From({{"x", "0"}}, {Txn(1, 3, 5, {Get("x", "0"), Put("x", "1")}), Txn(2, 4, 6, {Get("x", "0"), Put("x", "2")})}),
      AnomalyKind::kLostUpdate);
}

TEST(LostUpdateTest, CompareAndSwapSucceedsTwice) {
  ExpectNamed(From({{"x", "0"}},
                   {Call(1, 3, CompareAndSwap("x", "0", "1", "0")), Call(2, 4, CompareAndSwap("x", "0", "2", "0"))}),
              AnomalyKind::kLostUpdate);
}

TEST(LostUpdateTest, OfAnUpdateFunction) {
  ExpectNamed(From({{"x", "0"}},
                   {Call(1, 3, Update("x", "0", "1")), Call(2, 4, Update("x", "0", "2")), Call(5, 6, Get("x", "2"))}),
              AnomalyKind::kLostUpdate);
}

TEST(LostUpdateTest, AnInsertWinsTwice) {
  ExpectNamed(Of({Call(1, 3, PutIfAbsent("x", "1", false)), Call(2, 4, PutIfAbsent("x", "2", false))}),
              AnomalyKind::kDuplicateInsert);
  ExpectNamed(Of({Call(1, 2, PutIfAbsent("x", "1", false)), Call(3, 4, PutIfAbsent("x", "2", false))}),
              AnomalyKind::kDuplicateInsert);
}

TEST(LostUpdateTest, OfTwoAdditions) {
  const uint64_t a = CounterDelta(0);
  const uint64_t b = CounterDelta(1);
  ExpectNamed(Of({Call(1, 3, Add("n", a, a), 0), Call(2, 4, Add("n", b, b), 1)}), AnomalyKind::kLostUpdate);
  // Both had answers that agree; one is gone later.
  ExpectNamed(
      Of({Call(1, 3, Add("n", a, a), 0), Call(2, 4, Add("n", b, a + b), 1), Call(5, 6, Get("n", WordValue(a)))}),
      AnomalyKind::kStaleRead);
  ExpectNamed(
      Of({Call(1, 3, Add("n", a, a), 0), Call(2, 4, Add("n", b, a + b), 1), Call(5, 6, Get("n", WordValue(b)))}),
      AnomalyKind::kReadSkew);
  ExpectNamed(Of({Batch(1, 3, {Add("n", a)}, 0), Batch(2, 4, {Add("n", b)}, 1), Call(5, 6, Get("n", WordValue(b)))}),
              AnomalyKind::kStaleRead);
}

TEST(LostUpdateTest, AnAdditionCountsTwice) {
  const uint64_t a = CounterDelta(0);
  ExpectNamed(Of({Call(1, 3, Add("n", a, a), 0), Call(5, 6, Get("n", WordValue(2 * a)))}), AnomalyKind::kGarbageRead);
}

TEST(WriteCycleTest, TwoBatchesEachWinAKey) {
  ExpectNamed(Of({Batch(1, 3, {Put("x", "1"), Put("y", "1")}), Batch(2, 4, {Put("x", "2"), Put("y", "2")}),
                  Call(5, 6, Get("x", "1")), Call(5, 6, Get("y", "2"))}),
              AnomalyKind::kWriteCycle);
}

TEST(CircularFlowTest, EachSawTheOther) {
  ExpectNamed(Of({Txn(1, 3, 5, {Get("y", "2"), Put("x", "1")}), Txn(2, 4, 6, {Get("x", "1"), Put("y", "2")})}),
              AnomalyKind::kCircularFlow);
}

TEST(ReadSkewTest, OldAndNew) {
  ExpectNamed(From({{"x", "0"}, {"y", "0"}},
                   {Txn(1, 5, 6, {Get("x", "0"), Get("y", "1")}), Txn(2, 3, 4, {Put("x", "1"), Put("y", "1")})}),
              AnomalyKind::kReadSkew);
}

// Whichever delete it was that was seen, something came before it that wasn't.
TEST(ReadSkewTest, OfAbsentByOneOfTwo) {
  ExpectNamed(From({{"x", "0"}, {"y", "0"}},
                   {Call(1, 20, Put("y", "1")), Txn(2, 3, 21, {Get("y", "1"), Delete("x")}),
                    Txn(2, 4, 22, {Get("y", "1"), Delete("x")}), Snapshot(5, 6, {Get("x", kAbsent), Get("y", "0")})}),
              AnomalyKind::kNonAtomicSnapshot);
}

TEST(ReadSkewTest, HalfABatch) {
  ExpectNamed(Of({Batch(1, 5, {Put("x", "1"), Put("y", "1")}), Txn(2, 3, 4, {Get("x", "1"), Get("y", kAbsent)})}),
              AnomalyKind::kTornBatch);
  ExpectNamed(Of({Batch(1, 5, {Put("x", "1"), Put("y", "1")}), Snapshot(2, 3, {Scan("", kEnd, {{"y", "1"}})})}),
              AnomalyKind::kTornBatch);
  const uint64_t a = CounterDelta(0);
  ExpectNamed(
      Of({Batch(1, 5, {Add("n", a), Add("m", a)}), Snapshot(2, 3, {Get("n", WordValue(a)), Get("m", kAbsent)})}),
      AnomalyKind::kTornBatch);
}

TEST(ReadSkewTest, HalfADeletedRange) {
  ExpectNamed(From({{"x", "0"}, {"y", "0"}},
                   {Call(1, 5, DeleteRange("x", "z")), Snapshot(2, 3, {Get("x", "0"), Get("y", kAbsent)})}),
              AnomalyKind::kTornBatch);
}

TEST(ReadSkewTest, ASnapshotMissesWhatCameBeforeWhatItSaw) {
  ExpectNamed(From({{"x", "0"}, {"y", "0"}}, {Call(2, 3, Put("x", "1")), Call(4, 5, Put("y", "1")),
                                              Snapshot(1, 6, {Get("x", "0"), Get("y", "1")})}),
              AnomalyKind::kNonAtomicSnapshot);
}

TEST(LongForkTest, TwoReadersSeeTwoOrders) {
  ExpectNamed(From({{"x", "0"}, {"y", "0"}},
                   {Call(1, 9, Put("x", "1")), Call(2, 10, Put("y", "1")),
                    Snapshot(3, 5, {Get("x", "1"), Get("y", "0")}), Snapshot(4, 6, {Get("x", "0"), Get("y", "1")})}),
              AnomalyKind::kLongFork);
}

TEST(WriteSkewTest, EachReadWhatTheOtherWrote) {
  ExpectNamed(From({{"x", "0"}, {"y", "0"}}, {Txn(1, 3, 5, {Get("x", "0"), Get("y", "0"), Put("x", "1")}),
                                              Txn(2, 4, 6, {Get("x", "0"), Get("y", "0"), Put("y", "1")})}),
              AnomalyKind::kWriteSkew);
}

// The name says more than that the second came too late.
TEST(WriteSkewTest, OneCommitAfterTheOther) {
  ExpectNamed(From({{"x", "0"}, {"y", "0"}}, {Txn(1, 3, 4, {Get("x", "0"), Get("y", "0"), Put("x", "1")}),
                                              Txn(2, 5, 6, {Get("x", "0"), Get("y", "0"), Put("y", "1")})}),
              AnomalyKind::kWriteSkew);
}

TEST(WriteSkewTest, IntoARangeThatTheOtherRead) {
  ExpectNamed(
      Of({Txn(1, 3, 5, {Scan("a", "c", {}), Put("b", "1")}), Txn(2, 4, 6, {Scan("a", "c", {}), Put("a", "2")})}),
      AnomalyKind::kPhantom);
}

TEST(StaleReadTest, OfWhatWasOverwritten) {
  ExpectNamed(From({{"x", "0"}}, {Call(1, 2, Put("x", "1")), Call(3, 4, Get("x", "0"))}), AnomalyKind::kStaleRead);
  ExpectNamed(Of({Call(1, 2, Put("x", "1")), Call(3, 4, Put("x", "2")), Call(5, 6, Get("x", "1"))}),
              AnomalyKind::kStaleRead);
  ExpectNamed(Of({Call(1, 2, Put("x", "1")), Call(3, 4, Get("x", kAbsent))}), AnomalyKind::kStaleRead);
}

TEST(StaleReadTest, ADeletedValueIsBack) {
  ExpectNamed(Of({Call(1, 2, Put("x", "1")), Call(3, 4, Delete("x", true)), Call(5, 6, Get("x", "1"))}),
              AnomalyKind::kResurrection);
  ExpectNamed(From({{"x", "0"}}, {Call(3, 4, DeleteRange("a", "z")), Snapshot(5, 6, {Scan("", kEnd, {{"x", "0"}})})}),
              AnomalyKind::kResurrection);
}

TEST(StaleReadTest, ADeleteFindsNothing) {
  ExpectNamed(Of({Call(1, 2, Put("x", "1")), Call(3, 4, Delete("x", false))}), AnomalyKind::kStaleRead);
}

TEST(StaleReadTest, ADeleteSucceedsTwice) {
  ExpectNamed(From({{"x", "0"}}, {Call(1, 2, Delete("x", true)), Call(3, 4, Delete("x", true))}),
              AnomalyKind::kLostUpdate);
}

TEST(StaleReadTest, SnapshotsGoBack) {
  ExpectNamed(
      From({{"x", "0"}}, {Call(1, 9, Put("x", "1")), Snapshot(2, 3, {Get("x", "1")}), Snapshot(4, 5, {Get("x", "0")})}),
      AnomalyKind::kNonMonotonicRead);
}

// An aborted transaction that saw a state that never was: harmless, unless it is forbidden.
TEST(OpacityTest, IsAskedForByOption) {
  const History history =
      From({{"x", "0"}, {"y", "0"}}, {Txn(1, 7, 8, {Get("x", "0"), Get("y", "1"), Put("z", "1")}, Outcome::kAborted),
                                      Batch(2, 3, {Put("x", "1"), Put("y", "1")})});
  EXPECT_EQ(CheckStrictSerializability(history).verdict, Verdict::kYes);
  const Report report = CheckStrictSerializability(history, {.search = {}, .with_aborted = true});
  EXPECT_TRUE(report.Has(AnomalyKind::kTornBatch)) << report.text;
}

}  // namespace
}  // namespace sealkv::history
