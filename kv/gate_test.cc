#include "kv/gate.h"

#include <memory>

#include "gtest/gtest.h"
#include "kv/epoch.h"
#include "kv/recovery.h"
#include "kv/wait.h"
#include "tests/memory_store.h"
#include "tests/status.h"

namespace sealkv::internal {
namespace {

class GateTest : public ::testing::Test {
 public:
  void SetUp() override {
    ASSERT_OK(store_.Format());
    const absl::StatusOr<Image> image = OpenImage(daxfile::DaxFile::OverMemory(store_.memory().span()));
    ASSERT_OK(image);
    image_ = *image;
    versions_ = std::make_unique<Versions>(image_);
    heap_ = std::make_unique<Heap>(image_, persist_, epochs_, *versions_, 1);
    gate_ = std::make_unique<Gate>(*heap_);
    arena_ = &heap_->ArenaOf(*epochs_.Enter());
    test_ = this;
    waits_ = 0;
  }
  void TearDown() override { wait_in_test = nullptr; }

  // Whoever waits is told that others have gone on.
  void WhenSomebodyWaits(WaitHook hook) { wait_in_test = hook; }

  static inline GateTest* test_ = nullptr;
  static inline int waits_ = 0;
  testing::MemoryStore store_{1 << 20};
  Image image_;
  daxfile::Persist persist_{daxfile::Persist::Mode::kCpu};
  Epochs epochs_;
  std::unique_ptr<Versions> versions_;
  std::unique_ptr<Heap> heap_;
  std::unique_ptr<Gate> gate_;
  Arena* arena_ = nullptr;
};

// What a batch says of itself changes while it is inside: it prepares, it changes, it cleans up.
TEST_F(GateTest, IsNotClosedWhileABatchGoesFromOneStageToTheNext) {
  ASSERT_TRUE(gate_->TryEnterToPrepare(*arena_));
  WhenSomebodyWaits([] {
    ++waits_;
    if (waits_ == 1) Gate::BeginChange(*test_->arena_);
    if (waits_ == 2) Gate::EndChange(*test_->arena_);
    if (waits_ == 3) Gate::Leave(*test_->arena_);
  });
  gate_->Close();
  EXPECT_EQ(waits_, 3) << "closed while somebody was inside";
  EXPECT_FALSE(gate_->TryEnter(*arena_));
  gate_->Open();
  EXPECT_TRUE(gate_->TryEnter(*arena_));
}

TEST_F(GateTest, AChangeIsWaitedForAndNotTheNextOne) {
  ASSERT_TRUE(gate_->TryEnter(*arena_));
  WhenSomebodyWaits([] {
    ++waits_;
    Gate::Leave(*test_->arena_);
    ASSERT_TRUE(test_->gate_->TryEnter(*test_->arena_));
  });
  gate_->WaitForChanges();
  EXPECT_EQ(waits_, 1);
  Gate::Leave(*arena_);
  gate_->WaitForChanges();
  EXPECT_EQ(waits_, 1);
}

// A batch that prepares may take long, and what it has in mind comes after the snapshot.
TEST_F(GateTest, PreparationsAreNotWaitedFor) {
  ASSERT_TRUE(gate_->TryEnterToPrepare(*arena_));
  WhenSomebodyWaits([] { ++waits_; });
  gate_->WaitForChanges();
  EXPECT_EQ(waits_, 0);
}

}  // namespace
}  // namespace sealkv::internal
