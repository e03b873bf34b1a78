// What an operation is made of: the search in one node, and what this machine takes to make a line durable.
#include <benchmark/benchmark.h>

#include <memory>
#include <random>
#include <vector>

#include "daxfile/persist.h"
#include "kv/search.h"

namespace sealkv::internal {
namespace {

std::vector<Node> FullNodes(size_t count) {
  std::mt19937_64 random(1);
  std::vector<Node> nodes(count);
  for (Node& node : nodes) {
    Perm perm;
    uint64_t slice = 0;
    for (unsigned i = 0; i < 10; ++i) {
      slice += random() >> 4;
      node.slice_word(perm.slot(i)) = slice;
      perm = perm.Insert(i);
    }
    node.words[Node::kPermWord] = perm.raw();
  }
  return nodes;
}

template <SliceRange (*kFind)(const Node&, Perm, uint64_t)>
void SearchNode(benchmark::State& state) {
  const std::vector<Node> nodes = FullNodes(64);
  std::mt19937_64 random(2);
  unsigned position = 0;
  for (auto _ : state) {
    const Node& node = nodes[position % 64];  // the next search waits for this one, as in a descent
    position += kFind(node, node.perm(), random()).end;
  }
  benchmark::DoNotOptimize(position);
}
BENCHMARK(SearchNode<ScalarSearch::FindSlice>)->Name("search/scalar");
BENCHMARK(SearchNode<FindSlice>)->Name(kHasAvx512 ? "search/avx512" : "search/best (no AVX-512 here)");

void PersistOneLine(benchmark::State& state) {
  const auto bytes = static_cast<size_t>(state.range(0));
  const std::unique_ptr<std::byte[]> memory(new std::byte[bytes + 64]());
  auto* words = reinterpret_cast<uint64_t*>((reinterpret_cast<uintptr_t>(memory.get()) + 63) & ~uintptr_t{63});
  daxfile::Persist persist(daxfile::Persist::Mode::kCpu);
  size_t at = 0;
  for (auto _ : state) {
    persist.Store(&words[at], at);
    persist.Flush(&words[at], sizeof(uint64_t));
    persist.Fence();
    at = (at + 8 * 977) % (bytes / sizeof(uint64_t)) / 8 * 8;
  }
}
BENCHMARK(PersistOneLine)->Name("persist/one line, hot")->Arg(64);
BENCHMARK(PersistOneLine)->Name("persist/one line of many")->Arg(1 << 28);

}  // namespace
}  // namespace sealkv::internal

BENCHMARK_MAIN();
