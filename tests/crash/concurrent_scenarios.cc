// Threads that meet where it hurts.
#include <utility>

#include "tests/crash/concurrent.h"
#include "tests/crash/scripts.h"

namespace sealkv::crash {
std::vector<ConcurrentScenario> ConcurrentScenarios() {
  std::vector<ConcurrentScenario> all;
  all.push_back({.kind = "threads: one counter, in a leaf",
                 .setup = PutNumbers(1, 5),
                 .threads = {Repeat(Add(U64Key(3), 1), 4), Repeat(Add(U64Key(3), 10), 4), Repeat(Get(U64Key(3)), 6)}});
  all.push_back({.kind = "threads: one counter, in a record",
                 .setup = {Put("counter", 0)},
                 .threads = {Repeat(Add("counter", 1), 4), Repeat(Add("counter", 10), 4), Repeat(Get("counter"), 6)}});
  all.push_back({.kind = "threads: a value and its reader",
                 .setup = PutNumbers(1, 5),
                 .threads = {{Put("key", "one"), Put("key", "another"), Delete("key"), Put("key", 3)},
                             Repeat(Get("key"), 6),
                             {Get("key"), Scan(), Get("key")}}});
  all.push_back(
      {.kind = "threads: a leaf splits under a reader",
       .setup = PutNumbers(0, 400, 10),
       .threads = {PutNumbers(5, 9), PutNumbers(1, 4), {Get(U64Key(5)), Scan(), Get(U64Key(5)), Get(U64Key(1))}}});
  Operations deletes;
  for (uint64_t i = 15; i <= 40; ++i) deletes.push_back(Delete(U64Key(i)));
  all.push_back(
      {.kind = "threads: leaves merge under a reader",
       .setup = PutNumbers(1, 70),
       .threads = {std::move(deletes), {Put(U64Key(20), 7), Put(U64Key(27), 8)}, {Scan(), Get(U64Key(20)), Scan()}}});
  all.push_back({.kind = "threads: a layer is made under a reader",
                 .setup = {Put("8 bytes:a", "a"), Put("8 bytes:b", "b"), Put("8 bytes:c", "c"), Put("8 bytes:d", "d")},
                 .threads = {{Put("8 bytes:e", "e"), Put("8 bytes:f", "f")},
                             {Put("8 bytes:b", "changed"), Delete("8 bytes:a")},
                             {Get("8 bytes:e"), Scan(), Get("8 bytes:b"), Get("8 bytes:e")}}});
  // What becomes of nodes that readers stand on: each is obsolete at the end, or covers less than it did.
  const std::string sixteen = "sixteen bytes of";
  const auto behind = [](const std::string& prefix, std::string_view ends) {
    Operations puts;
    for (const char end : ends) puts.push_back(Put(prefix + end, std::string(1, end)));
    return puts;
  };
  all.push_back({.kind = "threads: the right edge grows under a reader",
                 .setup = PutNumbers(1, 27),
                 .threads = {{Put(U64Key(28), 1), Put(U64Key(29), 1), Put(U64Key(40), 1)},
                             {Put(U64Key(30), 2), Put(U64Key(29), 2), Delete(U64Key(28))},
                             {Get(U64Key(29)), Get(U64Key(30)), Get(U64Key(28)), Get(U64Key(29)), Scan()}}});
  all.push_back(
      {.kind = "threads: a layer's right edge grows under a reader",
       .setup = behind(sixteen, "abcdefghijklmn"),
       .threads = {{Put(sixteen + "o", "1"), Put(sixteen + "p", "1")},
                   {Put(sixteen + "p", "2"), Put(sixteen + "a", "2"), Delete(sixteen + "o")},
                   {Get(sixteen + "a"), Get(sixteen + "o"), Get(sixteen + "p"), Scan(), Get(sixteen + "a")}}});
  all.push_back(
      {.kind = "threads: a layer is removed under a reader",
       .setup = behind("8 bytes:", "abcde"),
       .threads = {{Delete("8 bytes:a"), Delete("8 bytes:b"), Delete("8 bytes:c"), Delete("8 bytes:d")},
                   {Put("8 bytes:e", "2"), Put("8 bytes:e", "3"), Put("8 bytes:e", "4"), Put("8 bytes:a", "5")},
                   {Get("8 bytes:e"), Get("8 bytes:e"), Scan(), Get("8 bytes:e"), Get("8 bytes:e")}}});
  all.push_back({.kind = "threads: a prefix is shortened under a reader",
                 .setup = behind("8 bytes:8 bytes:8 bytes:", "abcde"),
                 .threads = {{Put("8 bytes:8 bytes:different", "1"), Put("8 bytes:early", "1")},
                             {Put("8 bytes:8 bytes:8 bytes:a", "2"), Put("8 bytes:8 bytes:8 bytes:a", "3"),
                              Delete("8 bytes:8 bytes:8 bytes:b")},
                             {Get("8 bytes:8 bytes:8 bytes:a"), Get("8 bytes:8 bytes:8 bytes:b"), Scan(),
                              Get("8 bytes:8 bytes:8 bytes:a")}}});
  all.push_back({.kind = "threads: the root shrinks under a reader",
                 .setup = PutNumbers(1, 16),
                 .threads = {[] {
                               Operations down;
                               for (uint64_t i = 3; i <= 16; ++i) down.push_back(Delete(U64Key(i)));
                               return down;
                             }(),
                             {Put(U64Key(2), 2), Put(U64Key(15), 2), Delete(U64Key(1)), Delete(U64Key(2))},
                             {Get(U64Key(2)), Get(U64Key(15)), Scan(), Get(U64Key(2)), Get(U64Key(15))}}});
  // Three levels, from where on hints are followed. Leaves were merged, and their nodes freed (64 at a time): the
  // splits take nodes that old hints lead to.
  Operations deep = PutNumbers(0, 2650, 10);
  for (uint64_t i = 1000; i <= 1400; i += 10) {
    if (i % 100 != 0) deep.push_back(Delete(U64Key(i)));
  }
  for (int i = 0; i < 70; ++i) deep.push_back(Put("a record", std::string(1, 'x')));
  for (uint64_t i = 1000; i <= 1300; i += 100) {
    for (uint64_t j = 1; j < 9; ++j) deep.push_back(Put(U64Key(i + j), j));
  }
  all.push_back({.kind = "threads: leaves split where hints lead to",
                 .memory_bytes = 100 << 10,
                 .setup = deep,
                 .threads = {{Put(U64Key(1150), 1), Put(U64Key(1151), 1), Put(U64Key(1152), 1), Put(U64Key(1153), 1)},
                             {Put(U64Key(1151), 2), Put(U64Key(1152), 2), Put(U64Key(1154), 2), Put(U64Key(1155), 2)},
                             {Get(U64Key(1150)), Get(U64Key(1151)), Get(U64Key(1152)), Get(U64Key(1153)),
                              Get(U64Key(1151)), Get(U64Key(1154))}}});
  all.push_back({.kind = "threads: the right edge grows where hints lead to",
                 .memory_bytes = 100 << 10,
                 .setup = PutNumbers(0, 2650, 10),
                 .threads = {{Put(U64Key(2660), 1), Put(U64Key(2662), 1), Put(U64Key(2663), 1)},
                             {Put(U64Key(2664), 2), Put(U64Key(2662), 2), Put(U64Key(2661), 2)},
                             {Get(U64Key(2660)), Get(U64Key(2662)), Get(U64Key(2663)), Get(U64Key(2662)),
                              Get(U64Key(2664)), Get(U64Key(2661))}}});
  // One segment is free. The first thread's put would shorten a prefix: its record and the upper part of the prefix
  // find room there, the lower part doesn't. What it has copied is given back, and the second thread's record goes
  // there.
  const std::string prefix(2800, 'p');
  Operations full_of_prefixes;
  for (const char end : {'a', 'b', 'c', 'd', 'e'}) full_of_prefixes.push_back(Put("8 bytes:" + prefix + end, "x"));
  for (Operation& put : Operations{PutLarge("~a", 3), PutLarge("~b", 3), PutLarge("~c", 1)}) {
    full_of_prefixes.push_back(std::move(put));
  }
  all.push_back({.kind = "threads: space given back by a put that failed",
                 .setup = std::move(full_of_prefixes),
                 .threads = {{Put("8 bytes:" + prefix.substr(0, 1400) + std::string(100, 'q'), std::string(400, 'x'))},
                             {Put("b", "y"), Get("b"), Put("c", std::string(1950, 'z'))}}});
  // The same with one record, for a layer whose prefix doesn't find room behind it; what was deleted before is freed by
  // the attempt.
  const std::string tie = "8 bytes:" + std::string(1960, 'p');
  Operations full_of_ties;
  for (const char end : {'a', 'b', 'c', 'd'}) full_of_ties.push_back(Put(tie + end, "x"));
  for (Operation& put : Operations{PutLarge("~a", 3), PutLarge("~b", 3), PutLarge("~c", 3), PutLarge("~d", 2)}) {
    full_of_ties.push_back(std::move(put));
  }
  all.push_back({.kind = "threads: space given back by a layer that failed",
                 .setup = std::move(full_of_ties),
                 .threads = {{Put("t", std::string(100, 't')), Delete("t"), Put(tie + "e", std::string(40, 'x'))},
                             {Get("t"), Put("b", std::string(1950, 'y')), Get("b")}}});
  for (ConcurrentScenario& scenario : WriterScenarios()) all.push_back(std::move(scenario));
  return all;
}

}  // namespace sealkv::crash
