// A writer is killed, somebody opens the store, and then the power fails. What the killed one had stored and not made
// durable was visible to who came next; so that must be durable before he shows it, or builds on it.
//
// The writer is killed before each of the stores, flushes and fences of a run. Whoever comes next looks, or looks and
// writes; or only may read, and then has the store as a file, like any process. Then all is gone that he has not made
// durable, nor the killed one before.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "daxfile/dax_file.h"
#include "gtest/gtest.h"
#include "kv/recovery.h"
#include "kv/sealkv.h"
#include "tests/check_clean.h"
#include "tests/memory_store.h"
#include "tests/model.h"
#include "tests/status.h"

namespace sealkv::crash {
namespace {

using testing::ContentsOf;
using testing::Memory;
using testing::Model;
using testing::WordValue;

using Bytes = std::vector<std::byte>;
constexpr size_t kBytes = 132 << 10;
constexpr uint64_t kLineBytes = 64;
constexpr uint64_t kPageBytes = 4096;

Bytes CopyOf(std::span<const std::byte> bytes) { return {bytes.begin(), bytes.end()}; }

// What is durable of a memory: what was written back and fenced, and nothing else.
class DurableBytes : public daxfile::PersistObserver {
 public:
  DurableBytes(std::span<const std::byte> memory, Bytes durable)
      : memory_(memory), at_(memory.data()), durable_(std::move(durable)) {}

  const Bytes& bytes() const { return durable_; }
  // Who is observed has it mapped elsewhere, perhaps privately: there, or where the first flush is, for that is of the
  // superblock. What is written back is what `memory` has.
  void MappedElsewhere() { at_ = nullptr; }
  // A page that it has a copy of isn't written back any more.
  void MappedPrivately() { is_private_ = true; }
  void MappedAt(const std::byte* at) {
    EXPECT_TRUE(at_ == nullptr || at_ == at);
    at_ = at;
  }
  // Before each action.
  std::function<void(const daxfile::Site&)> on_event = [](const daxfile::Site&) {};
  // Whether a flush or fence is as if it weren't there.
  std::function<bool(const daxfile::Site&)> is_left_out = [](const daxfile::Site&) { return false; };

  void OnStore(const uint64_t*, uint64_t, const daxfile::Site& site) override { on_event(site); }
  void OnCopy(const void* to, const void* from, size_t bytes, bool non_temporal, const daxfile::Site& site) override {
    on_event(site);
    if (non_temporal) written_back_.emplace_back(At(to), CopyOf({static_cast<const std::byte*>(from), bytes}));
  }
  void OnFlush(const void* address, size_t bytes, const daxfile::Site& site) override {
    on_event(site);
    if (at_ == nullptr) at_ = static_cast<const std::byte*>(address);
    if (is_left_out(site)) return;
    const size_t begin = At(address) / kLineBytes * kLineBytes;
    const size_t end = (At(address) + bytes + kLineBytes - 1) / kLineBytes * kLineBytes;
    if (is_private_ && IsCopied(begin)) return;
    written_back_.emplace_back(begin, CopyOf(memory_.subspan(begin, end - begin)));
  }
  void OnFence(const daxfile::Site& site) override {
    on_event(site);
    if (is_left_out(site)) return;
    for (const auto& [at, content] : written_back_) std::memcpy(&durable_[at], content.data(), content.size());
    written_back_.clear();
  }

 private:
  size_t At(const void* address) const { return static_cast<size_t>(static_cast<const std::byte*>(address) - at_); }

  bool IsCopied(size_t at) const {
    const size_t page = at / kPageBytes * kPageBytes;
    return std::memcmp(at_ + page, memory_.data() + page, kPageBytes) != 0;
  }

  const std::span<const std::byte> memory_;
  const std::byte* at_;
  bool is_private_ = false;
  Bytes durable_;
  std::vector<std::pair<size_t, Bytes>> written_back_;
};

// A moment at which the writer is killed.
struct Kill {
  Bytes visible;
  Bytes durable;
};

using Script = std::function<void(Store&)>;

struct Run {
  Script setup;
  Script script;
  Script beside = nullptr;  // by another thread, in the middle of each batch of the script, at each of its actions
  uint64_t change_log_bytes = 0;
};

std::vector<Kill> KillsDuring(const Run& run) {
  std::vector<Kill> kills;
  const Memory memory(kBytes);
  DurableBytes durable(memory.span(), CopyOf(memory.span()));
  const auto store = Store::Format(daxfile::DaxFile::OverMemory(memory.span(), &durable), Background::kNone,
                                   {.change_log_bytes = run.change_log_bytes});
  EXPECT_OK(store);
  if (!store.ok()) return kills;
  run.setup(**store);
  bool is_beside = false;
  durable.on_event = [&](const daxfile::Site& site) {
    kills.push_back({CopyOf(memory.span()), durable.bytes()});
    if (run.beside == nullptr || is_beside || !std::string_view(site.file_name()).ends_with("batch_commit.cc")) return;
    is_beside = true;
    std::thread([&] { run.beside(**store); }).join();
    is_beside = false;
  };
  run.script(**store);
  return kills;
}

std::unique_ptr<Store> Open(const Memory& memory, daxfile::PersistObserver* observer = nullptr) {
  auto store = Store::Attach(daxfile::DaxFile::OverMemory(memory.span(), observer), Background::kNone);
  EXPECT_OK(store);
  return store.ok() ? *std::move(store) : nullptr;
}

std::unique_ptr<Memory> MemoryOf(const Bytes& bytes) {
  auto memory = std::make_unique<Memory>(bytes.size());
  std::memcpy(memory->data(), bytes.data(), bytes.size());
  return memory;
}

// A file of a store, mapped.
class StoreFile {
 public:
  StoreFile(const std::string& path, const Bytes& bytes) : path_(path), size_(bytes.size()) {
    const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) std::abort();
    at_ = mmap(nullptr, bytes.size(), PROT_READ, MAP_SHARED, fd, 0);
    if (at_ == MAP_FAILED) std::abort();
    close(fd);
  }
  ~StoreFile() {
    munmap(at_, size_);
    unlink(path_.c_str());
  }
  StoreFile(const StoreFile&) = delete;
  StoreFile& operator=(const StoreFile&) = delete;

  std::span<const std::byte> span() const { return {static_cast<const std::byte*>(at_), size_}; }

  std::unique_ptr<Store> Open(DurableBytes& durable, bool read_only) const {
    durable.MappedElsewhere();
    const daxfile::OpenOptions options{
        .weakest_tier = daxfile::Tier::kVolatile, .read_only = read_only, .live = true, .observer = &durable};
    auto file = read_only ? internal::OpenForReading(path_, options) : daxfile::DaxFile::Open(path_, options);
    EXPECT_OK(file);
    if (!file.ok()) return nullptr;
    durable.MappedAt(file->data());
    // Where the CPU writes lines back, they are those of the copies; a sync is of the file.
    if (!file->is_live() && file->persist().mode() == daxfile::Persist::Mode::kCpu) durable.MappedPrivately();
    auto store = Store::Attach(*std::move(file), Background::kNone);
    EXPECT_OK(store);
    return store.ok() ? *std::move(store) : nullptr;
  }

 private:
  const std::string path_;
  const size_t size_;
  void* at_;
};

// What is flushed by the CPU; and what is flushed by msync.
std::string PathInMemory() { return "/dev/shm/crash_killed_test." + std::to_string(getpid()); }
std::string PathOnDisk() { return ::testing::TempDir() + "/crash_killed_test." + std::to_string(getpid()); }

daxfile::Tier TierOnDisk() {
  const StoreFile file(PathOnDisk(), Bytes(kPageBytes));
  const auto report = daxfile::DaxFile::Inspect(PathOnDisk());
  EXPECT_OK(report);
  return report.ok() ? report->tier : daxfile::Tier::kVolatile;
}

enum class Next : uint8_t {
  kScans,
  kGets,
  kWrites,
  kUsesSpace,
  kUsesSpaceBesideAReader,
  kPutsALargeValue,
  // By a process that only reads, where a line is flushed by the CPU; and where all is synced.
  kScansOnly,
  kGetsOnly,
  kScansOnlyOnDisk,
  kGetsOnlyOnDisk,
  kScansOnDisk,  // by one that may write
};

// Returns what whoever comes next has been shown, or told that it is done.
Model ComeNext(Store& store, Next next, const Model& keys) {
  Model shown;
  absl::StatusOr<PinnedValue> reader;
  switch (next) {
    case Next::kScans:
    case Next::kScansOnly:
    case Next::kScansOnlyOnDisk:
    case Next::kScansOnDisk:
      return ContentsOf(store);
    case Next::kGets:
    case Next::kGetsOnly:
    case Next::kGetsOnlyOnDisk:
      for (const auto& [key, value] : keys) {
        const absl::StatusOr<std::string> got = store.Get(key);
        if (got.ok()) shown.emplace(key, *got);
      }
      return shown;
    case Next::kWrites:
      for (const auto& [key, value] : keys) EXPECT_OK(store.Put(key + "+", "written after the kill"));
      break;
    case Next::kPutsALargeValue:
      EXPECT_OK(store.WaitUntilSpaceIsKnown());
      EXPECT_OK(store.Put("large", std::string(9 * 4096 + 1000, 'l')));
      EXPECT_OK(store.Delete("large"));
      EXPECT_OK(store.WaitUntilSpaceIsKnown());
      for (int i = 0; i < 4; ++i) EXPECT_OK(store.Put("small " + std::to_string(i), std::string(900, 's')));
      break;
    case Next::kUsesSpaceBesideAReader:
      // Whoever reads holds back what could be given back.
      if (!keys.empty()) reader = store.GetPinned(keys.begin()->first);
      [[fallthrough]];
    case Next::kUsesSpace:
      EXPECT_OK(store.WaitUntilSpaceIsKnown());
      for (int i = 0; i < 30; ++i) EXPECT_OK(store.Put("new " + std::to_string(i), std::string(700, 'n')));
      for (uint64_t i = 0; i < 100; ++i) EXPECT_OK(store.Put(U64Key(1000 + i), WordValue(i)));
      break;
  }
  return ContentsOf(store);
}

using LeftOut = std::function<bool(const daxfile::Site&)>;

::testing::AssertionResult IsAllDurable(const Kill& kill, Next next, const Model& keys, const LeftOut& is_left_out) {
  const std::unique_ptr<Memory> memory = MemoryOf(kill.visible);
  std::optional<StoreFile> file;
  if (next >= Next::kScansOnly)
    file.emplace(next >= Next::kScansOnlyOnDisk ? PathOnDisk() : PathInMemory(), kill.visible);
  DurableBytes durable(file.has_value() ? file->span() : memory->span(), kill.durable);
  if (is_left_out != nullptr) durable.is_left_out = is_left_out;
  const std::unique_ptr<Store> store =
      file.has_value() ? file->Open(durable, next != Next::kScansOnDisk) : Open(*memory, &durable);
  if (store == nullptr) return ::testing::AssertionFailure() << "can't be opened after the kill";
  const Model shown = ComeNext(*store, next, keys);
  const std::unique_ptr<Memory> left = MemoryOf(durable.bytes());
  const std::unique_ptr<Store> after = Open(*left);
  if (after == nullptr) return ::testing::AssertionFailure() << "can't be opened after the power cut";
  Model found = ContentsOf(*after);
  const bool asked_for_keys = next == Next::kGets || next == Next::kGetsOnly || next == Next::kGetsOnlyOnDisk;
  if (asked_for_keys) std::erase_if(found, [&](const auto& pair) { return !keys.contains(pair.first); });
  if (found != shown) return ::testing::AssertionFailure() << "the power cut took something back";
  return testing::IsClean(left->span());
}

// Of a run: who is killed in it, and all the keys that it may have.
struct KilledRun {
  std::vector<Kill> kills;
  Model keys;
};

KilledRun KilledIn(const Run& run) {
  KilledRun killed;
  const Memory memory(kBytes);
  const auto store = Store::Format(daxfile::DaxFile::OverMemory(memory.span()), Background::kNone,
                                   {.change_log_bytes = run.change_log_bytes});
  EXPECT_OK(store);
  if (!store.ok()) return killed;
  run.setup(**store);
  killed.keys = ContentsOf(**store);
  run.script(**store);
  killed.keys.merge(ContentsOf(**store));
  killed.kills = KillsDuring(run);
  EXPECT_GT(killed.kills.size(), 5u);
  return killed;
}

constexpr Next kAllNext[] = {
    Next::kScans,           Next::kGets,      Next::kWrites,   Next::kUsesSpace,       Next::kUsesSpaceBesideAReader,
    Next::kPutsALargeValue, Next::kScansOnly, Next::kGetsOnly, Next::kScansOnlyOnDisk, Next::kGetsOnlyOnDisk,
    Next::kScansOnDisk};

void TryAllKills(const KilledRun& run) {
  for (size_t i = 0; i < run.kills.size() && !::testing::Test::HasFailure(); ++i) {
    for (const Next next : kAllNext) {
      EXPECT_TRUE(IsAllDurable(run.kills[i], next, run.keys, nullptr))
          << "killed at action " << i << ", next " << static_cast<int>(next);
    }
  }
}

// Whether anybody misses what is left out.
bool IsMissed(const KilledRun& run, const LeftOut& is_left_out) {
  for (const Kill& kill : run.kills) {
    for (const Next next : kAllNext) {
      if (!IsAllDurable(kill, next, run.keys, is_left_out)) return true;
    }
  }
  return false;
}

void PutNumbers(Store& store, uint64_t first, uint64_t last) {
  for (uint64_t i = first; i < last; ++i) ASSERT_OK(store.Put(U64Key(i), WordValue(i)));
}

KilledRun Pairs() {
  return KilledIn({.setup = [](Store& store) { PutNumbers(store, 0, 10); },
                   .script =
                       [](Store& store) {
                         PutNumbers(store, 10, 60);  // leaves are split, and the root
                         for (uint64_t i = 0; i < 10; ++i) ASSERT_OK(store.Put(U64Key(i), WordValue(i + 1)));
                         ASSERT_OK(store.Add(U64Key(3), 5));
                         for (uint64_t i = 20; i < 40; ++i) ASSERT_OK(store.Delete(U64Key(i)));
                       }});
}

KilledRun RecordsAndLayers() {
  return KilledIn({.setup = [](Store& store) { ASSERT_OK(store.Put("counter", WordValue(1))); },
                   .script =
                       [](Store& store) {
                         for (int i = 0; i < 40; ++i) {
                           const std::string key = "a longer key, " + std::to_string(i * 37 % 40);
                           ASSERT_OK(store.Put(key, std::string(static_cast<size_t>(10 * i), 'v')));
                         }
                         ASSERT_OK(store.Add("counter", 2));
                         ASSERT_OK(store.CompareAndSwap("counter", 3, 7));
                         ASSERT_OK(store.Put("a longer key, 7", "another value"));
                         for (int i = 0; i < 30; ++i) ASSERT_OK(store.Delete("a longer key, " + std::to_string(i)));
                       }});
}

KilledRun Batches() {
  return KilledIn({.setup = [](Store& store) { PutNumbers(store, 0, 30); },
                   .script =
                       [](Store& store) {
                         WriteBatch batch;
                         for (uint64_t i = 5; i < 40; i += 3) batch.Put(U64Key(i), WordValue(2 * i));
                         batch.Put("a record", "value");
                         batch.Delete(U64Key(1));
                         ASSERT_OK(store.Write(batch));
                         ASSERT_OK(store.DeleteRange({.lower = U64Key(10), .upper = U64Key(20)}));
                         ASSERT_OK(store.Transact([](Transaction& transaction) {
                           const absl::StatusOr<std::string> value = transaction.Get(U64Key(5));
                           return value.ok() ? transaction.Put(U64Key(6), *value) : value.status();
                         }));
                       }});
}

// Two writers are killed at once: one in the middle of a batch, the other while it replaces a value elsewhere.
KilledRun ABatchBesideAnotherWriter() {
  uint64_t value = 1000;
  return KilledIn({.setup =
                       [](Store& store) {
                         PutNumbers(store, 0, 100);
                         ASSERT_OK(store.Put("counter", WordValue(0)));
                       },
                   .script =
                       [](Store& store) {
                         WriteBatch batch;
                         for (uint64_t i = 5; i < 40; i += 3) batch.Put(U64Key(i), WordValue(2 * i));
                         ASSERT_OK(store.Write(batch));
                       },
                   .beside = [&](Store& store) { ASSERT_OK(store.Put(U64Key(90), WordValue(++value))); }});
}

// Segments of nodes are taken, one after the other.
KilledRun ManyPairs() {
  return KilledIn({.setup =
                       [](Store& store) {
                         ASSERT_OK(store.Put("a record", "its value"));
                         PutNumbers(store, 0, 60);
                       },
                   .script = [](Store& store) { PutNumbers(store, 60, 160); }});
}

// A run of segments is given back, which a longer one comes to cover.
KilledRun LargeValues() {
  const auto put = [](Store& store, int i) { return store.Put("value " + std::to_string(i), std::string(3000, 'v')); };
  return KilledIn({.setup =
                       [&](Store& store) {
                         for (int i = 0; i < 13; ++i) ASSERT_OK(put(store, i));
                         ASSERT_OK(store.Put("two", std::string(7000, 't')));
                         ASSERT_OK(store.Put("behind", std::string(3000, 'b')));
                         for (int i = 5; i < 13; ++i) ASSERT_OK(store.Delete("value " + std::to_string(i)));
                         ASSERT_OK(store.WaitUntilSpaceIsKnown());
                       },
                   .script =
                       [&](Store& store) {
                         ASSERT_OK(store.Delete("two"));
                         ASSERT_OK(store.WaitUntilSpaceIsKnown());
                       }});
}

KilledRun WhereChangesAreKept() {
  return KilledIn({.setup = [](Store& store) { PutNumbers(store, 0, 5); },
                   .script =
                       [](Store& store) {
                         PutNumbers(store, 5, 20);
                         ASSERT_OK(store.Put("a record", "value"));
                         ASSERT_OK(store.Delete(U64Key(2)));
                       },
                   .change_log_bytes = 16 << 10});
}

TEST(CrashKilledTest, Pairs) { TryAllKills(Pairs()); }
TEST(CrashKilledTest, RecordsAndLayers) { TryAllKills(RecordsAndLayers()); }
TEST(CrashKilledTest, Batches) { TryAllKills(Batches()); }
TEST(CrashKilledTest, ABatchBesideAnotherWriter) { TryAllKills(ABatchBesideAnotherWriter()); }
TEST(CrashKilledTest, ManyPairs) { TryAllKills(ManyPairs()); }
TEST(CrashKilledTest, LargeValues) { TryAllKills(LargeValues()); }
TEST(CrashKilledTest, WhereChangesAreKept) { TryAllKills(WhereChangesAreKept()); }

// Each flush and fence of kv/settle.cc, but for three fences. What the superblock's keeps apart from the redo of a
// batch, and the table's from the word of a segment just taken, would only be seen by a power cut in the middle of
// that; and behind the pages' comes another one before anything of them is shown.
TEST(CrashKilledTest, NoneOfWhatIsWrittenBackCanBeLeftOut) {
  if (const daxfile::Tier tier = TierOnDisk(); tier != daxfile::Tier::kMsync) {
    GTEST_SKIP() << "the test's directory has another tier: " << daxfile::TierName(tier);
  }
  std::set<std::pair<std::string, uint32_t>> sites;
  const std::vector<KilledRun> runs = {Pairs(),     RecordsAndLayers(), Batches(), ABatchBesideAnotherWriter(),
                                       ManyPairs(), LargeValues()};
  const auto is_seen = [&](const daxfile::Site& site) {
    if (std::string_view(site.file_name()).ends_with("settle.cc")) sites.emplace(site.function_name(), site.line());
    return false;
  };
  for (const KilledRun& run : runs) EXPECT_FALSE(IsMissed(run, is_seen));
  EXPECT_EQ(sites.size(), 12u);
  size_t missed = 0;
  for (const auto& [function, line] : sites) {
    const auto is_this = [line = line](const daxfile::Site& site) {
      return site.line() == line && std::string_view(site.file_name()).ends_with("settle.cc");
    };
    const bool is_missed =
        std::any_of(runs.begin(), runs.end(), [&](const KilledRun& run) { return IsMissed(run, is_this); });
    std::printf("settle.cc:%u %s: %s\n", line, function.c_str(), is_missed ? "missed" : "not missed");
    missed += is_missed;
  }
  EXPECT_EQ(missed, 9u);
}

}  // namespace
}  // namespace sealkv::crash
