// What the kernel makes of a fence by a process that only reads. Whether a file has pages that aren't written back is
// asked of the kernel too (cachestat, since Linux 6.5).
#include "daxfile/synced_files.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <optional>
#include <string>

#include "daxfile/dax_file.h"
#include "daxfile/part.h"
#include "daxfile/persist.h"
#include "daxfile/sealing.h"
#include "daxfile/test_places.h"
#include "gtest/gtest.h"
#include "tests/status.h"

namespace daxfile {
namespace {

using testing::TestPath;

constexpr uint64_t kBytes = 256 << 10;

// Nothing: it can't be known here.
std::optional<uint64_t> DirtyPages(const std::string& path) {
  constexpr long kCachestat = 451;
  struct {
    uint64_t offset = 0;
    uint64_t bytes = kBytes;
  } range;
  struct {
    uint64_t cache, dirty, writeback, evicted, recently_evicted;
  } counts = {};
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const long result = syscall(kCachestat, fd, &range, &counts, 0);
  close(fd);
  if (result != 0) return std::nullopt;
  return counts.dirty + counts.writeback;
}

// What a process has left that was killed before its msync.
void LeaveDirty(const std::string& path) {
  const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  ASSERT_EQ(pwrite(fd, "left", 4, kBytes / 2), 4);
  close(fd);
}

class SyncedFilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const absl::StatusOr<DaxFile> file =
        DaxFile::Create(path_.str(), {.open = {.weakest_tier = Tier::kVolatile}, .size_bytes = kBytes, .progress = {}});
    ASSERT_OK(file);
    if (file->tier() != Tier::kMsync) GTEST_SKIP() << "the directory has another tier: " << TierName(file->tier());
    LeaveDirty(path_.str());
    const std::optional<uint64_t> dirty = DirtyPages(path_.str());
    if (!dirty.has_value()) GTEST_SKIP() << "this kernel doesn't tell which pages are dirty";
    ASSERT_GT(*dirty, 0u);
  }

  absl::StatusOr<DaxFile> OpenForReading() {
    return DaxFile::Open(path_.str(), {.weakest_tier = Tier::kVolatile, .read_only = true});
  }

  const TestPath path_{testing::PlainDirectory()};
};

TEST_F(SyncedFilesTest, AFenceOfAFileThatIsOnlyReadSyncsIt) {
  const absl::StatusOr<DaxFile> file = OpenForReading();
  ASSERT_OK(file);
  file->persist().Flush(file->data() + kBytes / 2, 8);
  file->persist().Fence();
  EXPECT_OK(file->persist().status());
  EXPECT_EQ(DirtyPages(path_.str()), 0u);
}

TEST_F(SyncedFilesTest, AlsoOnceItIsPrivate) {
  absl::StatusOr<DaxFile> file = OpenForReading();
  ASSERT_OK(file);
  ASSERT_OK(file->MakePrivate());
  file->persist().Fence();
  EXPECT_EQ(DirtyPages(path_.str()), 0u);
}

TEST_F(SyncedFilesTest, AndItsParts) {
  constexpr uint64_t kPartBytes = 2 * kBytes;
  const Part part{.owner = 77, .number = 1, .at = kBytes, .bytes = kPartBytes};
  const std::string part_path = PartPath(path_.str(), 1);
  {
    absl::StatusOr<DaxFile> file = DaxFile::Open(path_.str(), {.weakest_tier = Tier::kVolatile});
    ASSERT_OK(file);
    ASSERT_OK(file->Reserve(4 * kBytes));
    ASSERT_OK(file->CreatePart(part));
  }
  LeaveDirty(part_path);
  ASSERT_GT(*DirtyPages(part_path), 0u);
  {
    absl::StatusOr<DaxFile> file = OpenForReading();
    ASSERT_OK(file);
    ASSERT_OK(file->Reserve(4 * kBytes));
    ASSERT_OK(file->OpenPart(part));
    file->persist().Fence();
  }
  EXPECT_EQ(DirtyPages(part_path), 0u);
  EXPECT_EQ(DirtyPages(path_.str()), 0u);
  EXPECT_OK(RemoveFile(part_path));
}

TEST(SyncedFiles, AnErrorIsReported) {
  SyncedFiles files;
  EXPECT_EQ(files.SyncAll(), 0);
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  files.Add(ends[0]);
  EXPECT_EQ(files.SyncAll(), EINVAL) << "there is nothing to sync in a pipe";
  Persist reader(Persist::Mode::kMsync, nullptr, &files);
  reader.Fence();
  EXPECT_TRUE(
      sealkv::testing::IsError(reader.status(), absl::StatusCode::kDataLoss, {"fdatasync failed: Invalid argument"}));
  close(ends[0]);
  close(ends[1]);
}

}  // namespace
}  // namespace daxfile
