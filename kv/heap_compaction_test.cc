#include <memory>
#include <optional>
#include <string>

#include "gtest/gtest.h"
#include "kv/epoch.h"
#include "kv/heap.h"
#include "kv/recovery.h"
#include "tests/memory_store.h"
#include "tests/status.h"

namespace sealkv::internal {
namespace {

class HeapCompactionTest : public ::testing::Test {
 public:
  void SetUp() override {
    ASSERT_OK(store_.Format());
    const absl::StatusOr<Image> image = OpenImage(daxfile::DaxFile::OverMemory(store_.memory().span()));
    ASSERT_OK(image);
    image_ = *image;
    versions_ = std::make_unique<Versions>(image_);
    heap_ = std::make_unique<Heap>(image_, persist_, epochs_, *versions_, 1);
    heap_->BeginMarking();
    heap_->FinishMarking();
    EpochSlot* const first = epochs_.Enter();
    EpochSlot* const second = epochs_.Enter();
    mover_ = &heap_->ArenaOf(*first);
    writer_ = &heap_->ArenaOf(*second);
    Epochs::Exit(first);
    Epochs::Exit(second);
  }

  uint64_t SegmentOf(Offset offset) const { return image_.SegmentOf(offset); }
  Offset Append(Arena& arena, const std::string& key) {
    const absl::StatusOr<Offset> record = heap_->AppendRecord(arena, key, std::string(100, 'v'));
    EXPECT_OK(record);
    return record.value_or(Offset::kNone);
  }
  void Retire(Arena& arena, Offset record) {
    heap_->Retire(arena, {0, record, image_.RecordAt(record).bytes(), /*is_node=*/false});
  }

  testing::MemoryStore store_{1 << 20};
  Image image_;
  daxfile::Persist persist_{daxfile::Persist::Mode::kCpu};
  Epochs epochs_;
  std::unique_ptr<Versions> versions_;
  std::unique_ptr<Heap> heap_;
  Arena* mover_ = nullptr;
  Arena* writer_ = nullptr;
};

// A segment that isn't full, that compaction has emptied, and whose last record waits to be freed: a writer who
// appended there would keep it from being free, and hide what dies in it afterwards.
TEST_F(HeapCompactionTest, NothingIsPlacedInWhatWasEmptiedAndIsntFreeYet) {
  const Offset dead = Append(*mover_, "dead");
  const Offset alive = Append(*mover_, "alive");
  const uint64_t segment = SegmentOf(alive);
  ASSERT_EQ(SegmentOf(dead), segment);
  Retire(*mover_, dead);
  heap_->CollectArenas();

  const std::optional<Heap::Emptying> emptying = heap_->BeginEmptying(Heap::Thrift::kNone);
  ASSERT_TRUE(emptying.has_value());
  ASSERT_EQ(emptying->segment, segment);
  EXPECT_NE(SegmentOf(Append(*mover_, "alive")), segment);
  Retire(*mover_, alive);
  heap_->EndEmptying(segment, /*is_through=*/true);

  EXPECT_TRUE(heap_->IsSettling());
  EXPECT_NE(SegmentOf(Append(*writer_, "new")), segment);
  heap_->CollectArenas();
  EXPECT_FALSE(heap_->IsSettling());
  EXPECT_EQ(image_.segment_word(segment).raw(), SegmentWord::kFreeRaw);
}

// What is still in use after everything was freed that can be is what couldn't be moved; until something of it dies.
TEST_F(HeapCompactionTest, WhatCouldNotBeMovedIsLeftAloneUntilSomethingOfItDies) {
  const Offset dead = Append(*mover_, "dead");
  const Offset kept = Append(*mover_, "kept");
  const Offset kept_too = Append(*mover_, "kept, too");
  const uint64_t segment = SegmentOf(kept);
  Retire(*mover_, dead);
  heap_->CollectArenas();
  ASSERT_TRUE(heap_->BeginEmptying(Heap::Thrift::kNone).has_value());
  heap_->EndEmptying(segment, /*is_through=*/true);

  EXPECT_FALSE(heap_->BeginEmptying(Heap::Thrift::kNone).has_value());
  EXPECT_EQ(heap_->GetUsage().segments_kept, 0u) << "this isn't known yet";
  heap_->CollectArenas();
  EXPECT_FALSE(heap_->BeginEmptying(Heap::Thrift::kNone).has_value());
  EXPECT_EQ(heap_->GetUsage().segments_kept, 1u);

  Retire(*mover_, kept_too);
  heap_->CollectArenas();
  const std::optional<Heap::Emptying> again = heap_->BeginEmptying(Heap::Thrift::kNone);
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->segment, segment);
}

// While somebody else finds out what nobody can see any more, a writer asks for it and goes on; but not for ever.
TEST_F(HeapCompactionTest, AWriterWaitsForWhatIsFoundOutElsewhere) {
  const auto retire_until_due = [&] {
    while (!Heap::IsReclaimDue(*writer_)) Retire(*writer_, Append(*writer_, "dead"));
    return writer_->retired.size();
  };
  EXPECT_FALSE(heap_->FindUnseenIfWanted());
  heap_->BeginFindingUnseen();
  const size_t batch = retire_until_due();
  heap_->ReclaimSome(*writer_);
  EXPECT_EQ(writer_->retired.size(), batch) << "nothing is known yet";
  EXPECT_TRUE(heap_->FindUnseenIfWanted());
  EXPECT_FALSE(heap_->FindUnseenIfWanted());
  const size_t asked_again = retire_until_due();
  EXPECT_LT(asked_again, 2 * batch);
  heap_->ReclaimSome(*writer_);
  EXPECT_LT(writer_->retired.size(), asked_again);

  // Nobody answers.
  size_t retired = 0;
  for (int i = 0; i < 1000 && writer_->retired.size() >= retired; ++i) {
    retired = retire_until_due();
    heap_->ReclaimSome(*writer_);
  }
  EXPECT_LT(writer_->retired.size(), retired);
  EXPECT_LT(retired, 10 * batch);
}

}  // namespace
}  // namespace sealkv::internal
