// Transactions, one at a time: what each sees, what makes it fail, and what never does. (Many at once:
// history_store_test.)
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "kv/sealkv.h"
#include "tests/check_clean.h"
#include "tests/key_shapes.h"
#include "tests/memory_store.h"
#include "tests/model.h"
#include "tests/random.h"
#include "tests/status.h"

namespace sealkv {
namespace {

using testing::MemoryStore;
using testing::Model;
using testing::WordOf;
using testing::WordValue;

class TransactionTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_OK(store_.Format()); }
  std::unique_ptr<Transaction> Begin() { return *store_->Begin(); }
  std::vector<std::string> KeysOf(Transaction& transaction, Range range = {}) {
    std::vector<std::string> keys;
    const auto at = transaction.NewIterator(std::move(range));
    for (at->SeekToFirst(); at->Valid(); at->Next()) keys.emplace_back(at->key());
    return keys;
  }
  bool Exists(std::string_view key) { return *store_->Exists(key); }

  MemoryStore store_{4 << 20};
};

TEST_F(TransactionTest, SeesItsOwnWritesAndNobodyElseDoes) {
  ASSERT_OK(store_->Put("b", "old"));
  ASSERT_OK(store_->Put("d", "old"));
  const auto transaction = Begin();
  ASSERT_OK(transaction->Put("a", "new"));
  ASSERT_OK(transaction->Put("b", "new"));
  ASSERT_OK(transaction->Delete("d"));
  ASSERT_OK(transaction->Delete("never was"));
  EXPECT_EQ(*transaction->Add("n", 5), 5u);
  EXPECT_EQ(*transaction->Add("n", 5), 10u);
  EXPECT_EQ(*transaction->Get("b"), "new");
  EXPECT_FALSE(*transaction->Exists("d"));
  EXPECT_EQ(KeysOf(*transaction), (std::vector<std::string>{"a", "b", "n"}));
  EXPECT_EQ(*store_->Get("b"), "old");
  EXPECT_FALSE(Exists("a"));
  ASSERT_OK(transaction->Commit());
  EXPECT_EQ(*store_->Get("b"), "new");
  EXPECT_FALSE(Exists("d"));
  EXPECT_EQ(*store_->Get("n"), WordValue(10));
  EXPECT_EQ(transaction->Commit().code(), absl::StatusCode::kFailedPrecondition) << "it is over";
  EXPECT_EQ(transaction->Get("a").status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(store_->GetStats().snapshots_open, 0u);
}

TEST_F(TransactionTest, AbortedOrForgottenItDoesNothing) {
  {
    const auto transaction = Begin();
    ASSERT_OK(transaction->Put("a", "1"));
    transaction->Abort();
  }
  {
    const auto transaction = Begin();
    ASSERT_OK(transaction->Put("b", "1"));
  }
  EXPECT_FALSE(Exists("a"));
  EXPECT_FALSE(Exists("b"));
}

// Following a chain of keys: what was read is the next key, and lies where its value is to go.
TEST_F(TransactionTest, AGetMayPutTheValueWhereItsKeyLies) {
  const std::string next_key = "the key that the first one's value is, longer than a short string";
  ASSERT_OK(store_->Put("first", next_key));
  ASSERT_OK(store_->Put(next_key, std::string(500, 'e')));
  const auto transaction = *store_->Begin();
  std::string at = "first";
  ASSERT_OK(transaction->Get(at, &at));
  ASSERT_EQ(at, next_key);
  ASSERT_OK(transaction->Get(at, &at));
  EXPECT_EQ(at, std::string(500, 'e'));
  ASSERT_OK(transaction->Put("result", at));
  EXPECT_OK(transaction->Commit()) << "what it is held to have read isn't what it read";
}

TEST_F(TransactionTest, WhatItHasReadMustStillBeSo) {
  ASSERT_OK(store_->Put("x", "1"));
  // Changed, deleted, put; and changed back, which is as if nothing had happened.
  const auto try_with = [&](std::string_view key, auto meanwhile) {
    const auto transaction = Begin();
    (void)transaction->Get(key);
    EXPECT_OK(transaction->Put("y", "written"));
    meanwhile();
    return transaction->Commit();
  };
  EXPECT_TRUE(absl::IsAborted(try_with("x", [&] { ASSERT_OK(store_->Put("x", "2")); })));
  EXPECT_TRUE(absl::IsAborted(try_with("x", [&] { ASSERT_OK(store_->Delete("x")); })));
  EXPECT_TRUE(absl::IsAborted(try_with("x", [&] { ASSERT_OK(store_->Put("x", "3")); })));
  EXPECT_FALSE(Exists("y"));
  EXPECT_OK(try_with("x", [&] { ASSERT_OK(store_->Put("another key of the same leaf", "2")); }));
  EXPECT_OK(try_with("no such key", [] {}));
  ASSERT_OK(store_->Put("12345678", WordValue(1)));
  EXPECT_OK(try_with("12345678", [&] {
    ASSERT_OK(store_->Put("12345678", WordValue(2)));
    ASSERT_OK(store_->Put("12345678", WordValue(1)));
  }));
}

// Where a record lies is nobody's business.
TEST_F(TransactionTest, WhatCompactionMovesIsUnchanged) {
  const auto key_of = [](int i) { return "a key of some length " + std::to_string(i); };
  for (int i = 0; i < 1000; ++i) ASSERT_OK(store_->Put(key_of(i), std::string(100, 'a')));
  for (int i = 0; i < 1000; ++i) {
    if (i % 5 != 0) {
      ASSERT_OK(store_->Delete(key_of(i)));
    }
  }
  const auto by_key = Begin();
  for (int i = 0; i < 1000; i += 5) ASSERT_OK(by_key->Get(key_of(i)).status());
  const auto by_range = Begin();
  EXPECT_EQ(KeysOf(*by_range, {.lower = "a", .upper = "b"}).size(), 200u);
  ASSERT_OK(store_->Compact());
  ASSERT_GT(store_->GetStats().bytes_moved, 0u);
  ASSERT_OK(by_key->Put("done", "by key"));
  EXPECT_OK(by_key->Commit());
  ASSERT_OK(by_range->Put("done too", "by range"));
  EXPECT_OK(by_range->Commit());
}

TEST_F(TransactionTest, WriteSkewIsAborted) {
  ASSERT_OK(store_->Put("on call: ada", "yes"));
  ASSERT_OK(store_->Put("on call: bob", "yes"));
  const auto first = Begin();
  const auto second = Begin();
  EXPECT_EQ(*first->Get("on call: bob"), "yes");
  EXPECT_EQ(*second->Get("on call: ada"), "yes");
  ASSERT_OK(first->Put("on call: ada", "no"));
  ASSERT_OK(second->Put("on call: bob", "no"));
  EXPECT_OK(first->Commit());
  EXPECT_TRUE(absl::IsAborted(second->Commit()));
  EXPECT_EQ(*store_->Get("on call: bob"), "yes");
}

TEST_F(TransactionTest, PhantomsAreNoticedInWhatWasWalkedOverAndNowhereElse) {
  for (const char* key : {"b", "d", "f"}) ASSERT_OK(store_->Put(key, "1"));
  const auto try_with = [&](auto walk, const std::string& phantom) {
    const auto transaction = Begin();
    walk(*transaction);
    EXPECT_OK(transaction->Put("sum", "written"));
    EXPECT_OK(store_->Put(phantom, "1"));
    const absl::Status status = transaction->Commit();
    EXPECT_OK(store_->Delete(phantom));
    return status;
  };
  const auto to_d = [](Transaction& transaction) {
    const auto at = transaction.NewIterator();
    at->SeekToFirst();
    at->Next();
    EXPECT_EQ(at->key(), "d");
  };
  EXPECT_TRUE(absl::IsAborted(try_with(to_d, "a")));
  EXPECT_TRUE(absl::IsAborted(try_with(to_d, "c")));
  EXPECT_OK(try_with(to_d, "e"));
  const auto down_to_d = [](Transaction& transaction) {
    const auto at = transaction.NewIterator({.upper = "g"});
    at->SeekToLast();
    at->Prev();
    EXPECT_EQ(at->key(), "d");
  };
  EXPECT_TRUE(absl::IsAborted(try_with(down_to_d, "e")));
  EXPECT_TRUE(absl::IsAborted(try_with(down_to_d, "ff")));
  EXPECT_OK(try_with(down_to_d, "c"));
  EXPECT_OK(try_with(down_to_d, "g"));
  const auto the_last = [](Transaction& transaction) {
    const auto at = transaction.NewIterator();
    at->SeekToLast();
    EXPECT_EQ(at->key(), "sum");
  };
  EXPECT_TRUE(absl::IsAborted(try_with(the_last, "t")));
  EXPECT_OK(try_with(the_last, "e"));
  const auto to_the_end = [](Transaction& transaction) {
    const auto at = transaction.NewIterator({.lower = "x"});
    at->SeekToFirst();
    EXPECT_FALSE(at->Valid());
  };
  EXPECT_TRUE(absl::IsAborted(try_with(to_the_end, "y")));
  EXPECT_OK(try_with(to_the_end, "w"));
}

TEST_F(TransactionTest, WhoOnlyReadsNeverFails) {
  ASSERT_OK(store_->Put("x", "1"));
  const auto transaction = Begin();
  EXPECT_EQ(*transaction->Get("x"), "1");
  ASSERT_OK(store_->Put("x", "2"));
  ASSERT_OK(store_->Put("a", "2"));
  EXPECT_EQ(*transaction->Get("x"), "1");
  EXPECT_EQ(KeysOf(*transaction), (std::vector<std::string>{"x"}));
  EXPECT_OK(transaction->Commit());
}

// Iterators against a model of the snapshot with the writes laid over it.
TEST_F(TransactionTest, IteratorsShowSnapshotAndWritesAsOne) {
  testing::Random random(testing::TestSeed());
  Model model;
  const auto any_key = [&] { return random.BytesFrom("abc", random.Between(1, 4)); };
  for (int i = 0; i < 40; ++i) {
    const std::string key = any_key();
    ASSERT_OK(store_->Put(key, "stored"));
    model[key] = "stored";
  }
  const auto transaction = Begin();
  for (int round = 0; round < 300; ++round) {
    const std::string key = any_key();
    if (random.OneIn(3)) {
      ASSERT_OK(transaction->Delete(key));
      model.erase(key);
    } else {
      ASSERT_OK(transaction->Put(key, std::to_string(round)));
      model[key] = std::to_string(round);
    }
    Range range;
    if (random.OneIn(2)) range.lower = any_key();
    if (random.OneIn(2)) range.upper = any_key();
    const auto at = transaction->NewIterator(range);
    testing::ModelIterator wanted(model, range);
    const auto expect_same = [&] {
      ASSERT_EQ(at->Valid(), wanted.Valid()) << round;
      if (!at->Valid()) return;
      ASSERT_EQ(at->key(), wanted.key());
      ASSERT_EQ(at->value(), wanted.value());
    };
    for (int step = 0; step < 12; ++step) {
      const std::string target = any_key();
      switch (at->Valid() ? random.Below(8) : random.Below(4)) {
        case 0:
          at->SeekToFirst(), wanted.SeekToFirst();
          break;
        case 1:
          at->SeekToLast(), wanted.SeekToLast();
          break;
        case 2:
          at->Seek(target), wanted.Seek(target);
          break;
        case 3:
          at->SeekForPrev(target), wanted.SeekForPrev(target);
          break;
        case 4:
        case 5:
          at->Prev(), wanted.Prev();
          break;
        default:
          at->Next(), wanted.Next();
      }
      ASSERT_NO_FATAL_FAILURE(expect_same()) << "round " << round << " step " << step;
    }
  }
  ASSERT_OK(transaction->Commit());
  EXPECT_TRUE(testing::ScansAs(*store_, model));
  EXPECT_TRUE(testing::IsClean(store_.memory().span()));
}

// Four threads move amounts between ten accounts; whoever adds them up finds the same sum, always.
TEST_F(TransactionTest, TransactRetriesUntilItIsDone) {
  constexpr uint64_t kAccounts = 10;
  for (uint64_t i = 0; i < kAccounts; ++i) ASSERT_OK(store_->Put(U64Key(i), WordValue(100)));
  std::vector<std::thread> threads;
  for (uint64_t thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      testing::Random random(testing::TestSeed() + thread);
      for (int i = 0; i < 300; ++i) {
        const std::string from = U64Key(random.Below(kAccounts));
        const std::string to = U64Key(random.Below(kAccounts));
        EXPECT_OK(store_->Transact([&](Transaction& transaction) {
          if (absl::Status status = transaction.Add(from, ~uint64_t{0}).status(); !status.ok()) return status;
          return transaction.Add(to, 1).status();
        }));
        uint64_t sum = 0;
        const auto at = store_->NewIterator();
        for (at->SeekToFirst(); at->Valid(); at->Next()) sum += WordOf(at->value());
        EXPECT_EQ(sum, 100 * kAccounts);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const absl::Status wanted = absl::CancelledError("no more");
  EXPECT_EQ(store_->Transact([&](Transaction& transaction) {
    EXPECT_OK(transaction.Put("not to be", "1"));
    return wanted;
  }),
            wanted);
  EXPECT_FALSE(Exists("not to be"));
}

TEST_F(TransactionTest, UpdateReplacesDeletesAndCreates) {
  const auto append = [](std::optional<std::string_view> value) -> std::optional<std::string> {
    return std::string(value.value_or("")) + "x";
  };
  ASSERT_OK(store_->Update("log", append));
  ASSERT_OK(store_->Update("log", append));
  EXPECT_EQ(*store_->Get("log"), "xx");
  ASSERT_OK(store_->Update("log", [](auto) { return std::nullopt; }));
  EXPECT_FALSE(Exists("log"));
  ASSERT_OK(store_->Update("log", [](auto) { return std::nullopt; }));
  EXPECT_EQ(store_->Update("log", [](auto) { return std::string(kMaxValueBytes + 1, 'v'); }).code(),
            absl::StatusCode::kInvalidArgument);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 3; ++thread) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) EXPECT_OK(store_->Update("log", append));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(store_->Get("log")->size(), 600u);
}

TEST_F(TransactionTest, DeleteRangeTakesWhatIsInItAndNothingElse) {
  Model model;
  testing::Random random(testing::TestSeed());
  for (int i = 0; i < 2000; ++i) {
    const std::string key = random.BytesFrom("abcd", random.Between(1, 12));
    ASSERT_OK(store_->Put(key, key));
    model[key] = key;
  }
  const size_t all = model.size();
  const absl::StatusOr<Snapshot> before = store_->OpenSnapshot();
  ASSERT_OK(before);
  ASSERT_OK(store_->DeleteRange({.lower = "ab", .upper = "bb"}));
  model.erase(model.lower_bound("ab"), model.lower_bound("bb"));
  ASSERT_TRUE(testing::ScansAs(*store_, model));
  ASSERT_OK(store_->DeleteRange({.prefix = "cc"}));
  model.erase(model.lower_bound("cc"), model.lower_bound("cd"));
  ASSERT_TRUE(testing::ScansAs(*store_, model));
  ASSERT_OK(store_->DeleteRange({.lower = "x"}));
  ASSERT_TRUE(testing::ScansAs(*store_, model));
  ASSERT_OK(store_->DeleteRange({}));
  ASSERT_TRUE(testing::ScansAs(*store_, {}));
  EXPECT_TRUE(testing::IsClean(store_.memory().span()));
  const auto at = before->NewIterator();
  size_t seen = 0;
  for (at->SeekToFirst(); at->Valid(); at->Next()) ++seen;
  EXPECT_EQ(seen, all) << "a snapshot from before sees all of them";
}

}  // namespace
}  // namespace sealkv
