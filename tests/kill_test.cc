// A process is killed at any moment, a hundred times over, and the store it wrote to holds what it had acknowledged,
// and the operation in flight whole or not at all.
//
// The victim is this program again (exec). It does the operations that follow from a seed, and notes in a log outside
// the store when it begins one and when it is through; the log's pages belong to the kernel and survive the victim. A
// pipe tells the test how far it is, so that the moment to kill is counted in operations and not in time.
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include "gtest/gtest.h"
#include "kv/sealkv.h"
#include "tests/check_clean.h"
#include "tests/key_shapes.h"
#include "tests/model.h"
#include "tests/random.h"
#include "tests/status.h"

namespace sealkv {
namespace {

using testing::Model;
using testing::Printable;
using testing::Random;
using testing::WordValue;

constexpr char kBegin = 'b';
constexpr char kEnd = 'e';
constexpr int kProgressFd = 3;  // in the victim
constexpr uint64_t kOperationsPerDot = 8;

struct Operation {
  enum class Action : uint8_t { kPut, kDelete, kAdd } action;
  std::string key;
  std::string value;
};

// Operation `number` of a run: the same for the victim, that does it, and for the test, that knows what should be
// there.
Operation OperationOf(uint64_t seed, uint64_t number) {
  static const std::vector<testing::KeyMaker> makers = {
      testing::key_shapes::Paths(), testing::key_shapes::CommonPrefixes(), testing::key_shapes::ShortStrings(),
      [](Random& random) { return U64Key(random.Below(300)); }};
  Random random(seed * 1'000'003 + number);
  Random key_random(random.Below(4000));  // so many different keys at most
  Operation operation{Operation::Action::kPut, makers[key_random.Below(4)](key_random), ""};
  // Times of growth and of decline take turns.
  const unsigned put_percent = number / 500 % 2 == 0 ? 75 : 35;
  if (!random.Percent(put_percent)) {
    operation.action = Operation::Action::kDelete;
  } else if (random.OneIn(8)) {
    operation.action = Operation::Action::kAdd;
    operation.key = U64Key(random.Below(300));
  } else if (random.OneIn(2) || operation.key.size() == 8) {
    operation.value = WordValue(random.Next());
  } else {
    operation.value = random.Bytes(random.OneIn(40) ? random.Below(20'000) : random.Below(120));
  }
  return operation;
}

void Apply(const Operation& operation, Model* model) {
  switch (operation.action) {
    case Operation::Action::kPut:
      model->insert_or_assign(operation.key, operation.value);
      return;
    case Operation::Action::kDelete:
      model->erase(operation.key);
      return;
    case Operation::Action::kAdd: {
      std::string& value = model->emplace(operation.key, WordValue(0)).first->second;
      value = WordValue(testing::WordOf(value) + 1);
      return;
    }
  }
}

absl::Status Apply(const Operation& operation, Store& store) {
  switch (operation.action) {
    case Operation::Action::kPut:
      return store.Put(operation.key, operation.value);
    case Operation::Action::kDelete: {
      const absl::Status status = store.Delete(operation.key);
      return absl::IsNotFound(status) ? absl::OkStatus() : status;
    }
    case Operation::Action::kAdd:
      return store.Add(operation.key, 1).status();
  }
  return absl::OkStatus();
}

void Note(int fd, char what) {
  if (write(fd, &what, 1) != 1) _exit(2);
}

// What the victim does: operations from `first` on, until it is killed.
int RunVictim(const char* store_path, const char* log_path, uint64_t seed, uint64_t first) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int log = open(log_path, O_WRONLY | O_APPEND | O_CLOEXEC);
  absl::StatusOr<std::unique_ptr<Store>> store = Store::Open(store_path, {.weakest_tier = daxfile::Tier::kVolatile});
  if (!store.ok()) {
    std::fprintf(stderr, "victim: %s\n", store.status().ToString().c_str());
    return 2;
  }
  for (uint64_t number = first;; ++number) {
    const Operation operation = OperationOf(seed, number);
    Note(log, kBegin);
    if (const absl::Status status = Apply(operation, **store); !status.ok()) {
      std::fprintf(stderr, "victim: operation %lu: %s\n", number, status.ToString().c_str());
      return 2;
    }
    Note(log, kEnd);
    if (number % kOperationsPerDot == 0) Note(kProgressFd, '.');
  }
}

class Victim {
 public:
  Victim(const std::string& store_path, const std::string& log_path, uint64_t seed, uint64_t first) {
    int pipe_ends[2];
    if (pipe2(pipe_ends, O_CLOEXEC) != 0) std::abort();
    pid_ = fork();
    if (pid_ == 0) {
      if (pipe_ends[1] == kProgressFd) {
        fcntl(kProgressFd, F_SETFD, 0);  // dup2 to itself would leave it to be closed by exec
      } else {
        dup2(pipe_ends[1], kProgressFd);
      }
      execl("/proc/self/exe", "kill_test", "--victim", store_path.c_str(), log_path.c_str(),
            std::to_string(seed).c_str(), std::to_string(first).c_str(), nullptr);
      _exit(3);
    }
    close(pipe_ends[1]);
    progress_fd_ = pipe_ends[0];
  }
  ~Victim() { close(progress_fd_); }

  // Kills it when it has told of so much progress, and a little later: right after a dot it is always at the beginning
  // of an operation. Whether it was alive until then.
  bool KillAfter(uint64_t dots, uint64_t pauses) {
    char bytes[256];
    while (dots > 0) {
      const ssize_t count = read(progress_fd_, bytes, std::min<uint64_t>(dots, sizeof(bytes)));
      if (count <= 0) break;
      dots -= static_cast<uint64_t>(count);
    }
    for (; pauses > 0; --pauses) __builtin_ia32_pause();
    kill(pid_, SIGKILL);
    int status = 0;
    waitpid(pid_, &status, 0);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  }

 private:
  pid_t pid_;
  int progress_fd_;
};

class KillTest : public ::testing::Test {
 protected:
  void Run(const std::string& directory, uint64_t kills, uint64_t most_dots, uint64_t most_pauses) {
    const uint64_t seed = testing::TestSeed();
    const std::string name = directory + "/sealkv-kill-test-" + std::to_string(getpid());
    store_path_ = name + ".store";
    log_path_ = name + ".log";
    std::ofstream(log_path_).flush();
    {
      const absl::StatusOr<std::unique_ptr<Store>> store =
          Store::Create(store_path_, {.capacity_bytes = 32 << 20, .weakest_tier = daxfile::Tier::kVolatile});
      ASSERT_OK(store);
      std::printf("SEALKV_TEST_SEED=%lu, tier %s\n", seed,
                  std::string(daxfile::TierName((*store)->GetStats().tier)).c_str());
    }
    Random random(seed);
    for (uint64_t life = 0; life < kills; ++life) {
      const uint64_t dots = random.OneIn(10) ? 0 : random.Between(1, most_dots);
      Victim victim(store_path_, log_path_, seed, begun_);
      ASSERT_TRUE(victim.KillAfter(dots, random.Below(most_pauses))) << "the victim ended by itself in life " << life;
      ASSERT_NO_FATAL_FAILURE(CatchUp(seed)) << "life " << life;
      ASSERT_NO_FATAL_FAILURE(Verify(seed)) << "life " << life << ", after operation " << begun_;
    }
    std::printf("%lu kills, %lu operations, %lu of them in flight (%lu were there), %zu keys at the end\n", kills,
                begun_, in_flight_, in_flight_there_, model_.size());
  }

  void TearDown() override {
    std::filesystem::remove(store_path_);
    std::filesystem::remove(log_path_);
  }

 private:
  // Reads what the victim noted since the last time; applies what it acknowledged.
  void CatchUp(uint64_t seed) {
    std::ifstream log(log_path_);
    log.seekg(static_cast<std::streamoff>(log_bytes_read_));
    const std::string notes{std::istreambuf_iterator<char>(log), {}};
    log_bytes_read_ += notes.size();
    has_in_flight_ = false;
    for (size_t i = 0; i < notes.size(); ++i) {
      ASSERT_EQ(notes[i], has_in_flight_ ? kEnd : kBegin);
      if (has_in_flight_) Apply(OperationOf(seed, begun_ - 1), &model_);
      if (!has_in_flight_) ++begun_;
      has_in_flight_ = !has_in_flight_;
    }
  }

  void Verify(uint64_t seed) {
    const absl::StatusOr<std::unique_ptr<Store>> store =
        Store::Open(store_path_, {.weakest_tier = daxfile::Tier::kVolatile, .read_only = true});
    ASSERT_OK(store);
    if (has_in_flight_) {
      ++in_flight_;
      const Operation operation = OperationOf(seed, begun_ - 1);
      Model with_it = model_;
      Apply(operation, &with_it);
      const absl::StatusOr<std::string> value = (*store)->Get(operation.key);
      const auto expected = with_it.find(operation.key);
      const bool is_there =
          value.ok() ? expected != with_it.end() && *value == expected->second : expected == with_it.end();
      in_flight_there_ += is_there;
      if (is_there) model_ = std::move(with_it);
    }
    EXPECT_TRUE(testing::ScansAs(**store, model_));
    EXPECT_TRUE(testing::GetsAs(**store, model_));
    EXPECT_TRUE(testing::IsCleanFile(store_path_));
    ASSERT_FALSE(HasFailure());
  }

  std::string store_path_;
  std::string log_path_;
  size_t log_bytes_read_ = 0;
  uint64_t begun_ = 0;
  bool has_in_flight_ = false;
  uint64_t in_flight_ = 0;
  uint64_t in_flight_there_ = 0;
  Model model_;
};

TEST_F(KillTest, TierVolatile) { Run("/dev/shm", 150, 60, 5000); }

// Where fences are msyncs there is more time to be killed in one.
TEST_F(KillTest, TierMsync) {
  const char* directory = std::getenv("TEST_TMPDIR");
  Run(directory != nullptr ? directory : ".", 30, 3, 200'000);
}

}  // namespace
}  // namespace sealkv

int main(int argc, char** argv) {
  if (argc == 6 && std::string_view(argv[1]) == "--victim") {
    return sealkv::RunVictim(argv[2], argv[3], std::strtoull(argv[4], nullptr, 10),
                             std::strtoull(argv[5], nullptr, 10));
  }
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
