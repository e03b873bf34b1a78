// What an operation is made of: the search in one node, and what this machine takes to make a line durable. And what
// kvbench has no equal of in other engines for: a range that is deleted; reads by a process that can't write, after the
// writer's end in a power cut.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"
#include "daxfile/dax_file.h"
#include "daxfile/persist.h"
#include "kv/image.h"
#include "kv/recovery.h"
#include "kv/sealkv.h"
#include "kv/search.h"
#include "tests/memory_store.h"

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
BENCHMARK(SearchNode<FindSlice>)->Name("search/as the store does");

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

// Everything, of a store that was written in random order; time and rate are a record's.
void DeleteRange(benchmark::State& state) {
  const auto count = static_cast<uint64_t>(state.range(0));
  const bool has_records = state.range(1) > 0;
  const std::string value(has_records ? static_cast<size_t>(state.range(1)) : sizeof(uint64_t), 'v');
  for (auto _ : state) {
    state.PauseTiming();
    std::optional<testing::MemoryStore> memory(std::in_place, count * 512);
    absl::Status status = memory->Format();
    Store& store = **memory;
    std::mt19937_64 random(3);
    for (uint64_t i = 0; i < count && status.ok(); ++i) {
      const uint64_t number = random();
      const std::string key = has_records ? absl::StrFormat("user%019d", number >> 4) : U64Key(number);
      status = store.Put(key, value);
    }
    state.ResumeTiming();
    if (status.ok()) status = store.DeleteRange({});
    if (!status.ok()) state.SkipWithError(status.ToString().c_str());
    state.PauseTiming();
    memory.reset();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(static_cast<int64_t>(count) * state.iterations());
}
BENCHMARK(DeleteRange)
    ->Name("delete range")
    ->ArgNames({"records", "value bytes"})
    ->Args({1'000'000, 0})
    ->Args({1'000'000, 100})
    ->Unit(benchmark::kMillisecond);

// After a power cut nodes stand as locked in which the last line went to memory in the middle of a commit; here all do.
absl::Status LeaveAllLocked(const std::string& path) {
  absl::StatusOr<daxfile::DaxFile> file = daxfile::DaxFile::Open(path, {.weakest_tier = daxfile::Tier::kVolatile});
  if (!file.ok()) return file.status();
  const absl::StatusOr<Image> image = OpenImage(*file);
  if (!image.ok()) return image.status();
  const auto generation = static_cast<uint32_t>(image->superblock().generation);
  for (uint64_t segment = image->header_segments(); segment < image->segment_count(); ++segment) {
    if (image->segment_word(segment).kind() != SegmentKind::kNodes) continue;
    for (uint64_t at = 0; at < image->segment_bytes(); at += kNodeBytes) {
      uint64_t& word = image->NodeAt(image->SegmentStart(segment) + at)->words[Node::kLockWord];
      word = LockWord(word).Locked(generation).raw();
    }
  }
  return absl::OkStatus();
}

constexpr uint64_t kPairs = 1'000'000;

absl::Status MakePairs(const std::string& path) {
  Options options;
  options.capacity_bytes = kPairs * 128;
  options.weakest_tier = daxfile::Tier::kVolatile;
  const absl::StatusOr<std::unique_ptr<Store>> store = Store::Create(path, options);
  absl::Status status = store.status();
  std::mt19937_64 random(4);
  for (uint64_t i = 0; i < kPairs && status.ok(); ++i) status = (*store)->Put(U64Key(random()), U64Key(i));
  return status;
}

// All pairs once, by a process that has just opened the store; or again.
void GetBesideNoWriter(benchmark::State& state, bool after_power_cut, bool again) {
  const std::string path = absl::StrFormat("/dev/shm/sealkv-micro.%d", getpid());
  absl::Status status = MakePairs(path);
  if (status.ok() && after_power_cut) status = LeaveAllLocked(path);
  Options options;
  options.read_only = true;
  options.weakest_tier = daxfile::Tier::kVolatile;
  const auto get_all = [](const Store& store) {
    std::mt19937_64 random(4);
    for (uint64_t i = 0; i < kPairs; ++i) {
      const absl::StatusOr<std::string> value = store.Get(U64Key(random()));
      if (!value.ok()) return value.status();
    }
    return absl::OkStatus();
  };
  for (auto _ : state) {
    state.PauseTiming();
    absl::StatusOr<std::unique_ptr<Store>> store = Store::Open(path, options);
    if (status.ok()) status = store.status();
    if (status.ok() && again) status = get_all(**store);
    state.ResumeTiming();
    if (status.ok()) status = get_all(**store);
    if (!status.ok()) state.SkipWithError(status.ToString().c_str());
  }
  state.SetItemsProcessed(static_cast<int64_t>(kPairs) * state.iterations());
  Store::Remove(path).IgnoreError();
}
BENCHMARK_CAPTURE(GetBesideNoWriter, no node left locked, false, true)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(GetBesideNoWriter, all left locked for the first time, true, false)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(GetBesideNoWriter, all left locked again, true, true)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace sealkv::internal

BENCHMARK_MAIN();
