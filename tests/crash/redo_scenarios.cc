// Stores that a crash has left with batches that are committed, and not yet done: their opening does them again, and is
// crashed, before the store goes on.
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <utility>

#include "kv/superblock.h"
#include "tests/crash/concurrent.h"
#include "tests/crash/durability.h"
#include "tests/crash/scenario.h"
#include "tests/crash/scripts.h"
#include "tests/crash/shape_change.h"

namespace sealkv::crash {
namespace {

size_t CommittedLanes(std::span<const uint64_t> words) {
  const auto& superblock = *reinterpret_cast<const internal::Superblock*>(words.data());
  return std::count_if(std::begin(superblock.lanes), std::end(superblock.lanes),
                       [](const auto& lane) { return lane.word != 0; });
}

// What a crash leaves when so many batches are durably committed, and nothing that is pending reached the memory.
// Empty: that never happens.
std::vector<std::byte> ImageWithLanes(const Log& log, size_t lanes) {
  DurabilityModel model(log.initial_words);
  for (const Event& event : log.events) {
    if (!event.is_mark()) model.Apply(log, event);
    const std::span<const uint64_t> words = model.durable_words();
    if (event.kind != EventKind::kFence || CommittedLanes(words) < lanes) continue;
    std::vector<std::byte> image(words.size_bytes());
    std::memcpy(image.data(), words.data(), image.size());
    return image;
  }
  return {};
}

// Of one batch.
Scenario AfterCrashOf(std::string kind, const Operations& setup, Operation batch, Operations then) {
  Scenario scenario{.kind = std::move(kind)};
  scenario.image = ImageWithLanes(Record({.setup = setup, .operations = {batch}}).log, 1);
  for (const Operation& operation : setup) ApplyTo(scenario.image_contents, operation);
  ApplyTo(scenario.image_contents, batch);
  scenario.operations = std::move(then);
  scenario.happened = Always;
  scenario.redo = Scenario::Redo::kIs;
  return scenario;
}

// Of several at once, each by a thread.
Scenario AfterCrashOfThreads(std::string kind, const Operations& setup, const Operations& batches, Operations then) {
  Scenario scenario{.kind = std::move(kind)};
  ConcurrentScenario threads{.setup = setup, .switch_percent = 50};
  for (const Operation& batch : batches) threads.threads.push_back({batch});
  constexpr uint64_t kMostSchedules = 1000;
  for (; scenario.image.empty() && threads.seed < kMostSchedules; ++threads.seed) {
    scenario.image = ImageWithLanes(Record(threads).log, batches.size());
  }
  for (const Operation& operation : setup + batches) ApplyTo(scenario.image_contents, operation);
  scenario.operations = std::move(then);
  scenario.happened = Always;
  scenario.redo = Scenario::Redo::kIs;
  return scenario;
}

}  // namespace

std::vector<Scenario> RedoScenarios() {
  std::vector<Scenario> all;
  // What is written first after the opening is what the batch wrote, and lies where its blob is.
  all.push_back(AfterCrashOf("redo of a batch in a leaf", PutNumbers(1, 9),
                             Batch({Put(U64Key(1), 7), Put(U64Key(9), 8)}),
                             {Reopen(), Put(U64Key(1), 1), Put("r", std::string(90, 'r')), Put(U64Key(9), 2)}));
  all.push_back(
      AfterCrashOf("redo of a batch over leaves, with records", PutNumbers(0, 400, 10) + PutBehind("r", "ab"),
                   Batch(PutNumbers(41, 43) + Operations{Delete(U64Key(200)), Put("ra", "x"), Put("rc", "y")}),
                   {Recover(), Put(U64Key(41), 1), Delete("rc"), Batch({Put("ra", "z"), Put(U64Key(42), 2)})}));
  all.push_back(AfterCrashOf("redo of a batch that changes the root", PutNumbers(0, 130, 10) + PutBehind("z", "ab"),
                             Batch(PutNumbers(41, 45, 2) + Operations{Put("za", "x"), Delete("zb")}),
                             {Reopen(), Put("za", "y"), Put(U64Key(41), 1), Recover()}));
  all.push_back(AfterCrashOf("redo of a range deleted", PutNumbers(1, 70), DeleteRange(U64Key(10), U64Key(60)),
                             {Recover(), Put(U64Key(30), 1), Put(U64Key(5), 2)}));
  all.push_back(AfterCrashOfThreads(
      "redo of two batches", PutNumbers(0, 400, 10),
      {Batch({Put(U64Key(10), 1), Put(U64Key(20), 1)}), Batch({Put(U64Key(200), 2), Put(U64Key(210), 2)})},
      {Reopen(), Put(U64Key(10), 7), Put(U64Key(200), 7), Put("r", std::string(90, 'r'))}));
  return all;
}

}  // namespace sealkv::crash
