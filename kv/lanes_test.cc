// Damage to lanes and blobs: no bit of them is ever wrong unnoticed. The one that is set in a free lane must not name a
// batch that is long over, nor the one that is cleared in a committed lane take back a batch of which a part is there.
#include "kv/lanes.h"

#include <cstring>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "kv/check.h"
#include "kv/recovery.h"
#include "tests/half_batch.h"
#include "tests/memory_store.h"
#include "tests/model.h"
#include "tests/status.h"

namespace sealkv::internal {
namespace {

using testing::IsError;
using testing::Memory;

constexpr size_t kBytes = 64 << 10;
constexpr int kKeys = 200;
constexpr uint64_t kWordsStored = 70;  // of more than 200, which are two chunks

WriteBatch AllBecome(uint64_t value) {
  WriteBatch batch;
  for (int i = 0; i < kKeys; ++i) batch.Put(U64Key(static_cast<uint64_t>(i)), testing::WordValue(value));
  return batch;
}

// Batches have left their blobs in it; the last one is committed, and half done.
const std::string& HalfABatch() {
  static const std::string bytes = testing::StoreWithHalfABatch(
      kBytes,
      [](Store& store) {
        for (uint64_t value = 0; value < 5; ++value) EXPECT_OK(store.Write(AllBecome(value)));
      },
      AllBecome(7), kWordsStored);
  return bytes;
}

class LanesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::memcpy(memory_.data(), HalfABatch().data(), HalfABatch().size());
    for (uint64_t i = 0; i < Superblock::kLanes; ++i) {
      if (lane(i) != 0) set_ = i;
    }
    ASSERT_NE(lane(set_), 0u);
  }

  absl::StatusOr<std::unique_ptr<Store>> Open() { return Store::Attach(daxfile::DaxFile::OverMemory(memory_.span())); }
  uint64_t& lane(uint64_t index) { return image_.superblock().lanes[index].word; }
  static uint64_t OffsetOf(uint64_t index) { return Superblock::kLanesOffset + index * sizeof(Superblock::Lane); }
  const RedoChunk* ChunkAt(Offset offset) const {
    return reinterpret_cast<const RedoChunk*>(memory_.data() + Raw(offset));
  }

  // An open refuses, names the lane, and changes nothing.
  void ExpectRefused(uint64_t index) {
    const std::string before(reinterpret_cast<const char*>(memory_.data()), kBytes);
    const std::string offset = "offset " + std::to_string(OffsetOf(index)) + ":";
    EXPECT_TRUE(IsError(Open().status(), absl::StatusCode::kDataLoss, {offset, "salvage"}));
    EXPECT_EQ(std::memcmp(memory_.data(), before.data(), kBytes), 0);
  }

  const Memory memory_{kBytes};
  const Image image_{
      Image(memory_.data(), Image::GeometryOf(*reinterpret_cast<const Superblock*>(HalfABatch().data())))};
  uint64_t set_ = 0;
};

TEST_F(LanesTest, AnOpenFinishesWhatWasCommitted) {
  const absl::StatusOr<std::unique_ptr<Store>> store = Open();
  ASSERT_OK(store);
  for (uint64_t i = 0; i < kKeys; ++i) EXPECT_EQ((*store)->Get(U64Key(i)).value_or(""), testing::WordValue(7));
  EXPECT_EQ(lane(set_), 0u);
}

TEST_F(LanesTest, NoBitOfALaneIsWrongUnnoticed) {
  for (uint64_t index = 0; index < Superblock::kLanes; ++index) {
    for (unsigned bit = 0; bit < 64 && !HasFailure(); ++bit) {
      lane(index) ^= uint64_t{1} << bit;
      ExpectRefused(index);
      lane(index) ^= uint64_t{1} << bit;
      if (HasFailure()) ADD_FAILURE() << "lane " << index << ", bit " << bit;
    }
  }
}

TEST_F(LanesTest, NoBitOfABlobIsWrongUnnoticed) {
  std::vector<Offset> chunks;
  for (Offset at = LaneWord(lane(set_)).blob(); at != Offset::kNone; at = Offset{ChunkAt(at)->next})
    chunks.push_back(at);
  ASSERT_GE(chunks.size(), 2u);
  for (const Offset at : chunks) {
    const uint64_t bytes = ChunkAt(at)->bytes();
    for (uint64_t bit = 0; bit < 8 * bytes && !HasFailure(); ++bit) {
      std::byte& byte = memory_.data()[Raw(at) + bit / 8];
      byte ^= static_cast<std::byte>(1 << bit % 8);
      ExpectRefused(set_);
      byte ^= static_cast<std::byte>(1 << bit % 8);
      if (HasFailure()) ADD_FAILURE() << "chunk at " << Raw(at) << ", bit " << bit;
    }
  }
}

// A lane's line that comes to lie over another lane's: the batch would be done again when it is long over.
TEST_F(LanesTest, TheWordOfAnotherLaneIsNoticed) {
  const uint64_t other = (set_ + 1) % Superblock::kLanes;
  lane(other) = lane(set_);
  ExpectRefused(other);
}

// A blob that was made by nobody who knows the format, with a checksum that holds.
TEST_F(LanesTest, AChunkThatLeadsAnywhereButIntoNodesIsNoticed) {
  auto& chunk = const_cast<RedoChunk&>(*ChunkAt(LaneWord(lane(set_)).blob()));
  const RedoChunk before = chunk;
  const RedoWord word = chunk.words()[0];
  for (const uint64_t where : {uint64_t{0}, uint64_t{8}, uint64_t{128}, uint64_t{2048}, Raw(word.where) + 4, kBytes,
                               kBytes - 4, ~uint64_t{0}, ~uint64_t{7}}) {
    chunk.words()[0].where = Offset{where};
    chunk.checksum = RedoChecksum(chunk);
    ExpectRefused(set_);
  }
  chunk.words()[0] = word;
  chunk.next = Raw(LaneWord(lane(set_)).blob());  // itself
  chunk.checksum = RedoChecksum(chunk);
  ExpectRefused(set_);
  chunk = before;
  EXPECT_OK(Open());
}

// Whoever looks for damage finds that of the lane, and beside it the store as the next writer would find it.
TEST_F(LanesTest, WhatCanBeFinishedIsThoughALaneIsDamaged) {
  const uint64_t damaged = (set_ + 3) % Superblock::kLanes;
  lane(damaged) = 1 << 13;
  CommittedBatches batches(image_);
  EXPECT_EQ(batches.count(), 1u);
  ASSERT_EQ(batches.damaged().size(), 1u);
  EXPECT_EQ(Raw(batches.damaged()[0].at), OffsetOf(damaged));
  daxfile::Persist persist(daxfile::Persist::Mode::kCpu);
  EXPECT_OK(batches.Finish(persist));
  EXPECT_EQ(lane(set_), 0u);
  const CheckReport report = Check(image_);
  EXPECT_EQ(report.major_problems, 1u);
  ASSERT_FALSE(report.problems.empty());
  EXPECT_EQ(report.problems[0].offset, OffsetOf(damaged));
  EXPECT_EQ(report.keys, static_cast<uint64_t>(kKeys));
  EXPECT_EQ(report.batches_to_finish, 0u);
}

}  // namespace
}  // namespace sealkv::internal
