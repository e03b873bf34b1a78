#include "tests/crash/random_scenario.h"

#include <algorithm>
#include <set>
#include <utility>

#include "tests/key_shapes.h"
#include "tests/random.h"

namespace sealkv::crash {
namespace {

using testing::Random;

// Writes to keys of a pool that grows as it is used.
class Writes {
 public:
  explicit Writes(Random& random) : random_(random) {}

  // One in a dozen is of many keys.
  Operation Next() {
    if (!random_.OneIn(12)) return NextOfOneKey();
    if (random_.OneIn(4)) return NextRange();
    std::vector<Operation> parts;
    const bool is_transaction = random_.OneIn(3);
    for (uint64_t i = 0, count = random_.OneIn(6) ? 40 : random_.Between(1, 8); i < count; ++i) {
      Operation part = NextOfOneKey();
      if (part.action == Action::kPutIfAbsent || part.action == Action::kUpdate) part = Put(part.key, part.value);
      if (part.action == Action::kCompareAndSwap) part = is_transaction ? Get(part.key) : Delete(part.key);
      parts.push_back(std::move(part));
    }
    return is_transaction ? Transact(std::move(parts)) : Batch(std::move(parts));
  }

 private:
  Operation NextRange() {
    const std::string lower = NextKey();
    std::string upper = NextKey();
    if (random_.Percent(70)) upper = lower.substr(0, lower.size() / 2) + "~";
    return DeleteRange(lower, std::move(upper));
  }

  Operation NextOfOneKey() {
    std::string key = NextKey();
    const bool is_there = keys_.contains(key);
    if (is_there && random_.Percent(delete_percent_)) {
      keys_.erase(key);
      return Delete(std::move(key));
    }
    keys_.insert(key);
    switch (random_.Below(12)) {
      case 0:
        return Add(std::move(key), random_.Below(1000));
      case 1:
        return CompareAndSwap(std::move(key), random_.Below(3), random_.Below(3));
      case 2:
        return PutIfAbsent(std::move(key), NextValue());
      case 3:
        return random_.OneIn(4) ? UpdateAway(std::move(key)) : Update(std::move(key), random_.Bytes(4));
      default:
        return Put(std::move(key), NextValue());
    }
  }

 public:
  // Times of growth and of decline.
  void SetDeletePercent(unsigned percent) { delete_percent_ = percent; }

 private:
  std::string NextKey() {
    const testing::KeyMaker makers[] = {
        testing::key_shapes::CommonPrefixes(), testing::key_shapes::ShortStrings(),
        [](Random& random) { return U64Key(random.Below(40)); },
        [](Random& random) { return "sixteen bytes of" + std::string(1, static_cast<char>('a' + random.Below(20))); }};
    std::string key = makers[random_.Below(std::size(makers))](random_);
    const auto near = keys_.lower_bound(key);
    return near != keys_.end() && random_.OneIn(2) ? *near : key;
  }
  std::string NextValue() {
    if (random_.OneIn(2)) return testing::WordValue(random_.Below(3));
    if (random_.OneIn(50)) return random_.Bytes(2000 + random_.Below(8000));
    return random_.Bytes(random_.Below(60));
  }

  Random& random_;
  std::set<std::string> keys_;
  unsigned delete_percent_ = 60;
};

// A snapshot or an iterator; if there is one open it is closed first, as it is by a Reopen.
Operation OpenOrClose(Random& random) {
  const uint64_t which = random.Below(3);
  return which == 0 ? OpenSnapshot() : which == 1 ? OpenIterator() : Close();
}

}  // namespace

Scenario RandomScenario(uint64_t seed) {
  Random random(seed);
  Writes writes(random);
  Scenario scenario{.kind = "random operations, seed " + std::to_string(seed), .memory_bytes = 100 << 10};
  if (random.OneIn(3)) scenario.capacity_bytes = 68 << 10;
  scenario.may_be_full = true;
  scenario.happened = [](const Shape&, const Shape&) { return true; };
  scenario.setup = {Put("first", 1)};
  for (unsigned i = 0; i < 110; ++i) {
    if (i % 40 == 0) writes.SetDeletePercent(i % 80 == 0 ? 30 : 85);
    scenario.operations.push_back(random.OneIn(40)   ? Recover()
                                  : random.OneIn(25) ? Compact()
                                  : random.OneIn(30) ? Reopen()
                                  : random.OneIn(60) ? Grow()
                                  : random.OneIn(50) ? Shrink()
                                  : random.OneIn(15) ? OpenOrClose(random)
                                                     : writes.Next());
  }
  return scenario;
}

ConcurrentScenario RandomConcurrentScenario(uint64_t seed) {
  Random random(seed);
  ConcurrentScenario scenario{.kind = "random threads, seed " + std::to_string(seed), .seed = random.Next()};
  constexpr unsigned kSwitchPercents[] = {3, 15, 40, 80};
  scenario.switch_percent = kSwitchPercents[random.Below(4)];
  // One or two leaves, at any filling; a few ties, one short of a layer.
  std::vector<std::string> keys;
  for (uint64_t i = 0, count = random.Between(10, 30); i < count; ++i) keys.push_back(U64Key(10 * i));
  for (char end = 'a'; end < 'e'; ++end) keys.push_back(std::string("8 bytes:") + end);
  for (const std::string& key : keys) {
    scenario.setup.push_back(Put(key, random.OneIn(5) ? random.Bytes(20) : testing::WordValue(1)));
  }
  // Where they meet: at neighbours, some of them there and some not.
  std::vector<std::string> hot;
  const uint64_t middle = random.Below(keys.size() * 10);
  for (uint64_t i = 0; i < 6; ++i) hot.push_back(U64Key(middle + i));
  for (uint64_t i = 0; i < 4; ++i) hot.push_back(keys[random.Below(keys.size())]);
  hot.push_back("8 bytes:e");
  const auto write_of_one_key = [&]() -> Operation {
    const std::string& key = hot[random.Below(hot.size())];
    switch (random.Below(9)) {
      case 0:
      case 1:
        return Delete(key);
      case 2:
        return Add(key, random.Below(100));
      case 3:
        return CompareAndSwap(key, 1, random.Below(3));
      case 4:
        return PutIfAbsent(key, testing::WordValue(random.Below(3)));
      case 5:
        return Put(key, random.Bytes(random.OneIn(10) ? 5000 : random.Below(80)));
      case 6:
        return random.OneIn(4) ? UpdateAway(key) : Update(key, random.Bytes(4));
      default:
        return Put(key, testing::WordValue(random.Below(3)));
    }
  };
  const auto write = [&]() -> Operation {
    if (!random.OneIn(4)) return write_of_one_key();
    if (random.OneIn(5)) return DeleteRange(hot[random.Below(hot.size())], hot[random.Below(hot.size())]);
    const bool is_transaction = random.OneIn(3);
    std::vector<Operation> parts;
    for (uint64_t i = 0, count = random.Between(2, 5); i < count; ++i) {
      const std::string& key = hot[random.Below(hot.size())];
      const uint64_t which = random.Below(6);
      if (which == 0) {
        parts.push_back(Delete(key));
      } else if (is_transaction && which < 3) {
        parts.push_back(random.OneIn(6) ? Scan() : Get(key));
      } else {
        parts.push_back(which == 1 ? Put(key, random.Bytes(20)) : Put(key, testing::WordValue(random.Below(3))));
      }
    }
    return is_transaction ? Transact(std::move(parts)) : Batch(std::move(parts));
  };
  for (unsigned thread = 0, writers = static_cast<unsigned>(random.Between(2, 3)); thread < writers; ++thread) {
    std::vector<Operation>& operations = scenario.threads.emplace_back();
    for (unsigned i = 0; i < 6; ++i) operations.push_back(write());
  }
  std::vector<Operation>& reads = scenario.threads.emplace_back();
  for (unsigned i = 0; i < 8; ++i) {
    reads.push_back(random.OneIn(6) ? Scan() : random.OneIn(8) ? OpenSnapshot() : Get(hot[random.Below(hot.size())]));
    if (reads.back().action == Action::kOpenSnapshot) reads.insert(reads.end(), {Get(hot[0]), Close()});
  }
  // Stepping is slow, so not always; mostly the reader, of which nothing passes the seam.
  const auto reader = static_cast<unsigned>(scenario.threads.size());
  if (random.OneIn(6)) scenario.stepped_thread = random.OneIn(4) ? 1 : reader;
  return scenario;
}

}  // namespace sealkv::crash
