#include "daxfile/reader_marks.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <vector>

#include "daxfile/test_places.h"
#include "gtest/gtest.h"
#include "tests/random.h"

namespace daxfile {
namespace {

using sealkv::testing::Random;
using testing::MemoryDirectory;
using testing::PlainDirectory;
using testing::TestPath;

// A descriptor, open for reading only, with a mark.
struct Reader {
  explicit Reader(const TestPath& path) : fd(open(path.str().c_str(), O_RDONLY | O_CLOEXEC)), mark(fd) {}
  ~Reader() { close(fd); }

  const int fd;
  ReaderMark mark;
};

class ReaderMarks : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    fd_ = open(path_.str().c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    ASSERT_GE(fd_, 0);
  }
  void TearDown() override { close(fd_); }

  std::optional<uint64_t> Lowest() const {
    const std::optional<LowestMark> lowest = FindLowestMark(fd_);
    return lowest.has_value() ? std::optional(lowest->number) : std::nullopt;
  }

  TestPath path_{GetParam()};
  int fd_ = -1;
};

TEST_P(ReaderMarks, TheLowestIsFoundWithItsProcess) {
  EXPECT_EQ(Lowest(), std::nullopt);
  Reader a(path_), b(path_), c(path_);
  a.mark.Set(7);
  b.mark.Set(5);
  c.mark.Set(kMostMark);
  EXPECT_EQ(Lowest(), 5);
  EXPECT_EQ(FindLowestMark(fd_)->pid, getpid());
  b.mark.Clear();
  EXPECT_EQ(Lowest(), 7);
  a.mark.Clear();
  EXPECT_EQ(Lowest(), kMostMark);
  c.mark.Clear();
  EXPECT_EQ(Lowest(), std::nullopt);
}

TEST_P(ReaderMarks, IsWhereItWasSetLast) {
  Reader reader(path_);
  Random random(sealkv::testing::TestSeed());
  for (int i = 0; i < 2000; ++i) {
    const uint64_t number = random.Below(uint64_t{2} << random.Below(60));
    reader.mark.Set(number);
    ASSERT_EQ(Lowest(), number);
    ASSERT_EQ(FindLowestMark(fd_)->pid, getpid()) << "what is left of an older one has another length";
    ASSERT_EQ(reader.mark.number(), number);
    if (!random.OneIn(10)) continue;
    reader.mark.Clear();
    ASSERT_EQ(Lowest(), std::nullopt) << "after " << number;
  }
}

TEST_P(ReaderMarks, AreEachDescriptorsOwn) {
  std::vector<std::unique_ptr<Reader>> readers;
  for (int i = 0; i < 50; ++i) readers.push_back(std::make_unique<Reader>(path_));
  Random random(sealkv::testing::TestSeed());
  for (int i = 0; i < 2000; ++i) {
    ReaderMark& mark = readers[random.Below(readers.size())]->mark;
    if (random.OneIn(3)) {
      mark.Clear();
    } else {
      mark.Set(random.Below(100));
    }
    std::optional<uint64_t> lowest;
    for (const auto& reader : readers) {
      const std::optional<uint64_t> number = reader->mark.number();
      if (number.has_value() && (!lowest.has_value() || *number < *lowest)) lowest = number;
    }
    ASSERT_EQ(Lowest(), lowest);
  }
}

TEST_P(ReaderMarks, GoWithTheirProcess) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    Reader reader(path_);
    reader.mark.Set(3);
    if (write(ready[1], "r", 1) != 1) _exit(1);
    for (;;) pause();
  }
  char byte;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  EXPECT_EQ(Lowest(), 3);
  EXPECT_EQ(FindLowestMark(fd_)->pid, child);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_EQ(Lowest(), std::nullopt);
  close(ready[0]);
  close(ready[1]);
}

INSTANTIATE_TEST_SUITE_P(InMemoryAndElsewhere, ReaderMarks, ::testing::Values(MemoryDirectory(), PlainDirectory()));

}  // namespace
}  // namespace daxfile
