// What is done while a snapshot or an iterator is open. It leaves no trace in the file, but other ways are gone: what
// it sees isn't changed in place, nor used for anything else.
#include <utility>

#include "tests/crash/scenario.h"
#include "tests/crash/scripts.h"
#include "tests/crash/shape_change.h"

namespace sealkv::crash {

std::vector<Scenario> SnapshotScenarios() {
  std::vector<Scenario> all;
  const std::string eight = "8 bytes:";
  const Operations words = {Put("a", 1), Put(eight + "1", 2), Put(eight + "2", 3), Put("b", "2")};
  all.push_back({.kind = "snapshot: words in records",
                 .setup = words + Operations{OpenSnapshot()},
                 .operations = {Put("a", 7), Add(eight + "1", 8), CompareAndSwap(eight + "2", 3, 9), Put("a", 10),
                                Update("a", ""), Close(), Put("a", 11)},
                 .happened = UpdatedByRecord,
                 .times = 4});
  all.push_back(
      {.kind = "snapshot: inserts, updates, deletes",
       .setup = PutNumbers(1, 9) + words + Operations{OpenSnapshot()},
       .operations = {Put(U64Key(3), 1), Put("c", "3"), Put("b", "another"), Delete(eight + "1"), Delete(U64Key(4)),
                      Put(U64Key(4), "4"), Close(), OpenSnapshot(), Put("c", "4"), Delete("b"), Close(), Put("c", "5")},
       .happened = SameNodes,
       .times = 12});
  all.push_back({.kind = "snapshot: splits",
                 .setup = PutNumbers(0, 400, 10) + Operations{OpenSnapshot()},
                 .operations = PutNumbers(41, 49) + PutNumbers(401, 412) + Operations{Close()} + PutNumbers(51, 53),
                 .happened = LeafSplit});
  all.push_back({.kind = "snapshot: the root grows, and shrinks",
                 .setup = PutNumbers(0, 130, 10) + Operations{OpenSnapshot()},
                 .operations = PutNumbers(41, 42) + Operations{Close(), OpenIterator()} + DeleteNumbers(0, 100, 10) +
                               Operations{Close()} + PutNumbers(1, 3),
                 .happened = [](const Shape& before, const Shape& after) { return before.root != after.root; },
                 .times = 2});
  all.push_back({.kind = "iterator: merges",
                 .setup = PutNumbers(1, 70) + Operations{OpenIterator()},
                 .operations = DeleteNumbers(15, 26) + Operations{Put(U64Key(20), 1)} + DeleteNumbers(29, 40) +
                               Operations{Close(), Put(U64Key(21), 1)},
                 .happened = Merged});
  all.push_back(
      {.kind = "iterator: layers",
       .setup = PutBehind(eight + eight + eight, "abcd") + Operations{OpenIterator()},
       .operations = PutBehind(eight + eight + eight, "e") + Operations{Put(eight + "early", 1)} +
                     DeleteBehind(eight + eight + eight, "acde") + Operations{Close(), Put("a", "1")},
       .happened = [](const Shape& before, const Shape& after) { return before.layer_roots != after.layer_roots; },
       .times = 3});
  all.push_back(
      {.kind = "snapshot: batches",
       .setup = PutNumbers(0, 400, 10) + words + Operations{OpenSnapshot()},
       .operations = {Batch({Put("a", 5), Put(U64Key(10), 1), Delete("b")}),
                      Batch(PutNumbers(41, 45) + Operations{Put("a", 6)}), DeleteRange(U64Key(100), U64Key(300)),
                      Close(), Batch({Put("a", 7), Put(U64Key(10), 2)})},
       .happened = Always,
       .times = 5,
       .redo = Scenario::Redo::kIs});
  // What was deleted is held back, and then isn't.
  all.push_back(
      {.kind = "snapshot: space is held back",
       .setup = {PutLarge("a", 3), PutLarge("b", 3), PutLarge("c", 3), Put("d", 1), OpenSnapshot()},
       .operations = {Delete("a"), PutLarge("b", 3), PutLarge("e", 2), Close(), PutLarge("e", 3), PutLarge("f", 2),
                      Reopen(), PutLarge("g", 1)},
       .happened = [](const Shape& before, const Shape& after) { return before.live_segments != after.live_segments; },
       .times = 4,
       .may_be_full = true});
  return all;
}

}  // namespace sealkv::crash
