// Extents as the filesystem of the test's directory tells them, and what is computed of them.
#include "daxfile/extents.h"

#include <fcntl.h>
#include <linux/fiemap.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "daxfile/test_places.h"
#include "gtest/gtest.h"
#include "tests/status.h"

namespace daxfile {
namespace {

using sealkv::testing::IsError;
using testing::MemoryDirectory;
using testing::PlainDirectory;
using testing::TestPath;

constexpr uint64_t kBlock = 4096;

// A file with data in the blocks 0, 2, 4, …: each an extent of its own.
void WriteEverySecondBlock(const std::string& path, unsigned count) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600);
  const std::string block(kBlock, 'x');
  for (unsigned i = 0; i < count; ++i) {
    ASSERT_EQ(pwrite(fd, block.data(), kBlock, static_cast<off_t>(2 * i * kBlock)), static_cast<ssize_t>(kBlock));
  }
  ASSERT_EQ(fsync(fd), 0);
  close(fd);
}

TEST(Extents, AreAllFoundHoweverManyThereAre) {
  const TestPath path(PlainDirectory());
  constexpr unsigned kCount = 700;  // three calls
  WriteEverySecondBlock(path.str(), kCount);
  const auto extents = ReadExtents(path.str());
  if (absl::IsUnimplemented(extents.status())) GTEST_SKIP() << extents.status();
  ASSERT_OK(extents);
  ASSERT_EQ(extents->size(), kCount);
  for (unsigned i = 0; i < kCount; ++i) {
    EXPECT_EQ((*extents)[i].offset, 2 * i * kBlock);
    EXPECT_EQ((*extents)[i].bytes, kBlock);
  }
  EXPECT_EQ(HolesBetween(*extents, (2 * kCount - 1) * kBlock).size(), kCount - 1);
}

TEST(Extents, OnlyAllocatedOnesAreUnwritten) {
  const TestPath path(PlainDirectory());
  const int fd = open(path.str().c_str(), O_RDWR | O_CREAT | O_EXCL, 0600);
  ASSERT_EQ(posix_fallocate(fd, 0, 16 * kBlock), 0);
  const auto extents = ReadExtents(fd, path.str());
  close(fd);
  if (absl::IsUnimplemented(extents.status())) GTEST_SKIP() << extents.status();
  ASSERT_OK(extents);
  ASSERT_FALSE(extents->empty());
  for (const Extent& extent : *extents) EXPECT_EQ(ExtentFlagNames(extent.flags), std::vector<std::string>{"unwritten"});
  EXPECT_TRUE(HolesBetween(*extents, 16 * kBlock).empty());
}

TEST(Extents, OfAnEmptyFileAndBehindTheEndAreNone) {
  const TestPath path(PlainDirectory());
  const int fd = open(path.str().c_str(), O_RDWR | O_CREAT | O_EXCL, 0600);
  const auto none = ReadExtents(fd, path.str());
  ASSERT_OK(none);
  EXPECT_TRUE(none->empty());
  if (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 16 * kBlock) == 0) {
    const auto behind = ReadExtents(fd, path.str());
    ASSERT_OK(behind);
    EXPECT_TRUE(behind->empty());
  }
  close(fd);
}

TEST(Extents, InMemoryThereAreNone) {
  const TestPath path(MemoryDirectory());
  WriteEverySecondBlock(path.str(), 1);
  EXPECT_TRUE(IsError(ReadExtents(path.str()).status(), absl::StatusCode::kUnimplemented, {path.str(), "FIEMAP"}));
}

TEST(Extents, FlagsHaveNames) {
  EXPECT_TRUE(ExtentFlagNames(FIEMAP_EXTENT_LAST | FIEMAP_EXTENT_MERGED).empty());
  EXPECT_EQ(ExtentFlagNames(FIEMAP_EXTENT_UNWRITTEN | FIEMAP_EXTENT_SHARED | 0x40000000),
            (std::vector<std::string>{"unwritten", "shared", "0x40000000"}));
}

TEST(Extents, AlignmentIsThatOfRunsAndNotOfTheirPieces) {
  constexpr uint64_t kMiB = 1 << 20;
  EXPECT_EQ(AlignmentOf({}), 0u);
  // Two pieces that follow one another in the file and on the device.
  const std::vector<Extent> one_run = {{0, 8 * kMiB, kMiB, 0}, {kMiB, 9 * kMiB, 3 * kMiB, 0}};
  EXPECT_EQ(AlignmentOf(one_run), 8 * kMiB);
  EXPECT_EQ(MergeAdjacent(one_run), (std::vector<Extent>{{0, 8 * kMiB, 4 * kMiB, 0}}));
  const std::vector<Extent> two_runs = {{0, 8 * kMiB, 2 * kMiB, 0}, {2 * kMiB, 16 * kMiB, 2 * kMiB, 0}};
  EXPECT_EQ(AlignmentOf(two_runs), 2 * kMiB);
  const std::vector<Extent> odd = {{0, 8 * kMiB, kBlock, 0}, {kBlock, 16 * kMiB, kMiB, 0}};
  EXPECT_EQ(AlignmentOf(odd), kBlock);
  EXPECT_EQ(AlignmentOf(std::vector<Extent>{{0, 0, kBlock, FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC}}), 0u);
}

TEST(Extents, HolesAreBetweenAndAtTheEnd) {
  const std::vector<Extent> extents = {{kBlock, 0, kBlock, 0}, {3 * kBlock, 0, kBlock, 0}};
  const std::vector<Extent> holes = HolesBetween(extents, 5 * kBlock);
  ASSERT_EQ(holes.size(), 3u);
  EXPECT_EQ(holes[0].offset, 0u);
  EXPECT_EQ(holes[1].offset, 2 * kBlock);
  EXPECT_EQ(holes[2].offset, 4 * kBlock);
  EXPECT_TRUE(HolesBetween(std::vector<Extent>{{0, 0, 2 * kBlock, 0}}, kBlock + 1).empty()) << "to the block's end";
}

}  // namespace
}  // namespace daxfile
