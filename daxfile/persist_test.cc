// The seam: what it counts, what it tells its observer, and that in msync mode each fence syncs what was flushed. This
// program's msync() stands before libc's: it notes each call, makes it, and fails on demand.
#include "daxfile/persist.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "daxfile/dax_file.h"
#include "daxfile/test_places.h"
#include "gtest/gtest.h"
#include "tests/failing_memory.h"
#include "tests/random.h"
#include "tests/status.h"

namespace {

struct MsyncCall {
  uintptr_t begin;
  size_t bytes;
  int flags;
};
thread_local std::vector<MsyncCall> msync_calls;
std::atomic<int> msync_error{0};

std::vector<MsyncCall> TakeMsyncCalls() { return std::exchange(msync_calls, {}); }

}  // namespace

extern "C" int msync(void* address, size_t bytes, int flags) {
  msync_calls.push_back({reinterpret_cast<uintptr_t>(address), bytes, flags});
  if (const int error = msync_error.load(); error != 0) {
    errno = error;
    return -1;
  }
  return static_cast<int>(syscall(SYS_msync, address, bytes, flags));
}

namespace daxfile {
namespace {

using sealkv::testing::IsError;
using sealkv::testing::Random;
using testing::MemoryDirectory;
using testing::TestPath;

constexpr size_t kPage = 4096;

// A shared mapping that msync works on, whatever the machine's filesystems are.
class SharedMemory {
 public:
  explicit SharedMemory(size_t pages) : bytes_(pages * kPage) {
    data_ = static_cast<std::byte*>(mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  }
  ~SharedMemory() { munmap(data_, bytes_); }
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  std::byte* at(size_t byte) const { return data_ + byte; }
  size_t page_of(const MsyncCall& call) const { return (call.begin - reinterpret_cast<uintptr_t>(data_)) / kPage; }
  size_t bytes() const { return bytes_; }

 private:
  std::byte* data_;
  size_t bytes_;
};

TEST(LinesTouched, CountsPartsOfLines) {
  alignas(64) static const char bytes[256] = {};
  EXPECT_EQ(LinesTouched(bytes, 0), 0u);
  EXPECT_EQ(LinesTouched(bytes, 1), 1u);
  EXPECT_EQ(LinesTouched(bytes, 64), 1u);
  EXPECT_EQ(LinesTouched(bytes, 65), 2u);
  EXPECT_EQ(LinesTouched(bytes + 63, 2), 2u);
  EXPECT_EQ(LinesTouched(bytes + 60, 133), 4u);
}

TEST(PersistCounters, CountLinesFencesAndBytesOfTheirThread) {
  alignas(64) uint64_t words[32] = {};
  const char text[130] = {};
  Persist persist(Persist::Mode::kCpu);
  const PersistCounters before = ThreadPersistCounters();
  persist.Store(&words[0], 7);
  persist.Flush(&words[0], 8);
  persist.Fence();
  persist.Copy(&words[8], text, 10);
  persist.CopyNonTemporal(&words[8], text, sizeof text);
  persist.Fence();
  const PersistCounters spent = ThreadPersistCounters() - before;
  EXPECT_EQ(words[0], 7u);
  EXPECT_EQ(spent.lines_flushed, 1u + 3u);
  EXPECT_EQ(spent.fences, 2u);
  EXPECT_EQ(spent.bytes_stored, 8u + 10u + 130u);
  EXPECT_EQ((before + spent).fences, ThreadPersistCounters().fences);
  std::thread([] {
    EXPECT_EQ(ThreadPersistCounters().fences, 0u);
    EXPECT_EQ(ThreadPersistCounters().lines_flushed, 0u);
    EXPECT_EQ(ThreadPersistCounters().bytes_stored, 0u);
  }).join();
}

class Notes : public PersistObserver {
 public:
  void OnStore(const uint64_t* word, uint64_t value, const daxfile::Site& site) override {
    Note("store " + std::to_string(*word) + "->" + std::to_string(value), site);
  }
  void OnCopy(const void*, const void*, size_t bytes, bool non_temporal, const daxfile::Site& site) override {
    Note((non_temporal ? "copy-nt " : "copy ") + std::to_string(bytes), site);
  }
  void OnFlush(const void*, size_t bytes, const daxfile::Site& site) override {
    Note("flush " + std::to_string(bytes), site);
  }
  void OnFence(const daxfile::Site& site) override { Note("fence", site); }

  std::vector<std::string> notes;
  std::set<unsigned> lines;

 private:
  void Note(std::string note, const daxfile::Site& site) {
    notes.push_back(std::move(note));
    EXPECT_NE(std::string(site.file_name()).find("persist_test.cc"), std::string::npos) << site.file_name();
    lines.insert(site.line());
  }
};

TEST(PersistObserver, SeesEachActionBeforeItHappensAndTheLineThatAskedForIt) {
  alignas(64) uint64_t words[8] = {};
  Notes notes;
  Persist persist(Persist::Mode::kCpu, &notes);
  persist.Store(&words[0], 7);
  persist.Copy(&words[1], "12345", 5);
  persist.CopyNonTemporal(&words[2], "12345678", 8);
  persist.Flush(&words[0], 24);
  persist.Fence();
  EXPECT_EQ(notes.notes, (std::vector<std::string>{"store 0->7", "copy 5", "copy-nt 8", "flush 24", "fence"}));
  EXPECT_EQ(notes.lines.size(), 5u);
}

TEST(PersistCpu, NeverCallsMsync) {
  const SharedMemory memory(4);
  Persist persist(Persist::Mode::kCpu);
  TakeMsyncCalls();
  persist.CopyNonTemporal(memory.at(0), "12345678", 8);
  persist.Flush(memory.at(0), 2 * kPage);
  persist.Fence();
  EXPECT_TRUE(TakeMsyncCalls().empty());
  EXPECT_OK(persist.status());
}

TEST(PersistMsync, AFenceSyncsEachFlushedPageOnce) {
  const SharedMemory memory(16);
  Persist persist(Persist::Mode::kMsync);
  TakeMsyncCalls();
  persist.Fence();
  EXPECT_TRUE(TakeMsyncCalls().empty()) << "nothing was flushed";
  for (size_t byte = 0; byte < 2 * kPage; byte += 64) persist.Flush(memory.at(byte), 64);
  persist.CopyNonTemporal(memory.at(8 * kPage - 4), "12345678", 8);
  persist.Copy(memory.at(12 * kPage), "12345678", 8);  // not flushed
  persist.Flush(memory.at(kPage), 64);
  persist.Fence();
  const std::vector<MsyncCall> calls = TakeMsyncCalls();
  ASSERT_EQ(calls.size(), 2u);
  EXPECT_EQ(memory.page_of(calls[0]), 0u);
  EXPECT_EQ(calls[0].bytes, 2 * kPage);
  EXPECT_EQ(memory.page_of(calls[1]), 7u);
  EXPECT_EQ(calls[1].bytes, 2 * kPage);
  for (const MsyncCall& call : calls) EXPECT_EQ(call.flags, MS_SYNC);
  persist.Fence();
  EXPECT_TRUE(TakeMsyncCalls().empty()) << "synced twice";
}

// A fence is of its thread: what another thread flushed meanwhile is that one's to sync.
TEST(PersistMsync, ThreadsSyncTheirOwnPagesAlsoWhereTheyOverlap) {
  constexpr size_t kThreads = 8;
  const SharedMemory memory(32);
  Persist persist(Persist::Mode::kMsync);
  std::vector<std::thread> threads;
  for (size_t number = 0; number < kThreads; ++number) {
    threads.emplace_back([&memory, &persist, number] {
      Random random(sealkv::testing::TestSeed() + number);
      for (int round = 0; round < 300; ++round) {
        std::set<size_t> wanted;
        for (uint64_t i = random.Between(1, 12); i > 0; --i) {
          const size_t bytes = random.Between(1, random.OneIn(5) ? 3 * kPage : 128);
          const size_t at = random.Below(memory.bytes() - bytes);
          persist.Flush(memory.at(at), bytes);
          for (size_t page = at / kPage; page <= (at + bytes - 1) / kPage; ++page) wanted.insert(page);
        }
        persist.Fence();
        std::multiset<size_t> synced;
        for (const MsyncCall& call : TakeMsyncCalls()) {
          for (size_t i = 0; i < call.bytes / kPage; ++i) synced.insert(memory.page_of(call) + i);
        }
        ASSERT_EQ(synced, std::multiset<size_t>(wanted.begin(), wanted.end())) << "thread " << number;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_OK(persist.status());
}

TEST(PersistMsync, AFenceOfOneFileLeavesTheOthersPages) {
  const SharedMemory memory(2);
  Persist one(Persist::Mode::kMsync);
  Persist other(Persist::Mode::kMsync);
  TakeMsyncCalls();
  one.Flush(memory.at(0), 8);
  other.Flush(memory.at(kPage), 8);
  one.Fence();
  std::vector<MsyncCall> calls = TakeMsyncCalls();
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_EQ(memory.page_of(calls[0]), 0u);
  other.Fence();
  calls = TakeMsyncCalls();
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_EQ(memory.page_of(calls[0]), 1u);
}

TEST(PersistMsync, WhatThereIsNoMemoryToRememberIsSyncedAtOnce) {
  const SharedMemory memory(4);
  Persist persist(Persist::Mode::kMsync);
  // A thread that has flushed nothing yet.
  std::thread([&] {
    sealkv::testing::allocations_left = 0;
    persist.Flush(memory.at(kPage), 64);
    std::vector<MsyncCall> calls = TakeMsyncCalls();
    ASSERT_EQ(calls.size(), 1u);
    EXPECT_EQ(memory.page_of(calls[0]), 1u);
    EXPECT_EQ(calls[0].bytes, kPage);
    persist.Fence();
    EXPECT_TRUE(TakeMsyncCalls().empty());
    EXPECT_OK(persist.status());
    sealkv::testing::allocations_left = 0;
    msync_error = EIO;
    persist.Flush(memory.at(2 * kPage), 64);
    msync_error = 0;
    EXPECT_TRUE(absl::IsDataLoss(persist.status()));
  }).join();
}

// Was: pages were remembered by thread alone, so the next file's fence synced addresses that were unmapped by then
// (ENOMEM), and said of a sound file that it may have lost data.
TEST(PersistMsync, PagesOfAClosedFileAreForgotten) {
  Persist next(Persist::Mode::kMsync);
  {
    const SharedMemory memory(2);
    Persist closed(Persist::Mode::kMsync);
    closed.Flush(memory.at(0), kPage);
  }
  TakeMsyncCalls();
  next.Fence();
  const SharedMemory memory(1);
  next.Flush(memory.at(0), 8);
  next.Fence();
  EXPECT_EQ(TakeMsyncCalls().size(), 1u);
  EXPECT_OK(next.status());
}

TEST(PersistMsync, TheFirstErrorIsKeptAndTheOtherFileUnharmed) {
  const SharedMemory memory(4);
  Persist persist(Persist::Mode::kMsync);
  Persist other(Persist::Mode::kMsync);
  persist.Flush(memory.at(0), 8);
  msync_error = EIO;
  persist.Fence();
  persist.Flush(memory.at(0), 8);
  msync_error = ENOSPC;
  persist.Fence();
  msync_error = 0;
  persist.Flush(memory.at(0), 8);
  persist.Fence();
  EXPECT_TRUE(IsError(persist.status(), absl::StatusCode::kDataLoss, {"msync failed: Input/output error", "close"}));
  EXPECT_OK(other.status());
}

// The file's tier decides the mode: a plain file's fences sync, and a file's in memory don't.
TEST(PersistOfAFile, SyncsOnTierMsyncOnly) {
  for (const std::string& directory : {MemoryDirectory(), testing::PlainDirectory()}) {
    const TestPath path(directory);
    CreateOptions options{.open = {.weakest_tier = Tier::kVolatile}, .size_bytes = 64 << 10, .progress = {}};
    absl::StatusOr<DaxFile> file = DaxFile::Create(path.str(), options);
    ASSERT_OK(file);
    TakeMsyncCalls();
    file->persist().Store(reinterpret_cast<uint64_t*>(file->data()), 1);
    file->persist().Flush(file->data(), 8);
    file->persist().Fence();
    EXPECT_EQ(TakeMsyncCalls().size(), file->tier() == Tier::kMsync ? 1u : 0u) << TierName(file->tier());
    EXPECT_OK(file->persist().status());
  }
}

}  // namespace
}  // namespace daxfile
