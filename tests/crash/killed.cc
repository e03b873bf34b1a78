#include "tests/crash/killed.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>
#include <thread>

#include "kv/recovery.h"
#include "tests/run_name.h"
#include "tests/status.h"

namespace sealkv::crash {
namespace {

using testing::ContentsOf;
using testing::Memory;
using testing::WordValue;

constexpr size_t kBytes = 132 << 10;

void KillDuring(const Run& run, KilledRun* killed) {
  std::vector<Kill>& kills = killed->kills;
  const Memory memory(kBytes);
  DurableBytes durable(memory.span(), CopyOf(memory.span()));
  const auto store = Store::Format(daxfile::DaxFile::OverMemory(memory.span(), &durable), Background::kNone,
                                   {.change_log_bytes = run.change_log_bytes});
  EXPECT_OK(store);
  if (!store.ok()) return;
  run.setup(**store);
  killed->begin = {CopyOf(memory.span()), durable.bytes()};
  bool is_beside = false;
  durable.on_event = [&](const daxfile::Site& site) {
    kills.push_back({CopyOf(memory.span()), durable.bytes()});
    if (run.beside == nullptr || is_beside || !std::string_view(site.file_name()).ends_with("batch_commit.cc")) return;
    is_beside = true;
    std::thread([&] { run.beside(**store); }).join();
    is_beside = false;
  };
  run.script(**store);
}

void PutNumbers(Store& store, uint64_t first, uint64_t last) {
  for (uint64_t i = first; i < last; ++i) ASSERT_OK(store.Put(U64Key(i), WordValue(i)));
}

}  // namespace

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
  KillDuring(run, &killed);
  EXPECT_GT(killed.kills.size(), 5u);
  return killed;
}

std::vector<Kill> KilledNext(const Kill& first, const Script& script) {
  std::vector<Kill> kills;
  const std::unique_ptr<Memory> memory = MemoryOf(first.visible);
  DurableBytes durable(memory->span(), first.durable);
  const std::unique_ptr<Store> store = Open(*memory, &durable);
  if (store == nullptr) return kills;
  durable.on_event = [&](const daxfile::Site&) { kills.push_back({CopyOf(memory->span()), durable.bytes()}); };
  script(*store);
  return kills;
}

std::unique_ptr<Store> Open(const Memory& memory, daxfile::PersistObserver* observer) {
  auto store = Store::Attach(daxfile::DaxFile::OverMemory(memory.span(), observer), Background::kNone);
  EXPECT_OK(store);
  return store.ok() ? *std::move(store) : nullptr;
}

std::unique_ptr<Memory> MemoryOf(const Bytes& bytes) {
  auto memory = std::make_unique<Memory>(bytes.size());
  std::memcpy(memory->data(), bytes.data(), bytes.size());
  return memory;
}

StoreFile::StoreFile(const std::string& path, const Bytes& bytes) : path_(path), size_(bytes.size()) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0 || write(fd, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) std::abort();
  at_ = mmap(nullptr, bytes.size(), PROT_READ, MAP_SHARED, fd, 0);
  if (at_ == MAP_FAILED) std::abort();
  close(fd);
}

StoreFile::~StoreFile() {
  munmap(at_, size_);
  unlink(path_.c_str());
}

void StoreFile::Write(const Bytes& bytes) const {
  const int fd = open(path_.c_str(), O_WRONLY | O_CLOEXEC);
  if (pwrite(fd, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) std::abort();
  close(fd);
}

absl::StatusOr<daxfile::DaxFile> StoreFile::LockForWriting() const {
  return daxfile::DaxFile::Open(path_, {.weakest_tier = daxfile::Tier::kVolatile, .live = true});
}

std::unique_ptr<Store> StoreFile::Open(DurableBytes& durable, bool read_only) const {
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

std::string PathInMemory() { return "/dev/shm/crash_killed." + testing::RunName(); }
std::string PathOnDisk() { return ::testing::TempDir() + "/crash_killed_test." + std::to_string(getpid()); }

daxfile::Tier TierOnDisk() {
  const StoreFile file(PathOnDisk(), Bytes(kPageBytes));
  const auto report = daxfile::DaxFile::Inspect(PathOnDisk());
  EXPECT_OK(report);
  return report.ok() ? report->tier : daxfile::Tier::kVolatile;
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

KilledRun ManyPairs() {
  return KilledIn({.setup =
                       [](Store& store) {
                         ASSERT_OK(store.Put("a record", "its value"));
                         PutNumbers(store, 0, 60);
                       },
                   .script = [](Store& store) { PutNumbers(store, 60, 160); }});
}

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

}  // namespace sealkv::crash
