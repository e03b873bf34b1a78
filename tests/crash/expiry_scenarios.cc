// What is done with values that expire: put, replaced, made to stay; and erased by compaction when they are over.
#include <utility>

#include "tests/crash/scenario.h"
#include "tests/crash/scripts.h"
#include "tests/crash/shape_change.h"

namespace sealkv::crash {
namespace {

bool EntriesGone(const Shape& before, const Shape& after) { return Entries(after) + 2 < Entries(before); }
bool EntriesGoneRestMoved(const Shape& before, const Shape& after) {
  return EntriesGone(before, after) && NewOnes(before.records, after.records) >= 3;
}

}  // namespace

std::vector<Scenario> ExpiryScenarios() {
  std::vector<Scenario> all;
  const std::string word = testing::WordValue(7);
  all.push_back(
      {.kind = "expiry: put, replaced, made to stay",
       .setup = {Put(U64Key(1), 1), Put("a", "1"), Put("b", 2), Put("8 bytes:1", "tie")},
       .operations = {PutUntil(U64Key(1), word, kFarAway), PutUntil(U64Key(2), word, kFarAway),
                      PutUntil("a", "2", kFarAway), PutUntil("b", word, kFarAway), Add("b", 1), Add(U64Key(1), 1),
                      Update("a", "3"), PutUntil("8 bytes:2", "x", kFarAway), Put("b", 3), Put(U64Key(1), 4),
                      PutUntil("c", "5", kLongAgo), Put("c", "6"), PutUntil("c", word, kLongAgo), Add("c", 1),
                      PutUntil("c", word, kLongAgo), Delete("c"), PutIfAbsent("c", "7"), CompareAndSwap("b", 3, 4)},
       .happened = Always,
       .times = 18});
  all.push_back(
      {.kind = "expiry: in a batch and a transaction",
       .setup = {Put("a", "1"), PutUntil("b", word, kLongAgo), Put("c", 3)},
       .operations = {Batch({PutUntil("a", "2", kFarAway), Add("b", 1), PutUntil("c", word, kLongAgo)}),
                      Transact({Get("c"), PutUntil("d", "4", kFarAway), Put("c", "5")}), DeleteRange("a", "c")},
       .happened = Always,
       .times = 3});
  // A segment is full of what is over, or has some of it among what stays.
  Operations over, mixed, words;
  for (char key = 'a'; key <= 'z'; ++key) {
    over.push_back(PutUntil(std::string(1, key), std::string(250, key), kLongAgo));
    mixed.push_back(PutUntil(std::string(1, key), std::string(250, key), key % 3 == 0 ? kFarAway : kLongAgo));
    words.push_back(PutUntil("8 bytes:" + std::string(1, key), word, key % 2 == 0 ? kFarAway : kLongAgo));
  }
  all.push_back({.kind = "expiry: compaction erases what is over",
                 .setup = over,
                 .operations = {Compact(), Put("b", 1), Reopen(), Compact()},
                 .happened = EntriesGone});
  all.push_back({.kind = "expiry: compaction erases, and moves the rest",
                 .setup = mixed,
                 .operations = {Compact(), Put("b", 1)},
                 .happened = EntriesGoneRestMoved});
  all.push_back({.kind = "expiry: compaction in layers",
                 .setup = words + PutBehind("8 bytes:", "b"),
                 .operations = {Compact(), Put("b", 1)},
                 .happened = Always});
  all.push_back({.kind = "expiry: a large record, after a reopening",
                 .setup = {PutUntil("a", std::string(9000, 'a'), kLongAgo), Put("b", 1),
                           PutUntil("c", std::string(9000, 'c'), kFarAway)},
                 .operations = {Reopen(), Recover(), Compact(), Put("d", std::string(9000, 'd'))},
                 .happened = SegmentReleased});
  Scenario logged{.kind = "expiry: where changes are kept", .change_log_bytes = 1 << 20};
  logged.setup = mixed;
  logged.operations = {PutUntil("a", "2", kFarAway), Add("new", 1), PutUntil("b", "3", kLongAgo), Compact(),
                       Put("b", 1)};
  logged.happened = Always;
  logged.is_large = true;
  all.push_back(std::move(logged));
  return all;
}

}  // namespace sealkv::crash
