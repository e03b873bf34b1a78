// Stores of earlier versions can be read. tests/golden/ holds one for each version of the format: the bytes of a small
// store in which everything that the format knows occurs. They are never regenerated, for then they would prove
// nothing; a new version of the format adds a file (1.0 was never released):
//   bazel run //tests:golden_test -- --regenerate="$PWD/tests/golden/v2_1.txt"
//
// The files are text: first the size, then the lines of 32 bytes that aren't all zero, as `offset hexadecimal-bytes`.
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>

#include "gtest/gtest.h"
#include "kv/check.h"
#include "kv/image.h"
#include "kv/sealkv.h"
#include "tests/check_clean.h"
#include "tests/crash/shape.h"
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

class GoldenTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(FromText(std::string("tests/golden/") + GetParam() + ".txt", memory_));
    // What should be there, from a store of today.
    testing::MemoryStore today(kMemoryBytes);
    ASSERT_OK(today.Format());
    WriteContents(*today, &contents_);
  }
  absl::StatusOr<std::unique_ptr<Store>> Open() { return Store::Attach(daxfile::DaxFile::OverMemory(memory_.span())); }

  Memory memory_{kMemoryBytes};
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

INSTANTIATE_TEST_SUITE_P(, GoldenTest, ::testing::Values("v2_0"),
                         [](const auto& info) { return std::string(info.param); });

int Regenerate(const char* path) {
  testing::MemoryStore store(kMemoryBytes);
  Model contents;
  if (!store.Format().ok()) return 1;
  WriteContents(*store, &contents);
  store.Close();
  std::ofstream file(path);
  file << ToText(store.memory());
  file.close();
  std::printf("%s: %s\n", path, file ? "written" : "can't be written");
  return file ? 0 : 1;
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
