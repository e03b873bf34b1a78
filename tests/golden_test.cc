// Stores of earlier versions can be read. tests/golden/ holds two for each version of the format: the bytes of a small
// store in which everything that the format knows occurs; and those of one whose writer died in the middle of a batch.
// They are never regenerated, for then they would prove nothing; a new version of the format adds two (1.0 and 2.0 were
// never released):
//   bazel run //tests:golden_test -- --regenerate="$PWD/tests/golden/v3_2"
//
// The files are text: first the size, then the lines of 32 bytes that aren't all zero, as `offset hexadecimal-bytes`.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <string_view>

#include "absl/cleanup/cleanup.h"
#include "gtest/gtest.h"
#include "kv/check.h"
#include "kv/image.h"
#include "kv/lanes.h"
#include "kv/sealkv.h"
#include "tests/check_clean.h"
#include "tests/crash/shape.h"
#include "tests/half_batch.h"
#include "tests/log_check.h"
#include "tests/memory_store.h"
#include "tests/model.h"
#include "tests/status.h"

namespace sealkv {
namespace {

using internal::Kind;
using internal::SegmentKind;
using testing::Memory;
using testing::Model;
using testing::WordValue;

constexpr size_t kMemoryBytes = 64 << 10;
constexpr size_t kGrownBytes = 96 << 10;
constexpr size_t kGrownWithLogBytes = 160 << 10;
constexpr uint64_t kLogBytes = 3000;
constexpr size_t kLineBytes = 32;

// Makes the store that the golden file holds; the model says what is in it.
void WriteContents(Store& store, Model* model) {
  const auto put = [&](std::string key, std::string value) {
    EXPECT_OK(store.Put(key, value));
    (*model)[std::move(key)] = std::move(value);
  };
  const auto remove = [&](const std::string& key) {
    EXPECT_OK(store.Delete(key));
    model->erase(key);
  };
  // Inline entries, a tree of two levels, slots that were used and given back.
  for (uint64_t i = 0; i < 40; ++i) put(U64Key(i * 37 % 64), WordValue(i));
  for (uint64_t i = 0; i < 40; i += 7) remove(U64Key(i * 37 % 64));
  // Keys that end with 0 to 8 bytes of a slice; values empty, of 8 bytes, of others.
  for (size_t length = 0; length <= 8; ++length) put(std::string(length, 'e'), std::string(length % 3 * 4, 'v'));
  put(std::string("\0", 1), "NUL");
  put("\xff\xff", "last");
  // Ties; layers without a prefix, with one in the word, with one in a record; one that was shortened.
  for (const char end : {'a', 'b', 'c'}) put(std::string("a tie of") + end, "tie");
  for (const char end : {'a', 'b', 'c', 'd', 'e'}) {
    put(std::string("no more ") + end, "layer");
    put(std::string("a prefix of 8 by") + end, "layer");
    put(std::string("the prefix of this is in a record of 32.") + end, "layer");
    put(std::string("shortened, shortened, shortened.") + end, "layer");
  }
  put("shortened, and the other", "beside");
  // A value that was changed in place, one by record, one that left its slot; a run of segments.
  EXPECT_OK(store.Add("eeeeeeeee", 41));
  EXPECT_EQ(store.Add("eeeeeeeee", 1).value_or(0), 42u);
  (*model)["eeeeeeeee"] = WordValue(42);
  put(U64Key(5 * 37 % 64), "no longer inline");
  put("e", "replaced");
  std::string large(9000, '\0');
  large.front() = 'L';
  large.back() = 'e';
  put("large", large);
}

// Since 3.1: a part, and a record that goes on into it.
void WriteContentsOfPart(Store& store, Model* model) {
  EXPECT_OK(store.Grow());
  const std::string large(20'000, 'p');
  EXPECT_OK(store.Put("in a part", large));
  (*model)["in a part"] = large;
}

// Since 3.2: values that expire, in the year 2096 and in 1970; changes that are kept, in a log of two levels.
void WriteContentsOfLog(Store& store, Model* model) {
  const auto until = [](int64_t seconds) { return std::chrono::sys_seconds(std::chrono::seconds(seconds)); };
  EXPECT_OK(store.PutUntil("until 2096", "for long", until(4'000'000'000)));
  EXPECT_OK(store.PutUntil("until 1970", "over", until(1000)));
  (*model)["until 2096"] = "for long";
  for (int i = 0; i < 30; ++i) {
    const std::string key = "is kept " + std::to_string(i % 20);
    EXPECT_OK(store.Put(key, std::to_string(i)));
    (*model)[key] = std::to_string(i);
  }
}

// More of the same, before a batch is written: values enough for one that has a blob of several parts.
void WriteContentsBeforeBatch(Store& store, Model* model) {
  WriteContents(store, model);
  for (char end = 'f'; end <= 'n'; ++end) {
    for (const char* layer :
         {"no more ", "a prefix of 8 by", "the prefix of this is in a record of 32.", "new to it", "another"}) {
      EXPECT_OK(store.Put(std::string(layer) + end, "layer"));
      (*model)[std::string(layer) + end] = "layer";
    }
  }
}

// A batch of every kind of change: values in place and not, keys that come and go, layers made, a new root. The
// model is what was there before.
WriteBatch MakeBatch(Model* model) {
  WriteBatch batch;
  for (auto& [key, value] : *model) {
    if (value.size() == sizeof(uint64_t)) {
      batch.Add(key, 7);
      value = WordValue(testing::WordOf(value) + 7);
    } else {
      batch.Put(key, "by the batch");
      value = "by the batch";
    }
  }
  const auto put = [&](const std::string& key, const std::string& value) {
    batch.Put(key, value);
    (*model)[key] = value;
  };
  for (uint64_t i = 40; i < 64; ++i) put(U64Key(i * 37 % 64), WordValue(i));
  for (uint64_t i = 0; i < 120; ++i) put(U64Key(5000 + i), WordValue(i));
  for (const char end : {'a', 'b', 'c', 'd', 'e', 'f'}) put(std::string("new layer") + end, "by the batch");
  for (const std::string key : {"ee", "a tie ofa", "no more a", "shortened, and the other"}) {
    batch.Delete(key);
    model->erase(key);
  }
  return batch;
}
constexpr uint64_t kWordsStored = 60;  // before the writer died

std::string ToText(const Memory& memory) {
  std::ostringstream text;
  text << "size " << memory.size() << "\n";
  for (size_t at = 0; at < memory.size(); at += kLineBytes) {
    const auto* line = reinterpret_cast<const unsigned char*>(memory.data() + at);
    if (std::all_of(line, line + kLineBytes, [](unsigned char byte) { return byte == 0; })) continue;
    text << at << " ";
    for (size_t i = 0; i < kLineBytes; ++i)
      text << "0123456789abcdef"[line[i] >> 4] << "0123456789abcdef"[line[i] & 15];
    text << "\n";
  }
  return text.str();
}

void FromText(const std::string& path, const Memory& memory) {
  std::ifstream file(path);
  ASSERT_TRUE(file) << path;
  std::string word;
  size_t number;
  ASSERT_TRUE(file >> word >> number && word == "size" && number == memory.size()) << path;
  while (file >> number >> word) {
    ASSERT_TRUE(number + kLineBytes <= memory.size() && word.size() == 2 * kLineBytes) << path << ", offset " << number;
    for (size_t i = 0; i < kLineBytes; ++i) {
      memory.data()[number + i] = static_cast<std::byte>(std::stoi(word.substr(2 * i, 2), nullptr, 16));
    }
  }
}

std::string PathOf(std::string_view name) { return "tests/golden/" + std::string(name) + ".txt"; }

class GoldenTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(FromText(PathOf(GetParam()), memory_));
    // What should be there, from a store of today.
    testing::MemoryStore today(kGrownWithLogBytes, nullptr, Background::kNone, {kMemoryBytes, kGrownWithLogBytes});
    ASSERT_OK(today.Format());
    WriteContents(*today, &contents_);
    if (HasPart()) WriteContentsOfPart(*today, &contents_);
    if (HasLog()) WriteContentsOfLog(*today, &contents_);
  }
  // Since 3.2.
  static bool HasLog() { return HasPart() && std::string_view(GetParam()) != "v3_1"; }
  static bool HasPart() { return std::string_view(GetParam()) != "v3_0"; }

  absl::StatusOr<std::unique_ptr<Store>> Open() {
    return Store::Attach(daxfile::DaxFile::OverMemory(memory_.span()), Background::kNone);
  }

  Memory memory_{HasLog() ? kGrownWithLogBytes : HasPart() ? kGrownBytes : kMemoryBytes};
  Model contents_;
};

TEST_P(GoldenTest, HoldsWhatWasPut) {
  const absl::StatusOr<std::unique_ptr<Store>> store = Open();
  ASSERT_OK(store);
  EXPECT_TRUE(testing::ScansAs(**store, contents_));
  EXPECT_TRUE(testing::GetsAs(**store, contents_));
}

TEST_P(GoldenTest, IsSound) { EXPECT_TRUE(testing::IsClean(memory_.span())); }

TEST_P(GoldenTest, HasEverythingThatTheFormatKnows) {
  const crash::Shape shape = crash::ShapeOf(memory_.span());
  EXPECT_EQ(shape.contradiction, "");
  for (int kind = 0; kind <= static_cast<int>(Kind::kInline); ++kind) {
    EXPECT_TRUE(shape.entries.contains(static_cast<Kind>(kind))) << "no entry of kind " << kind;
  }
  for (const SegmentKind kind : {SegmentKind::kNodes, SegmentKind::kRecords, SegmentKind::kLarge}) {
    EXPECT_TRUE(shape.segments.contains(kind)) << "no segment of kind " << static_cast<int>(kind);
  }
  for (const size_t bytes : {0, 8, 32})
    EXPECT_TRUE(shape.layer_prefix_bytes.contains(bytes)) << "no prefix of " << bytes;
  EXPECT_GE(shape.top_level, 1u);
  EXPECT_EQ(shape.parts > 0, HasPart());
  EXPECT_EQ(shape.log_entries.size() > 14, HasLog());  // more than one node full
}

TEST_P(GoldenTest, SaysWhatWasChanged) {
  if (!HasLog()) return;
  const absl::StatusOr<std::unique_ptr<Store>> store = Open();
  ASSERT_OK(store);
  EXPECT_EQ(testing::LogComplaint(**store), "");
  EXPECT_EQ((*store)->GetStats().log.most_bytes, kLogBytes);
  EXPECT_GT((*store)->GetStats().log.first_change, 1u);
}

TEST_P(GoldenTest, GoesOnWorking) {
  {
    const absl::StatusOr<std::unique_ptr<Store>> store = Open();
    ASSERT_OK(store);
    for (uint64_t i = 0; i < 200; ++i) {
      const std::string key = i % 2 == 0 ? U64Key(i) : "no more " + std::to_string(i);
      ASSERT_OK((*store)->Put(key, WordValue(i)));
      contents_[key] = WordValue(i);
    }
    for (auto entry = contents_.begin(); entry != contents_.end();) {
      ASSERT_OK((*store)->Delete(entry->first));
      entry = contents_.erase(entry);
      if (entry != contents_.end()) ++entry;
    }
    EXPECT_TRUE(testing::ScansAs(**store, contents_));
  }
  EXPECT_TRUE(testing::IsClean(memory_.span()));
}

INSTANTIATE_TEST_SUITE_P(, GoldenTest, ::testing::Values("v3_0", "v3_1", "v3_2"),
                         [](const auto& info) { return std::string(info.param); });

// A file as a writer left it who died when a batch was committed: its lane names it, and some of its words are stored.
class GoldenBatchTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(FromText(PathOf(std::string(GetParam()) + "_batch"), memory_));
    testing::MemoryStore today(kMemoryBytes);
    ASSERT_OK(today.Format());
    WriteContentsBeforeBatch(*today, &contents_);
    (void)MakeBatch(&contents_);
  }

  Memory memory_{kMemoryBytes};
  Model contents_;
};

TEST_P(GoldenBatchTest, HasABatchOfSeveralPartsAndHalfOfItsWords) {
  const internal::Image image(memory_.data());
  const internal::CommittedBatches batches(image);
  EXPECT_OK(batches.status());
  ASSERT_EQ(batches.count(), 1u);
  uint64_t parts = 0, stored = 0, all = 0;
  bool has_root = false;
  for (const internal::Superblock::Lane& lane : image.superblock().lanes) {
    for (auto part = internal::LaneWord(lane.word).blob(); part != internal::Offset::kNone; ++parts) {
      const auto& chunk = *reinterpret_cast<const internal::RedoChunk*>(image.base() + Raw(part));
      for (uint64_t i = 0; i < chunk.count; ++i, ++all) {
        const internal::RedoWord& redo = chunk.words()[i];
        stored += *reinterpret_cast<const uint64_t*>(image.base() + Raw(redo.where)) == redo.value;
        has_root |= Raw(redo.where) == offsetof(internal::Superblock, root);
      }
      part = internal::Offset{chunk.next};
    }
  }
  EXPECT_GE(parts, 2u);
  EXPECT_EQ(stored, kWordsStored);
  EXPECT_GE(all, 2 * kWordsStored);
  EXPECT_TRUE(has_root);
}

TEST_P(GoldenBatchTest, IsFinishedByWhoeverOpensItForWriting) {
  {
    const absl::StatusOr<std::unique_ptr<Store>> store =
        Store::Attach(daxfile::DaxFile::OverMemory(memory_.span()), Background::kNone);
    ASSERT_OK(store);
    EXPECT_TRUE(testing::ScansAs(**store, contents_));
    EXPECT_TRUE(testing::GetsAs(**store, contents_));
    EXPECT_FALSE(internal::HasCommittedLanes(internal::Image(memory_.data())));
    while (!contents_.empty()) {
      ASSERT_OK((*store)->Delete(contents_.begin()->first));
      contents_.erase(contents_.begin());
      ASSERT_OK((*store)->Put("no more " + std::to_string(contents_.size()), "and on"));
      ASSERT_OK((*store)->Delete("no more " + std::to_string(contents_.size())));
    }
  }
  EXPECT_TRUE(testing::IsClean(memory_.span()));
}

TEST_P(GoldenBatchTest, IsReadAsAWholeAndLeftAsItIs) {
  const std::string path = ::testing::TempDir() + "/golden_batch." + std::to_string(getpid());
  const std::string bytes(reinterpret_cast<const char*>(memory_.data()), memory_.size());
  std::ofstream(path, std::ios::binary) << bytes;
  const absl::Cleanup remove = [&] { std::filesystem::remove(path); };
  {
    const absl::StatusOr<std::unique_ptr<Store>> store =
        Store::Open(path, {.weakest_tier = daxfile::Tier::kVolatile, .read_only = true});
    ASSERT_OK(store);
    EXPECT_TRUE(testing::ScansAs(**store, contents_));
    EXPECT_TRUE(testing::GetsAs(**store, contents_));
  }
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(std::string(std::istreambuf_iterator<char>(file), {}) == bytes);
}

INSTANTIATE_TEST_SUITE_P(, GoldenBatchTest, ::testing::Values("v3_0", "v3_1", "v3_2"),
                         [](const auto& info) { return std::string(info.param); });

bool WriteText(const std::string& path, const Memory& memory) {
  std::ofstream file(path);
  file << ToText(memory);
  file.close();
  std::printf("%s: %s\n", path.c_str(), file ? "written" : "can't be written");
  return static_cast<bool>(file);
}

int Regenerate(const std::string& name) {
  Model contents;
  testing::MemoryStore store(kGrownWithLogBytes, nullptr, Background::kNone,
                             {kMemoryBytes, kGrownWithLogBytes, kLogBytes});
  if (!store.Format().ok()) return 1;
  WriteContents(*store, &contents);
  WriteContentsOfPart(*store, &contents);
  WriteContentsOfLog(*store, &contents);
  store.Close();
  contents.clear();
  testing::MemoryStore scratch(kMemoryBytes);
  if (!scratch.Format().ok()) return 1;
  WriteContentsBeforeBatch(*scratch, &contents);
  const auto before = [](Store& target) {
    Model ignored;
    WriteContentsBeforeBatch(target, &ignored);
  };
  const std::string bytes = testing::StoreWithHalfABatch(kMemoryBytes, before, MakeBatch(&contents), kWordsStored);
  if (bytes.size() != kMemoryBytes) return 1;
  const Memory with_batch(kMemoryBytes);
  std::memcpy(with_batch.data(), bytes.data(), bytes.size());
  return WriteText(name + ".txt", store.memory()) && WriteText(name + "_batch.txt", with_batch) ? 0 : 1;
}

}  // namespace
}  // namespace sealkv

int main(int argc, char** argv) {
  constexpr std::string_view kRegenerate = "--regenerate=";
  if (argc == 2 && std::string_view(argv[1]).starts_with(kRegenerate)) {
    return sealkv::Regenerate(argv[1] + kRegenerate.size());
  }
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
