// Tier msync, on a disk that refuses: each msync of a run fails in turn, and those after it work, or each second of
// them; then the power goes. What had been acknowledged is there, what was under way when msync failed is there as a
// whole or not at all, and nothing was acknowledged after that.
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "daxfile/dax_file.h"
#include "daxfile/sealing.h"
#include "daxfile/tier.h"
#include "gtest/gtest.h"
#include "kv/sealkv.h"
#include "tests/check_clean.h"
#include "tests/failing_disk.h"
#include "tests/memory_store.h"
#include "tests/model.h"
#include "tests/status.h"
#include "tests/steps.h"

namespace sealkv {
namespace {

using testing::disk;
using testing::kOld;
using testing::Memory;
using testing::Model;
using testing::OldKey;
using testing::Step;
using testing::WordValue;

constexpr size_t kBytes = 1 << 20;
constexpr uint64_t kNever = ~uint64_t{0};

struct Params {
  const char* name;
  bool beside_snapshots;
  bool fails_again;
};

class MsyncFailureTest : public ::testing::TestWithParam<Params> {
 protected:
  void SetUp() override {
    path_ = ::testing::TempDir() + "/msync_failure_test." + std::to_string(getpid());
    disk.Clear();
    absl::StatusOr<daxfile::DaxFile> file =
        daxfile::DaxFile::Create(path_, {.open = {.weakest_tier = daxfile::Tier::kVolatile}, .size_bytes = kBytes});
    ASSERT_OK(file);
    if (file->tier() != daxfile::Tier::kMsync) GTEST_SKIP() << path_ << " is " << file->tier_reason();
    disk.bytes.resize(kBytes);
    disk.from = file->data();
    auto store = Store::Format(*std::move(file), Background::kNone);
    ASSERT_OK(store);
    store_ = *std::move(store);
    for (uint64_t id = 0; id < kOld; ++id) {
      ASSERT_OK(store_->Put(OldKey(id), WordValue(id)));
      model_[OldKey(id)] = WordValue(id);
    }
    disk.syncs = 0;
    disk.fails_again = GetParam().fails_again;
  }
  void TearDown() override {
    store_.reset();
    disk.Clear();
    daxfile::RemoveFile(path_).IgnoreError();
  }

  // Up to the first step that fails, or to the end. Which it was.
  std::optional<size_t> Run(const std::vector<Step>& steps) {
    std::optional<Snapshot> snapshot;
    for (size_t i = 0; i < steps.size(); ++i) {
      if (GetParam().beside_snapshots && i % 7 == 3) snapshot = *store_->OpenSnapshot();
      if (const absl::Status status = steps[i].change(*store_); !status.ok()) {
        EXPECT_TRUE(absl::IsDataLoss(status)) << "step " << i << ": " << status;
        return i;
      }
      steps[i].expect(model_);
    }
    return std::nullopt;
  }

  void ExpectNoMoreWrites() {
    EXPECT_TRUE(absl::IsDataLoss(store_->Put("another", "value")));
    EXPECT_TRUE(absl::IsDataLoss(store_->Put("8 bytes.", "8 bytes.")));
    EXPECT_TRUE(absl::IsDataLoss(store_->Delete(U64Key(0))));
    WriteBatch batch;
    batch.Put("another", "value");
    batch.Put("and one", "more");
    EXPECT_TRUE(absl::IsDataLoss(store_->Write(batch)));
  }

  // What the disk holds is what was acknowledged; or that and the step that failed.
  void ExpectOnDisk(const Step* failed) {
    Memory memory(kBytes);
    std::memcpy(memory.data(), disk.bytes.data(), kBytes);
    auto store = Store::Attach(daxfile::DaxFile::OverMemory(memory.span()), Background::kNone);
    ASSERT_OK(store);
    Model found;
    const auto iterator = (*store)->NewIterator();
    for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) {
      found.emplace(std::string(iterator->key()), std::string(iterator->value()));
    }
    ASSERT_OK(iterator->status());
    if (failed != nullptr && found != model_) failed->expect(model_);
    ASSERT_TRUE(found == model_);
    ASSERT_TRUE(testing::IsClean(memory.span()));
  }

  std::string path_;
  std::unique_ptr<Store> store_;
  Model model_;
};

TEST_P(MsyncFailureTest, EachMsyncOfARun) {
  const std::vector<Step> steps = testing::AllSteps();
  uint64_t tried = 0;
  for (uint64_t failing = 0;; ++failing) {
    SCOPED_TRACE("msync " + std::to_string(failing));
    if (failing > 0) {
      TearDown();
      model_.clear();
      SetUp();
    }
    disk.failing = failing;
    const std::optional<size_t> failed = Run(steps);
    if (!failed.has_value()) break;
    ++tried;
    ExpectNoMoreWrites();
    ExpectOnDisk(&steps[*failed]);
    if (HasFatalFailure() || HasNonfatalFailure()) return;
  }
  EXPECT_GT(tried, 80u);
  disk.failing = kNever;
  ExpectOnDisk(nullptr);
}

INSTANTIATE_TEST_SUITE_P(, MsyncFailureTest,
                         ::testing::Values(Params{"Once", false, false}, Params{"OnceBesideSnapshots", true, false},
                                           Params{"AgainAndAgain", false, true},
                                           Params{"AgainAndAgainBesideSnapshots", true, true}),
                         [](const auto& info) { return info.param.name; });

// Of a store that can't be made nothing is left: the next one would find something that is no store.
TEST(CreateFailure, LeavesNoFile) {
  const std::string path = ::testing::TempDir() + "/msync_failure_test." + std::to_string(getpid()) + ".create";
  disk.Clear();
  disk.failing = 0;
  const auto store = Store::Create(path, {.capacity_bytes = kBytes, .weakest_tier = daxfile::Tier::kVolatile});
  if (store.ok()) GTEST_SKIP() << "no msync was needed: " << (*store)->GetStats().tier_reason;
  EXPECT_TRUE(absl::IsDataLoss(store.status())) << store.status();
  EXPECT_NE(access(path.c_str(), F_OK), 0);
}

}  // namespace
}  // namespace sealkv
