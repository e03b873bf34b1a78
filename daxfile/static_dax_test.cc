#include "daxfile/static_dax.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <span>
#include <string>

#include "daxfile/dax_file.h"
#include "daxfile/sealing.h"
#include "daxfile/test_places.h"
#include "gtest/gtest.h"
#include "tests/status.h"

namespace daxfile {
namespace {

using sealkv::testing::IsError;

class StaticDax : public ::testing::Test {
 protected:
  void SetUp() override {
    fd_ = memfd_create("static_dax_test", MFD_CLOEXEC);
    ASSERT_GE(fd_, 0);
    ASSERT_EQ(ftruncate(fd_, 4096), 0);
  }
  void TearDown() override { close(fd_); }

  int fd_ = -1;
};

TEST_F(StaticDax, WithNeitherWayEveryCallSaysSoAndWhatToDo) {
  if (!absl::IsUnimplemented(FindSealer().status())) GTEST_SKIP() << "this kernel has daxctl(2) or its module";
  for (const absl::Status& status : {FindSealer().status(), SealStatic(fd_, 0), UnsealStatic(fd_),
                                     IsSealedStatic(fd_).status(), OpenForMapping(fd_).status()}) {
    EXPECT_TRUE(IsError(status, absl::StatusCode::kUnimplemented,
                        {"no daxctl(2)", "no /dev/daxctl", "SealKV's patches", "modprobe daxctl_static"}));
  }
}

// On newer kernels the number is cachestat's: a call made without looking first would be taken for that, on a
// descriptor.
TEST_F(StaticDax, AFileInMemoryIsNeverSealed) {
  EXPECT_FALSE(SealStatic(fd_, 0).ok());
  EXPECT_FALSE(IsSealedStatic(fd_).value_or(false));
  EXPECT_EQ(IsSealedStatic(fd_).ok(), FindSealer().ok());
}

TEST_F(StaticDax, AnAlignmentThatCantBeIsRefusedOnEveryKernel) {
  for (const uint64_t bytes : {1u, 512u, 4095u, 12288u}) {
    EXPECT_TRUE(IsError(SealStatic(fd_, bytes), absl::StatusCode::kInvalidArgument, {"a power of two"})) << bytes;
  }
}

// The order in which a store does it: seal, map, and from then on nobody may take the seal off.
TEST(StaticDaxOnDax, AMappingKeepsTheSeal) {
  const std::string directory = testing::PlainDirectory();
  if (!FindSealer().ok()) GTEST_SKIP() << FindSealer().status();
  if (testing::TierOf(directory) != Tier::kStaticDax) GTEST_SKIP() << directory << " isn't on DAX, or this isn't root";
  const testing::TestPath path(directory);
  auto file = DaxFile::Create(path.str(), {.open = {}, .size_bytes = 1 << 20, .progress = {}});
  ASSERT_OK(file);
  ASSERT_EQ(file->tier(), Tier::kStaticDax) << file->tier_reason();
  file->data()[0] = std::byte{1};
  const int fd = open(path.str().c_str(), O_RDWR);
  EXPECT_TRUE(IsError(UnsealStatic(fd), absl::StatusCode::kFailedPrecondition, {"mapped for writing"}));
  *file = DaxFile::OverMemory({});
  EXPECT_EQ(DaxFile::Inspect(path.str())->tier, Tier::kStaticDax) << "sealed until it is unsealed";
  EXPECT_OK(UnsealStatic(fd));
  EXPECT_FALSE(*IsSealedStatic(fd));
  EXPECT_FALSE(OpenForMapping(fd).ok() && *FindSealer() == Sealer::kModule) << "only a sealed file has that way";
  close(fd);
  const auto refuse = [](const std::string&, std::span<const std::byte>) { return absl::NotFoundError("not mine"); };
  EXPECT_EQ(DaxFile::Open(path.str(), {.recognize = refuse}).status(), absl::NotFoundError("not mine"));
  EXPECT_FALSE(*IsSealedStatic(fd)) << "nobody's who tried to open it";
  file = DaxFile::Open(path.str(), {});
  ASSERT_OK(file);
  EXPECT_EQ(file->tier(), Tier::kStaticDax) << "a writer seals again";
  EXPECT_EQ(file->data()[0], std::byte{1});
  *file = DaxFile::OverMemory({});
  EXPECT_OK(RemoveFile(path.str()));
}

}  // namespace
}  // namespace daxfile
