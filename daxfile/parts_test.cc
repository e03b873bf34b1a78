// A file goes on in parts: mapped behind it without a gap, each whole before it has a name, each known for what it is.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "daxfile/dax_file.h"
#include "daxfile/part.h"
#include "daxfile/test_places.h"
#include "gtest/gtest.h"
#include "tests/status.h"

namespace daxfile {
namespace {

using absl::StatusCode;
using sealkv::testing::IsError;
using testing::MemoryDirectory;
using testing::PlainDirectory;
using testing::TestPath;

constexpr uint64_t kBytes = 1 << 20;
constexpr uint64_t kPartBytes = 256 << 10;
constexpr uint64_t kOwner = 77;

Part PartAt(uint64_t number, uint64_t at, uint64_t owner = kOwner) { return {owner, number, at, kPartBytes}; }

class PartsIn : public ::testing::TestWithParam<const char*> {
 protected:
  static std::string Directory() { return GetParam() == std::string("memory") ? MemoryDirectory() : PlainDirectory(); }
  ~PartsIn() override {
    for (uint64_t number = 1; number < 5; ++number) RemoveFile(NameOf(number)).IgnoreError();
  }
  std::string NameOf(uint64_t number) const { return PartPath(path_.str(), number); }
  absl::StatusOr<DaxFile> Create() {
    return DaxFile::Create(path_.str(), {.open = {.weakest_tier = Tier::kVolatile}, .size_bytes = kBytes});
  }
  absl::StatusOr<DaxFile> Open(bool read_only = false) {
    return DaxFile::Open(path_.str(), {.weakest_tier = Tier::kVolatile, .read_only = read_only});
  }

  TestPath path_{Directory()};
};

INSTANTIATE_TEST_SUITE_P(Places, PartsIn, ::testing::Values("memory", "plain"),
                         [](const auto& param) { return std::string(param.param); });

TEST_P(PartsIn, FollowWithoutAGapAndAreFoundAgain) {
  {
    absl::StatusOr<DaxFile> file = Create();
    ASSERT_OK(file);
    ASSERT_OK(file->Reserve(16 * kBytes));
    std::byte* const data = file->data();
    ASSERT_OK(file->CreatePart(PartAt(1, kBytes)));
    ASSERT_OK(file->CreatePart(PartAt(2, kBytes + kPartBytes)));
    EXPECT_EQ(file->data(), data) << "what is in use must not move";
    EXPECT_EQ(file->mapped_bytes(), kBytes + 2 * kPartBytes);
    for (uint64_t at = kBytes; at < file->mapped_bytes(); ++at) ASSERT_EQ(data[at], std::byte{0}) << at;
    // Across the seam between two files.
    std::memset(data + kBytes + kPartBytes - 100, 'x', 200);
    file->persist().Flush(data + kBytes + kPartBytes - 100, 200);
    file->persist().Fence();
  }
  absl::StatusOr<DaxFile> file = Open(/*read_only=*/true);
  ASSERT_OK(file);
  ASSERT_OK(file->Reserve(2 * kBytes));
  ASSERT_OK(file->OpenPart(PartAt(1, kBytes)));
  ASSERT_OK(file->OpenPart(PartAt(2, kBytes + kPartBytes)));
  EXPECT_EQ(std::string(reinterpret_cast<char*>(file->data()) + kBytes + kPartBytes - 100, 200), std::string(200, 'x'));
}

TEST_P(PartsIn, MayBeginBeforeTheEndOfWhatIsMapped) {
  absl::StatusOr<DaxFile> file = Create();
  ASSERT_OK(file);
  ASSERT_OK(file->Reserve(2 * kBytes));
  ASSERT_OK(file->CreatePart(PartAt(1, kBytes - 4096)));
  EXPECT_EQ(file->mapped_bytes(), kBytes - 4096 + kPartBytes);
}

TEST_P(PartsIn, HaveTheFirstFilesPermissions) {
  absl::StatusOr<DaxFile> file = Create();
  ASSERT_OK(file);
  ASSERT_EQ(chmod(path_.str().c_str(), 0640), 0);
  ASSERT_OK(file->Reserve(2 * kBytes));
  ASSERT_OK(file->CreatePart(PartAt(1, kBytes)));
  struct stat info;
  ASSERT_EQ(stat(NameOf(1).c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0640u);
}

TEST_P(PartsIn, WhatACrashLeftIsReplaced) {
  {
    absl::StatusOr<DaxFile> file = Create();
    ASSERT_OK(file);
    ASSERT_OK(file->Reserve(2 * kBytes));
    ASSERT_OK(file->CreatePart(PartAt(1, kBytes)));
    file->data()[kBytes] = std::byte{1};
  }
  // Nobody has remembered it.
  absl::StatusOr<DaxFile> file = Open();
  ASSERT_OK(file);
  ASSERT_OK(file->Reserve(2 * kBytes));
  ASSERT_OK(file->CreatePart(PartAt(1, kBytes)));
  EXPECT_EQ(file->data()[kBytes], std::byte{0});
}

TEST_P(PartsIn, NothingElseIsReplaced) {
  std::ofstream(NameOf(1)) << "somebody's notes";
  absl::StatusOr<DaxFile> file = Create();
  ASSERT_OK(file);
  ASSERT_OK(file->Reserve(2 * kBytes));
  EXPECT_TRUE(IsError(file->CreatePart(PartAt(1, kBytes)), StatusCode::kAlreadyExists, {NameOf(1), "something else"}));
  std::string notes;
  std::getline(std::ifstream(NameOf(1)), notes);
  EXPECT_EQ(notes, "somebody's notes");
  EXPECT_EQ(file->parts(), 0u);
}

TEST_P(PartsIn, OthersPartsArentTaken) {
  {
    absl::StatusOr<DaxFile> file = Create();
    ASSERT_OK(file);
    ASSERT_OK(file->Reserve(2 * kBytes));
    ASSERT_OK(file->CreatePart(PartAt(1, kBytes, kOwner + 1)));
  }
  absl::StatusOr<DaxFile> file = Open();
  ASSERT_OK(file);
  ASSERT_OK(file->Reserve(2 * kBytes));
  EXPECT_TRUE(
      IsError(file->OpenPart(PartAt(1, kBytes)), StatusCode::kFailedPrecondition, {NameOf(1), "another store's"}));
  EXPECT_TRUE(IsError(file->CreatePart(PartAt(1, kBytes)), StatusCode::kAlreadyExists, {NameOf(1), "another store"}));
  ASSERT_EQ(unlink(NameOf(1).c_str()), 0);
  EXPECT_TRUE(IsError(file->OpenPart(PartAt(1, kBytes)), StatusCode::kFailedPrecondition, {NameOf(1), "missing"}));
  EXPECT_OK(file->MapZeros(PartAt(1, kBytes)));
  EXPECT_EQ(file->data()[kBytes], std::byte{0});
}

TEST_P(PartsIn, ACutOneIsRefused) {
  {
    absl::StatusOr<DaxFile> file = Create();
    ASSERT_OK(file);
    ASSERT_OK(file->Reserve(2 * kBytes));
    ASSERT_OK(file->CreatePart(PartAt(1, kBytes)));
  }
  if (truncate(NameOf(1).c_str(), kPartBytes / 2) != 0) GTEST_SKIP() << "it is sealed";
  absl::StatusOr<DaxFile> file = Open();
  ASSERT_OK(file);
  ASSERT_OK(file->Reserve(2 * kBytes));
  EXPECT_TRUE(IsError(file->OpenPart(PartAt(1, kBytes)), StatusCode::kFailedPrecondition, {NameOf(1), "cut short"}));
}

TEST_P(PartsIn, StoppingLeavesNothing) {
  absl::StatusOr<DaxFile> file = Create();
  ASSERT_OK(file);
  ASSERT_OK(file->Reserve(2 * kBytes));
  EXPECT_TRUE(IsError(file->CreatePart(PartAt(1, kBytes), [](uint64_t, uint64_t) { return false; }),
                      StatusCode::kCancelled, {NameOf(1)}));
  EXPECT_FALSE(std::filesystem::exists(NameOf(1)));
  EXPECT_OK(file->CreatePart(PartAt(1, kBytes)));
}

TEST_P(PartsIn, AreFoundThroughALink) {
  absl::StatusOr<DaxFile> file = Create();
  ASSERT_OK(file);
  ASSERT_OK(file->Reserve(2 * kBytes));
  ASSERT_OK(file->CreatePart(PartAt(1, kBytes)));
  *file = DaxFile::OverMemory({});
  const TestPath link(Directory(), "link");
  ASSERT_EQ(symlink(path_.str().c_str(), link.str().c_str()), 0);
  absl::StatusOr<DaxFile> by_link = DaxFile::Open(link.str(), {.weakest_tier = Tier::kVolatile});
  ASSERT_OK(by_link);
  ASSERT_OK(by_link->Reserve(2 * kBytes));
  EXPECT_OK(by_link->OpenPart(PartAt(1, kBytes)));
  EXPECT_EQ(PartPathsOf(link.str(), kOwner).size(), 1u);
}

TEST_P(PartsIn, TheLastOneCanBeRemoved) {
  absl::StatusOr<DaxFile> file = Create();
  ASSERT_OK(file);
  ASSERT_OK(file->Reserve(2 * kBytes));
  ASSERT_OK(file->CreatePart(PartAt(1, kBytes)));
  ASSERT_OK(file->RemoveLastPart());
  EXPECT_FALSE(std::filesystem::exists(NameOf(1)));
  EXPECT_EQ(file->mapped_bytes(), kBytes);
  EXPECT_OK(file->CreatePart(PartAt(1, kBytes)));
}

TEST_P(PartsIn, NoPartLiesAnywhereElse) {
  absl::StatusOr<DaxFile> file = Create();
  ASSERT_OK(file);
  ASSERT_OK(file->Reserve(2 * kBytes));
  EXPECT_TRUE(IsError(file->CreatePart(PartAt(2, kBytes)), StatusCode::kInvalidArgument, {path_.str()}));
  EXPECT_TRUE(IsError(file->CreatePart(PartAt(1, kBytes + 4096)), StatusCode::kInvalidArgument, {path_.str()}));
  EXPECT_TRUE(
      IsError(file->CreatePart({kOwner, 1, kBytes, 4 * kBytes}), StatusCode::kResourceExhausted, {"address space"}));
}

}  // namespace
}  // namespace daxfile
