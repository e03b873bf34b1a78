// Damaged stores, the same for the same seed: what the tests give to the checker and to the tools.
#ifndef SEALKV_TOOLS_TESTING_DAMAGE_H_
#define SEALKV_TOOLS_TESTING_DAMAGE_H_

#include <cstddef>
#include <cstring>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "kv/image.h"
#include "kv/sealkv.h"
#include "tests/memory_store.h"
#include "tests/random.h"
#include "tests/status.h"

namespace sealkv::testing {

struct Sample {
  std::string name;
  std::vector<std::byte> bytes;
  std::map<std::string, std::string> model;  // what is in it
};

// A store of these pairs. Only puts of new keys: what a damaged reference may lead to was never replaced.
inline Sample MakeSample(const std::string& name, size_t bytes, const std::map<std::string, std::string>& model,
                         uint64_t seed) {
  MemoryStore store(bytes);
  EXPECT_OK(store.Format());
  std::vector<const std::pair<const std::string, std::string>*> order;
  for (const auto& pair : model) order.push_back(&pair);
  Random random(seed);
  for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.Below(i)]);
  for (const auto* pair : order) EXPECT_OK(store->Put(pair->first, pair->second));
  store.Close();
  const std::span<std::byte> memory = store.memory().span();
  return {name, {memory.begin(), memory.end()}, model};
}

// Some of every structure that the format has, in as few nodes as that takes.
inline Sample MakeEverything(size_t bytes, uint64_t numbers, uint64_t seed) {
  Random random(seed);
  std::map<std::string, std::string> model;
  for (uint64_t i = 0; i < numbers; ++i) model[U64Key(random.Next())] = random.Bytes(8);
  // Keys that end in each place of a slice, an 8-byte key whose value isn't inline, 8-byte values in records.
  for (size_t length = 0; length <= 8; ++length)
    model[std::string("endings!").substr(0, length)] = random.Bytes(length + 1);
  // Keys that go on: up to 4 share a slice, more get a layer: without a prefix, with one of 8 bytes, with a record for
  // it.
  const auto add_group = [&](const std::string& common, size_t keys) {
    for (size_t i = 0; i < keys; ++i) {
      model[common + random.BytesFrom("abcdefgh", 1 + random.Below(12))] = random.Bytes(random.Below(30));
    }
  };
  add_group("tie-----", 4);
  add_group("layer---", 7);
  add_group("inline--prefix--", 6);
  add_group("inline--prefix--layer in layer--", 6);
  add_group("record--a prefix too long to stand in the node-", 18);
  model["large 1"] = random.Bytes(2500);
  model["large 2"] = random.Bytes(9000);
  return MakeSample("everything", bytes, model, seed);
}

inline std::vector<Sample> MakeSamples() {
  Random random(7);
  std::map<std::string, std::string> numbers, prefixes, layers, large, mixed;
  for (int i = 0; i < 1500; ++i) numbers[U64Key(random.Next())] = random.Bytes(8);
  for (int i = 0; i < 600; ++i) {
    prefixes["/usr/share/doc/" + std::to_string(random.Below(150)) + "/" + random.BytesFrom("ab", random.Below(20))] =
        random.Bytes(random.Below(60));
  }
  // Layers in layers.
  for (int i = 0; i < 400; ++i) {
    layers[std::string(8 * (1 + random.Below(12)), 'p') +
           random.BytesFrom(std::string_view("\0ab\xff", 4), random.Below(24))] = random.Bytes(random.Below(40));
  }
  for (int i = 0; i < 40; ++i) large["value " + std::to_string(i)] = random.Bytes(random.Below(20'000));
  mixed[""] = "empty";
  for (const auto* each : {&numbers, &prefixes, &layers, &large}) {
    size_t count = 0;
    for (const auto& pair : *each) {
      if (++count % 4 == 0) mixed.insert(pair);
    }
  }
  constexpr size_t kSmall = 256 << 10;
  return {MakeSample("numbers", kSmall, numbers, 1), MakeSample("prefixes", kSmall, prefixes, 2),
          MakeSample("layers", kSmall, layers, 3),   MakeSample("large", 1 << 20, large, 4),
          MakeSample("mixed", 768 << 10, mixed, 5),  MakeEverything(kSmall, 400, 6)};
}

class Damage {
 public:
  Damage(const Sample& sample, uint64_t seed) : random_(seed) {
    // Most of a store is free space, where nothing matters: aim at what is used.
    const auto* words = reinterpret_cast<const uint64_t*>(sample.bytes.data());
    for (size_t i = 0; i < sample.bytes.size() / sizeof(uint64_t); ++i) {
      if (words[i] != 0) used_words_.push_back(i);
    }
  }

  // Damages a copy of the sample in one of several ways, once or a few times. Returns how much of it is left.
  size_t Apply(std::span<std::byte> bytes) {
    size_t left = bytes.size();
    for (uint64_t times = random_.OneIn(3) ? random_.Between(2, 8) : 1; times > 0; --times) {
      switch (random_.Below(12)) {
        case 0:
        case 1:
        case 2:
        case 3:
        case 4:  // a bit
          Byte(bytes, SomeByte()) ^= static_cast<std::byte>(1 << random_.Below(8));
          break;
        case 5:  // a byte
          Byte(bytes, SomeByte()) = static_cast<std::byte>(random_.Next());
          break;
        case 6:  // a lost cache line
          std::memset(&Byte(bytes, SomeByte() / 64 * 64), 0, 64);
          break;
        case 7:  // an old or misdirected word
          Word(bytes, SomeWord()) = Word(bytes, SomeWord());
          break;
        case 8:  // a word that looks like an offset
          Word(bytes, SomeWord()) = random_.Below(bytes.size() / 256 + 1) * 256;
          break;
        case 9:  // a cache line in the wrong place
          std::memcpy(&Byte(bytes, SomeByte() / 64 * 64),
                      std::string(reinterpret_cast<const char*>(&Byte(bytes, SomeByte() / 64 * 64)), 64).data(), 64);
          break;
        case 10:  // in the superblock
          Byte(bytes, random_.Below(192)) ^= static_cast<std::byte>(1 << random_.Below(8));
          break;
        case 11:  // cut short
          if (random_.OneIn(4)) left = random_.Below(bytes.size()) / 4096 * 4096;
          break;
      }
    }
    return left;
  }

 private:
  static std::byte& Byte(std::span<std::byte> bytes, size_t at) { return bytes[at]; }
  static uint64_t& Word(std::span<std::byte> bytes, size_t at) { return reinterpret_cast<uint64_t*>(bytes.data())[at]; }
  size_t SomeWord() { return used_words_[random_.Below(used_words_.size())]; }
  size_t SomeByte() { return SomeWord() * sizeof(uint64_t) + random_.Below(sizeof(uint64_t)); }

  Random random_;
  std::vector<size_t> used_words_;
};

// Memory that ends, and begins, at pages that can't be touched: a read outside is a crash.
class GuardedMemory {
 public:
  explicit GuardedMemory(size_t bytes) : memory_(bytes + 2 * kPageBytes) {
    mprotect(memory_.data(), kPageBytes, PROT_NONE);
    mprotect(memory_.data() + kPageBytes + bytes, kPageBytes, PROT_NONE);
  }
  // As many bytes as asked for, a multiple of a page, right before the guard.
  std::span<std::byte> Last(size_t bytes) const {
    return memory_.span().subspan(memory_.size() - kPageBytes - bytes, bytes);
  }

 private:
  static constexpr size_t kPageBytes = 4096;
  Memory memory_;
};

}  // namespace sealkv::testing

#endif  // SEALKV_TOOLS_TESTING_DAMAGE_H_
