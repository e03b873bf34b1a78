// One writer or any number of readers, or both if they know of one another, between processes. Processes wait for one
// another on pipes, never on time.
#include "daxfile/file_lock.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "daxfile/dax_file.h"
#include "daxfile/sealing.h"
#include "daxfile/test_places.h"
#include "gtest/gtest.h"
#include "tests/status.h"

namespace daxfile {
namespace {

using sealkv::testing::IsError;
using testing::MemoryDirectory;
using testing::TestPath;

constexpr OpenOptions kWriter{.weakest_tier = Tier::kVolatile};
constexpr OpenOptions kReader{.weakest_tier = Tier::kVolatile, .read_only = true};
constexpr OpenOptions kLiveWriter{.weakest_tier = Tier::kVolatile, .live = true};
constexpr OpenOptions kLiveReader{.weakest_tier = Tier::kVolatile, .read_only = true, .live = true};

// A process that has the file open until it is killed.
class Holder {
 public:
  Holder(const std::string& path, const OpenOptions& options) {
    int ready[2];
    if (pipe(ready) != 0) return;
    pid_ = fork();
    if (pid_ == 0) {
      close(ready[0]);
      const absl::StatusOr<DaxFile> file = DaxFile::Open(path, options);
      const char byte = file.ok() ? 'y' : 'n';
      if (write(ready[1], &byte, 1) != 1) _exit(1);
      for (;;) pause();
    }
    close(ready[1]);
    char byte = 0;
    is_open_ = read(ready[0], &byte, 1) == 1 && byte == 'y';
    close(ready[0]);
  }
  ~Holder() { Kill(); }
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;

  void Kill() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(std::exchange(pid_, 0), nullptr, 0);
  }
  bool is_open() const { return is_open_; }
  std::string pid() const { return std::to_string(pid_); }
  int pid_number() const { return pid_; }

 private:
  pid_t pid_ = 0;
  bool is_open_ = false;
};

class FileLock : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK(DaxFile::Create(path_.str(), {.open = kWriter, .size_bytes = 4096, .progress = {}}));
  }

  TestPath path_{MemoryDirectory()};
};

TEST_F(FileLock, AWriterKeepsEveryoneElseOutAndIsNamed) {
  Holder writer(path_.str(), kWriter);
  ASSERT_TRUE(writer.is_open());
  EXPECT_TRUE(IsError(DaxFile::Open(path_.str(), kWriter).status(), absl::StatusCode::kUnavailable,
                      {path_.str(), "process " + writer.pid() + " has it open", "close it there first"}));
  EXPECT_TRUE(IsError(DaxFile::Open(path_.str(), kReader).status(), absl::StatusCode::kUnavailable,
                      {path_.str(), "process " + writer.pid() + " has it open for writing"}));
  EXPECT_OK(DaxFile::Inspect(path_.str())) << "looking needs no lock";
}

TEST_F(FileLock, GoesWithItsProcessHoweverThatEnds) {
  Holder writer(path_.str(), kWriter);
  ASSERT_TRUE(writer.is_open());
  writer.Kill();
  EXPECT_OK(DaxFile::Open(path_.str(), kWriter));
}

TEST_F(FileLock, ReadersShareAndKeepWritersOut) {
  Holder reader(path_.str(), kReader);
  ASSERT_TRUE(reader.is_open());
  EXPECT_OK(DaxFile::Open(path_.str(), kReader));
  EXPECT_TRUE(IsError(DaxFile::Open(path_.str(), kWriter).status(), absl::StatusCode::kUnavailable,
                      {"process " + reader.pid() + " has it open; "}));
}

TEST_F(FileLock, ASecondOpeningInTheSameProcessIsRefusedToo) {
  const absl::StatusOr<DaxFile> first = DaxFile::Open(path_.str(), kWriter);
  ASSERT_OK(first);
  EXPECT_TRUE(IsError(DaxFile::Open(path_.str(), kWriter).status(), absl::StatusCode::kUnavailable,
                      {"process " + std::to_string(getpid()) + " (this one)"}));
}

// Inode numbers repeat from one filesystem to the next, and others hold locks too: naming one of them would send people
// to close the wrong process.
TEST_F(FileLock, OtherFilesHoldersArentNamed) {
  const TestPath earlier_path(MemoryDirectory(), "earlier");
  const TestPath later_path(MemoryDirectory(), "later");
  for (const TestPath* path : {&earlier_path, &later_path}) {
    ASSERT_OK(DaxFile::Create(path->str(), {.open = kWriter, .size_bytes = 4096, .progress = {}}));
  }
  const Holder earlier(earlier_path.str(), kWriter);
  const Holder holder(path_.str(), kWriter);
  const Holder later(later_path.str(), kWriter);
  EXPECT_TRUE(IsError(DaxFile::Open(path_.str(), kWriter).status(), absl::StatusCode::kUnavailable,
                      {"process " + holder.pid() + " has it open"}));
}

// In memory the last of the work is done on the mapped file: from the empty file to the open one the lock is never let
// go, for a failure removes the file, and nobody may have it open then.
TEST_F(FileLock, IsHeldFromCreateOn) {
  const TestPath path(MemoryDirectory(), "new");
  int refused = 0;
  const auto try_to_open = [&](uint64_t, uint64_t) {
    Holder other(path.str(), kWriter);
    refused += other.is_open() ? 0 : 1;
  };
  absl::StatusOr<DaxFile> file =
      DaxFile::Create(path.str(), {.open = kWriter, .size_bytes = 4096, .progress = try_to_open});
  ASSERT_OK(file);
  EXPECT_EQ(refused, 1);
  EXPECT_FALSE(Holder(path.str(), kReader).is_open());
}

// ---- live files

TEST_F(FileLock, LiveReadersAndAWriterShareInAnyOrder) {
  const Holder first(path_.str(), kLiveReader);
  ASSERT_TRUE(first.is_open());
  Holder writer(path_.str(), kLiveWriter);
  ASSERT_TRUE(writer.is_open());
  const Holder second(path_.str(), kLiveReader);
  ASSERT_TRUE(second.is_open());
  EXPECT_TRUE(IsError(DaxFile::Open(path_.str(), kLiveWriter).status(), absl::StatusCode::kUnavailable,
                      {"process " + writer.pid() + " has it open; "}));
  EXPECT_TRUE(IsError(DaxFile::Open(path_.str(), kReader).status(), absl::StatusCode::kUnavailable,
                      {"process " + writer.pid() + " has it open for writing"}));
  const absl::StatusOr<FileReport> report = DaxFile::Inspect(path_.str());
  ASSERT_OK(report);
  EXPECT_TRUE(report->has_writer);
  EXPECT_EQ(report->writer_pid, writer.pid_number());

  const absl::StatusOr<DaxFile> third = DaxFile::Open(path_.str(), kLiveReader);
  ASSERT_OK(third);
  std::vector<int> pids = LiveReaderPids(third->lock_fd());
  std::sort(pids.begin(), pids.end());
  EXPECT_EQ(pids, (std::vector<int>{first.pid_number(), second.pid_number()})) << "but not its own";
  EXPECT_TRUE(HasWriter(third->lock_fd()));
  writer.Kill();
  EXPECT_FALSE(HasWriter(third->lock_fd()));
  EXPECT_EQ(WriterPid(third->lock_fd()), 0);
  EXPECT_OK(DaxFile::Open(path_.str(), kLiveWriter));
}

TEST_F(FileLock, WhoWantsItAloneIsToldOfALiveReader) {
  Holder reader(path_.str(), kLiveReader);
  ASSERT_TRUE(reader.is_open());
  const std::string complaint = "process " + reader.pid() + " has it open for reading";
  EXPECT_TRUE(IsError(DaxFile::Open(path_.str(), kWriter).status(), absl::StatusCode::kUnavailable, {complaint}));
  EXPECT_TRUE(IsError(UnsealFile(path_.str()), absl::StatusCode::kUnavailable, {complaint}));
  reader.Kill();
  EXPECT_OK(DaxFile::Open(path_.str(), kWriter));
}

TEST_F(FileLock, LiveReadersAreAdmittedWhenTheWriterSaysSo) {
  const TestPath path(MemoryDirectory(), "new");
  absl::StatusOr<DaxFile> file = DaxFile::Create(path.str(), {.open = kLiveWriter, .size_bytes = 4096, .progress = {}});
  ASSERT_OK(file);
  EXPECT_TRUE(IsError(DaxFile::Open(path.str(), kLiveReader).status(), absl::StatusCode::kUnavailable,
                      {"process " + std::to_string(getpid()) + " (this one) has it open for itself"}));
  EXPECT_FALSE(file->is_live());
  file->AdmitReaders();
  EXPECT_TRUE(file->is_live());
  EXPECT_OK(DaxFile::Open(path.str(), kLiveReader));
  EXPECT_TRUE(IsError(DaxFile::Open(path.str(), kLiveWriter).status(), absl::StatusCode::kUnavailable));
}

TEST_F(FileLock, BeingAssignedToLetsGo) {
  const TestPath other_path(MemoryDirectory(), "other");
  absl::StatusOr<DaxFile> other =
      DaxFile::Create(other_path.str(), {.open = kWriter, .size_bytes = 4096, .progress = {}});
  ASSERT_OK(other);
  absl::StatusOr<DaxFile> file = DaxFile::Open(path_.str(), kWriter);
  ASSERT_OK(file);
  *file = *std::move(other);
  EXPECT_EQ(file->path(), other_path.str());
  EXPECT_OK(DaxFile::Open(path_.str(), kWriter)) << "its first file is still locked";
}

}  // namespace
}  // namespace daxfile
