// Lanes where fences can fail. This program's msync() stands in for libc's.
#include <cerrno>
#include <cstddef>

#include "gtest/gtest.h"
#include "kv/image.h"
#include "kv/lanes.h"
#include "kv/superblock.h"
#include "tests/memory_store.h"
#include "tests/status.h"

namespace {

bool does_msync_fail = false;

}  // namespace

extern "C" int msync(void*, size_t, int) {
  if (!does_msync_fail) return 0;
  errno = EIO;
  return -1;
}

namespace sealkv::internal {
namespace {

// A store with a batch of one word in lane 3, committed and not done: the value of the only key.
class LanesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    does_msync_fail = false;
    ASSERT_OK(store_.Format());
    ASSERT_OK(store_->Put("a record", "takes a segment, and leaves room in it"));
    ASSERT_OK(store_->Put("12345678", "87654321"));
    store_.Close();
    image_ = Image(store_.memory().data());
    Node& root = *image_.NodeAt(Offset{image_.superblock().root});
    value_ = &root.ref_word(root.perm().slot(0));
    ASSERT_EQ(root.kinds().kind(root.perm().slot(0)), Kind::kInline);
    const Offset place = image_.SegmentStart(image_.segment_count() - 1);
    auto& chunk = *reinterpret_cast<RedoChunk*>(image_.base() + Raw(place));
    chunk = {.next = 0, .count = 1};
    chunk.words()[0] = {image_.OffsetOf(value_), kValue};
    chunk.checksum = RedoChecksum(chunk);
    lane() = LaneWord(place, 3).raw();
  }
  uint64_t& lane() { return image_.superblock().lanes[3].word; }

  static constexpr uint64_t kValue = 7;
  testing::MemoryStore store_{1 << 20};
  Image image_;
  uint64_t* value_ = nullptr;
};

TEST_F(LanesTest, ABatchIsDoneAgain) {
  daxfile::Persist persist(daxfile::Persist::Mode::kMsync);
  EXPECT_OK(RedoCommittedLanes(image_, persist));
  EXPECT_EQ(*value_, kValue);
  EXPECT_EQ(lane(), LaneWord::kFreeRaw);
  EXPECT_FALSE(HasCommittedLanes(image_));
}

// What the words are to be may be lost with the page cache: the next open has to find the lane.
TEST_F(LanesTest, ALaneStaysWhereMsyncFailedToWriteItsWords) {
  does_msync_fail = true;
  daxfile::Persist persist(daxfile::Persist::Mode::kMsync);
  EXPECT_FALSE(RedoCommittedLanes(image_, persist).ok());
  EXPECT_TRUE(HasCommittedLanes(image_));
  does_msync_fail = false;
  daxfile::Persist next(daxfile::Persist::Mode::kMsync);
  EXPECT_OK(RedoCommittedLanes(image_, next));
  EXPECT_FALSE(HasCommittedLanes(image_));
}

}  // namespace
}  // namespace sealkv::internal
