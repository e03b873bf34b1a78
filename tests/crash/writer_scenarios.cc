// Writers among themselves: each locks the nodes that it changes, and no more; so two meet wherever their nodes do.
#include <initializer_list>
#include <utility>

#include "tests/crash/concurrent.h"
#include "tests/crash/scripts.h"

namespace sealkv::crash {
namespace {

using Scenarios = std::vector<ConcurrentScenario>;

// With few switches: of two threads the first is over when the second begins.
constexpr uint64_t kFirstThreadFirst = 2;

Operations GetNumbers(std::initializer_list<uint64_t> numbers) {
  Operations gets;
  for (const uint64_t number : numbers) gets.push_back(Get(U64Key(number)));
  return gets;
}
Operation PutNumber(uint64_t number, uint64_t value) { return Put(U64Key(number), value); }

void AddInserts(Scenarios* all) {
  all->push_back({.kind = "writers: inserts into one leaf",
                  .setup = PutNumbers(10, 50, 10),
                  .threads = {{PutNumber(15, 1), PutNumber(25, 1), Put("a", "1")},
                              {PutNumber(16, 2), PutNumber(26, 2), Put("a", "2")},
                              {PutNumber(15, 3), Delete(U64Key(16)), Get("a"), Scan()}}});
  // Leaves of 14, full: the right edge fills them.
  all->push_back({.kind = "writers: a split beside an insert",
                  .setup = PutNumbers(0, 400, 10),
                  .threads = {{PutNumber(5, 1), PutNumber(6, 1), PutNumber(7, 1)},
                              {PutNumber(25, 2), PutNumber(3, 2), Delete(U64Key(20))},
                              GetNumbers({5, 3, 20, 25, 5})}});
  all->push_back({.kind = "writers: splits below one parent",
                  .setup = PutNumbers(0, 400, 10),
                  .threads = {{PutNumber(5, 1), PutNumber(15, 1)},
                              {PutNumber(145, 2), PutNumber(155, 2)},
                              {PutNumber(285, 3), PutNumber(146, 3)},
                              GetNumbers({5, 145, 285})}});
  all->push_back({.kind = "writers: splits below a parent that has no room",
                  .setup = PutNumbers(0, 2000, 10),
                  .threads = {{PutNumber(41, 1), PutNumber(42, 1)},
                              {PutNumber(741, 2), PutNumber(742, 2)},
                              {PutNumber(45, 3), Delete(U64Key(50))}}});
  all->push_back({.kind = "writers: the root, a leaf, splits under writes",
                  .setup = PutNumbers(0, 130, 10),
                  .threads = {{PutNumber(41, 1), PutNumber(42, 1)},
                              {PutNumber(20, 2), PutNumber(91, 2), Delete(U64Key(130))},
                              {Add(U64Key(20), 3), Put("k", "3"), Get(U64Key(91))}}});
  all->push_back({.kind = "writers: the root, an inner node, splits under writes",
                  .setup = PutNumbers(0, 1950, 10),
                  .threads = {{PutNumber(41, 1), PutNumber(42, 1)},
                              {PutNumber(1000, 2), PutNumber(1001, 2)},
                              {PutNumber(1960, 3), PutNumber(43, 3)}}});
  all->push_back({.kind = "writers: the right edge grows by several",
                  .setup = PutNumbers(1, 26),
                  .threads = {{PutNumber(28, 1), PutNumber(30, 1), PutNumber(32, 1)},
                              {PutNumber(29, 2), PutNumber(31, 2), PutNumber(33, 2)},
                              {Scan(), Get(U64Key(30)), Scan()}}});
  all->push_back({.kind = "writers: one hot key",
                  .setup = {Put(U64Key(3), 0), Put("hot", 0)},
                  .threads = {{Add(U64Key(3), 1), Add("hot", 1), Add(U64Key(3), 1)},
                              {Add(U64Key(3), 10), CompareAndSwap("hot", 1, 100), Batch({Add(U64Key(3), 10)})},
                              {Batch({Add(U64Key(3), 100), Add("hot", 100)}), Update("hot", "x"), Add(U64Key(3), 100)},
                              {Get(U64Key(3)), Get("hot"), Scan(), Get(U64Key(3))}}});
}

void AddMerges(Scenarios* all) {
  all->push_back({.kind = "writers: a merge beside inserts",
                  .setup = PutNumbers(1, 42),
                  .threads = {DeleteNumbers(17, 27),
                              {PutNumber(20, 1), PutNumber(28, 1), PutNumber(21, 1), PutNumber(15, 1)},
                              DeleteNumbers(3, 12),
                              {Scan(), Get(U64Key(20)), Get(U64Key(28))}}});
  all->push_back({.kind = "writers: leaves dropped beside inserts",
                  .setup = PutNumbers(1, 42),
                  .threads = {DeleteNumbers(15, 28), {PutNumber(16, 1), Delete(U64Key(16)), PutNumber(29, 2)}}});
  const std::string eight = "8 bytes:";
  all->push_back({.kind = "writers: a layer made beside inserts into it",
                  .setup = PutBehind(eight, "abcd"),
                  .threads = {{Put(eight + "e", "1"), Put(eight + "g", "1")},
                              {Put(eight + "f", "2"), Delete(eight + "a"), Put(eight + "b", "2")},
                              {Put(eight + "e", "3"), Get(eight + "f"), Scan()}}});
  all->push_back({.kind = "writers: a layer removed beside inserts into it",
                  .setup = PutBehind(eight, "abcde"),
                  .threads = {DeleteBehind(eight, "abcd"),
                              {Put(eight + "e", "2"), Put(eight + "a", "2")},
                              {Put(eight + "x", "3"), Delete(eight + "x"), Get(eight + "e")}}});
}

void AddBatches(Scenarios* all) {
  all->push_back({.kind = "writers: a batch beside puts on its nodes",
                  .setup = PutNumbers(0, 400, 10),
                  .threads = {{Batch({PutNumber(10, 1), PutNumber(200, 1), Put("k", "1")}), PutNumber(10, 4)},
                              {PutNumber(10, 2), PutNumber(200, 2), PutNumber(201, 2)},
                              {Delete(U64Key(20)), PutNumber(10, 3), Get("k")},
                              {Scan(), Get(U64Key(200)), Get(U64Key(10)), Scan()}}});
  all->push_back({.kind = "writers: batches over common keys",
                  .setup = PutNumbers(0, 400, 10),
                  .threads = {{Batch({PutNumber(10, 1), PutNumber(200, 1), Put("k", "1")}),
                               Batch({PutNumber(300, 1), Delete(U64Key(10))})},
                              {Batch({Put("k", "2"), PutNumber(10, 2), PutNumber(300, 2)}),
                               Batch({Delete("k"), PutNumber(200, 2)})},
                              {Scan(), Get("k"), Scan()}}});
  all->push_back(
      {.kind = "writers: batches over different leaves",
       .setup = PutNumbers(0, 400, 10),
       .threads = {{Batch({PutNumber(10, 1), PutNumber(20, 1)}), Batch({PutNumber(10, 4), PutNumber(30, 4)})},
                   {Batch({PutNumber(200, 2), PutNumber(210, 2)}), PutNumber(200, 5)},
                   {Batch({PutNumber(380, 3), PutNumber(390, 3)}), PutNumber(390, 6)}},
       .lanes = 3});
  all->push_back({.kind = "writers: batches that split beside each other",
                  .setup = PutNumbers(0, 400, 10),
                  .threads = {{Batch(PutNumbers(41, 44))},
                              {Batch(PutNumbers(201, 204) + Operations{Put("k", "2")}), PutNumber(203, 1)},
                              {PutNumber(300, 1), PutNumber(45, 2)}},
                  .lanes = 1});
  all->push_back({.kind = "writers: batches that merge beside puts",
                  .setup = PutNumbers(1, 56),
                  .threads = {{Batch(DeleteNumbers(15, 26))},
                              {PutNumber(20, 1), PutNumber(30, 1)},
                              {Batch(DeleteNumbers(29, 40)), PutNumber(27, 2)}},
                  .lanes = 1});
  // What a batch leaves free (its blob, replaced records) is used again at once.
  all->push_back({.kind = "writers: records where a blob was",
                  .setup = PutNumbers(1, 9) + Operations{Put("r", "1")},
                  .threads = {{Batch({PutNumber(1, 1), PutNumber(2, 1)}), Put("s", std::string(70, 's')), Delete("s"),
                               Batch({PutNumber(1, 2), Put("r", "2")})},
                              {PutNumber(1, 3), Put("r", "3"), PutNumber(2, 3)}},
                  .lanes = 1});
}

void AddBulkLoads(Scenarios* all) {
  all->push_back({.kind = "writers: a bulk load under readers",
                  .setup = {Put("k", 1), Delete("k")},
                  .threads = {{BulkLoad(PutNumbers(1, 30) + PutBehind("8 bytes:", "abcdef"))},
                              {Get(U64Key(3)), Scan(), Get("8 bytes:a")},
                              {OpenSnapshot(), Get(U64Key(30)), Close()}}});
  all->push_back({.kind = "writers: a bulk load beside puts",
                  .setup = {Put("k", 1), Delete("k")},
                  .threads = {{BulkLoad(PutNumbers(1, 20))},
                              {PutNumber(5, 1), Delete(U64Key(5)), Get(U64Key(6))},
                              {Scan(), PutNumber(6, 2), Scan()}}});
}

void AddSnapshots(Scenarios* all) {
  all->push_back({.kind = "writers: a snapshot in the middle",
                  .setup = PutNumbers(0, 400, 10) + Operations{Put("k", 0)},
                  .threads = {{PutNumber(10, 1), Batch({PutNumber(20, 1), Put("k", 1)}), PutNumber(15, 1)},
                              {PutNumber(300, 2), Add("k", 2), Delete(U64Key(310))},
                              {OpenSnapshot(), Get("k"), Close(), Scan()}}});
  all->push_back({.kind = "writers: splits and merges under an iterator",
                  .setup = PutNumbers(1, 42) + Operations{OpenIterator()},
                  .threads = {DeleteNumbers(17, 27),
                              {Put("a", "1"), PutNumber(0, 1), Put("b", "1")},
                              {OpenIterator(), Get(U64Key(17)), Close()}}});
  // Of two that each read what the other writes only one sees the state before.
  all->push_back({.kind = "writers: transactions that read what others write",
                  .setup = PutNumbers(0, 400, 10) + Operations{Put("a", 1), Put("b", 1)},
                  .threads = {{Transact({Get("a"), Add("b", 1), PutNumber(5, 1)})},
                              {Transact({Get("b"), Add("a", 10), Get(U64Key(5))})},
                              {Put("a", 100), Get("b"), Transact({Scan(), Put("sum", "3")})}},
                  .lanes = 1});
  all->push_back({.kind = "writers: a range deleted beside puts into it",
                  .setup = PutNumbers(0, 400, 10),
                  .threads = {{DeleteRange(U64Key(100), U64Key(300))},
                              {PutNumber(105, 1), PutNumber(290, 1), Delete(U64Key(300))},
                              {Scan(), Get(U64Key(105)), Get(U64Key(290))}},
                  .lanes = 1});
  all->push_back({.kind = "writers: updates by functions",
                  .setup = {Put("a", "1"), Put(U64Key(1), 1)},
                  .threads = {{Update("a", "2"), Update(U64Key(1), "2")},
                              {Update("a", "3"), Put("a", "4")},
                              {UpdateAway("a"), Update("a", "5"), UpdateAway(U64Key(1))}}});
}

// Three levels, from where on hints are followed. Two leaves that cover many buckets are merged, and their nodes freed;
// the merged one is filled up, by keys of the buckets in front. The hints of the others still lead to the second leaf's
// node, when a split makes it the right one: who is let in there too early sees, or builds upon, what may be lost.
void AddHints(Scenarios* all) {
  Operations setup = PutNumbers(0, 2650, 10) + PutNumbers(3000, 7100, 100) + GetNumbers({3000, 4400}) +
                     DeleteNumbers(3500, 4300, 100) + DeleteNumbers(4800, 5700, 100) + PutNumbers(3001, 3005);
  const auto with = [&](const char* kind, Operation split) {
    all->push_back({.kind = kind,
                    .memory_bytes = 100 << 10,
                    .setup = setup,
                    .threads = {{std::move(split)},
                                {PutNumber(4551, 2), Get(U64Key(4550)), Add(U64Key(4500), 2)},
                                Repeat(Get(U64Key(4550)), 5)}});
  };
  with("writers: a leaf splits into nodes that hints lead to", PutNumber(4550, 1));
  with("writers: a batch splits into nodes that hints lead to", Batch({PutNumber(4550, 1), PutNumber(10, 1)}));
}

// All 16 nodes of the one node segment are in use, and most of one of records; one segment is free. The first thread's
// put makes a layer: it takes that segment for a node, and finds no room for its record. The second thread collects
// what the first one's arena holds, and splits a leaf into that segment, which it relies on being durably taken. (If
// somebody reads. Else the segment is given back first.)
void AddFull(Scenarios* all) {
  Operations full =
      PutNumbers(10, 1540, 10) + PutBehind("a layer:", "abcde", 1) + PutBehind("b layer:", "abcde", 1) +
      PutBehind("c layer:", "abcde", 1) + PutBehind("d layer:", "bcde", 1) +
      Operations{PutLarge("~a", 4), PutLarge("~b", 4), PutLarge("~c", 4), Put("~d", std::string(1900, 'x'))};
  const std::vector<Operations> threads = {{Put("d layer:a", std::string(1900, 'x'))},
                                           {PutNumber(75, 1), PutNumber(305, 1)}};
  all->push_back({.kind = "writers: a segment taken by a put that failed",
                  .setup = full,
                  .threads = threads,
                  .seed = kFirstThreadFirst,
                  .switch_percent = 1});
  all->push_back({.kind = "writers: a segment taken by a put that failed, under a reader",
                  .setup = full + Operations{Pin("~d")},
                  .threads = threads,
                  .seed = kFirstThreadFirst,
                  .switch_percent = 1});
  // No segment is free. Of the first thread's blob one chunk finds room behind a record, the other one doesn't; what it
  // has copied is given back. The second thread deletes that record; then the segment is empty, and its next record
  // goes where the chunk was.
  Operations all_numbers;
  for (uint64_t i = 1; i <= 252; ++i) all_numbers.push_back(PutNumber(i, i));
  Operations full_of_values = PutNumbers(1, 252) + Operations{PutLarge("a", 3), PutLarge("b", 3), PutLarge("c", 3),
                                                              PutLarge("d", 3), Put("e", 5)};
  all->push_back({.kind = "writers: space given back by a batch that failed",
                  .setup = std::move(full_of_values),
                  .threads = {{Batch(std::move(all_numbers))}, {Delete("e"), Put("f", std::string(2000, 'f'))}},
                  .seed = kFirstThreadFirst,
                  .switch_percent = 1});
}

}  // namespace

std::vector<ConcurrentScenario> WriterScenarios() {
  Scenarios all;
  AddInserts(&all);
  AddMerges(&all);
  AddBatches(&all);
  AddBulkLoads(&all);
  AddSnapshots(&all);
  AddHints(&all);
  AddFull(&all);
  return all;
}

}  // namespace sealkv::crash
