// A store that keeps its changes says what each commit has changed, in the order of the commits, and no less after any
// restart; copies catch up with it.
#include "kv/change_log.h"

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "kv/image.h"
#include "kv/node.h"
#include "kv/sealkv.h"
#include "tests/check_clean.h"
#include "tests/log_check.h"
#include "tests/memory_store.h"
#include "tests/model.h"
#include "tests/random.h"
#include "tests/status.h"

namespace sealkv {
namespace {

using testing::ContentsOf;
using testing::IsError;
using testing::MemoryStore;
using testing::Model;
using testing::Random;
using testing::WordValue;

void Apply(const CommittedChange& change, Model* to) {
  for (const CommittedChange::Operation& operation : change.operations) {
    if (operation.is_delete) {
      EXPECT_EQ(to->erase(std::string(operation.key)), 1u) << "deleted, and not there, by " << change.number;
    } else {
      to->insert_or_assign(std::string(operation.key), std::string(operation.value));
    }
  }
}

std::vector<std::string> ChangesSince(const Store& store, uint64_t since) {
  std::vector<std::string> lines;
  EXPECT_OK(store.ReadChanges(since, [&](const CommittedChange& change) {
    std::string line = absl::StrCat(change.number, ":");
    for (const auto& [is_delete, key, value, expiry] : change.operations) {
      EXPECT_FALSE(expiry.has_value());
      line.append(is_delete ? " -" : " +").append(key).append(is_delete ? "" : "=").append(value);
    }
    lines.push_back(line);
    return true;
  }));
  return lines;
}

// One random write of any kind. What is refused, as it should be, is no matter.
void WriteSomething(Store& store, Random& random) {
  const auto key = [&] {
    return random.OneIn(2) ? U64Key(random.Below(300)) : absl::StrCat("key/", random.Below(300));
  };
  const auto value = [&] { return random.OneIn(2) ? WordValue(random.Next()) : random.Bytes(random.Below(200)); };
  switch (random.Below(10)) {
    case 0:
      return store.Delete(key()).IgnoreError();
    case 1:
      return store.Add(key(), random.Below(9)).status().IgnoreError();
    case 2:
      return store.PutIfAbsent(key(), value()).IgnoreError();
    case 3:
      return store.CompareAndSwap(key(), 0, 1).status().IgnoreError();
    case 4:
      return store
          .Update(key(),
                  [&](std::optional<std::string_view> before) -> std::optional<std::string> {
                    if (before.has_value() && before->size() > 100) return std::nullopt;
                    return std::string(before.value_or("")) + "+";
                  })
          .IgnoreError();
    case 5: {
      WriteBatch batch;
      for (uint64_t i = random.Below(20); i > 0; --i) {
        random.OneIn(3) ? batch.Delete(key()) : batch.Put(key(), value());
      }
      return store.Write(batch).IgnoreError();
    }
    case 6: {
      const std::string from = key();
      return store.DeleteRange({.lower = from, .upper = from + "9"}).IgnoreError();
    }
    case 7:
      return store
          .Transact([&](Transaction& transaction) {
            const absl::StatusOr<std::string> found = transaction.Get(key());
            return transaction.Put(key(), found.ok() ? *found : "none");
          })
          .IgnoreError();
    default:
      EXPECT_OK(store.Put(key(), value()));
  }
}

class ChangeLogTest : public ::testing::Test {
 protected:
  ChangeLogTest() {
    std::string pattern = ::testing::TempDir() + "/changes.XXXXXX";
    folder_ = mkdtemp(pattern.data());
  }
  ~ChangeLogTest() override { std::filesystem::remove_all(folder_); }

  static Options Keeping(uint64_t bytes) {
    Options options;
    options.capacity_bytes = 4 << 20;
    options.change_log_bytes = bytes;
    options.weakest_tier = daxfile::Tier::kVolatile;
    options.emulate_on_dram = true;
    return options;
  }
  std::string Path(const char* name) const { return folder_ + "/" + name; }
  std::unique_ptr<Store> Make(const char* name, const Options& options) {
    absl::StatusOr<std::unique_ptr<Store>> store = Store::Create(Path(name), options);
    EXPECT_OK(store.status());
    return *std::move(store);
  }
  std::unique_ptr<Store> Reopen(const char* name, bool read_only = false) {
    Options options = Keeping(0);
    options.read_only = read_only;
    absl::StatusOr<std::unique_ptr<Store>> store = Store::Open(Path(name), options);
    EXPECT_OK(store.status());
    return *std::move(store);
  }

  std::string folder_;
};

constexpr uint64_t kMuch = 1 << 30;

TEST_F(ChangeLogTest, SaysWhatEachCommitChanged) {
  const std::unique_ptr<Store> store = Make("store", Keeping(kMuch));
  EXPECT_EQ(ChangesSince(*store, 0), std::vector<std::string>{});
  EXPECT_OK(store->Put("a", "1"));
  EXPECT_OK(store->Put("a", "2"));
  WriteBatch batch;
  batch.Put("c", "3");
  batch.Put("b", "4");
  batch.Delete("a");
  batch.Delete("not there");
  EXPECT_OK(store->Write(batch));
  EXPECT_OK(store->Put(U64Key(uint64_t{0x6162636465666768}), "eight..."));
  EXPECT_OK(store->Add("sum", uint64_t{0x3131313131313131}).status());
  EXPECT_OK(store->Add("sum", 1).status());
  EXPECT_OK(store->DeleteRange({.lower = "b", .upper = "d"}));
  EXPECT_EQ(ChangesSince(*store, 0),
            (std::vector<std::string>{"1: +a=1", "2: +a=2", "3: -a +b=4 +c=3", "4: +abcdefgh=eight...",
                                      "5: +sum=11111111", "6: +sum=21111111", "7: -b -c"}));
  EXPECT_EQ(ChangesSince(*store, 5), (std::vector<std::string>{"6: +sum=21111111", "7: -b -c"}));
  EXPECT_EQ(*store->LastChange(), 7u);
}

TEST_F(ChangeLogTest, WhatChangesNothingHasNoNumber) {
  const std::unique_ptr<Store> store = Make("store", Keeping(kMuch));
  EXPECT_OK(store->Put("a", "1"));
  EXPECT_TRUE(IsError(store->PutIfAbsent("a", "2"), absl::StatusCode::kAlreadyExists));
  EXPECT_TRUE(IsError(store->Delete("b"), absl::StatusCode::kNotFound));
  EXPECT_TRUE(IsError(store->Add("a", 1).status(), absl::StatusCode::kFailedPrecondition));
  EXPECT_OK(store->Write(WriteBatch()));
  WriteBatch batch;
  batch.Delete("b");
  EXPECT_OK(store->Write(batch));
  EXPECT_OK(store->DeleteRange({.lower = "x"}));
  EXPECT_EQ(*store->LastChange(), 1u);
  // What stores the value that is there already is a commit, as any other.
  EXPECT_OK(store->Put("a", "1"));
  EXPECT_EQ(*store->LastChange(), 2u);
}

TEST_F(ChangeLogTest, AllOfItTogetherIsTheStore) {
  Random random(testing::TestSeed());
  MemoryStore store(8 << 20, nullptr, Background::kNone, {.change_log_bytes = kMuch});
  ASSERT_OK(store.Format());
  Model model;
  uint64_t seen = 0;
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 200; ++i) WriteSomething(*store, random);
    if (round % 3 == 0) {
      ASSERT_OK(store->Compact());
    }
    if (round % 2 == 0) {
      ASSERT_OK(store.Reopen());
    }
    ASSERT_OK(store->ReadChanges(seen, [&](const CommittedChange& change) {
      EXPECT_EQ(change.number, ++seen);
      Apply(change, &model);
      return true;
    }));
    ASSERT_EQ(model, ContentsOf(*store)) << "seed " << testing::TestSeed() << ", round " << round;
    ASSERT_TRUE(testing::IsClean(store.memory().span()));
  }
}

TEST_F(ChangeLogTest, OldOnesGoAndThatIsSaid) {
  const std::unique_ptr<Store> store = Make("store", Keeping(20'000));
  for (int i = 0; i < 2000; ++i) ASSERT_OK(store->Put(absl::StrCat("key ", i), std::string(50, 'v')));
  const LogStats log = store->GetStats().log;
  EXPECT_EQ(log.last_change, 2000u);
  EXPECT_LE(log.bytes, 20'000u);
  EXPECT_GE(log.bytes, 19'500u);
  const auto nothing = [](const CommittedChange&) { return true; };
  const absl::Status gone = store->ReadChanges(log.first_change - 2, nothing);
  EXPECT_TRUE(IsError(gone, absl::StatusCode::kOutOfRange));
  EXPECT_NE(gone.message().find(absl::StrCat(log.first_change)), std::string::npos) << gone;
  EXPECT_EQ(ChangesSince(*store, log.first_change - 1).size(), 2000 - log.first_change + 1);
  EXPECT_TRUE(IsError(store->ReadChanges(2001, nothing), absl::StatusCode::kInvalidArgument));
  EXPECT_OK(store->ReadChanges(2000, nothing));
}

TEST_F(ChangeLogTest, TheLastOneStaysHoweverLargeItIs) {
  const std::unique_ptr<Store> store = Make("store", Keeping(1000));
  for (int i = 0; i < 100; ++i) ASSERT_OK(store->Put("small", "value"));
  ASSERT_OK(store->Put("large", std::string(300'000, 'x')));
  EXPECT_EQ(ChangesSince(*store, 100).size(), 1u);
  for (int i = 0; i < 100; ++i) ASSERT_OK(store->Put("small", "value"));
  EXPECT_LE(store->GetStats().log.bytes, 1000u);
  EXPECT_EQ(*store->LastChange(), 201u);
}

TEST_F(ChangeLogTest, AStoreThatKeepsNoneSaysSo) {
  const std::unique_ptr<Store> store = Make("store", Keeping(0));
  EXPECT_TRUE(IsError(store->ReadChanges(0, [](const CommittedChange&) { return true; }),
                      absl::StatusCode::kFailedPrecondition));
  EXPECT_TRUE(IsError(store->LastChange().status(), absl::StatusCode::kFailedPrecondition));
  EXPECT_EQ(store->GetStats().log.most_bytes, 0u);
}

TEST_F(ChangeLogTest, ItIsntLoadedInOnePiece) {
  const std::unique_ptr<Store> store = Make("store", Keeping(kMuch));
  EXPECT_TRUE(IsError(store->BulkLoad([](std::string_view*, std::string_view*) { return false; }),
                      absl::StatusCode::kFailedPrecondition));
}

// Keys of all that is kept take space; it goes before a write is refused, and deletes go on.
TEST_F(ChangeLogTest, AFullStoreGivesUpWhatItKeepsAndCanBeEmptied) {
  MemoryStore store(1 << 20, nullptr, Background::kNone, {.change_log_bytes = kMuch});
  ASSERT_OK(store.Format());
  int count = 0;
  absl::Status status;
  for (; status.ok(); ++count) status = store->Put(absl::StrCat("key ", count), std::string(500, 'v'));
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_GT(count, 1200);  // more than if half of it were for changes
  const Model full = ContentsOf(*store);
  EXPECT_EQ(full.size(), static_cast<size_t>(count - 1));
  for (const auto& [key, value] : full) ASSERT_OK(store->Delete(key)) << key;
  EXPECT_TRUE(ContentsOf(*store).empty());
  ASSERT_OK(store->Put("again", std::string(500, 'v')));
  EXPECT_TRUE(testing::IsClean(store.memory().span()));
}

// Whatever is left is too small for a value, and then for ever smaller ones: deletes have what is kept back.
TEST_F(ChangeLogTest, AStoreFullToTheLastByteCanBeEmptied) {
  MemoryStore store(256 << 10, nullptr, Background::kNone, {.change_log_bytes = kMuch});
  ASSERT_OK(store.Format());
  int count = 0;
  for (size_t bytes = 1500; bytes > 0; bytes = bytes * 2 / 3) {
    while (store->Put(absl::StrCat("key ", count), std::string(bytes, 'v')).ok()) ++count;
  }
  while (store->Put(U64Key(static_cast<uint64_t>(count)), WordValue(1)).ok()) ++count;
  for (const auto& [key, value] : ContentsOf(*store)) ASSERT_OK(store->Delete(key)) << count;
  EXPECT_TRUE(ContentsOf(*store).empty());
  ASSERT_OK(store->Put("again", std::string(1500, 'v')));
  EXPECT_TRUE(testing::IsClean(store.memory().span()));
}

// Found by the kill test: the entry of a delete holds the key, and there was no run of free space of a key's length.
TEST_F(ChangeLogTest, AKeyLongerThanAnyFreeRunCanBeDeleted) {
  MemoryStore store(2 << 20, nullptr, Background::kNone, {.change_log_bytes = kMuch});
  ASSERT_OK(store.Format());
  const auto long_key = [](int i) { return absl::StrCat("long ", 10 + i, std::string(kMaxKeyBytes - 7, 'k')); };
  int long_keys = 0;
  while (store->Put(long_key(long_keys), "v").ok()) ++long_keys;
  int count = 0;
  for (size_t bytes = 40'000; bytes > 0; bytes = bytes * 2 / 3) {
    while (store->Put(absl::StrCat("key ", count), std::string(bytes, 'v')).ok()) ++count;
  }
  ASSERT_GT(long_keys, 5);
  const uint64_t before = *store->LastChange();
  ASSERT_OK(store->Delete(long_key(0)));
  EXPECT_EQ(*store->LastChange(), before + 1);
  EXPECT_TRUE(
      IsError(store->ReadChanges(before, [](const CommittedChange&) { return true; }), absl::StatusCode::kOutOfRange));
  EXPECT_EQ(testing::LogComplaint(*store), "");
  // And on it goes.
  for (const auto& [key, value] : ContentsOf(*store)) ASSERT_OK(store->Delete(key)) << key.substr(0, 10);
  ASSERT_OK(store->Put("again", std::string(1500, 'v')));
  EXPECT_EQ(ChangesSince(*store, *store->LastChange() - 1).size(), 1u);
  EXPECT_EQ(testing::LogComplaint(*store), "");
  EXPECT_TRUE(testing::IsClean(store.memory().span()));
}

TEST_F(ChangeLogTest, AFirstChangeThatFindsNoSpaceIsRefused) {
  MemoryStore store(256 << 10, nullptr, Background::kNone, {.change_log_bytes = kMuch});
  ASSERT_OK(store.Format());
  EXPECT_TRUE(IsError(store->Put("a", std::string(1 << 20, 'x')), absl::StatusCode::kResourceExhausted));
  // What can't fit costs nothing that is kept.
  for (int i = 0; i < 20; ++i) ASSERT_OK(store->Put("a", "1"));
  EXPECT_TRUE(IsError(store->Put("a", std::string(1 << 20, 'x')), absl::StatusCode::kResourceExhausted));
  EXPECT_EQ(ChangesSince(*store, 0).size(), 20u);
}

// Of one that finds no space because the other has just given up what was kept.
TEST_F(ChangeLogTest, TwoWritersInAFullStore) {
  MemoryStore store(256 << 10, nullptr, Background::kNone, {.change_log_bytes = kMuch});
  ASSERT_OK(store.Format());
  for (int i = 0; i < 60; ++i) ASSERT_OK(store->Put(absl::StrCat("stays ", i), std::string(1000, 'v')));
  std::vector<std::thread> writers;
  for (int t = 0; t < 2; ++t) {
    writers.emplace_back([&, t] {
      for (int i = 0; i < 3000; ++i) ASSERT_OK(store->Put(absl::StrCat("writer ", t), std::string(1000, 'v')));
    });
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(*store->LastChange(), 6060u);
  EXPECT_TRUE(testing::IsClean(store.memory().span()));
}

TEST_F(ChangeLogTest, ADamagedOldEntryIsSaidAndNothingHangs) {
  MemoryStore store(1 << 20, nullptr, Background::kNone, {.change_log_bytes = 500});
  ASSERT_OK(store.Format());
  for (int i = 0; i < 8; ++i) ASSERT_OK(store->Put("a", "1"));
  store.Close();
  const internal::Image image(store.memory().data());
  internal::Node& leaf = *image.NodeAt(internal::Offset{image.superblock().log_root});
  leaf.words[internal::Node::kKindsWord] = leaf.kinds().With(leaf.perm().slot(0), internal::Kind::kEndsWith0).raw();
  ASSERT_OK(store.Open());
  EXPECT_TRUE(absl::IsDataLoss(store->Put("a", "2")));
  EXPECT_EQ(*store->Get("a"), "1");
}

// Where the log ends decides what goes on from it, and which of its entries are old.
TEST_F(ChangeLogTest, ADamagedLastEntryIsNotGoneOnFrom) {
  for (const size_t at : {offsetof(internal::LogHeader, begin_bytes), offsetof(internal::LogHeader, chain)}) {
    MemoryStore store(1 << 20, nullptr, Background::kNone, {.change_log_bytes = 1000});
    ASSERT_OK(store.Format());
    for (int i = 0; i < 8; ++i) ASSERT_OK(store->Put("a", "1"));
    store.Close();
    const internal::Image image(store.memory().data());
    const internal::Node& leaf = *image.NodeAt(internal::Offset{image.superblock().log_root});
    const internal::RecordView last = image.RecordAt(leaf.record(leaf.perm().slot(7)).offset());
    const_cast<char&>(last.value()[at + 4]) ^= 1;
    ASSERT_OK(store.Open());
    EXPECT_TRUE(absl::IsDataLoss(store->Put("a", "2")));
    EXPECT_EQ(*store->Get("a"), "1");
    EXPECT_EQ(leaf.perm().count(), 8u) << "what was kept is kept";
  }
}

TEST_F(ChangeLogTest, ManyWritersTheirOrderIsThatOfCommits) {
  MemoryStore store(16 << 20, nullptr, Background::kCompacts, {.change_log_bytes = kMuch});
  ASSERT_OK(store.Format());
  std::vector<std::thread> writers;
  for (int t = 0; t < 4; ++t) {
    writers.emplace_back([&, t] {
      Random random(testing::TestSeed() + static_cast<uint64_t>(t));
      for (int i = 0; i < 1500; ++i) WriteSomething(*store, random);
    });
  }
  // A reader that follows sees each number once, and at the end the store.
  Model model;
  uint64_t seen = 0;
  std::atomic<bool> is_over{false};
  std::thread follower([&] {
    for (bool is_last = false; !is_last;) {
      is_last = is_over;
      EXPECT_OK(store->ReadChanges(seen, [&](const CommittedChange& change) {
        EXPECT_EQ(change.number, ++seen);
        Apply(change, &model);
        return true;
      }));
    }
  });
  for (std::thread& writer : writers) writer.join();
  is_over = true;
  follower.join();
  EXPECT_EQ(model, ContentsOf(*store));
  EXPECT_TRUE(testing::IsClean(store.memory().span()));
}

TEST_F(ChangeLogTest, AReaderElsewhereFollows) {
  const std::unique_ptr<Store> store = Make("store", Keeping(kMuch));
  ASSERT_OK(store->Put("a", "1"));
  const std::unique_ptr<Store> reader = Reopen("store", /*read_only=*/true);
  EXPECT_EQ(ChangesSince(*reader, 0), std::vector<std::string>{"1: +a=1"});
  for (int i = 0; i < 1000; ++i) ASSERT_OK(store->Put(absl::StrCat(i), "v"));
  EXPECT_EQ(ChangesSince(*reader, 1).size(), 1000u);
  EXPECT_EQ(*reader->LastChange(), 1001u);
}

// ---- copies

TEST_F(ChangeLogTest, ACopyCatchesUp) {
  Random random(testing::TestSeed());
  const std::unique_ptr<Store> store = Make("store", Keeping(kMuch));
  for (int i = 0; i < 500; ++i) WriteSomething(*store, random);
  ASSERT_OK(store->Checkpoint(Path("copy"), Keeping(0)));
  std::unique_ptr<Store> copy = Reopen("copy");
  EXPECT_EQ(*copy->LastChange(), *store->LastChange());
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 300; ++i) WriteSomething(*store, random);
    // Ended half way, and gone on with after a restart.
    uint64_t calls = 0;
    const absl::Status ended = copy->CatchUpWith(*store, [&](uint64_t) { return ++calls < 2; });
    EXPECT_TRUE(absl::IsCancelled(ended) || ended.ok()) << ended;
    copy.reset();
    copy = Reopen("copy");
    ASSERT_OK(copy->CatchUpWith(*store));
    ASSERT_EQ(ContentsOf(*copy), ContentsOf(*store)) << "seed " << testing::TestSeed();
    EXPECT_EQ(*copy->LastChange(), *store->LastChange());
  }
  // What came before the copy was made isn't in its log, and what came since is.
  EXPECT_TRUE(
      IsError(copy->ReadChanges(0, [](const CommittedChange&) { return true; }), absl::StatusCode::kOutOfRange));
  const uint64_t first = copy->GetStats().log.first_change;
  EXPECT_EQ(ChangesSince(*copy, first - 1), ChangesSince(*store, first - 1));
  copy.reset();
  EXPECT_TRUE(testing::IsCleanFile(Path("copy")));
}

TEST_F(ChangeLogTest, ACopyIsAsOfItsSnapshotWhileOthersWrite) {
  const std::unique_ptr<Store> store = Make("store", Keeping(kMuch));
  for (int i = 0; i < 3000; ++i) ASSERT_OK(store->Put(U64Key(static_cast<uint64_t>(i)), std::string(20, 'v')));
  std::atomic<bool> is_over{false};
  std::thread writer([&] {
    Random random(testing::TestSeed());
    while (!is_over) WriteSomething(*store, random);
  });
  for (int i = 0; i < 3; ++i) {
    const std::string name = absl::StrCat("copy", i);
    ASSERT_OK(store->Checkpoint(Path(name.c_str()), Keeping(0)));
  }
  is_over = true;
  writer.join();
  for (int i = 0; i < 3; ++i) {
    const std::unique_ptr<Store> copy = Reopen(absl::StrCat("copy", i).c_str());
    ASSERT_OK(copy->CatchUpWith(*store));
    ASSERT_EQ(ContentsOf(*copy), ContentsOf(*store)) << "seed " << testing::TestSeed();
  }
}

TEST_F(ChangeLogTest, ACopyThatCantCatchUpSaysWhyAndStaysAsItIs) {
  const std::unique_ptr<Store> store = Make("store", Keeping(10'000));
  ASSERT_OK(store->Put("a", "1"));
  ASSERT_OK(store->Checkpoint(Path("copy"), Keeping(0)));
  ASSERT_OK(store->Checkpoint(Path("other"), Keeping(0)));
  const std::unique_ptr<Store> copy = Reopen("copy");
  EXPECT_EQ(copy->GetStats().log.most_bytes, 10'000u);
  const std::unique_ptr<Store> stranger = Make("stranger", Keeping(10'000));
  EXPECT_TRUE(IsError(copy->CatchUpWith(*stranger), absl::StatusCode::kFailedPrecondition));
  const std::unique_ptr<Store> without = Make("without", Keeping(0));
  EXPECT_TRUE(IsError(copy->CatchUpWith(*without), absl::StatusCode::kFailedPrecondition));
  EXPECT_TRUE(IsError(without->CatchUpWith(*store), absl::StatusCode::kFailedPrecondition));
  // It has changes of its own.
  const std::unique_ptr<Store> other = Reopen("other");
  ASSERT_OK(other->Put("mine", "2"));
  EXPECT_TRUE(IsError(other->CatchUpWith(*store), absl::StatusCode::kFailedPrecondition)) << "ahead";
  ASSERT_OK(store->Put("b", "3"));
  EXPECT_TRUE(IsError(other->CatchUpWith(*store), absl::StatusCode::kFailedPrecondition)) << "diverged";
  EXPECT_EQ(ContentsOf(*other), (Model{{"a", "1"}, {"mine", "2"}}));
  // It comes too late.
  for (int i = 0; i < 500; ++i) ASSERT_OK(store->Put(absl::StrCat("key", i), "v"));
  EXPECT_TRUE(IsError(copy->CatchUpWith(*store), absl::StatusCode::kOutOfRange));
  EXPECT_EQ(ContentsOf(*copy), (Model{{"a", "1"}}));
}

// Both go on from the same copy, and end with the same change.
TEST_F(ChangeLogTest, ACopyThatWasWrittenToIsKnownWhateverItsLastChange) {
  const std::unique_ptr<Store> store = Make("store", Keeping(kMuch));
  ASSERT_OK(store->Put("a", "1"));
  ASSERT_OK(store->Checkpoint(Path("copy"), Keeping(0)));
  const std::unique_ptr<Store> copy = Reopen("copy");
  ASSERT_OK(copy->Put("b", "2"));
  ASSERT_OK(copy->Put("last", "1"));
  ASSERT_OK(copy->Checkpoint(Path("its copy"), Keeping(0)));
  const std::unique_ptr<Store> its_copy = Reopen("its copy");
  ASSERT_OK(store->Put("c", "3"));
  ASSERT_OK(store->Put("last", "1"));
  ASSERT_OK(store->Put("more", "1"));
  EXPECT_TRUE(IsError(copy->CatchUpWith(*store), absl::StatusCode::kFailedPrecondition));
  EXPECT_TRUE(IsError(its_copy->CatchUpWith(*store), absl::StatusCode::kFailedPrecondition));
  // As it does with its own.
  ASSERT_OK(copy->Put("more", "2"));
  EXPECT_OK(its_copy->CatchUpWith(*copy));
  EXPECT_EQ(ContentsOf(*its_copy), ContentsOf(*copy));
  EXPECT_OK(its_copy->CatchUpWith(*its_copy));
}

// The other one has erased the change that the copy ends with, and none that came later.
TEST_F(ChangeLogTest, ACopyThatWasWrittenToIsKnownByTheNextChangeToo) {
  const std::unique_ptr<Store> store = Make("store", Keeping(250));
  ASSERT_OK(store->Put("a", "1"));
  ASSERT_OK(store->Checkpoint(Path("copy"), Keeping(0)));
  ASSERT_OK(store->Checkpoint(Path("true copy"), Keeping(0)));
  const std::unique_ptr<Store> copy = Reopen("copy");
  const std::unique_ptr<Store> true_copy = Reopen("true copy");
  ASSERT_OK(copy->Put("b", "mine"));
  ASSERT_OK(store->Put("b", "yours"));
  ASSERT_OK(true_copy->CatchUpWith(*store));
  while (store->GetStats().log.first_change < 3) ASSERT_OK(store->Put("c", "3"));
  ASSERT_EQ(store->GetStats().log.first_change, 3u);
  EXPECT_TRUE(IsError(copy->CatchUpWith(*store), absl::StatusCode::kFailedPrecondition));
  EXPECT_OK(true_copy->CatchUpWith(*store));
  EXPECT_EQ(ContentsOf(*true_copy), ContentsOf(*store));
}

TEST_F(ChangeLogTest, ACopyOfAStoreThatKeepsNoneBeginsItsOwn) {
  const std::unique_ptr<Store> store = Make("store", Keeping(0));
  ASSERT_OK(store->Put("a", "1"));
  ASSERT_OK(store->Checkpoint(Path("copy"), Keeping(kMuch)));
  const std::unique_ptr<Store> copy = Reopen("copy");
  EXPECT_TRUE(
      IsError(copy->ReadChanges(0, [](const CommittedChange&) { return true; }), absl::StatusCode::kOutOfRange));
  ASSERT_OK(copy->Put("b", "2"));
  EXPECT_EQ(ChangesSince(*copy, 1), std::vector<std::string>{"2: +b=2"});
}

}  // namespace
}  // namespace sealkv
