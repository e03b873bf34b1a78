// What is done at once: batches, ranges, transactions; whatever they do to the tree, all of it is there after a crash
// or none of it.
#include <utility>

#include "tests/crash/scenario.h"
#include "tests/crash/scripts.h"
#include "tests/crash/shape_change.h"

namespace sealkv::crash {
namespace {

using Redo = Scenario::Redo;

bool SomeLeavesSplit(const Shape& before, const Shape& after) {
  return after.leaves.size() > before.leaves.size() && NewOnes(before.leaves, after.leaves) >= 2;
}
bool SomeLeavesWent(const Shape& before, const Shape& after) { return after.leaves.size() < before.leaves.size(); }
bool SomeLayersWent(const Shape& before, const Shape& after) {
  return after.layer_roots.size() < before.layer_roots.size();
}
bool Nothing(const Shape& before, const Shape& after) {
  return SameNodes(before, after) && before.entries == after.entries && before.records == after.records;
}

void AddSmall(std::vector<Scenario>* all) {
  // What comes down to one word needs no redo: that word is the commit.
  all->push_back({.kind = "batch of one word",
                  .setup = PutNumbers(1, 9),
                  .operations = {Batch({Put(U64Key(3), 7)}), Batch({Delete(U64Key(5)), Delete(U64Key(7))})},
                  .happened = SameNodes,
                  .times = 2,
                  .redo = Redo::kNever});
  all->push_back({.kind = "batch of two words in a leaf",
                  .setup = PutNumbers(1, 9),
                  .operations = {Batch({Put(U64Key(1), 7), Put(U64Key(9), 8)})},
                  .happened = UpdatedInPlace,
                  .redo = Redo::kIs});
  all->push_back({.kind = "batch of inserts into a leaf",
                  .setup = PutNumbers(10, 50, 10),
                  .operations = {Batch(PutNumbers(15, 35, 10)), Batch({Put("a", "1"), Put("b", "2")})},
                  .happened = SameNodes,
                  .times = 2,
                  .redo = Redo::kIs});
  all->push_back(
      {.kind = "batch of all kinds of changes",
       .setup = {Put("a", "1"), Put("b", "2"), Put("c", 3), Put("d", "4"), Put(U64Key(1), 1), Put(U64Key(2), 2)},
       .operations = {Batch({Put("a", "another"), Delete("b"), Add("c", 4), Put("d", 8), Put("e", "new"), Add("f", 6),
                             Put(U64Key(1), 7), Put(U64Key(2), "a record"), Delete("g"), Put("h", ""), Delete("h"),
                             Add("h", 1)})},
       .happened = SameNodes,
       .redo = Redo::kIs});
  all->push_back({.kind = "batch that replaces records",
                  .setup = PutBehind("r", "abcd"),
                  .operations = {Batch(PutBehind("r", "bd", 30)), Batch({Put("ra", "x"), Add("rw", 1)}),
                                 Batch({Add("rw", 2), Put("rc", "y")})},
                  .happened = SameNodes,
                  .times = 3,
                  .redo = Redo::kIs});
  all->push_back({.kind = "batch over several leaves",
                  .setup = PutNumbers(0, 600, 10),
                  .operations = {Batch({Put(U64Key(20), 1), Delete(U64Key(200)), Put(U64Key(500), 2)})},
                  .happened = SameNodes,
                  .redo = Redo::kIs});
  // The second blob, and a record, come to lie where the first blob was; and the lane is the same.
  all->push_back({.kind = "batches, one after the other",
                  .setup = PutNumbers(1, 9),
                  .operations = {Batch({Put(U64Key(1), 7), Put(U64Key(9), 8)}), Put("r", std::string(90, 'r')),
                                 Batch({Put(U64Key(1), 9), Put(U64Key(2), 9)}), Delete("r"),
                                 Batch({Put(U64Key(2), 1), Put(U64Key(9), 2)}), Put(U64Key(2), 3)},
                  .happened = SameNodes,
                  .times = 6,
                  .redo = Redo::kIs});
  all->push_back({.kind = "batches between opens",
                  .setup = PutNumbers(1, 20) + PutBehind("8 bytes:", "abc"),
                  .operations = {Reopen(), Batch({Put(U64Key(1), 7), Put("8 bytes:d", "d")}), Recover(),
                                 Batch({Put(U64Key(1), 8), Delete("8 bytes:d")}), Reopen(), Put(U64Key(1), 9)},
                  .happened = Always,
                  .times = 6,
                  .redo = Redo::kIs});
}

void AddGrowing(std::vector<Scenario>* all) {
  all->push_back({.kind = "batch that splits a leaf",
                  .setup = PutNumbers(0, 400, 10),
                  .operations = {Batch(PutNumbers(41, 43))},
                  .happened = SomeLeavesSplit,
                  .redo = Redo::kIs});
  all->push_back({.kind = "batch that splits many leaves",
                  .setup = PutNumbers(0, 400, 10),
                  .operations = {Batch(PutNumbers(5, 400, 20) + PutBehind("k", "abcdef"))},
                  .happened = SomeLeavesSplit,
                  .redo = Redo::kIs});
  // The root word alone says all of it.
  all->push_back({.kind = "batch that splits the root, a leaf",
                  .setup = PutNumbers(0, 130, 10),
                  .operations = {Batch(PutNumbers(41, 45, 2))},
                  .happened = LeafRootSplit,
                  .redo = Redo::kNever});
  all->push_back({.kind = "batch that splits the root, an inner node",
                  .setup = PutNumbers(0, 1950, 10),
                  .operations = {Batch(PutNumbers(41, 43) + Operations{Put(U64Key(1900), 1)})},
                  .happened = RootGrew,
                  .redo = Redo::kIs});
  all->push_back({.kind = "batch that splits an inner node",
                  .setup = PutNumbers(0, 2000, 10),
                  .operations = {Batch(PutNumbers(41, 43) + Operations{Put(U64Key(1900), 1)})},
                  .happened = InnerSplit,
                  .redo = Redo::kIs});
  all->push_back(
      {.kind = "batch at the right edge",
       .setup = PutNumbers(1, 27),
       .operations = {Batch(PutNumbers(28, 31)), Batch(PutNumbers(40, 75))},
       .happened = [](const Shape& before, const Shape& after) { return after.leaves.size() > before.leaves.size(); },
       .times = 2,
       .redo = Redo::kIs});
  all->push_back({.kind = "batch at the right edge of a layer",
                  .setup = PutBehind("sixteen bytes of", "abcdefghijklm"),
                  .operations = {Batch(PutBehind("sixteen bytes of", "nopq"))},
                  .happened = LayerRightEdgeRootGrew});
  all->push_back(
      {.kind = "batch into an empty store",
       .setup = {},
       .operations = {Batch(PutNumbers(1, 40) + PutBehind("8 bytes:", "abcdef"))},
       .happened = [](const Shape& before, const Shape& after) { return Entries(before) < Entries(after); }});
}

void AddLayersAndShrinking(std::vector<Scenario>* all) {
  const std::string eight = "8 bytes:";
  all->push_back(
      {.kind = "batch that makes layers",
       .setup = PutBehind(eight, "abcd") + PutBehind("8 BYTES:" + eight + eight, "abcd"),
       .operations = {Batch(PutBehind(eight, "efg") + PutBehind("8 BYTES:" + eight + eight, "0") +
                            PutBehind("another:" + eight, "abcdef"))},
       .happened = [](const Shape& before,
                      const Shape& after) { return after.layer_roots.size() == before.layer_roots.size() + 3; },
       .redo = Redo::kIs});
  all->push_back({.kind = "batch that shortens a prefix",
                  .setup = PutBehind(eight + eight + eight + eight + eight, "abcde"),
                  .operations = {Batch({Put(eight + eight + eight + eight + "different", "x"), Put(eight + "early", 2),
                                        Delete(eight + eight + eight + eight + eight + "c")})},
                  .happened = [](const Shape& before, const Shape& after) {
                    return after.layer_roots.size() > before.layer_roots.size();
                  }});
  all->push_back(
      {.kind = "batch that removes layers",
       .setup = PutBehind(eight, "abcde") + PutBehind("8 BYTES:" + eight + eight, "abcde"),
       .operations = {Batch(DeleteBehind(eight, "acde") + DeleteBehind("8 BYTES:" + eight + eight, "abcde"))},
       .happened = SomeLayersWent,
       .redo = Redo::kIs});
  all->push_back({.kind = "batch that merges leaves",
                  .setup = PutNumbers(1, 70),
                  .operations = {Batch(DeleteNumbers(15, 26) + DeleteNumbers(29, 40))},
                  .happened = SomeLeavesWent,
                  .redo = Redo::kIs});
  all->push_back(
      {.kind = "batch that drops leaves and splits others",
       .setup = PutNumbers(1, 70),
       .operations = {Batch(DeleteNumbers(15, 42) + PutNumbers(1000, 1002) + Operations{Put(U64Key(0), "x")})},
       .happened =
           [](const Shape& before, const Shape& after) {
             return NewOnes(after.leaves, before.leaves) >= 3 && NewOnes(before.leaves, after.leaves) >= 3;
           },
       .redo = Redo::kIs});
  all->push_back({.kind = "batch that shrinks the root",
                  .setup = PutNumbers(1, 30),
                  .operations = {Batch(DeleteNumbers(3, 30) + Operations{Put(U64Key(1), 2)})},
                  .happened = RootShrank});
  all->push_back({.kind = "batch that deletes all",
                  .setup = PutNumbers(1, 40) + PutBehind("sixteen bytes of", "abcdef"),
                  .operations = {Batch(DeleteNumbers(1, 40) + DeleteBehind("sixteen bytes of", "abcdef"))},
                  .happened = [](const Shape&, const Shape& after) { return Entries(after) == 0; }});
}

// Segments have 4 KiB, and a blob's chunk no more than half of that: 126 words.
void AddSpace(std::vector<Scenario>* all) {
  Operations updates;
  for (uint64_t i = 1; i <= 130; ++i) updates.push_back(Put(U64Key(i), i));
  all->push_back({.kind = "batch of several chunks",
                  .setup = PutNumbers(1, 150),
                  .operations = {Batch(updates), Put("over a chunk", std::string(1900, 'x'))},
                  .happened = SameNodes,
                  .times = 2,
                  .redo = Redo::kIs,
                  .is_large = true});
  Operations large;
  for (uint64_t i = 0; i < 20; ++i) large.push_back(Put(U64Key(i), std::string(300, 'x')));
  all->push_back({.kind = "batch larger than a segment",
                  .setup = PutNumbers(1, 30),
                  .operations = {Batch(large)},
                  .happened = RecordSegmentTaken,
                  .times = 0,
                  .redo = Redo::kIs,
                  .is_large = true});
  all->push_back({.kind = "batch with a large value",
                  .setup = PutNumbers(1, 9),
                  .operations = {Batch({PutLarge("a", 2), Put("b", 1)}), Batch({PutLarge("a", 1), Delete("b")}),
                                 Batch({Put("a", 1), PutLarge("c", 3)})},
                  .happened = Always,
                  .times = 3,
                  .redo = Redo::kIs,
                  .is_large = true});
  const Operations full = {PutLarge("f", 2), PutLarge("a", 3), PutLarge("b", 3),
                           PutLarge("c", 3), PutLarge("d", 2), Put("e", 5)};
  all->push_back({.kind = "batch that finds no space",
                  .setup = full + PutNumbers(1, 3),
                  .operations = {Batch(PutNumbers(1, 3) + PutBehind("r", "abcdefghij", 500)), Put(U64Key(1), 7),
                                 Batch({Put(U64Key(1), 8), Put(U64Key(2), 8)})},
                  .happened = Nothing,
                  .times = 2,  // the first has compaction move what lies beside it
                  .may_be_full = true,
                  .redo = Redo::kIs});
  // One chunk finds room, the other one doesn't.
  Operations most;
  for (uint64_t i = 1; i <= 252; ++i) most.push_back(Put(U64Key(i), i));
  all->push_back({.kind = "batch whose blob finds no space",
                  .setup = PutNumbers(1, 252) + Operations{PutLarge("a", 3), PutLarge("b", 3), PutLarge("c", 3),
                                                           PutLarge("d", 3), Put("e", 5)},
                  .operations = {Batch(most), Put("f", std::string(1900, 'f')), Put(U64Key(1), 7)},
                  .happened = Nothing,
                  .times = 1,  // as above
                  .may_be_full = true,
                  .redo = Redo::kNever,
                  .is_large = true});
}

void AddOthers(std::vector<Scenario>* all) {
  all->push_back({.kind = "range deleted, in a leaf",
                  .setup = PutNumbers(1, 9) + PutBehind("8 bytes:", "abc"),
                  .operations = {DeleteRange(U64Key(3), U64Key(5)), DeleteRange(U64Key(3), U64Key(5)),
                                 DeleteRange("8 bytes:b", "9")},
                  .happened = SameNodes,
                  .times = 3});
  all->push_back({.kind = "range deleted, over many leaves",
                  .setup = PutNumbers(1, 100),
                  .operations = {DeleteRange(U64Key(10), U64Key(80)), Put(U64Key(40), 1)},
                  .happened = SomeLeavesWent,
                  .redo = Redo::kIs});
  all->push_back({.kind = "range deleted, with layers",
                  .setup = PutNumbers(1, 40) + PutBehind("8 bytes:8 bytes:8 bytes:", "abcdef") +
                           PutBehind("z", "abcdefghijklmnopqrstuvwxyz"),
                  .operations = {DeleteRange(U64Key(25), "zk")},
                  .happened = LayerRemoved,
                  .redo = Redo::kIs});
  all->push_back({.kind = "transaction",
                  .setup = PutNumbers(0, 400, 10) + Operations{Put("a", "1"), Put("b", 2)},
                  .operations = {Transact({Get("a"), Get("c"), Put("c", "3"), Put(U64Key(10), 1), Get(U64Key(10))}),
                                 Transact({Get(U64Key(30)), Add(U64Key(40), 1), Add("b", 1), Delete("c")}),
                                 Transact({Scan(), Delete("a"), Scan(), Put(U64Key(405), 5)}), Transact({Get("a")})},
                  .happened = Always,
                  .times = 4,
                  .redo = Redo::kIs});
  all->push_back(
      {.kind = "update by a function",
       .setup = PutNumbers(1, 5) + Operations{Put("a", "1234"), Put("b", "x")},
       .operations = {Update("a", "5678"), Update("a", "9"), Update("b", "yz"), Update("new", "1"),
                      Update(U64Key(2), "longer"), UpdateAway("b"), UpdateAway(U64Key(3)), UpdateAway("nothing")},
       .happened = SameNodes,
       .times = 8,
       .redo = Redo::kNever});
}

}  // namespace

std::vector<Scenario> BatchScenarios() {
  std::vector<Scenario> all;
  AddSmall(&all);
  AddGrowing(&all);
  AddLayersAndShrinking(&all);
  AddSpace(&all);
  AddOthers(&all);
  return all;
}

}  // namespace sealkv::crash
