// The crash images are those of the Px86 model: no more, no fewer. Small logs, whose images can be counted by hand.
#include "tests/crash/crash_images.h"

#include <cstdint>
#include <cstring>
#include <set>
#include <thread>
#include <vector>

#include "daxfile/dax_file.h"
#include "daxfile/site.h"
#include "gtest/gtest.h"
#include "tests/crash/durability.h"
#include "tests/crash/recorder.h"
#include "tests/memory_store.h"

namespace sealkv::crash {
namespace {

// Acts on 4 KiB through the seam, and shows which images a crash may leave now.
class CrashImagesTest : public ::testing::Test {
 protected:
  using Words = std::vector<uint64_t>;

  uint64_t* word(size_t i) { return reinterpret_cast<uint64_t*>(memory_.data()) + i; }
  daxfile::Persist& persist() { return file_.persist(); }
  void Copy(size_t to, const Words& words) { persist().Copy(word(to), words.data(), words.size() * 8); }
  void CopyNonTemporal(size_t to, const Words& words) {
    persist().CopyNonTemporal(word(to), words.data(), words.size() * 8);
  }

  // All images, of each the words at these indices.
  std::set<Words> Images(const std::vector<size_t>& indices, const ImageLimits& limits = {}) {
    DurabilityModel model(recorder_.log().initial_words, platform_);
    for (const Event& event : recorder_.log().events) model.Apply(recorder_.log(), event);
    testing::Memory image(memory_.size());
    std::set<Words> images;
    std::set<uint64_t> hashes;
    ForEachCrashImage(model, limits, 1, [&](const CrashImage& crash_image) {
      crash_image.WriteTo(image.span(), model);
      Words words;
      for (const size_t i : indices) words.push_back(reinterpret_cast<uint64_t*>(image.data())[i]);
      images.insert(words);
      hashes.insert(crash_image.hash);
      return true;
    });
    EXPECT_EQ(hashes.size(), images.size()) << "images and their hashes are one to one";
    return images;
  }

  Platform platform_ = Platform::kPx86;
  testing::Memory memory_{8192};
  Recorder recorder_{memory_.span()};
  daxfile::DaxFile file_ = daxfile::DaxFile::OverMemory(memory_.span(), &recorder_);
};

TEST_F(CrashImagesTest, NothingPendingIsOneImage) { EXPECT_EQ(Images({0}), (std::set<Words>{{0}})); }

TEST_F(CrashImagesTest, WithinALineAPrefixOfTheStoresIsKept) {
  persist().Store(word(0), 1);
  persist().Store(word(7), 2);
  persist().Store(word(0), 3);
  EXPECT_EQ(Images({0, 7}), (std::set<Words>{{0, 0}, {1, 0}, {1, 2}, {3, 2}}));
}

TEST_F(CrashImagesTest, LinesAreIndependent) {
  persist().Store(word(0), 1);
  persist().Store(word(8), 2);
  EXPECT_EQ(Images({0, 8}), (std::set<Words>{{0, 0}, {1, 0}, {0, 2}, {1, 2}}));
}

TEST_F(CrashImagesTest, AFlushWithoutAFencePromisesNothing) {
  persist().Store(word(0), 1);
  persist().Flush(word(0), 8);
  EXPECT_EQ(Images({0}), (std::set<Words>{{0}, {1}}));
}

TEST_F(CrashImagesTest, AFenceWithoutAFlushPromisesNothing) {
  persist().Store(word(0), 1);
  persist().Fence();
  EXPECT_EQ(Images({0}), (std::set<Words>{{0}, {1}}));
}

TEST_F(CrashImagesTest, FlushedAndFencedIsDurable) {
  persist().Store(word(0), 1);
  persist().Store(word(8), 2);
  persist().Flush(word(0), 8);
  persist().Fence();
  EXPECT_EQ(Images({0, 8}), (std::set<Words>{{1, 0}, {1, 2}}));
}

TEST_F(CrashImagesTest, AFlushCoversWhatWasStoredBeforeIt) {
  persist().Store(word(0), 1);
  persist().Flush(word(0), 8);
  persist().Store(word(1), 2);
  persist().Fence();
  EXPECT_EQ(Images({0, 1}), (std::set<Words>{{1, 0}, {1, 2}}));
}

TEST_F(CrashImagesTest, ACopyTearsIntoWordsInAnyOrder) {
  Copy(0, {1, 2});
  EXPECT_EQ(Images({0, 1}), (std::set<Words>{{0, 0}, {1, 0}, {0, 2}, {1, 2}}));
}

TEST_F(CrashImagesTest, WhatComesAfterACopyInItsLineComesAfterAllOfIt) {
  Copy(0, {1, 2});
  persist().Store(word(2), 3);
  EXPECT_EQ(Images({0, 1, 2}), (std::set<Words>{{0, 0, 0}, {1, 0, 0}, {0, 2, 0}, {1, 2, 0}, {1, 2, 3}}));
}

TEST_F(CrashImagesTest, NonTemporalWordsAreFreeUntilTheFence) {
  CopyNonTemporal(7, {1, 2});  // across two lines
  persist().Store(word(9), 3);
  EXPECT_EQ(Images({7, 8, 9}).size(), 8u);
  persist().Fence();
  EXPECT_EQ(Images({7, 8, 9}), (std::set<Words>{{1, 2, 0}, {1, 2, 3}}));
}

TEST_F(CrashImagesTest, EqualContentsAreOneImage) {
  persist().Store(word(0), 0);
  Copy(8, {0, 0, 5});
  EXPECT_EQ(Images({0, 8, 9, 10}), (std::set<Words>{{0, 0, 0, 0}, {0, 0, 0, 5}}));
}

// 2^24 images are too many; the selection still has the telling ones.
TEST_F(CrashImagesTest, ASelectionHasNoneAllEachAloneAndAllButOne) {
  std::vector<size_t> indices;
  for (size_t line = 0; line < 24; ++line) {
    persist().Store(word(8 * line), 1);
    indices.push_back(8 * line);
  }
  const std::set<Words> images = Images(indices);
  EXPECT_LE(images.size(), 4096u);
  EXPECT_TRUE(images.contains(Words(24, 0)));
  EXPECT_TRUE(images.contains(Words(24, 1)));
  for (size_t line = 0; line < 24; ++line) {
    Words alone(24, 0);
    Words all_but_one(24, 1);
    alone[line] = 1;
    all_but_one[line] = 0;
    EXPECT_TRUE(images.contains(alone)) << line;
    EXPECT_TRUE(images.contains(all_but_one)) << line;
  }
}

// More than the contents that a selection has for a line.
TEST_F(CrashImagesTest, ASelectionHasEveryPrefixOfALine) {
  std::vector<size_t> indices;
  for (size_t line = 0; line < 24; ++line) {
    persist().Store(word(8 * line), 1);
    indices.push_back(8 * line);
  }
  for (uint64_t value = 2; value <= 30; ++value) persist().Store(word(0), value);
  std::set<uint64_t> first_words;
  for (const Words& words : Images(indices)) first_words.insert(words[0]);
  EXPECT_EQ(first_words.size(), 31u);
}

// ---- threads

// Runs `act` as another thread.
template <typename Act>
void AsThread(Recorder& recorder, ThreadNumber number, Act act) {
  std::thread([&] {
    recorder.Enter(number);
    act();
  }).join();
}

TEST_F(CrashImagesTest, AFenceCoversTheFlushesOfItsOwnThreadOnly) {
  persist().Store(word(0), 1);
  persist().Flush(word(0), 8);
  AsThread(recorder_, 1, [&] { persist().Fence(); });
  EXPECT_EQ(Images({0}), (std::set<Words>{{0}, {1}}));
  persist().Fence();
  EXPECT_EQ(Images({0}), (std::set<Words>{{1}}));
}

TEST_F(CrashImagesTest, AFlushCoversWhatOthersStoredBefore) {
  persist().Store(word(0), 1);
  AsThread(recorder_, 1, [&] {
    persist().Flush(word(0), 8);
    persist().Fence();
  });
  EXPECT_EQ(Images({0}), (std::set<Words>{{1}}));
}

// The flush of one thread is about to cover a line that another one has made durable meanwhile, and stored to again.
TEST_F(CrashImagesTest, AFlushCoversNothingThatIsStoredAfterIt) {
  persist().Store(word(0), 1);
  persist().Flush(word(0), 8);
  AsThread(recorder_, 1, [&] {
    persist().Flush(word(0), 8);
    persist().Fence();
    persist().Store(word(0), 2);
  });
  persist().Fence();
  EXPECT_EQ(Images({0}), (std::set<Words>{{1}, {2}}));
}

TEST_F(CrashImagesTest, NonTemporalWordsWaitForTheirOwnThread) {
  CopyNonTemporal(0, {1});
  AsThread(recorder_, 1, [&] { persist().Fence(); });
  EXPECT_EQ(Images({0}), (std::set<Words>{{0}, {1}}));
}

TEST_F(CrashImagesTest, AnUnfencedNonTemporalWordMayReplaceWhatAnotherThreadMadeDurable) {
  CopyNonTemporal(0, {1});
  AsThread(recorder_, 1, [&] {
    persist().Store(word(0), 2);
    persist().Flush(word(0), 8);
    persist().Fence();
  });
  EXPECT_EQ(Images({0}), (std::set<Words>{{1}, {2}}));
}

TEST_F(CrashImagesTest, AStoreInFrontOfAnothersUnfencedNonTemporalCopyIsAStray) {
  CopyNonTemporal(0, {1, 2});
  persist().Store(word(0), 3);  // by the same thread: in order
  EXPECT_EQ(recorder_.strays().size(), 0u);
  AsThread(recorder_, 1, [&] { persist().Store(word(1), 4); });
  EXPECT_EQ(recorder_.strays().size(), 1u);
  persist().Fence();
  AsThread(recorder_, 1, [&] { persist().Store(word(1), 5); });
  EXPECT_EQ(recorder_.strays().size(), 1u);
}

TEST_F(CrashImagesTest, AnUnknownThreadIsAStray) {
  std::thread([&] { persist().Store(word(0), 1); }).join();
  ASSERT_EQ(recorder_.strays().size(), 1u);
}

// ---- other platforms

TEST_F(CrashImagesTest, WithPersistentCachesStoresAreDurableInProgramOrder) {
  platform_ = Platform::kEadr;
  persist().Store(word(8), 1);
  persist().Store(word(0), 2);
  EXPECT_EQ(Images({0, 8}), (std::set<Words>{{0, 1}, {2, 1}}));
  Copy(16, {3, 4});
  EXPECT_EQ(Images({0, 16, 17}), (std::set<Words>{{2, 0, 0}, {2, 3, 0}, {2, 0, 4}, {2, 3, 4}}));
  persist().Store(word(1), 5);
  EXPECT_EQ(Images({1, 16, 17}), (std::set<Words>{{0, 3, 4}, {5, 3, 4}}));
}

TEST_F(CrashImagesTest, WithPersistentCachesNonTemporalWordsStillWait) {
  platform_ = Platform::kEadr;
  CopyNonTemporal(0, {1});
  persist().Store(word(8), 2);
  persist().Store(word(8), 3);
  EXPECT_EQ(Images({0, 8}), (std::set<Words>{{0, 2}, {1, 2}, {0, 3}, {1, 3}}));
  persist().Fence();
  EXPECT_EQ(Images({0, 8}), (std::set<Words>{{1, 3}}));
}

TEST_F(CrashImagesTest, WithThePageCacheAFlushCoversItsPage) {
  platform_ = Platform::kPageCache;
  persist().Store(word(0), 1);
  persist().Store(word(8), 2);
  persist().Store(word(512), 3);
  persist().Flush(word(64), 8);
  persist().Fence();
  EXPECT_EQ(Images({0, 8, 512}), (std::set<Words>{{1, 2, 0}, {1, 2, 3}}));
}

TEST_F(CrashImagesTest, WithThePageCacheANonTemporalCopyIsFlushed) {
  platform_ = Platform::kPageCache;
  CopyNonTemporal(0, {1, 2});
  EXPECT_EQ(Images({0, 1}).size(), 4u);
  persist().Fence();
  EXPECT_EQ(Images({0, 1}), (std::set<Words>{{1, 2}}));
}

TEST_F(CrashImagesTest, TheRecorderFindsAStoreThatBypassedTheSeam) {
  persist().Store(word(3), 1);
  EXPECT_EQ(recorder_.FindBypassingStore(), std::nullopt);
  *word(5) = 1;
  EXPECT_EQ(recorder_.FindBypassingStore(), 40u);
}

TEST_F(CrashImagesTest, SitesAreTheLinesThatAsked) {
  const uint32_t line = daxfile::Site::current().line() + 1;
  persist().Flush(word(0), 8), persist().Fence();
  ASSERT_EQ(recorder_.log().sites.size(), 2u);
  EXPECT_EQ(recorder_.log().sites[0].line, line);
  EXPECT_EQ(recorder_.log().sites[0].file, "crash_images_test.cc");
  EXPECT_EQ(recorder_.log().sites[0].action, "flush");
  EXPECT_EQ(recorder_.log().sites[1].action, "fence");
}

}  // namespace
}  // namespace sealkv::crash
