// Files are made whole, mapped, and say what they are, in memory and on the filesystem of the test's directory.
#include "daxfile/dax_file.h"

#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <utility>
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
using testing::TierOf;

CreateOptions Sized(uint64_t bytes, OpenOptions open = {.weakest_tier = Tier::kVolatile}) {
  return {.open = open, .size_bytes = bytes, .progress = {}};
}

uint64_t BytesOnDisk(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 ? static_cast<uint64_t>(info.st_size) : 0;
}

bool IsZero(const DaxFile& file) {
  for (uint64_t i = 0; i < file.size_bytes(); ++i) {
    if (file.data()[i] != std::byte{0}) return false;
  }
  return true;
}

// Each test in memory and on the test's directory.
class DaxFileIn : public ::testing::TestWithParam<const char*> {
 protected:
  static std::string Directory() { return GetParam() == std::string("memory") ? MemoryDirectory() : PlainDirectory(); }

  TestPath path_{Directory()};
};

INSTANTIATE_TEST_SUITE_P(Places, DaxFileIn, ::testing::Values("memory", "plain"),
                         [](const auto& param) { return std::string(param.param); });

TEST_P(DaxFileIn, IsMadeWholeZeroedAndAligned) {
  const absl::StatusOr<DaxFile> file = DaxFile::Create(path_.str(), Sized(5'000'000));
  ASSERT_OK(file);
  EXPECT_EQ(file->size_bytes(), 5'001'216u) << "a multiple of 4096";
  EXPECT_EQ(BytesOnDisk(path_.str()), 5'001'216u);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(file->data()) % (2 << 20), 0u) << "huge pages need aligned addresses";
  EXPECT_EQ(file->path(), path_.str());
  EXPECT_FALSE(file->read_only());
  EXPECT_TRUE(IsZero(*file));
}

TEST_P(DaxFileIn, ReachesTheTierThatTheKernelGrants) {
  const Tier expected = TierOf(Directory());
  const absl::StatusOr<DaxFile> file = DaxFile::Create(path_.str(), Sized(8192));
  ASSERT_OK(file);
  EXPECT_EQ(file->tier(), expected) << TierName(file->tier());
  EXPECT_FALSE(file->tier_reason().empty());
  EXPECT_EQ(file->persist().mode(), expected == Tier::kMsync ? Persist::Mode::kMsync : Persist::Mode::kCpu);
}

// PMEM_IS_PMEM_FORCE=1 makes libpmem call everything persistent; power cuts aren't impressed.
TEST_P(DaxFileIn, IsNotTalkedIntoABetterTierByTheEnvironment) {
  setenv("PMEM_IS_PMEM_FORCE", "1", /*replace=*/1);
  const absl::StatusOr<DaxFile> file = DaxFile::Create(path_.str(), Sized(8192));
  unsetenv("PMEM_IS_PMEM_FORCE");
  ASSERT_OK(file);
  EXPECT_EQ(file->tier(), TierOf(Directory()));
}

TEST_P(DaxFileIn, KeepsWhatWasStored) {
  {
    absl::StatusOr<DaxFile> file = DaxFile::Create(path_.str(), Sized(1 << 20));
    ASSERT_OK(file);
    file->persist().Copy(file->data() + 4000, "across two pages", 16);
    file->persist().CopyNonTemporal(file->data() + (1 << 20) - 8, "the last", 8);
    file->persist().Flush(file->data() + 4000, 16);
    file->persist().Fence();
    ASSERT_OK(file->persist().status());
  }
  for (const bool read_only : {false, true}) {
    const absl::StatusOr<DaxFile> file =
        DaxFile::Open(path_.str(), {.weakest_tier = Tier::kVolatile, .read_only = read_only});
    ASSERT_OK(file);
    EXPECT_EQ(file->read_only(), read_only);
    EXPECT_EQ(file->size_bytes(), 1u << 20);
    EXPECT_EQ(std::memcmp(file->data() + 4000, "across two pages", 16), 0);
    EXPECT_EQ(std::memcmp(file->data() + (1 << 20) - 8, "the last", 8), 0);
  }
}

TEST_P(DaxFileIn, IsOpenedOnlyIfTheCallerRecognizesIt) {
  {
    const absl::StatusOr<DaxFile> file = DaxFile::Create(path_.str(), Sized(1 << 20));
    ASSERT_OK(file);
    file->persist().CopyNonTemporal(file->data(), "mine", 4);
    file->persist().Fence();
  }
  const auto recognize = [](const std::string& path, std::span<const std::byte> head) {
    const bool is_mine = head.size() == 4096 && std::memcmp(head.data(), "mine", 4) == 0;
    return is_mine ? absl::OkStatus() : absl::NotFoundError(path);
  };
  const OpenOptions options{.weakest_tier = Tier::kVolatile, .recognize = recognize};
  {
    const absl::StatusOr<DaxFile> file = DaxFile::Open(path_.str(), options);
    ASSERT_OK(file);
    file->persist().CopyNonTemporal(file->data(), "them", 4);
    file->persist().Fence();
    ASSERT_OK(file->persist().status());
  }
  EXPECT_EQ(DaxFile::Open(path_.str(), options).status(), absl::NotFoundError(path_.str()));
  EXPECT_OK(DaxFile::Open(path_.str(), {.weakest_tier = Tier::kVolatile})) << "it isn't locked";
}

TEST_P(DaxFileIn, ProgressRisesToTheWhole) {
  std::vector<std::pair<uint64_t, uint64_t>> seen;
  CreateOptions options = Sized(40 << 20);
  options.progress = [&](uint64_t done, uint64_t all) { seen.emplace_back(done, all); };
  ASSERT_OK(DaxFile::Create(path_.str(), options));
  ASSERT_GT(seen.size(), 1u);
  for (size_t i = 0; i < seen.size(); ++i) {
    EXPECT_EQ(seen[i].second, 40u << 20);
    if (i > 0) {
      EXPECT_GT(seen[i].first, seen[i - 1].first);
    }
  }
  EXPECT_EQ(seen.back().first, 40u << 20);
}

TEST_P(DaxFileIn, ReadOnlyMappingCantBeWritten) {
  ASSERT_OK(DaxFile::Create(path_.str(), Sized(4096)));
  const absl::StatusOr<DaxFile> file = DaxFile::Open(path_.str(), {.weakest_tier = Tier::kVolatile, .read_only = true});
  ASSERT_OK(file);
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_DEATH(*reinterpret_cast<volatile char*>(file->data()) = 1, "");
}

TEST_P(DaxFileIn, ReadsWithoutPermissionToWrite) {
  ASSERT_OK(DaxFile::Create(path_.str(), Sized(4096)));
  ASSERT_EQ(chmod(path_.str().c_str(), 0400), 0);
  EXPECT_OK(DaxFile::Open(path_.str(), {.weakest_tier = Tier::kVolatile, .read_only = true}));
}

TEST_P(DaxFileIn, InspectTellsTheSameAndChangesNothing) {
  ASSERT_OK(DaxFile::Create(path_.str(), Sized(12288)));
  struct stat before, after;
  ASSERT_EQ(stat(path_.str().c_str(), &before), 0);
  const absl::StatusOr<FileReport> report = DaxFile::Inspect(path_.str());
  ASSERT_OK(report);
  ASSERT_EQ(stat(path_.str().c_str(), &after), 0);
  EXPECT_EQ(report->path, path_.str());
  EXPECT_EQ(report->size_bytes, 12288u);
  EXPECT_EQ(report->tier, TierOf(Directory()));
  EXPECT_FALSE(report->filesystem.empty());
  EXPECT_FALSE(report->reason.empty());
  if (GetParam() == std::string("memory")) {
    EXPECT_EQ(report->filesystem, "tmpfs");
  }
  EXPECT_EQ(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
  EXPECT_EQ(before.st_ctim.tv_nsec, after.st_ctim.tv_nsec);
}

TEST_P(DaxFileIn, EmulationIsVolatileWhateverItLiesOn) {
  const OpenOptions emulated{.weakest_tier = Tier::kVolatile, .emulate_on_dram = true};
  {
    const absl::StatusOr<DaxFile> file = DaxFile::Create(path_.str(), Sized(1 << 20, emulated));
    ASSERT_OK(file);
    EXPECT_EQ(file->tier(), Tier::kVolatile);
    EXPECT_EQ(file->persist().mode(), Persist::Mode::kCpu);
    EXPECT_NE(file->tier_reason().find("asked for by name"), std::string::npos) << file->tier_reason();
  }
  const absl::StatusOr<DaxFile> file = DaxFile::Open(path_.str(), emulated);
  ASSERT_OK(file);
  EXPECT_EQ(file->tier(), Tier::kVolatile);
}

TEST_P(DaxFileIn, EmulationMustBeAccepted) {
  const OpenOptions options{.weakest_tier = Tier::kMsync, .emulate_on_dram = true};
  EXPECT_TRUE(IsError(DaxFile::Create(path_.str(), Sized(4096, options)).status(), absl::StatusCode::kInvalidArgument,
                      {path_.str(), "emulate_on_dram", "accept tier 'volatile'"}));
  EXPECT_FALSE(path_.exists());
}

TEST_P(DaxFileIn, AWeakerTierThanAcceptedIsRefusedAndLeavesNoFile) {
  const Tier reached = TierOf(Directory());
  const Tier wanted = Tier::kStaticDax;
  bool was_written = false;
  CreateOptions options = Sized(64 << 20, {.weakest_tier = wanted});
  options.progress = [&](uint64_t, uint64_t) { was_written = true; };
  const absl::StatusOr<DaxFile> refused = DaxFile::Create(path_.str(), options);
  if (refused.ok()) GTEST_SKIP() << "static-dax is to be had here";
  EXPECT_TRUE(IsError(refused.status(), absl::StatusCode::kFailedPrecondition,
                      {path_.str(), "'" + std::string(TierName(reached)) + "'", "'static-dax' or better was asked for",
                       "accept tier"}));
  EXPECT_FALSE(path_.exists());
  if (reached != Tier::kMapSync) {
    EXPECT_FALSE(was_written) << "it could have been known before";
  }

  ASSERT_OK(DaxFile::Create(path_.str(), Sized(4096)));
  EXPECT_TRUE(IsError(DaxFile::Open(path_.str(), {.weakest_tier = wanted}).status(),
                      absl::StatusCode::kFailedPrecondition, {path_.str(), "accept tier"}));
  EXPECT_TRUE(path_.exists());
}

// The reason for writing zeros: an allocated extent that was never written turns into a written one in a journal
// transaction, at the first store, and only fsync waits for that.
TEST(DaxFileOnDisk, HasNoHoleAndNoUnwrittenExtent) {
  if (testing::IsMemory(PlainDirectory())) GTEST_SKIP() << "the test's directory lies in memory";
  const TestPath path(PlainDirectory());
  constexpr uint64_t kBytes = 9 << 20;
  ASSERT_OK(DaxFile::Create(path.str(), Sized(kBytes)));
  constexpr size_t kExtents = 512;
  std::vector<char> memory(sizeof(fiemap) + kExtents * sizeof(fiemap_extent));
  auto* map = reinterpret_cast<fiemap*>(memory.data());
  map->fm_length = FIEMAP_MAX_OFFSET;
  map->fm_extent_count = kExtents;
  const int fd = open(path.str().c_str(), O_RDONLY);
  const int result = ioctl(fd, FS_IOC_FIEMAP, map);
  close(fd);
  if (result != 0) GTEST_SKIP() << "this filesystem doesn't tell its extents";
  uint64_t covered = 0;
  for (uint32_t i = 0; i < map->fm_mapped_extents; ++i) {
    EXPECT_EQ(map->fm_extents[i].fe_logical, covered) << "a hole";
    EXPECT_EQ(map->fm_extents[i].fe_flags & (FIEMAP_EXTENT_UNWRITTEN | FIEMAP_EXTENT_DELALLOC), 0u);
    covered += map->fm_extents[i].fe_length;
  }
  EXPECT_GE(covered, kBytes);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // theirs fault for shadow memory
TEST(DaxFileInMemory, StoresToANewFileDontFault) {
  const TestPath path(MemoryDirectory());
  constexpr uint64_t kBytes = 16 << 20;
  const absl::StatusOr<DaxFile> file = DaxFile::Create(path.str(), Sized(kBytes));
  ASSERT_OK(file);
  rusage before, after;
  getrusage(RUSAGE_THREAD, &before);
  for (uint64_t at = 0; at < kBytes; at += 4096) file->data()[at] = std::byte{1};
  getrusage(RUSAGE_THREAD, &after);
  EXPECT_LT(after.ru_minflt - before.ru_minflt, 64) << "of 4096 pages";
}
#endif

TEST(DaxFileOverMemory, IsVolatileAndNobodysFile) {
  alignas(4096) static std::byte memory[8192];
  const DaxFile file = DaxFile::OverMemory(memory);
  EXPECT_EQ(file.data(), memory);
  EXPECT_EQ(file.size_bytes(), sizeof memory);
  EXPECT_EQ(file.tier(), Tier::kVolatile);
  EXPECT_EQ(file.path(), "<memory>");
}

TEST(DaxFileMove, TakesEverythingAlong) {
  const TestPath path(MemoryDirectory());
  absl::StatusOr<DaxFile> made = DaxFile::Create(path.str(), Sized(4096));
  ASSERT_OK(made);
  std::byte* const data = made->data();
  Persist* const persist = &made->persist();
  DaxFile file(*std::move(made));
  EXPECT_EQ(file.data(), data);
  EXPECT_EQ(&file.persist(), persist);
  file.data()[4095] = std::byte{1};
  DaxFile& same = file;
  file = std::move(same);
  EXPECT_EQ(file.data(), data);
  EXPECT_EQ(file.data()[4095], std::byte{1});
}

}  // namespace
}  // namespace daxfile
