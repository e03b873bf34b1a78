#include "bench/opens.h"

#include <unistd.h>

#include <memory>
#include <string>

#include "bench/clock.h"
#include "bench/store_files.h"
#include "bench/testing/forwarding_engine.h"
#include "gtest/gtest.h"

namespace sealkv::bench {
namespace {

constexpr double kBurntByAGet = 0.01;  // seconds of CPU

struct BusyReader : ForwardingEngine {
  using ForwardingEngine::ForwardingEngine;
  absl::Status Get(const Key& key, std::string* value) override {
    for (const double begin = CpuSeconds(); CpuSeconds() - begin < kBurntByAGet;) {
    }
    ++gets;
    return ForwardingEngine::Get(key, value);
  }
  int gets = 0;
};

TEST(Opens, CpuTimeIsOfTheOpeningAlone) {
  const StoreFiles files("sealkv", "/dev/shm/opens_test." + std::to_string(getpid()), FilesAre::kTemporary);
  Subject subject;
  subject.name = "sealkv";
  subject.options.path = files.path();
  subject.options.capacity_bytes = 1 << 20;
  auto writer = DoomedWriter::Start(subject.name, subject.options);
  ASSERT_TRUE(writer.ok()) << writer.status();
  subject.doomed_writer = *std::move(writer);
  auto engine = std::make_unique<BusyReader>(MakeSealkvEngine());
  const BusyReader& reader = *engine;
  subject.engine = std::move(engine);
  ASSERT_TRUE(subject.engine->Open(subject.options).ok());
  const absl::StatusOr<Result> result = TimeOpens(subject, false);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(static_cast<uint64_t>(reader.gets), result->operations);
  EXPECT_LT(result->cpu_seconds, reader.gets * kBurntByAGet) << "the reads after it don't count";
}

}  // namespace
}  // namespace sealkv::bench
