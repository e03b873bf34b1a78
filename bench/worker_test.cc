#include "bench/worker.h"

#include <signal.h>
#include <unistd.h>

#include <string>

#include "gtest/gtest.h"

namespace sealkv::bench {
namespace {

absl::StatusOr<std::string> Serve(const std::string& request) {
  if (request == "die") kill(getpid(), SIGKILL);
  if (request == "exit") _exit(3);
  if (request == "fail") return absl::DataLossError("a wrong value was read");
  if (request == "who") return std::to_string(getpid());
  return request + request;
}

class WorkerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto worker = Worker::Start(
        "lmdb", [] { return Worker::Serve(Serve); }, stop_);
    ASSERT_TRUE(worker.ok()) << worker.status();
    worker_ = *std::move(worker);
  }
  std::atomic<bool> stop_{false};
  std::unique_ptr<Worker> worker_;
};

TEST_F(WorkerTest, Answers) {
  EXPECT_EQ(*worker_->Ask("ab"), "abab");
  EXPECT_EQ(*worker_->Ask(""), "");
  const std::string large(1 << 20, 'x');
  EXPECT_EQ(*worker_->Ask(large), large + large);
  EXPECT_NE(*worker_->Ask("who"), std::to_string(getpid()));
}

TEST_F(WorkerTest, AnErrorComesAsItIs) {
  const auto answer = worker_->Ask("fail");
  EXPECT_TRUE(absl::IsDataLoss(answer.status()));
  EXPECT_EQ(answer.status().message(), "a wrong value was read");
  EXPECT_TRUE(worker_->Ask("ab").ok());
}

TEST_F(WorkerTest, OneThatIsKilledIsNamed) {
  const auto answer = worker_->Ask("die");
  EXPECT_TRUE(absl::IsAborted(answer.status()));
  for (const char* part : {"lmdb", "'die'", "Killed", "out of memory"}) {
    EXPECT_NE(answer.status().message().find(part), absl::string_view::npos) << answer.status();
  }
  EXPECT_TRUE(absl::IsAborted(worker_->Ask("ab").status()));
}

TEST_F(WorkerTest, OneThatExitsIsNamed) {
  const auto answer = worker_->Ask("exit");
  EXPECT_NE(answer.status().message().find("exit code 3"), absl::string_view::npos) << answer.status();
}

TEST_F(WorkerTest, EndsWithAnotherThatWasForkedLater) {
  auto later = Worker::Start(
      "later", [] { return Worker::Serve(Serve); }, stop_);
  ASSERT_TRUE(later.ok());
  worker_.reset();  // the later one has inherited its socket
  EXPECT_TRUE((*later)->Ask("ab").ok());
}

TEST_F(WorkerTest, IsCancelled) {
  stop_ = true;
  EXPECT_TRUE(absl::IsCancelled(worker_->Ask("ab").status()));
}

}  // namespace
}  // namespace sealkv::bench
