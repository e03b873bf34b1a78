// Threads that meet where it hurts.
#include <utility>

#include "tests/crash/concurrent.h"

namespace sealkv::crash {
namespace {

using Operations = std::vector<Operation>;

Operations PutNumbers(uint64_t first, uint64_t last, uint64_t step = 1) {
  Operations puts;
  for (uint64_t i = first; i <= last; i += step) puts.push_back(Put(U64Key(i), i));
  return puts;
}

Operations Repeat(Operation operation, unsigned times) { return Operations(times, operation); }

}  // namespace

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
  all.push_back({.kind = "threads: a leaf splits under a reader",
                 .setup = PutNumbers(0, 400, 10),
                 .threads = {PutNumbers(5, 9), PutNumbers(1, 4), {Get(U64Key(5)), Scan(), Get(U64Key(5)), Get(U64Key(1))}}});
  Operations deletes;
  for (uint64_t i = 15; i <= 40; ++i) deletes.push_back(Delete(U64Key(i)));
  all.push_back({.kind = "threads: leaves merge under a reader",
                 .setup = PutNumbers(1, 70),
                 .threads = {std::move(deletes), {Put(U64Key(20), 7), Put(U64Key(27), 8)}, {Scan(), Get(U64Key(20)), Scan()}}});
  all.push_back({.kind = "threads: a layer is made under a reader",
                 .setup = {Put("8 bytes:a", "a"), Put("8 bytes:b", "b"), Put("8 bytes:c", "c"), Put("8 bytes:d", "d")},
                 .threads = {{Put("8 bytes:e", "e"), Put("8 bytes:f", "f")},
                             {Put("8 bytes:b", "changed"), Delete("8 bytes:a")},
                             {Get("8 bytes:e"), Scan(), Get("8 bytes:b"), Get("8 bytes:e")}}});
  // One segment is free. The first thread's put makes a layer: it takes that segment for the layer's node, and finds no
  // room for the record. The segment stays taken, and the second thread splits a leaf into it: it relies on the word that
  // the other one has written to the table. (All 16 nodes of the one node segment are in use, and half of a segment of
  // records.)
  const auto large = [](std::string key, size_t segments) {
    return Put(std::move(key), std::string(4096 * segments - 100, 'L'));
  };
  Operations full = PutNumbers(10, 1850, 10);
  for (const char end : {'a', 'b', 'c', 'd', 'e'}) full.push_back(Put(std::string("a layer:") + end, "x"));
  for (const char end : {'b', 'c', 'd', 'e'}) full.push_back(Put(std::string("8 bytes:") + end, "x"));
  for (Operation& put : Operations{large("~a", 4), large("~b", 4), large("~c", 4), Put("~d", std::string(1900, 'x'))}) {
    full.push_back(std::move(put));
  }
  all.push_back({.kind = "threads: a segment taken by a put that failed",
                 .setup = std::move(full),
                 .threads = {{Put("8 bytes:a", std::string(1900, 'x'))}, {Put(U64Key(75), 1), Put(U64Key(305), 1)}}});
  // One segment is free. The first thread's put would shorten a prefix: its record and the upper part of the prefix find
  // room there, the lower part doesn't. What it has copied is given back, and the second thread's record goes there.
  const std::string prefix(2800, 'p');
  Operations full_of_prefixes;
  for (const char end : {'a', 'b', 'c', 'd', 'e'}) full_of_prefixes.push_back(Put("8 bytes:" + prefix + end, "x"));
  for (Operation& put : Operations{large("~a", 3), large("~b", 3), large("~c", 1)}) {
    full_of_prefixes.push_back(std::move(put));
  }
  all.push_back({.kind = "threads: space given back by a put that failed",
                 .setup = std::move(full_of_prefixes),
                 .threads = {{Put("8 bytes:" + prefix.substr(0, 1400) + std::string(100, 'q'), std::string(400, 'x'))},
                             {Put("b", "y"), Get("b"), Put("c", "z")}}});
  return all;
}

}  // namespace sealkv::crash
