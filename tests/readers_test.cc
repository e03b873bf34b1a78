// Processes that read a store while another one writes it. All of them are real processes, and wait for one another on
// pipes.
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "daxfile/dax_file.h"
#include "daxfile/persist.h"
#include "gtest/gtest.h"
#include "kv/sealkv.h"
#include "kv/wait.h"
#include "tests/check_clean.h"
#include "tests/model.h"
#include "tests/other_process.h"
#include "tests/random.h"
#include "tests/run_name.h"
#include "tests/self_checking.h"
#include "tests/status.h"

namespace sealkv::testing {
namespace {

constexpr uint64_t kKeys = 2000;

Options Writing(uint64_t capacity_bytes = 0) {
  return {.capacity_bytes = capacity_bytes, .max_bytes = capacity_bytes, .weakest_tier = daxfile::Tier::kVolatile};
}
Options Reading() { return {.weakest_tier = daxfile::Tier::kVolatile, .read_only = true}; }

std::unique_ptr<Store> MustOpen(const std::string& path, const Options& options) {
  absl::StatusOr<std::unique_ptr<Store>> store = Store::Open(path, options);
  if (!store.ok()) Expect(false, store.status().ToString().c_str());
  return *std::move(store);
}

// Puts and deletes until `is_enough`.
template <typename Done>
void WriteAtRandom(Store& store, Random& random, Done is_enough) {
  for (uint64_t count = 0; !is_enough(count); ++count) {
    const std::string key = KeyOf(random.Below(kKeys));
    const absl::Status status =
        random.OneIn(4) ? store.Delete(key) : store.Put(key, ValueOf(key, random.Below(1 << 20)));
    EXPECT_IN_PROCESS(status.ok() || absl::IsNotFound(status));
    EXPECT_IN_PROCESS(store.Add("count of writes", 1).ok());
  }
}

// What a reader may not see, whoever writes meanwhile. "" if all is well.
std::string LookAtRandom(const Store& store, Random& random, std::string& value) {
  const std::string key = KeyOf(random.Below(kKeys));
  const absl::Status status = store.Get(key, &value);
  if (absl::IsNotFound(status)) return "";
  if (!status.ok()) return status.ToString();
  return IsWhole(key, value) ? "" : "a torn value";
}

std::string LookAtAll(const Store& store) {
  const std::unique_ptr<Iterator> at = store.NewIterator();
  std::string last;
  for (at->SeekToFirst(); at->Valid(); at->Next()) {
    if (!last.empty() && at->key() <= last) return "keys don't ascend";
    last = at->key();
    if (last != "count of writes" && !IsWhole(last, at->value())) return "a torn value";
  }
  return at->status().ok() ? "" : at->status().ToString();
}

uint64_t CountOf(const Store& store) {
  const absl::StatusOr<std::string> count = store.Get("count of writes");
  return count.ok() ? WordOf(*count) : 0;
}

// Does something once, just before one of the writer's actions at the seam, which are counted from Begin() on.
class AtAction : public daxfile::PersistObserver {
 public:
  AtAction(uint64_t number, std::function<void()> act) : number_(number), act_(std::move(act)) {}

  void OnStore(const uint64_t*, uint64_t, const daxfile::Site&) override { Count(); }
  void OnCopy(const void*, const void*, size_t, bool, const daxfile::Site&) override { Count(); }
  void OnFlush(const void*, size_t, const daxfile::Site&) override { Count(); }
  void OnFence(const daxfile::Site&) override { Count(); }

  void Begin() { count_ = 0; }
  void End() { count_ = kNever; }

 private:
  static constexpr uint64_t kNever = uint64_t{1} << 63;

  void Count() {
    if (count_++ == number_) act_();
  }

  const uint64_t number_;
  const std::function<void()> act_;
  std::atomic<uint64_t> count_{kNever};
};

std::unique_ptr<Store> MustOpenWatched(const std::string& path, AtAction& observer) {
  absl::StatusOr<daxfile::DaxFile> file =
      daxfile::DaxFile::Open(path, {.weakest_tier = daxfile::Tier::kVolatile, .live = true, .observer = &observer});
  if (!file.ok()) Expect(false, file.status().ToString().c_str());
  absl::StatusOr<std::unique_ptr<Store>> store = Store::Attach(*std::move(file));
  if (!store.ok()) Expect(false, store.status().ToString().c_str());
  return *std::move(store);
}

void Die() {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

class ReadersTest : public ::testing::Test {
 protected:
  ReadersTest() : folder_("/dev/shm/sealkv-readers-test." + testing::RunName()), path_(folder_ + "/store") {
    alarm(240);                // who waits for ever fails
    signal(SIGPIPE, SIG_IGN);  // who died says so by its exit code
    EXPECT_EQ(mkdir(folder_.c_str(), 0755), 0);
  }
  ~ReadersTest() override {
    unlink(path_.c_str());
    EXPECT_EQ(rmdir(folder_.c_str()), 0) << "something was left beside the store";
    alarm(0);
  }

  std::unique_ptr<Store> Create(uint64_t capacity_bytes) {
    absl::StatusOr<std::unique_ptr<Store>> store = Store::Create(path_, Writing(capacity_bytes));
    EXPECT_OK(store);
    return *std::move(store);
  }
  // Writes until it is told to stop.
  std::function<void(Line&)> WriterUntilTold(uint64_t seed) {
    return [this, seed](Line& line) {
      const std::unique_ptr<Store> store = MustOpen(path_, Writing());
      Random random(seed);
      line.Say('o');
      WriteAtRandom(*store, random, [&line](uint64_t) { return line.HasSpoken(); });
    };
  }
  // Pins a value, says so, and checks it when it is told to.
  std::function<void(Line&)> Pinner(const std::string& key, const std::string& expected) {
    return [this, key, expected](Line& line) {
      const std::unique_ptr<Store> store = MustOpen(path_, Reading());
      {
        const absl::StatusOr<PinnedValue> pinned = store->GetPinned(key);
        EXPECT_IN_PROCESS(pinned.ok());
        line.Say('p');
        EXPECT_IN_PROCESS(line.Await() == 'c');
        EXPECT_IN_PROCESS(pinned->view() == expected);
      }
      line.Say('d');
      EXPECT_IN_PROCESS(line.Await() == 'e');
    };
  }

  const std::string folder_;
  const std::string path_;
};

TEST_F(ReadersTest, ReadWhileAnotherProcessWrites) {
  Create(32 << 20).reset();
  OtherProcess writer(WriterUntilTold(TestSeed()));
  std::vector<std::unique_ptr<OtherProcess>> readers;
  ASSERT_EQ(writer.line().Await(), 'o');
  for (int i = 0; i < 2; ++i) {
    readers.push_back(std::make_unique<OtherProcess>([this, i](Line&) {
      const std::unique_ptr<Store> store = MustOpen(path_, Reading());
      Random random(TestSeed() + i + 1);
      std::string value;
      uint64_t count = 0;
      for (int round = 0; round < 30; ++round) {
        for (int j = 0; j < 1000; ++j) {
          const std::string complaint = LookAtRandom(*store, random, value);
          Expect(complaint.empty(), complaint.c_str());
        }
        const std::string complaint = LookAtAll(*store);
        Expect(complaint.empty(), complaint.c_str());
        const uint64_t now = CountOf(*store);
        EXPECT_IN_PROCESS(now >= count);
        count = now;
      }
      EXPECT_IN_PROCESS(count > 0);
    }));
  }
  for (const auto& reader : readers) EXPECT_EQ(reader->Join(), 0);
  writer.line().Say('s');
  EXPECT_EQ(writer.Join(), 0);
  EXPECT_TRUE(IsCleanFile(path_));
}

TEST_F(ReadersTest, ManyThreadsOfAReaderPinAndWalk) {
  Create(32 << 20).reset();
  OtherProcess writer(WriterUntilTold(TestSeed()));
  ASSERT_EQ(writer.line().Await(), 'o');
  {
    const std::unique_ptr<Store> store = MustOpen(path_, Reading());
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&store, i] {
        Random random(TestSeed() + 100 + i);
        std::vector<std::pair<std::string, PinnedValue>> pinned;
        for (int j = 0; j < 4000; ++j) {
          const std::string key = KeyOf(random.Below(kKeys));
          absl::StatusOr<PinnedValue> value = store->GetPinned(key);
          if (value.ok()) pinned.emplace_back(key, *std::move(value));
          if (pinned.size() < 50) continue;
          for (const auto& [pinned_key, pin] : pinned) EXPECT_TRUE(IsWhole(pinned_key, pin.view()));
          pinned.clear();
          EXPECT_EQ(LookAtAll(*store), "");
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(store->GetStats().writer_pid, writer.pid());
  }
  writer.line().Say('s');
  EXPECT_EQ(writer.Join(), 0);
}

TEST_F(ReadersTest, AKilledReaderLeavesNothingBehind) {
  const std::unique_ptr<Store> store = Create(8 << 20);
  const std::string value(1000, 'v');
  ASSERT_OK(store->Put("pinned", value));
  OtherProcess reader(Pinner("pinned", value));
  ASSERT_EQ(reader.line().Await(), 'p');
  for (int i = 0; i < 500; ++i) ASSERT_OK(store->Put("pinned", ValueOf("pinned", i)));
  ASSERT_OK(store->WaitUntilSpaceIsKnown());
  const Stats held = store->GetStats();
  EXPECT_EQ(held.reader_processes, 1);
  EXPECT_EQ(held.oldest_reader_pid, reader.pid());
  EXPECT_GT(held.readers_hold_epochs, 0);
  EXPECT_GT(held.bytes_retired, 20'000);

  reader.Kill();
  ASSERT_OK(store->WaitUntilSpaceIsKnown());
  const Stats free = store->GetStats();
  EXPECT_EQ(free.reader_processes, 0);
  EXPECT_EQ(free.oldest_reader_pid, 0);
  EXPECT_EQ(free.bytes_retired, 0);
}

TEST_F(ReadersTest, AStoppedReaderHoldsBackSpaceAndNothingElse) {
  const std::unique_ptr<Store> store = Create(1 << 20);
  const std::string value(1000, 'v');
  ASSERT_OK(store->Put("pinned", value));
  OtherProcess reader(Pinner("pinned", value));
  ASSERT_EQ(reader.line().Await(), 'p');
  reader.Stop();
  ASSERT_OK(store->Delete("pinned"));
  int puts = 0;
  absl::Status status;
  for (; status.ok() && puts < 10'000; ++puts) status = store->Put("key", ValueOf("key", puts));
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_GT(puts, 1000);
  EXPECT_OK(store->Get("key"));
  EXPECT_OK(store->Delete("key"));

  reader.GoOn();
  reader.line().Say('c');
  ASSERT_EQ(reader.line().Await(), 'd') << "what it had pinned was used otherwise";
  for (int i = 0; i < 10'000; ++i) ASSERT_OK(store->Put("key", ValueOf("key", i)));
  reader.line().Say('e');
  EXPECT_EQ(reader.Join(), 0);
}

// The second writer doesn't know what the first one had unlinked, nor who still looks at it.
TEST_F(ReadersTest, WhatAReaderHasPinnedOutlastsTheWriterThatUnlinkedIt) {
  const std::string value(1000, 'v');
  {
    const std::unique_ptr<Store> store = Create(1 << 20);
    ASSERT_OK(store->Put("pinned", value));
    ASSERT_OK(store->Put("kept", "here"));
  }
  OtherProcess reader(Pinner("pinned", value));
  ASSERT_EQ(reader.line().Await(), 'p') << "no writer is there yet";
  ASSERT_OK(MustOpen(path_, Writing())->Delete("pinned"));

  const std::unique_ptr<Store> store = MustOpen(path_, Writing());
  ASSERT_OK(store->WaitUntilSpaceIsKnown());
  EXPECT_FALSE(store->GetStats().space_is_known);
  EXPECT_EQ(store->GetStats().oldest_reader_pid, reader.pid());
  absl::Status status;
  for (int i = 0; status.ok() && i < 10'000; ++i)
    status = store->Put("key " + std::to_string(i), std::string(900, 'x'));
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;

  reader.line().Say('c');
  ASSERT_EQ(reader.line().Await(), 'd') << "what it had pinned was used otherwise";
  ASSERT_OK(store->WaitUntilSpaceIsKnown());
  EXPECT_TRUE(store->GetStats().space_is_known);
  reader.line().Say('e');
  EXPECT_EQ(reader.Join(), 0);
}

TEST_F(ReadersTest, GoOnWhenTheWriterIsKilledAndWhenTheNextOneComes) {
  Create(32 << 20).reset();
  const std::unique_ptr<Store> store = MustOpen(path_, Reading());
  Random random(TestSeed());
  std::string value;
  const auto look = [&](uint64_t times) {
    for (uint64_t i = 0; i < times; ++i) ASSERT_EQ(LookAtRandom(*store, random, value), "");
  };
  for (int life = 0; life < 60; ++life) {
    OtherProcess writer(WriterUntilTold(TestSeed() + life));
    ASSERT_EQ(writer.line().Await(), 'o');
    EXPECT_EQ(store->GetStats().writer_pid, writer.pid());
    look(random.Below(1000));
    writer.Kill();
    EXPECT_EQ(store->GetStats().writer_pid, 0);
    const uint64_t count = CountOf(*store);
    look(100);
    ASSERT_EQ(LookAtAll(*store), "") << "life " << life;
    EXPECT_EQ(CountOf(*store), count) << "nobody writes";
    ASSERT_FALSE(HasFatalFailure()) << "life " << life;
  }
  EXPECT_TRUE(IsCleanFile(path_));
}

// The same, but the writer dies in the middle of an operation, as often as not with a node locked.
TEST_F(ReadersTest, GoOnWhenTheWriterDiesInTheMiddleOfAnOperation) {
  Create(32 << 20).reset();
  const std::unique_ptr<Store> store = MustOpen(path_, Reading());
  Random random(TestSeed());
  for (int life = 0; life < 100; ++life) {
    const uint64_t seed = random.Next();
    OtherProcess writer([this, seed](Line& line) {
      Random script(seed);
      AtAction death(script.Below(uint64_t{1} << script.Between(0, 14)), Die);
      const std::unique_ptr<Store> writing = MustOpenWatched(path_, death);
      line.Say('o');
      death.Begin();
      WriteAtRandom(*writing, script, [](uint64_t) { return false; });
    });
    ASSERT_EQ(writer.line().Await(), 'o');
    std::string value;
    do {
      ASSERT_EQ(LookAtRandom(*store, random, value), "") << "life " << life;
    } while (!writer.line().HasSpoken());  // its end closes the line
    ASSERT_EQ(writer.Join(), -1);
    ASSERT_EQ(LookAtAll(*store), "") << "life " << life;
  }
  EXPECT_TRUE(IsCleanFile(path_));
}

// The reader tells by the hook that waiting threads have for tests that it waits, and isn't let go before that.
TEST_F(ReadersTest, WaitForWhatIsNotDurableYet) {
  ASSERT_OK(Create(1 << 20)->Put("a key of 8+", "old"));
  constexpr uint64_t kMostActions = 16;
  uint64_t waits = 0;
  for (uint64_t action = 0; action < kMostActions; ++action) {
    OtherProcess writer([this, action](Line& line) {
      AtAction stand_still(action, [&line] {
        line.Say('s');
        line.Await();
      });
      const std::unique_ptr<Store> store = MustOpenWatched(path_, stand_still);
      EXPECT_IN_PROCESS(store->WaitUntilSpaceIsKnown().ok());
      stand_still.Begin();
      EXPECT_IN_PROCESS(store->Put("a key of 8+", "new").ok());
      stand_still.End();
      line.Say('d');
      line.Await();
      EXPECT_IN_PROCESS(store->Put("a key of 8+", "old").ok());
    });
    const bool stands_still = writer.line().Await() == 's';
    static thread_local Line* writers_line;
    static thread_local uint64_t* waited;
    writers_line = &writer.line();
    waited = &waits;
    internal::wait_in_test = [] {
      ++*waited;
      writers_line->Say('g');
      internal::wait_in_test = nullptr;
    };
    const absl::StatusOr<std::string> value = MustOpen(path_, Reading())->Get("a key of 8+");
    const bool has_waited = std::exchange(internal::wait_in_test, nullptr) == nullptr;
    ASSERT_OK(value);
    EXPECT_EQ(*value, has_waited || !stands_still ? "new" : "old") << "before action " << action;
    if (stands_still && !has_waited) writer.line().Say('g');
    if (stands_still) {
      ASSERT_EQ(writer.line().Await(), 'd');
    }
    writer.line().Say('o');
    ASSERT_EQ(writer.Join(), 0);
  }
  EXPECT_GT(waits, 0);
}

TEST_F(ReadersTest, ASecondWriterIsToldWhoTheFirstIs) {
  Create(32 << 20).reset();
  OtherProcess writer(WriterUntilTold(TestSeed()));
  ASSERT_EQ(writer.line().Await(), 'o');
  const std::unique_ptr<Store> reader = MustOpen(path_, Reading());
  EXPECT_TRUE(IsError(Store::Open(path_, Writing()).status(), absl::StatusCode::kUnavailable,
                      {path_, "process " + std::to_string(writer.pid()) + " has it open", "close it there first"}));
  writer.Kill();
  EXPECT_OK(Store::Open(path_, Writing())) << "readers are in nobody's way";
}

TEST_F(ReadersTest, WhoMayOnlyReadTheFileCanReadBesideAWriter) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can become somebody else";
  const std::unique_ptr<Store> store = Create(8 << 20);
  ASSERT_EQ(chmod(path_.c_str(), 0644), 0);
  const std::string value(1000, 'v');
  ASSERT_OK(store->Put("pinned", value));
  const auto pinner = Pinner("pinned", value);
  OtherProcess reader([&](Line& line) {
    constexpr uid_t kNobody = 65534;
    if (setresgid(kNobody, kNobody, kNobody) != 0 || setresuid(kNobody, kNobody, kNobody) != 0) {
      return line.Say('-');  // in a user namespace that has nobody else
    }
    EXPECT_IN_PROCESS(absl::IsPermissionDenied(Store::Open(path_, Writing()).status()));
    pinner(line);
  });
  const char answer = reader.line().Await();
  if (answer == '-') GTEST_SKIP() << "this process can't become somebody else";
  ASSERT_EQ(answer, 'p');
  for (int i = 0; i < 5000; ++i) ASSERT_OK(store->Put("pinned", ValueOf("pinned", i)));
  EXPECT_EQ(store->GetStats().oldest_reader_pid, reader.pid());
  reader.line().Say('c');
  ASSERT_EQ(reader.line().Await(), 'd') << "what it had pinned was used otherwise";
  reader.line().Say('e');
  EXPECT_EQ(reader.Join(), 0);
}

TEST_F(ReadersTest, AnIdleReaderHoldsNothing) {
  const std::unique_ptr<Store> store = Create(8 << 20);
  ASSERT_OK(store->Put("key", "value"));
  OtherProcess reader([this](Line& line) {
    const std::unique_ptr<Store> reading = MustOpen(path_, Reading());
    EXPECT_IN_PROCESS(reading->Get("key").ok());
    EXPECT_IN_PROCESS(LookAtAll(*reading) != "nothing");
    line.Say('r');
    line.Await();
  });
  ASSERT_EQ(reader.line().Await(), 'r');
  reader.Stop();
  for (int i = 0; i < 500; ++i) ASSERT_OK(store->Put("key", ValueOf("key", i)));
  ASSERT_OK(store->WaitUntilSpaceIsKnown());
  EXPECT_EQ(store->GetStats().reader_processes, 1);
  EXPECT_EQ(store->GetStats().bytes_retired, 0);
  EXPECT_EQ(store->GetStats().readers_hold_epochs, 0);
}

// Where one read follows the other its epoch is shown a little longer than it is read in.
TEST_F(ReadersTest, ABusyReaderThatBecomesIdleSoonHoldsNothing) {
  // Threads will run in it, so it begins before there are any here: ThreadSanitizer wants that.
  OtherProcess reader([this](Line& line) {
    line.Await();
    const std::unique_ptr<Store> reading = MustOpen(path_, Reading());
    for (int round = 0; round < 3; ++round) {
      for (int i = 0; i < 10'000; ++i) EXPECT_IN_PROCESS(reading->Get("key").ok());
      line.Say('r');
      line.Await();
    }
  });
  const std::unique_ptr<Store> store = Create(8 << 20);
  ASSERT_OK(store->Put("key", "value"));
  reader.line().Say('o');
  for (int round = 0; round < 3; ++round) {
    ASSERT_EQ(reader.line().Await(), 'r');
    uint64_t retired;
    do {
      ASSERT_OK(store->Put("key", ValueOf("key", 1)));
      ASSERT_OK(store->WaitUntilSpaceIsKnown());
      retired = store->GetStats().bytes_retired;
    } while (retired > 0);
    reader.line().Say('g');
  }
  EXPECT_EQ(reader.Join(), 0);
}

// A reader that never pauses must not hold back what was retired long ago.
TEST_F(ReadersTest, ReadersThatNeverPauseLetAWriterUseItsSpaceAgain) {
  OtherProcess reader([this](Line& line) {  // with threads, so before there are any here
    line.Await();
    const std::unique_ptr<Store> reading = MustOpen(path_, Reading());
    std::vector<std::thread> threads;
    std::atomic<bool> is_enough = false;
    for (int i = 0; i < 3; ++i) {
      threads.emplace_back([&] {
        while (!is_enough) EXPECT_IN_PROCESS(reading->Get("key").ok());
      });
    }
    line.Say('r');
    line.Await();
    is_enough = true;
    for (std::thread& thread : threads) thread.join();
  });
  const std::unique_ptr<Store> store = Create(1 << 20);
  ASSERT_OK(store->Put("key", "value"));
  reader.line().Say('o');
  ASSERT_EQ(reader.line().Await(), 'r');
  // Some ten times what the store holds. A writer may come to find no space for the moment that a mark stays.
  for (int i = 0; i < 50'000; ++i) {
    absl::Status status;
    do {
      status = store->Put("key", ValueOf("key", i));
    } while (absl::IsResourceExhausted(status));
    ASSERT_OK(status);
  }
  reader.line().Say('e');
  EXPECT_EQ(reader.Join(), 0);
}

}  // namespace
}  // namespace sealkv::testing
