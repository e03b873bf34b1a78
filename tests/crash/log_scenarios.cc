// What is done in stores that keep what was changed in them (kv/change_log.h): each write is a batch with an entry of
// the log, and with it older ones go.
#include <utility>

#include "tests/crash/random_scenario.h"
#include "tests/crash/scenario.h"
#include "tests/crash/scripts.h"
#include "tests/crash/shape_change.h"
#include "tests/random.h"

namespace sealkv::crash {
namespace {

constexpr uint64_t kMuch = 1 << 30;

uint64_t FirstOf(const Shape& shape) { return shape.log_entries.empty() ? 0 : shape.log_entries.front(); }
uint64_t LastOf(const Shape& shape) { return shape.log_entries.empty() ? 0 : shape.log_entries.back(); }

bool Appended(const Shape& before, const Shape& after) { return LastOf(after) == LastOf(before) + 1; }
bool AppendedToNewLeaf(const Shape& before, const Shape& after) {
  return Appended(before, after) && after.log_leaves.size() == before.log_leaves.size() + 1;
}
bool AppendedUnderNewRoot(const Shape& before, const Shape& after) {
  return Appended(before, after) && after.log_top_level == before.log_top_level + 1;
}
bool OldOneGone(const Shape& before, const Shape& after) {
  return Appended(before, after) && FirstOf(after) == FirstOf(before) + 1;
}
bool ManyOldOnesGone(const Shape& before, const Shape& after) {
  return Appended(before, after) && FirstOf(after) > FirstOf(before) + 3;
}
bool SilentOnesOnly(const Shape& before, const Shape& after) {
  return Appended(before, after) && after.log_entries.size() == 1;  // nothing is kept before it
}
bool OldLeafGone(const Shape& before, const Shape& after) {
  return FirstOf(after) > FirstOf(before) && NewOnes(after.log_leaves, before.log_leaves) >= 1;
}
bool LogMoved(const Shape& before, const Shape& after) {
  return before.log_entries == after.log_entries && NewOnes(before.log_leaves, after.log_leaves) >= 1;
}
bool RecordsOnlyMoved(const Shape& before, const Shape& after) {
  return before.log_entries == after.log_entries && NewOnes(before.records, after.records) >= 3;
}

}  // namespace

std::vector<Scenario> LogScenarios() {
  std::vector<Scenario> all;
  const auto add = [&](std::string kind, uint64_t log_bytes, Operations setup, Operations operations,
                       bool (*happened)(const Shape&, const Shape&), unsigned times = 1) -> Scenario& {
    Scenario scenario{.kind = "log: " + std::move(kind), .change_log_bytes = log_bytes};
    scenario.setup = std::move(setup);
    scenario.operations = std::move(operations);
    scenario.happened = happened;
    scenario.times = times;
    return all.emplace_back(std::move(scenario));
  };
  add("each kind of write", kMuch, {Put("a", 1), Put(U64Key(1), 1)},
      {Put("b", "record"), Put(U64Key(2), 2), Put(U64Key(1), 3), Put("a", 2), Put("b", "another"), Add("a", 5),
       Add("new", 7), Add(U64Key(1), 1), CompareAndSwap("a", 7, 8), PutIfAbsent("c", "3"), Update("c", "4"),
       UpdateAway("c"), Delete("b"), Delete(U64Key(2))},
      Appended, 14);
  add("what changes nothing", kMuch, {Put("a", "1")},
      {Delete("b"), PutIfAbsent("a", "2"), Add("a", 1), CompareAndSwap("b", 1, 2), Batch({Delete("b")})}, SameNodes, 5);
  add("batches", kMuch, {Put("a", 1), Put("b", "2"), Put(U64Key(1), 1)},
      {Batch({Put("a", "x"), Delete("b"), Add(U64Key(1), 2), Put(U64Key(2), 2)}),
       Transact({Get("a"), Put("c", "4"), Delete("a")}), DeleteRange("b", "z")},
      Appended, 3);
  add("splits of the tree beside it", kMuch, PutNumbers(10, 140, 10), PutNumbers(5, 25, 10), Appended, 3);
  add("a new leaf", kMuch, Repeat(Put("a", "1"), 27), Repeat(Put("a", "2"), 3), AppendedToNewLeaf);
  add("a new root", kMuch, Repeat(Put("a", "1"), 13), Repeat(Put("a", "2"), 3), AppendedUnderNewRoot);
  add("a new root above two levels", kMuch, Repeat(Put("a", "1"), 195), Repeat(Put("a", "2"), 3), AppendedUnderNewRoot)
      .is_large = true;
  add("an old one goes", 400, Repeat(Put("a", "1"), 20), Repeat(Put("a", "2"), 4), OldOneGone, 4);
  add("old leaves go", 1500, Repeat(Put("a", "1"), 60), Repeat(Put("a", "2"), 20), OldLeafGone);
  add("many old ones go at once", 1500, Repeat(Put("a", "1"), 40),
      {Put("b", std::string(700, 'b')), Put("c", std::string(1400, 'c'))}, ManyOldOnesGone, 2);
  add("one that is larger than what may be kept", 300, Repeat(Put("a", "1"), 10),
      {Put("b", std::string(700, 'b')), Put("a", "2"), Put("a", "3")}, Appended, 3);
  add("while a snapshot is open", 600, Repeat(Put("a", "1"), 13) + PutNumbers(1, 14),
      {OpenSnapshot(), Put("a", "2"), Put(U64Key(20), 1), Put("a", "3"), Close(), Put("a", "4")}, Appended, 4);
  add("after a reopening", 600, Repeat(Put("a", "1"), 20), {Reopen(), Put("a", "2"), Recover(), Put("a", "3")},
      Appended, 2);
  add("compaction, its records", 1200, Repeat(Put("a", std::string(300, 'a')), 24) + Repeat(Put("b", "1"), 12),
      {Compact(), Put("c", "1")}, RecordsOnlyMoved);
  add("compaction, its nodes", kMuch, PutNumbers(1, 150) + DeleteNumbers(1, 140), {Compact(), Put("c", "1")}, LogMoved);
  all.back().memory_bytes = 120 << 10;
  all.back().is_large = true;
  add("creation", kMuch, {}, {Format(), Put("a", 1)}, Always);
  const auto puts = [](char first, char last) {
    Operations fill;
    for (char key = first; key <= last; ++key) {
      for (char end = '0'; end < '3'; ++end) fill.push_back(Put(std::string{key, end}, std::string(380, key)));
    }
    return fill;
  };
  Scenario& growing = add("growth", kMuch, puts('a', 'p'), puts('q', 'z'), PartAdded);
  growing.memory_bytes = 128 << 10;
  growing.capacity_bytes = 64 << 10;
  growing.is_large = true;
  // What is kept goes, for want of space: leaf after leaf, the next one full.
  Operations many = Repeat(Put("a", "1"), 60);
  Scenario& leaves = add("given up, leaf after leaf", kMuch, many + puts('b', 'o'), puts('p', 'z'), ManyOldOnesGone);
  leaves.may_be_full = true;
  leaves.is_large = true;
  Scenario& full = add("given up for want of space", kMuch, puts('a', 'p'), puts('q', 'z'), ManyOldOnesGone);
  full.may_be_full = true;
  full.is_large = true;
  // Deletes of keys that are longer than any free run: their entries say no more than that they are.
  const auto long_key = [](int i) { return std::to_string(i) + std::string(9000, 'k'); };
  Operations long_keys = {Put(long_key(1), "1"), Put(long_key(2), "2"), Put(long_key(3), "3")};
  Scenario& silent = add("a delete that there is no room to tell of", kMuch, long_keys + puts('a', 'z'),
                         {Delete(long_key(1)), Put("a", "1"), Delete(long_key(3))}, SilentOnesOnly);
  silent.may_be_full = true;
  silent.is_large = true;
  for (uint64_t i = 0; i < 2; ++i) {
    Scenario& random = all.emplace_back(RandomScenario(testing::TestSeed() + 100 + i));
    random.kind = "log: " + random.kind;
    random.is_large = true;
    random.change_log_bytes = i % 2 == 0 ? 700 : kMuch;
  }
  return all;
}

}  // namespace sealkv::crash
