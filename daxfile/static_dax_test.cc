#include "daxfile/static_dax.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

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

TEST_F(StaticDax, WithoutTheSystemCallEveryCallSaysSoAndWhatToDo) {
  if (KernelHasDaxctl()) GTEST_SKIP() << "this kernel has daxctl(2)";
  for (const absl::Status& status : {SealStatic(fd_, 0), UnsealStatic(fd_), IsSealedStatic(fd_).status()}) {
    EXPECT_TRUE(IsError(status, absl::StatusCode::kUnimplemented, {"no daxctl(2)", "boot one with SealKV's"}));
  }
}

// On newer kernels the number is cachestat's: a call made without looking first would be taken for that, on a
// descriptor.
TEST_F(StaticDax, AFileInMemoryIsNeverSealed) {
  EXPECT_FALSE(SealStatic(fd_, 0).ok());
  const absl::StatusOr<bool> is_sealed = IsSealedStatic(fd_);
  EXPECT_FALSE(is_sealed.ok() && *is_sealed);
}

}  // namespace
}  // namespace daxfile
