// A process is killed at any moment, thousands of times over, while several of its threads write and one reads; and
// the store holds what each had acknowledged, what was in flight whole or not at all (batches and transactions of many
// keys too), and what the reader was shown.
//
//   bazel-bin/tests/kill_test                          what the test suite runs: some 2,500 kills
//   bazel-bin/tests/kill_test --minutes=60 --seed=7    store after store, of many sizes, for so long
//   bazel-bin/tests/kill_test --hours=8                (./dev soak --hours=8)
//   --lives=N          so many kills in each test, instead
//   --directory=DIR    where (default: /dev/shm, and TEST_TMPDIR for a file with msyncs)
// What a failure prints replays it: the same plan and the same moments, though threads never meet in quite the same
// way.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "gtest/gtest.h"
#include "tests/kill/lives.h"
#include "tests/kill/victim.h"
#include "tests/random.h"

namespace sealkv::kill {
namespace {

using testing::Random;
using testing::Scaled;

struct Request {
  std::optional<uint64_t> minutes;
  std::optional<uint64_t> lives;
  uint64_t seed = testing::TestSeed();
  std::optional<std::string> directory;
};
Request request;

void Kill(const Plan& plan, uint64_t default_kills) {
  const uint64_t kills = request.lives.value_or(default_kills);
  Lives lives(plan);
  ASSERT_EQ(lives.Begin(), "");
  for (uint64_t i = 0; i < kills; ++i) {
    if (const std::string complaint = lives.Next(); !complaint.empty()) FAIL() << complaint;
  }
  std::printf("%s\n", lives.Summary().c_str());
  if (kills < 1000) return;  // too few to expect anything of them
  EXPECT_GT(lives.tally().in_flight_there, 0u);
  EXPECT_GT(lives.tally().together_in_flight, 0u);
  EXPECT_GT(lives.tally().batches_to_finish, 0u);
}

TEST(KillTest, TierVolatile) {
  Kill({.seed = request.seed,
        .test = "TierVolatile",
        .directory = request.directory.value_or("/dev/shm"),
        .capacity_bytes = 4 << 20,
        .most_moment_log2 = 13,
        .most_pauses = 20'000},
       Scaled(2500));
}

// Where fences are msyncs there is more time to be killed in one.
TEST(KillTest, TierMsync) {
  const char* directory = std::getenv("TEST_TMPDIR");
  Kill({.seed = request.seed,
        .test = "TierMsync",
        .directory = request.directory.value_or(directory != nullptr ? directory : "."),
        .capacity_bytes = 4 << 20,
        .most_moment_log2 = 8,
        .most_pauses = 200'000,
        .may_kill_itself = false},
       Scaled(150));
}

TEST(KillTest, WhereChangesAreKept) {
  Kill({.seed = request.seed,
        .test = "WhereChangesAreKept",
        .directory = request.directory.value_or("/dev/shm"),
        .capacity_bytes = 4 << 20,
        .most_moment_log2 = 13,
        .most_pauses = 20'000,
        .change_log_bytes = 100'000},
       Scaled(1500));
}

// A store grows only so often: so there are many of them, that begin small.
TEST(KillTest, WhileItGrows) {
  constexpr uint64_t kLivesEach = 25;
  uint64_t parts = 0;
  for (uint64_t store = 0; store < std::max<uint64_t>(1, Scaled(750) / kLivesEach); ++store) {
    Lives lives({.seed = request.seed + store,
                 .test = "WhileItGrows",
                 .directory = request.directory.value_or("/dev/shm"),
                 .capacity_bytes = 256 << 10,
                 .max_bytes = 4 << 20,
                 .most_moment_log2 = 13,
                 .most_pauses = 20'000});
    ASSERT_EQ(lives.Begin(), "");
    while (lives.count() < kLivesEach) {
      if (const std::string complaint = lives.Next(); !complaint.empty()) FAIL() << complaint;
    }
    parts += lives.tally().most_parts;
    std::printf("%s\n", lives.Summary().c_str());
  }
  EXPECT_GT(parts, 0u);
}

// A store's plan follows from its seed; the next store has the next seed.
Plan PlanOf(uint64_t seed) {
  Random random(~seed);
  return {.seed = seed,
          .test = "AsLongAsAsked",
          .directory = request.directory.value_or("/dev/shm"),
          .capacity_bytes = uint64_t{1} << random.Between(18, 23),
          .max_bytes = uint64_t{1} << random.Between(20, 25),
          .writers = static_cast<unsigned>(random.Between(1, 8)),
          .most_moment_log2 = static_cast<unsigned>(random.Between(6, 15)),
          .most_pauses = uint64_t{1} << random.Between(4, 18),
          .change_log_bytes = random.OneIn(3) ? uint64_t{1} << random.Between(10, 20) : 0};
}

// Lives of one store, before it is the next one's turn.
constexpr uint64_t kLivesOfAStore = 2000;

TEST(KillTest, AsLongAsAsked) {
  if (!request.minutes.has_value() && !request.lives.has_value()) GTEST_SKIP() << "--minutes=N asks for it";
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(request.minutes.value_or(0));
  const auto is_over = [&](uint64_t kills) {
    return request.lives.has_value() ? kills >= *request.lives : std::chrono::steady_clock::now() >= end;
  };
  uint64_t kills = 0;
  for (uint64_t seed = request.seed; !is_over(kills); ++seed) {
    Lives lives(PlanOf(seed));
    ASSERT_EQ(lives.Begin(), "");
    for (; lives.count() < kLivesOfAStore && !is_over(kills); ++kills) {
      if (const std::string complaint = lives.Next(); !complaint.empty()) FAIL() << complaint;
    }
    std::printf("%s\n", lives.Summary().c_str());
    std::fflush(stdout);
  }
  std::printf("%lu kills in all\n", kills);
}

// False: not an argument that is known.
bool Parse(absl::string_view argument) {
  const auto number = [&](absl::string_view name) -> std::optional<uint64_t> {
    uint64_t value;
    return absl::ConsumePrefix(&argument, name) && absl::SimpleAtoi(argument, &value) ? std::optional(value)
                                                                                      : std::nullopt;
  };
  if (const auto minutes = number("--minutes=")) {
    request.minutes = minutes;
  } else if (const auto hours = number("--hours=")) {
    request.minutes = *hours * 60;
  } else if (const auto lives = number("--lives=")) {
    request.lives = lives;
  } else if (const auto seed = number("--seed=")) {
    request.seed = *seed;
  } else if (absl::ConsumePrefix(&argument, "--directory=")) {
    request.directory = std::string(argument);
  } else {
    return false;
  }
  return true;
}

}  // namespace
}  // namespace sealkv::kill

int main(int argc, char** argv) {
  sealkv::kill::BecomeVictimIfAsked(argc, argv);
  ::testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; ++i) {
    if (sealkv::kill::Parse(argv[i])) continue;
    std::fprintf(
        stderr,
        "kill_test: no such argument: %s. There are --hours=N, --minutes=N, --lives=N, --seed=N, --directory=DIR.\n",
        argv[i]);
    return 2;
  }
  if (sealkv::kill::request.minutes.has_value()) GTEST_FLAG_SET(filter, "KillTest.AsLongAsAsked");
  return RUN_ALL_TESTS();
}
