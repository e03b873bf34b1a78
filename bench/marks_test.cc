#include "bench/marks.h"

#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace sealkv::bench {
namespace {

class MarksTest : public ::testing::Test {
 protected:
  ~MarksTest() override { unlink(path_.c_str()); }

  std::string Written() const {
    std::ifstream file(path_);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }

  const std::string path_ = ::testing::TempDir() + "marks_test." + std::to_string(getpid());
};

TEST_F(MarksTest, EachOperationHasABeginAndAnEnd) {
  const auto marks = Marks::Open(path_);
  ASSERT_TRUE(marks.ok()) << marks.status();
  const auto engine = MarkOperations(MakeSealkvEngine(), **marks);
  ASSERT_TRUE(engine->Open({.path = std::string(kInMemory), .capacity_bytes = 1 << 20}).ok());
  const Key key{0x61, std::string_view("\0\0\0\0\0\0\0a", 8)};
  std::string value;
  uint64_t sum = 0;
  EXPECT_TRUE(engine->Put(key, "value").ok());
  EXPECT_TRUE(engine->Get(key, &value).ok());
  EXPECT_EQ(value, "value");
  EXPECT_EQ(*engine->Scan(std::nullopt, 10, false, &sum), 1u);
  EXPECT_EQ(*engine->Scan(key, 10, true, &sum), 1u);
  EXPECT_TRUE(engine->Delete(key).ok());
  EXPECT_TRUE(absl::IsNotFound(engine->Delete(key)));
  EXPECT_TRUE(absl::IsNotFound(engine->Get(key, &value)));
  EXPECT_TRUE(engine->BytesUsed().has_value());
  EXPECT_TRUE(engine->Increment(key).ok());
  EXPECT_TRUE(engine->Compact().ok()) << "what an engine can do, it can when it is marked";
  EXPECT_TRUE(engine->BytesTaken().has_value());
  EXPECT_TRUE(engine->BytesMoved().has_value());
  engine->Close();
  EXPECT_EQ(Written(),
            "begin 1 open memory\nend 1 OK\n"
            "begin 2 put 0000000000000061\nend 2 OK\n"
            "begin 3 get 0000000000000061\nend 3 OK\n"
            "begin 4 scan -\nend 4 OK\n"
            "begin 5 scan-reverse 0000000000000061\nend 5 OK\n"
            "begin 6 delete 0000000000000061\nend 6 OK\n"
            "begin 7 delete 0000000000000061\nend 7 NOT_FOUND\n"
            "begin 8 get 0000000000000061\nend 8 NOT_FOUND\n"
            "begin 9 count-space -\nend 9 OK\n"
            "begin 10 add 0000000000000061\nend 10 OK\n"
            "begin 11 compact -\nend 11 OK\n"
            "begin 12 close -\nend 12 OK\n");
  EXPECT_TRUE((*marks)->status().ok());
}

TEST_F(MarksTest, LinesOfSeveralThreadsStayWhole) {
  constexpr unsigned kThreads = 4;
  constexpr unsigned kMarks = 2000;
  const auto marks = Marks::Open(path_);
  ASSERT_TRUE(marks.ok()) << marks.status();
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (unsigned n = 0; n < kMarks; ++n) (*marks)->End((*marks)->Begin("put", "key"), absl::StatusCode::kOk);
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::stringstream lines(Written());
  std::vector<unsigned> begins(kThreads * kMarks + 1), ends(kThreads * kMarks + 1);
  for (std::string line; std::getline(lines, line);) {
    unsigned number = 0;
    char operation[8], key[8];
    if (std::sscanf(line.c_str(), "begin %u %7s %7s", &number, operation, key) == 3) {
      ++begins.at(number);
    } else {
      ASSERT_EQ(std::sscanf(line.c_str(), "end %u %7s", &number, operation), 2) << line;
      EXPECT_EQ(begins.at(number), 1u) << line;
      ++ends.at(number);
    }
  }
  for (unsigned number = 1; number <= kThreads * kMarks; ++number) EXPECT_EQ(ends[number], 1u) << number;
}

TEST_F(MarksTest, AFullDiskIsNoticed) {
  const auto marks = Marks::Open("/dev/full");
  ASSERT_TRUE(marks.ok()) << marks.status();
  (*marks)->Begin("put", "key");
  const absl::Status status = (*marks)->status();
  EXPECT_NE(status.message().find("/dev/full"), absl::string_view::npos) << status;
  EXPECT_NE(status.message().find("No space left"), absl::string_view::npos) << status;
}

TEST_F(MarksTest, AFileThatCantBeOpenedIsNamed) {
  const auto marks = Marks::Open("/nowhere/marks");
  ASSERT_FALSE(marks.ok());
  EXPECT_NE(marks.status().message().find("/nowhere/marks"), absl::string_view::npos) << marks.status();
}

}  // namespace
}  // namespace sealkv::bench
