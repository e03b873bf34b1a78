// The scripts. Stores are as small as they can be: 64 KiB, 15 segments of 16 nodes each behind the header.
#include <algorithm>
#include <initializer_list>

#include "kv/sealkv.h"
#include "tests/crash/random_scenario.h"
#include "tests/crash/scenario.h"
#include "tests/crash/scripts.h"
#include "tests/crash/shape_change.h"
#include "tests/key_shapes.h"
#include "tests/random.h"

namespace sealkv::crash {
namespace {

void AddSimpleOperations(std::vector<Scenario>* all) {
  const std::string shared = "8 bytes:";
  all->push_back({.kind = "insert, inline",
                  .setup = PutNumbers(10, 50, 10),
                  .operations = PutNumbers(5, 65, 10),
                  .happened = Inserted,
                  .times = 7});
  all->push_back({.kind = "insert, record",
                  .setup = {Put("b", "1"), Put("d", "2")},
                  .operations = {Put("c", "a value"), Put("", "empty key"), Put("a", ""), Put("e", 8),
                                 Put("12345678", "x"), Put("longer than eight", std::string(100, 'l'))},
                  .happened = Inserted,
                  .times = 6});
  all->push_back({.kind = "insert, ties of one slice",
                  .setup = {Put(shared, "end")},
                  .operations = PutBehind(shared, "cadb"),
                  .happened = Inserted,
                  .times = 4});
  all->push_back({.kind = "update, inline",
                  .setup = PutNumbers(1, 9),
                  .operations = {Put(U64Key(1), 7), Put(U64Key(5), 8), Put(U64Key(9), 9), Put(U64Key(5), 10)},
                  .happened = UpdatedInPlace,
                  .times = 4});
  all->push_back({.kind = "update, in place in a record",
                  .setup = {Put("a", 1), Put(shared + "1", 2), Put(shared + "2", 3)},
                  .operations = {Put("a", 7), Put(shared + "1", 8), Put(shared + "2", 9), Put("a", 10)},
                  .happened = UpdatedInPlace,
                  .times = 4});
  all->push_back({.kind = "update, by record",
                  .setup = {Put("a", "short"), Put(shared + "1", 2), Put(shared + "2", "long"), Put("b", "")},
                  .operations = {Put("a", "another"), Put(shared + "1", "not a word"), Put(shared + "2", 9),
                                 Put("a", ""), Put("b", std::string(90, 'b'))},
                  .happened = UpdatedByRecord,
                  .times = 5});
  all->push_back({.kind = "kind change, inline to record",
                  .setup = PutNumbers(1, 5),
                  .operations = {Put(U64Key(1), "record"), Put(U64Key(3), ""), Put(U64Key(5), std::string(70, 'r'))},
                  .happened = BecameRecord,
                  .times = 3});
  all->push_back({.kind = "kind change in a full leaf",
                  .setup = PutNumbers(1, 28),
                  .operations = {Put(U64Key(3), "record"), Put(U64Key(20), "record")},
                  .happened = BecameRecord,
                  .times = 2});
  all->push_back({.kind = "delete",
                  .setup = PutNumbers(1, 8) + PutBehind(shared, "abc"),
                  .operations = DeleteNumbers(2, 6, 2) + DeleteBehind(shared, "b"),
                  .happened = Deleted,
                  .times = 4});
  all->push_back(
      {.kind = "add",
       .setup = {Put(U64Key(1), 1), Put("record", 2)},
       .operations = {Add(U64Key(1), 41), Add("record", 40), Add("new", 3), Add(U64Key(2), 4), Add("new", 5)},
       .happened = Always,
       .times = 5});
  all->push_back({.kind = "compare-and-swap",
                  .setup = {Put(U64Key(1), 1), Put("record", 2)},
                  .operations = {CompareAndSwap(U64Key(1), 1, 10), CompareAndSwap("record", 2, 20),
                                 CompareAndSwap("record", 2, 30), CompareAndSwap(U64Key(1), 10, 11)},
                  .happened = UpdatedInPlace,
                  .times = 4});
}

void AddGrowing(std::vector<Scenario>* all) {
  all->push_back({.kind = "split of a leaf",
                  .setup = PutNumbers(0, 400, 10),
                  .operations = PutNumbers(5, 15, 1),
                  .happened = LeafSplit});
  all->push_back({.kind = "split of a leaf of records",
                  .setup = PutBehind("k", "abcdefghijklmnopqrstuvwxyz"),
                  .operations = PutBehind("kc", "0123456"),
                  .happened = LeafSplit});
  all->push_back({.kind = "split of the root, a leaf",
                  .setup = PutNumbers(0, 130, 10),
                  .operations = PutNumbers(41, 45, 2),
                  .happened = LeafRootSplit});
  all->push_back({.kind = "split of the root, an inner node",
                  .setup = PutNumbers(0, 1950, 10),
                  .operations = PutNumbers(41, 43),
                  .happened = InnerRootSplit});
  all->push_back({.kind = "split of an inner node",
                  .setup = PutNumbers(0, 2000, 10),
                  .operations = PutNumbers(41, 43),
                  .happened = InnerSplit});
  all->push_back({.kind = "right-edge split",
                  .setup = PutNumbers(1, 27),
                  .operations = PutNumbers(28, 45),
                  .happened = RightEdgeSplit});
  all->push_back({.kind = "right-edge split of the root",
                  .setup = PutNumbers(1, 13),
                  .operations = PutNumbers(14, 16),
                  .happened = RightEdgeRootGrew});
  all->push_back({.kind = "right-edge split, inner root",
                  .setup = PutNumbers(1, 195),
                  .operations = PutNumbers(196, 198),
                  .happened = RightEdgeRootGrew});
  all->push_back({.kind = "right-edge split of a layer's root",
                  .setup = PutBehind("sixteen bytes of", "abcdefghijklm"),
                  .operations = PutBehind("sixteen bytes of", "nopq"),
                  .happened = LayerRightEdgeRootGrew});
}

void AddShrinking(std::vector<Scenario>* all) {
  all->push_back({.kind = "merge of leaves",
                  .setup = PutNumbers(1, 70),
                  .operations = DeleteNumbers(15, 26) + DeleteNumbers(29, 40),
                  .happened = Merged});
  // Entries of the parent that are reused, and lie in all its lines.
  Operations thin_out;
  for (uint64_t leaf = 0; leaf < 13; ++leaf) thin_out = thin_out + DeleteNumbers(14 * leaf + 2, 14 * leaf + 12);
  all->push_back({.kind = "merges, one after the other",
                  .setup = PutNumbers(1, 182),
                  .operations = std::move(thin_out),
                  .happened = Merged,
                  .times = 4});
  all->push_back({.kind = "merge of inner nodes",
                  .setup = PutNumbers(1, 400),
                  .operations = DeleteNumbers(1, 190) + DeleteNumbers(200, 370),
                  .happened = InnerMerged});
  all->push_back({.kind = "empty leaf dropped",
                  .setup = PutNumbers(1, 56),
                  .operations = DeleteNumbers(15, 28),
                  .happened = LeafDropped});
  all->push_back(
      {.kind = "root shrinks", .setup = PutNumbers(1, 30), .operations = DeleteNumbers(3, 30), .happened = RootShrank});
  all->push_back({.kind = "root of a layer shrinks",
                  .setup = PutBehind("sixteen bytes of", "abcdefghijklmnopqrstuvwxyz"),
                  .operations = DeleteBehind("sixteen bytes of", "bcdefghijklmnopqrstuvwx"),
                  .happened = LayerRootShrank});
  all->push_back(
      {.kind = "deleted down to nothing",
       .setup = PutNumbers(1, 20) + PutBehind("sixteen bytes of", "abcdef"),
       .operations = DeleteNumbers(1, 20) + DeleteBehind("sixteen bytes of", "abcdef"),
       .happened = [](const Shape& before, const Shape& after) { return Entries(before) > 0 && Entries(after) == 0; }});
}

void AddLayers(std::vector<Scenario>* all) {
  const std::string eight = "8 bytes:";
  all->push_back({.kind = "layer made, without a prefix",
                  .setup = PutBehind(eight, "abcd"),
                  .operations = PutBehind(eight, "e"),
                  .happened = LayerMade});
  all->push_back({.kind = "layer made, prefix inline",
                  .setup = PutBehind(eight + eight, "abde"),
                  .operations = PutBehind(eight + eight, "c"),
                  .happened = LayerMade});
  all->push_back({.kind = "layer made, prefix in a record",
                  .setup = PutBehind(eight + eight + eight, "bcde"),
                  .operations = PutBehind(eight + eight + eight, "a"),
                  .happened = LayerMade});
  all->push_back({.kind = "layer made from a full leaf",
                  .setup = PutBehind("", "123456789A") + PutBehind(eight + eight, "abcd"),
                  .operations = PutBehind(eight + eight, "e"),
                  .happened = LayerMade});
  all->push_back({.kind = "layers made, one after the other",
                  .setup = PutNumbers(1, 14),
                  .operations = PutBehind("a layer:", "abcde", 1) + PutBehind("b layer:", "abcde", 1) +
                                PutBehind("c layer:", "abcde", 1) + PutBehind("d layer:", "abcde", 1),
                  .happened = LayerMade,
                  .times = 4});
  all->push_back({.kind = "prefix shortened, inline",
                  .setup = PutBehind(eight + eight, "abcde"),
                  .operations = {Put(eight + "8 other bytes", "x"), Put(eight + "8", 1)},
                  .happened = PrefixShortened});
  all->push_back({.kind = "prefix shortened, in a record",
                  .setup = PutBehind(eight + eight + eight + eight + eight, "abcde"),
                  .operations = {Put(eight + eight + eight + eight + "different", "x"), Put(eight + eight + "diff", 1),
                                 Put(eight + eight + eight, "ends there"), Put(eight + "earliest", 2)},
                  .happened = PrefixShortened,
                  .times = 3});
  all->push_back({.kind = "layer removed",
                  .setup = PutBehind(eight, "abcde"),
                  .operations = DeleteBehind(eight, "acde"),
                  .happened = LayerRemoved});
  all->push_back({.kind = "layer removed, prefix in a record",
                  .setup = PutBehind(eight + eight + eight, "abcde"),
                  .operations = DeleteBehind(eight + eight + eight, "eabc"),
                  .happened = LayerRemoved});
  all->push_back({.kind = "layer dropped, its owner full",
                  .setup = PutBehind(eight + eight + eight, "abcde") + PutBehind("", "123456790ABCD"),
                  .operations = DeleteBehind(eight + eight + eight, "abcde"),
                  .happened = LayerRemoved});
}

void AddSpace(std::vector<Scenario>* all) {
  all->push_back({.kind = "segment taken for nodes",
                  .setup = PutNumbers(1, 100),
                  .operations = PutNumbers(101, 230),
                  .happened = NodeSegmentTaken});
  all->push_back({.kind = "segment taken for records",
                  .setup = PutBehind("r", "abcdefghi", 400),
                  .operations = PutBehind("r", "jklm", 400),
                  .happened = RecordSegmentTaken});
  all->push_back({.kind = "large value, run of segments",
                  .setup = {Put("a", 1), Put("b", 2)},
                  .operations = {PutLarge("one", 1), PutLarge("three", 3), PutLarge("one", 2)},
                  .happened = RunTaken,
                  .times = 3});
  // The store is full of large values: deleting one and putting another releases segments and takes them again, first
  // from the end of the run. Segments 7, 8 and 9, of "b", have their words in two lines of the table.
  const Operations full = {PutLarge("f", 2), PutLarge("a", 3), PutLarge("b", 3),
                           PutLarge("c", 3), PutLarge("d", 2), Put("e", 5)};
  all->push_back(
      {.kind = "run released and taken again",
       .setup = full,
       .operations = {Delete("b"), Put("in a", "new segment"), PutLarge("g", 1), PutLarge("h", 1), PutLarge("i", 1),
                      Delete("c"), PutLarge("j", 3)},
       .happened = [](const Shape& before, const Shape& after) { return before.live_segments != after.live_segments; },
       .times = 5});
  // Half of each segment of records is dead: the rest is moved together, for the sake of new ones.
  const std::string letters = "abcdefghijklmnopqrstuvwxyz";
  const std::string every_second = "acegikmoqsuwy";
  all->push_back({.kind = "compaction",
                  .setup = PutBehind("a", letters, 400) + PutBehind("b", letters, 400) + PutBehind("c", letters, 400) +
                           PutBehind("d", letters, 400) + DeleteBehind("a", every_second) +
                           DeleteBehind("b", every_second) + DeleteBehind("c", every_second) +
                           DeleteBehind("d", every_second),
                  .operations = PutBehind("e", letters, 400),
                  .happened = RecordsMoved,
                  .times = 1,
                  .may_be_full = true});
  // The same with 8-byte values, which change in place.
  all->push_back({.kind = "compaction of counters",
                  .setup = PutBehind("a counter in a record, ", letters, 8) + PutBehind("a", letters, 400) +
                           PutBehind("b", letters, 400) + PutBehind("c", letters, 400) + PutBehind("d", letters, 400) +
                           DeleteBehind("a counter in a record, ", every_second) + DeleteBehind("a", every_second) +
                           DeleteBehind("b", every_second) + DeleteBehind("c", every_second) +
                           DeleteBehind("d", every_second),
                  .operations = PutBehind("e", letters, 400) + Operations{Add("a counter in a record, b", 1)},
                  .happened = RecordsMoved,
                  .times = 1,
                  .may_be_full = true});
  // Whole segments of nodes are emptied, whose others were freed: leaves, inner nodes, and those of layers.
  const auto every_second_leaf = [](uint64_t last) {
    Operations deletes;
    for (uint64_t first = 15; first < last; first += 28) deletes = deletes + DeleteNumbers(first, first + 13);
    return deletes;
  };
  all->push_back({.kind = "compaction of leaves",
                  .setup = PutNumbers(1, 600) + every_second_leaf(580),
                  .operations = {Compact(), Put(U64Key(20), 1), Delete(U64Key(3))},
                  .happened = NodesMoved});
  all->push_back({.kind = "compaction of inner nodes",
                  .setup = PutNumbers(1, 800) + every_second_leaf(780),
                  .operations = {Compact(), Put(U64Key(20), 1), Delete(U64Key(3))},
                  .happened = InnerNodesMoved});
  all->push_back({.kind = "compaction of the root",
                  .setup = PutNumbers(1, 300) + DeleteNumbers(1, 290),
                  .operations = {Compact(), Put(U64Key(7), 1)},
                  .happened = RootMoved});
  Operations layers;
  for (const char first : letters.substr(0, 20)) {
    layers = layers + PutBehind(std::string("a prefix of twenty-four ") + first + " bytes, ", "abcde");
  }
  for (const char first : letters.substr(2, 16)) {
    layers = layers + DeleteBehind(std::string("a prefix of twenty-four ") + first + " bytes, ", "abcde");
  }
  all->push_back({.kind = "compaction of layers",
                  .memory_bytes = 120 << 10,
                  .setup = std::move(layers),
                  .operations = {Compact(), Put("a prefix of twenty-four a bytes, x", 1)},
                  .happened = LayerRootsMoved});
  // Every second segment keeps a record, so what is larger than the free ones between has no place.
  all->push_back({.kind = "a run made for a large record",
                  .setup = PutBehind("a", letters, 900) + PutBehind("b", "abcdefgh", 900) +
                           DeleteBehind("a", "bcdefghjklmnoprstuvwxz") + DeleteBehind("b", "acdefgh"),
                  .operations = {PutLarge("d", 9), Put("e", 6)},
                  .happened = RecordsMoved});
  // What was deleted but not yet given back is found by the background pass.
  all->push_back({.kind = "segments released by the background pass",
                  .setup = full + Operations{Delete("b"), Delete("d")},
                  .operations = {Reopen(), Put("e", 6), PutLarge("g", 2), Put("h", "x"), PutLarge("i", 2)},
                  .happened = SegmentReleased,
                  .times = 2});
}

// The word that makes the store larger; before it there is nothing that a crash could leave but zeros nobody looks at.
void AddGrowth(std::vector<Scenario>* all) {
  const Scenario growing = {.memory_bytes = 128 << 10, .capacity_bytes = 64 << 10};
  const auto with = [&](std::string kind, Operations setup, Operations operations) {
    Scenario scenario = growing;
    scenario.kind = std::move(kind);
    scenario.setup = std::move(setup);
    scenario.operations = std::move(operations);
    scenario.happened = PartAdded;
    all->push_back(std::move(scenario));
  };
  const Operations nearly_full = {PutLarge("a", 4), PutLarge("b", 4), PutLarge("c", 4)};
  const Operations small = PutBehind("d", "abcdefgh", 900);
  with("growth by a put that finds no space", nearly_full, small);
  with("growth for a large record", nearly_full, {PutLarge("e", 4), Put("f", 6)});
  with("growth for a batch", nearly_full, {Batch(small), Put("f", 6)});
  with("growth by another thread, ahead of need", nearly_full, Operations{Grow()} + small);
  with("growth after a reopening", nearly_full, Operations{Reopen()} + small + Operations{Reopen(), Put("f", 6)});
  with("growth while a snapshot is open", nearly_full, Operations{OpenSnapshot()} + small + Operations{Close()});
  // What lies in the part is moved to the front, and the word is taken back. Then it is made anew.
  const auto shrinking = [&](std::string kind, Operations setup, Operations operations) {
    with(std::move(kind), std::move(setup), std::move(operations));
    all->back().happened = PartRemoved;
  };
  const Operations grown = nearly_full + small;
  const Operations emptied = {Delete("a"), Delete("b"), Delete("c")};
  shrinking("shrinking, records", grown + emptied, {Shrink(), Put("e", std::string(2000, 'e'))});
  shrinking("shrinking, a large record", nearly_full + Operations{PutLarge("e", 3), Delete("a"), Delete("b")},
            {Shrink(), Put("f", 6)});
  shrinking("shrinking, nodes", nearly_full + PutNumbers(1, 400) + emptied, {Shrink(), Put(U64Key(7), 1)});
  shrinking("shrinking, and growing again", grown + emptied,
            Operations{Shrink()} + nearly_full + small + Operations{Reopen(), Delete("a"), Delete("b"), Shrink()});
}

void AddOpening(std::vector<Scenario>* all) {
  all->push_back({.kind = "creation", .setup = {}, .operations = {Format()}, .happened = Always});
  all->push_back({.kind = "creation over other bytes",
                  .memory_fill = 0xa5,
                  .setup = {},
                  .operations = {Format(), Put("a", 1)},
                  .happened = Always});
  // The same memory again: what was there is gone, is there whole, or it isn't a store.
  all->push_back({.kind = "creation over an older store",
                  .setup = PutNumbers(1, 40) + PutBehind("8 bytes:", "abcdef"),
                  .operations = {Format(), Put("a", 1)},
                  .happened = Always,
                  .times = 2});
  all->push_back({.kind = "open",
                  .setup = PutNumbers(1, 20) + PutBehind("8 bytes:", "abcdef"),
                  .operations = {Reopen(), Reopen(), Put("a", 1), Reopen(), Put("b", "2")},
                  .happened = Always,
                  .times = 5});
}

}  // namespace

std::vector<Scenario> AllScenarios() {
  std::vector<Scenario> all;
  AddSimpleOperations(&all);
  AddGrowing(&all);
  AddShrinking(&all);
  AddLayers(&all);
  AddSpace(&all);
  AddGrowth(&all);
  AddOpening(&all);
  for (Scenario& scenario : BatchScenarios()) all.push_back(std::move(scenario));
  for (Scenario& scenario : RedoScenarios()) all.push_back(std::move(scenario));
  for (Scenario& scenario : SnapshotScenarios()) all.push_back(std::move(scenario));
  for (Scenario& scenario : ExpiryScenarios()) all.push_back(std::move(scenario));
  for (Scenario& scenario : LogScenarios()) all.push_back(std::move(scenario));
  for (uint64_t i = 0; i < 8; ++i) all.push_back(RandomScenario(testing::TestSeed() + i));
  return all;
}

}  // namespace sealkv::crash
