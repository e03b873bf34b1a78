// What isn't a file to map, and what there is no room for: each gets its own error, with path and remedy, at once.
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <functional>
#include <limits>

#include "daxfile/dax_file.h"
#include "daxfile/mapping.h"
#include "daxfile/populate.h"
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

constexpr OpenOptions kAny{.weakest_tier = Tier::kVolatile};
constexpr OpenOptions kReadAny{.weakest_tier = Tier::kVolatile, .read_only = true};

// Opening, for writing and for reading, and inspecting: all three say the same.
void ExpectUnusable(const std::string& path, StatusCode code, std::initializer_list<std::string_view> parts) {
  EXPECT_TRUE(IsError(DaxFile::Open(path, kAny).status(), code, parts));
  EXPECT_TRUE(IsError(DaxFile::Open(path, kReadAny).status(), code, parts));
  EXPECT_TRUE(IsError(DaxFile::Inspect(path).status(), code, parts));
}

TEST(BadFile, Missing) {
  const TestPath path(PlainDirectory());
  ExpectUnusable(path.str(), StatusCode::kNotFound, {path.str(), "No such file", "create what is missing"});
  ExpectUnusable("", StatusCode::kNotFound, {"No such file"});
}

TEST(BadFile, InAMissingDirectory) {
  const std::string path = PlainDirectory() + "/no such directory/file";
  ExpectUnusable(path, StatusCode::kNotFound, {path});
  EXPECT_TRUE(IsError(DaxFile::Create(path, {.open = kAny, .size_bytes = 4096, .progress = {}}).status(),
                      StatusCode::kNotFound, {path, "can't create"}));
}

TEST(BadFile, BelowAFile) {
  const TestPath path(PlainDirectory());
  ASSERT_OK(DaxFile::Create(path.str(), {.open = kAny, .size_bytes = 4096, .progress = {}}));
  ExpectUnusable(path.str() + "/file", StatusCode::kFailedPrecondition, {"Not a directory", "Look at the path"});
}

TEST(BadFile, Directory) {
  ExpectUnusable(PlainDirectory(), StatusCode::kFailedPrecondition, {PlainDirectory(), "is a directory", "Name a"});
  EXPECT_TRUE(IsError(DaxFile::Create(PlainDirectory(), {.open = kAny, .size_bytes = 4096, .progress = {}}).status(),
                      StatusCode::kAlreadyExists, {PlainDirectory()}));
}

TEST(BadFile, Empty) {
  const TestPath path(PlainDirectory());
  std::ofstream(path.str()).flush();
  ExpectUnusable(path.str(), StatusCode::kFailedPrecondition, {path.str(), "is empty", "create it with a size"});
}

TEST(BadFile, DanglingLinkAndLoop) {
  const TestPath path(PlainDirectory());
  ASSERT_EQ(symlink("nowhere", path.str().c_str()), 0);
  ExpectUnusable(path.str(), StatusCode::kNotFound, {path.str()});
  const TestPath loop(PlainDirectory());
  ASSERT_EQ(symlink(loop.str().c_str(), loop.str().c_str()), 0);
  ExpectUnusable(loop.str(), StatusCode::kFailedPrecondition, {loop.str(), "Too many levels"});
}

// Opened, each would wait for its other end.
TEST(BadFile, FifoAndSocketDontHang) {
  const TestPath fifo(MemoryDirectory(), "fifo");
  ASSERT_EQ(mkfifo(fifo.str().c_str(), 0600), 0);
  ExpectUnusable(fifo.str(), StatusCode::kFailedPrecondition, {fifo.str(), "is a FIFO"});
  const TestPath socket_path(MemoryDirectory(), "socket");
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  std::snprintf(address.sun_path, sizeof address.sun_path, "%s", socket_path.str().c_str());
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ExpectUnusable(socket_path.str(), StatusCode::kFailedPrecondition, {socket_path.str(), "is a socket"});
  close(fd);
}

TEST(BadFile, DevicesThatArentDax) {
  for (const std::string path : {"/dev/null", "/dev/zero"}) {
    ExpectUnusable(path, StatusCode::kFailedPrecondition, {path, "not a DAX device"});
    EXPECT_TRUE(IsError(DaxFile::Create(path, {.open = kAny, .size_bytes = 4096, .progress = {}}).status(),
                        StatusCode::kFailedPrecondition, {path, "not a DAX device"}));
  }
}

TEST(BadCreate, WhereSomethingIs) {
  const TestPath path(PlainDirectory());
  std::ofstream(path.str()) << "precious";
  EXPECT_TRUE(IsError(DaxFile::Create(path.str(), {.open = kAny, .size_bytes = 4096, .progress = {}}).status(),
                      StatusCode::kAlreadyExists, {path.str(), "remove it first"}));
  std::string text;
  std::ifstream(path.str()) >> text;
  EXPECT_EQ(text, "precious");
}

TEST(BadCreate, ReadOnly) {
  const TestPath path(MemoryDirectory());
  EXPECT_TRUE(IsError(DaxFile::Create(path.str(), {.open = kReadAny, .size_bytes = 4096, .progress = {}}).status(),
                      StatusCode::kInvalidArgument, {path.str(), "read-only"}));
  EXPECT_FALSE(path.exists());
}

TEST(BadCreate, SizesThatNoFileHas) {
  const TestPath path(MemoryDirectory());
  for (const uint64_t bytes : {uint64_t{0}, (uint64_t{1} << 63) - 1, std::numeric_limits<uint64_t>::max()}) {
    EXPECT_TRUE(IsError(DaxFile::Create(path.str(), {.open = kAny, .size_bytes = bytes, .progress = {}}).status(),
                        StatusCode::kInvalidArgument, {path.str(), "size"}))
        << bytes;
    EXPECT_FALSE(path.exists());
  }
}

TEST(BadCreate, MoreThanThereIsRoomFor) {
  for (const std::string& directory : {MemoryDirectory(), PlainDirectory()}) {
    const TestPath path(directory);
    constexpr uint64_t kPetabyte = uint64_t{1} << 50;
    EXPECT_TRUE(IsError(DaxFile::Create(path.str(), {.open = kAny, .size_bytes = kPetabyte, .progress = {}}).status(),
                        StatusCode::kResourceExhausted, {path.str(), "1125899906842624 bytes", "smaller size"}));
    EXPECT_FALSE(path.exists());
  }
}

// Runs `body` in a child process; its exit code, or -1 if it was killed.
int InChild(const std::function<int()>& body) {
  const pid_t pid = fork();
  if (pid == 0) _exit(body());
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

constexpr int kNotPermitted = 77;

// Gives the process mounts of its own, which nobody else sees and which go with it.
bool HasOwnMounts() {
  const std::string map = "0 " + std::to_string(geteuid()) + " 1";
  if (unshare(CLONE_NEWNS) != 0) {
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
    std::ofstream("/proc/self/uid_map") << map << std::flush;
  }
  return mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

// Was found by reading: room that is gone between the look and the taking must be an error, never a SIGBUS.
TEST(BadCreate, RoomInMemoryThatIsGoneMeanwhile) {
  const std::string directory = PlainDirectory() + "/small";
  const int result = InChild([&directory] {
    if (!HasOwnMounts()) return kNotPermitted;
    mkdir(directory.c_str(), 0700);
    if (mount("none", directory.c_str(), "tmpfs", 0, "size=4m") != 0) return kNotPermitted;
    const std::string path = directory + "/file";
    const int fd = open(path.c_str(), O_RDWR | O_CREAT, 0600);
    if (ftruncate(fd, 8 << 20) != 0) return 2;
    const absl::StatusOr<std::byte*> data = ReserveAddresses(path, 8 << 20);
    if (!data.ok() || !MapFile(fd, path, *data, 8 << 20, Tier::kVolatile, /*read_only=*/false).ok()) return 3;
    const absl::Status populated = Populate(fd, path, 0, *data, 8 << 20, nullptr);
    if (!IsError(populated, StatusCode::kResourceExhausted, {path, "8388608 bytes"})) return 4;
    unlink(path.c_str());
    ReleaseAddresses(*data, 8 << 20);
    close(fd);
    // And what does fit is made, and what doesn't leaves nothing behind.
    if (!DaxFile::Create(path, {.open = kAny, .size_bytes = 3 << 20, .progress = {}}).ok()) return 5;
    const std::string second = directory + "/second";
    const absl::Status full = DaxFile::Create(second, {.open = kAny, .size_bytes = 2 << 20, .progress = {}}).status();
    if (!IsError(full, StatusCode::kResourceExhausted, {second, "2097152 bytes"})) return 6;
    return access(second.c_str(), F_OK) == 0 ? 7 : 0;
  });
  rmdir(directory.c_str());
  if (result == kNotPermitted) GTEST_SKIP() << "mounting isn't permitted here";
  EXPECT_EQ(result, 0);
}

TEST(BadFile, NotPermitted) {
  const TestPath path(MemoryDirectory());
  ASSERT_OK(DaxFile::Create(path.str(), {.open = kAny, .size_bytes = 4096, .progress = {}}));
  ASSERT_EQ(chmod(path.str().c_str(), 0), 0);
  const int result = InChild([&path] {
    if (geteuid() == 0 && (setegid(65534) != 0 || seteuid(65534) != 0)) return kNotPermitted;
    const int fd = open(path.str().c_str(), O_RDONLY);
    if (fd >= 0) return kNotPermitted;  // capabilities that don't mind
    const absl::Status status = DaxFile::Open(path.str(), kReadAny).status();
    return IsError(status, StatusCode::kPermissionDenied, {path.str(), "permissions"}) ? 0 : 1;
  });
  if (result == kNotPermitted) GTEST_SKIP() << "permissions don't bind this user";
  EXPECT_EQ(result, 0);
}

}  // namespace
}  // namespace daxfile
