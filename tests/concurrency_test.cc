// Readers and writers at once: readers take no lock, and yet see only what was acknowledged, in the order it was;
// iterators show every key that stays, exactly once and in order, whatever is put and deleted around it.
//
// The work is bounded by counts, so the test ends on any machine. Made to run under ThreadSanitizer as well:
//   bazel test --config=tsan //tests:concurrency_test
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "kv/sealkv.h"
#include "tests/check_clean.h"
#include "tests/memory_store.h"
#include "tests/model.h"
#include "tests/random.h"
#include "tests/status.h"

namespace sealkv {
namespace {

using testing::MemoryStore;
using testing::Printable;
using testing::Random;
using testing::Scaled;
using testing::WordOf;
using testing::WordValue;

constexpr size_t kCapacityBytes = size_t{256} << 20;

// A key's value in a round: it tells the key and the round, so a reader can judge it alone. Of 8 bytes, and of other
// sizes.
std::string ValueOf(uint64_t id, uint64_t round, bool is_word) {
  if (is_word) return WordValue(id << 32 | round);
  const std::string stamp = std::to_string(id) + ":" + std::to_string(round) + ":";
  return stamp + std::string(id * 7 % 100 + round % 13 + 9, static_cast<char>('a' + round % 26));
}

// The round that a value tells; nothing if no round of this key's has that value.
std::optional<uint64_t> RoundOf(uint64_t id, std::string_view value, bool is_word) {
  if (is_word) {
    if (value.size() != 8 || WordOf(value) >> 32 != id) return std::nullopt;
    return WordOf(value) & 0xffffffff;
  }
  const size_t colon = value.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const uint64_t round = std::strtoull(std::string(value.substr(colon + 1)).c_str(), nullptr, 10);
  if (value != ValueOf(id, round, false)) return std::nullopt;
  return round;
}

// Threads that read, each until the writers are through and at least `rounds` times; and threads that write.
class Crew {
 public:
  ~Crew() { Join(); }

  void StartReaders(unsigned count, uint64_t rounds, std::function<void(Random&)> read) {
    for (unsigned i = 0; i < count; ++i) {
      readers_.emplace_back([this, i, rounds, read] {
        Random random(testing::TestSeed() + i);
        for (uint64_t round = 0; (round < rounds || !is_over_) && !::testing::Test::HasFailure(); ++round) read(random);
      });
    }
  }
  void StartWriter(std::function<void()> write) { writers_.emplace_back(std::move(write)); }
  void Join() {
    for (std::thread& writer : writers_) writer.join();
    writers_.clear();
    is_over_ = true;
    for (std::thread& reader : readers_) reader.join();
    readers_.clear();
  }

 private:
  std::vector<std::thread> readers_;
  std::vector<std::thread> writers_;
  std::atomic<bool> is_over_{false};
};

class ConcurrencyTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_OK(store_.Format()); }
  void TearDown() override {
    ASSERT_OK(store_->WaitUntilSpaceIsKnown());
    const Stats before = store_->GetStats();
    ASSERT_OK(store_.Reopen());
    ASSERT_OK(store_->WaitUntilSpaceIsKnown());
    const Stats after = store_->GetStats();
    EXPECT_EQ(before.node_bytes_used, after.node_bytes_used) << "nodes leaked";
    EXPECT_EQ(before.record_bytes_used, after.record_bytes_used) << "records leaked";
    EXPECT_TRUE(testing::IsClean(store_.memory().span()));
  }

  MemoryStore store_{kCapacityBytes};
};

// A reader never sees a round go back, and never one older than what was acknowledged before it asked.
TEST_F(ConcurrencyTest, ReadsGoForward) {
  constexpr uint64_t kKeys = 64;
  const uint64_t rounds = Scaled(3000);
  const auto key_of = [](uint64_t id) {
    return id % 2 == 0 ? U64Key(id)
                       : std::string("a common prefix of 8·n by") + std::to_string(id % 5) + std::to_string(id);
  };
  const auto is_word = [](uint64_t id) { return id % 4 < 2; };
  const auto put_round = [&](uint64_t round) {
    for (uint64_t id = 0; id < kKeys; ++id) ASSERT_OK(store_->Put(key_of(id), ValueOf(id, round, is_word(id))));
  };
  put_round(0);
  std::atomic<uint64_t> acknowledged{0};
  Crew crew;
  crew.StartReaders(3, 50, [&](Random& random) {
    std::vector<uint64_t> least(kKeys, 0);
    for (int i = 0; i < 500; ++i) {
      const uint64_t id = random.Below(kKeys);
      const std::string key = key_of(id);
      const uint64_t before = std::max(least[id], acknowledged.load());
      std::string value;
      switch (random.Below(4)) {
        case 0: {
          const absl::StatusOr<PinnedValue> pinned = store_->GetPinned(key);
          ASSERT_OK(pinned);
          value = pinned->view();
          break;
        }
        case 1: {
          std::vector<std::string_view> keys(random.Between(2, 40), "absent");
          const size_t place = random.Below(keys.size());
          keys[place] = key;
          auto values = store_->MultiGet(keys);
          ASSERT_OK(values[place]);
          value = *values[place];
          break;
        }
        case 2: {
          const std::unique_ptr<Iterator> iterator = store_->NewIterator();
          iterator->Seek(key);
          ASSERT_TRUE(iterator->Valid() && iterator->key() == key);
          value = iterator->value();
          break;
        }
        default:
          ASSERT_OK(store_->Get(key, &value));
      }
      const std::optional<uint64_t> round = RoundOf(id, value, is_word(id));
      ASSERT_TRUE(round.has_value()) << Printable(value);
      ASSERT_GE(*round, before) << "key " << id;
      least[id] = *round;
    }
  });
  crew.StartWriter([&] {
    for (uint64_t round = 1; round <= rounds; ++round) {
      put_round(round);
      acknowledged = round;
    }
  });
  crew.Join();
}

// Ranges of keys come and go between keys that stay: nodes split and merge, roots grow and shrink, layers are made and
// removed under the iterators.
TEST_F(ConcurrencyTest, IteratorsShowAllThatStays) {
  std::map<std::string, std::string> stable;
  for (uint64_t i = 0; i < 300; ++i) stable[U64Key(i * 1000)] = WordValue(i);
  for (uint64_t i = 0; i < 40; ++i) {
    const std::string number = std::to_string(i);
    stable["8 bytes:" + number] = "record " + number;                         // ties, or in a layer
    stable["one of a kind " + number + std::string(30, 'x')] = "r" + number;  // its layer comes and goes
    stable[std::string(i, 'a')] = number;
  }
  for (const auto& [key, value] : stable) ASSERT_OK(store_->Put(key, value));
  const std::vector<std::pair<std::string, std::string>> expected(stable.begin(), stable.end());

  const auto churn = [&](Random& random) {
    std::vector<std::string> keys;
    const uint64_t base = random.Below(299) * 1000;
    const uint64_t span = random.Between(1, 400);
    for (uint64_t i = 1; i <= span; ++i) keys.push_back(U64Key(base + i));
    const std::string number = std::to_string(random.Below(40));
    for (char c = 'A'; c < 'I'; ++c) {
      keys.push_back("one of a kind " + number + std::string(random.Below(30), 'x') + c);
      keys.push_back("8 bytes:" + number + c);
      keys.push_back(std::string(random.Below(60), 'a') + c);
    }
    for (const std::string& key : keys) ASSERT_OK(store_->Put(key, random.OneIn(2) ? WordValue(1) : "churn"));
    for (const std::string& key : keys) {
      const absl::Status status = store_->Delete(key);
      ASSERT_TRUE(status.ok() || absl::IsNotFound(status)) << status.ToString();  // a key may be in the list twice
    }
  };
  const auto walk = [&](Random& random) {
    const bool is_forward = random.OneIn(2);
    const size_t from = random.Below(expected.size());
    const std::unique_ptr<Iterator> iterator = store_->NewIterator();
    is_forward ? iterator->Seek(expected[from].first) : iterator->SeekForPrev(expected[from].first);
    std::string last;
    size_t at = from;
    uint64_t stable_seen = 0;
    for (; iterator->Valid(); is_forward ? iterator->Next() : iterator->Prev()) {
      const std::string key(iterator->key());
      if (!last.empty()) {
        ASSERT_TRUE(is_forward ? key > last : key < last) << Printable(last) << " then " << Printable(key);
      }
      last = key;
      const auto found = stable.find(key);
      if (found == stable.end()) continue;
      ASSERT_EQ(key, expected[at].first) << "missed one that stays";
      ASSERT_EQ(iterator->value(), found->second);
      ++stable_seen;
      at += is_forward ? 1 : -1;
    }
    ASSERT_OK(iterator->status());
    ASSERT_EQ(stable_seen, is_forward ? expected.size() - from : from + 1);
  };
  const auto look = [&](Random& random) {
    for (int i = 0; i < 200; ++i) {
      const auto& [key, value] = expected[random.Below(expected.size())];
      const absl::StatusOr<std::string> got = store_->Get(key);
      ASSERT_OK(got) << Printable(key);
      ASSERT_EQ(*got, value);
    }
  };
  Crew crew;
  crew.StartReaders(2, 10, walk);
  crew.StartReaders(1, 10, look);
  crew.StartWriter([&] {
    Random random(testing::TestSeed());
    for (uint64_t i = Scaled(600); i > 0 && !HasFailure(); --i) churn(random);
  });
  crew.Join();
  EXPECT_TRUE(testing::ScansAs(*store_, testing::Model(stable.begin(), stable.end())));
}

// A pinned value stays as it is while its key is overwritten and deleted, and its space would be wanted by others.
TEST_F(ConcurrencyTest, PinnedValuesStay) {
  constexpr uint64_t kKeys = 50;
  const auto key_of = [](uint64_t id) { return "key " + std::to_string(id); };
  for (uint64_t id = 0; id < kKeys; ++id) ASSERT_OK(store_->Put(key_of(id), ValueOf(id, 0, false)));
  Crew crew;
  crew.StartReaders(2, 100, [&](Random& random) {
    std::vector<std::pair<PinnedValue, std::string>> pins;
    for (int i = 0; i < 50; ++i) {
      const uint64_t id = random.Below(kKeys);
      absl::StatusOr<PinnedValue> pinned = store_->GetPinned(key_of(id));
      if (absl::IsNotFound(pinned.status())) continue;
      ASSERT_OK(pinned);
      ASSERT_TRUE(RoundOf(id, pinned->view(), false).has_value());
      std::string copy(pinned->view());
      pins.emplace_back(*std::move(pinned), std::move(copy));
    }
    for (const auto& [pinned, copy] : pins) ASSERT_EQ(pinned.view(), copy);
  });
  crew.StartWriter([&] {
    Random random(testing::TestSeed());
    const uint64_t rounds = Scaled(2000);
    for (uint64_t round = 1; round <= rounds; ++round) {
      for (uint64_t id = 0; id < kKeys; ++id) {
        if (random.OneIn(3)) {
          const absl::Status status = store_->Delete(key_of(id));
          ASSERT_TRUE(status.ok() || absl::IsNotFound(status)) << status.ToString();
        } else {
          ASSERT_OK(store_->Put(key_of(id), ValueOf(id, round, false)));
        }
      }
    }
  });
  crew.Join();
}

// Several writers: no increment is lost, no compare-and-swap succeeds twice, each writer's own keys are as it left
// them.
TEST_F(ConcurrencyTest, WritersDontLoseEachOthersWork) {
  constexpr uint64_t kWriters = 4;
  const uint64_t increments = Scaled(20'000);
  const std::string added = U64Key(1);
  const std::string swapped = "a counter in a record";
  ASSERT_OK(store_->Put(added, WordValue(0)));
  ASSERT_OK(store_->Put(swapped, WordValue(0)));
  std::atomic<uint64_t> won{0};
  Crew crew;
  crew.StartReaders(1, 10, [&](Random&) {
    uint64_t before = 0;
    for (int i = 0; i < 1000; ++i) {
      const absl::StatusOr<std::string> now = store_->Get(added);
      ASSERT_OK(now);
      ASSERT_GE(WordOf(*now), before);
      before = WordOf(*now);
    }
  });
  for (uint64_t writer = 0; writer < kWriters; ++writer) {
    crew.StartWriter([&, writer] {
      for (uint64_t i = 0; i < increments; ++i) {
        ASSERT_OK(store_->Add(added, 1));
        const uint64_t expected = won.load();
        const absl::StatusOr<uint64_t> was = store_->CompareAndSwap(swapped, expected, expected + 1);
        ASSERT_OK(was);
        if (*was == expected) {
          ASSERT_EQ(won.fetch_add(1), expected) << "two swaps of one value";
        }
        const std::string own = "writer " + std::to_string(writer) + ": " + std::to_string(i % 100);
        ASSERT_OK(store_->Put(own, std::to_string(i)));
        if (i % 3 != 0) continue;
        ASSERT_OK(store_->Delete(own));
      }
    });
  }
  crew.Join();
  EXPECT_EQ(WordOf(*store_->Get(added)), kWriters * increments);
  EXPECT_EQ(WordOf(*store_->Get(swapped)), won.load());
  for (uint64_t writer = 0; writer < kWriters; ++writer) {
    for (uint64_t slot = 0; slot < 100 && slot < increments; ++slot) {
      const uint64_t last = (increments - 1 - slot) / 100 * 100 + slot;
      const absl::StatusOr<std::string> value =
          store_->Get("writer " + std::to_string(writer) + ": " + std::to_string(slot));
      if (last % 3 == 0) {
        EXPECT_TRUE(absl::IsNotFound(value.status()));
      } else {
        EXPECT_EQ(value.value_or("absent"), std::to_string(last));
      }
    }
  }
}

// Ascending and descending writers around an ever growing right edge, with deletes: roots grow and shrink below those
// who are on their way down from them. Once, a descent that had read the root's word before it grew and its version
// after took the old root for the new: a put went into a leaf that no longer covered its key, and a shortcut of then
// led past all that came later.
TEST_F(ConcurrencyTest, WritesBesideAGrowingRootAreFoundAgain) {
  constexpr uint64_t kWriters = 3;
  const uint64_t rounds = Scaled(60);
  Crew crew;
  std::atomic<uint64_t> highest{0};
  crew.StartReaders(1, 10, [&](Random& random) {
    // What no writer ever had: a reader's way down is enough to leave a hint.
    (void)store_->Get(U64Key(highest.load() * 4 + random.Below(4096)));
  });
  for (uint64_t writer = 0; writer < kWriters; ++writer) {
    crew.StartWriter([&, writer] {
      for (uint64_t round = 0; round < rounds; ++round) {
        // From an empty tree to some levels, and back.
        for (uint64_t i = 0; i < 1500; ++i) {
          const uint64_t key = i * kWriters + writer;
          ASSERT_OK(store_->Put(U64Key(key), WordValue(key)));
          highest.store(key, std::memory_order_relaxed);
          if (i % 8 == 7) std::this_thread::yield();
          const absl::StatusOr<std::string> found = store_->Get(U64Key(key));
          ASSERT_TRUE(found.ok() && WordOf(*found) == key) << "key " << key << ": " << found.status();
        }
        for (uint64_t i = 1500; i-- > 0;) ASSERT_OK(store_->Delete(U64Key(i * kWriters + writer)));
      }
    });
  }
  crew.Join();
}

// Right after an open the background pass counts what is alive, while writers and readers are at work.
TEST_F(ConcurrencyTest, TheBackgroundPassCountsWhileOthersWrite) {
  const uint64_t keys = Scaled(30'000);
  const auto key_of = [](uint64_t i) {
    return i % 2 == 0 ? U64Key(i) : "/a/path/" + std::to_string(i % 97) + "/" + std::to_string(i);
  };
  for (uint64_t i = 0; i < keys; ++i)
    ASSERT_OK(store_->Put(key_of(i), i % 3 == 0 ? WordValue(i) : std::string(i % 60, 'v')));
  for (uint64_t life = 0; life < 3; ++life) {
    ASSERT_OK(store_.Reopen());
    Crew crew;
    crew.StartReaders(1, 1, [&](Random& random) {
      const uint64_t i = random.Below(keys);
      const absl::StatusOr<std::string> value = store_->Get(key_of(i));
      ASSERT_TRUE(value.ok() || absl::IsNotFound(value.status())) << value.status().ToString();
    });
    for (uint64_t writer = 0; writer < 2; ++writer) {
      crew.StartWriter([&, writer] {
        Random random(testing::TestSeed() + 10 * life + writer);
        for (uint64_t n = keys / 2; n > 0; --n) {
          const std::string key = key_of(random.Below(keys));
          const absl::Status status = random.OneIn(2) ? store_->Delete(key) : store_->Put(key, "new");
          ASSERT_TRUE(status.ok() || absl::IsNotFound(status)) << status.ToString();
        }
      });
    }
    crew.StartWriter([&] { ASSERT_OK(store_->WaitUntilSpaceIsKnown()); });
    crew.Join();
    const std::unique_ptr<Iterator> iterator = store_->NewIterator();
    testing::Model contents;
    for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next())
      contents.emplace(iterator->key(), iterator->value());
    ASSERT_OK(iterator->status());
    EXPECT_TRUE(testing::GetsAs(*store_, contents));
  }
}

}  // namespace
}  // namespace sealkv
