// The data of a benchmark, computed on the fly, the same for every engine: no array of keys competes for the cache.
#ifndef SEALKV_BENCH_DATA_H_
#define SEALKV_BENCH_DATA_H_

#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/paths.h"
#include "bench/permutation.h"

namespace sealkv::bench {

// A bijection of the 64-bit integers (the finalizer of SplitMix64; Steele, Lea, Flood, 2014): distinct indexes give
// distinct keys, spread evenly.
inline uint64_t Scatter(uint64_t index) {
  index += 0x9e3779b97f4a7c15;
  index = (index ^ (index >> 30)) * 0xbf58476d1ce4e5b9;
  index = (index ^ (index >> 27)) * 0x94d049bb133111eb;
  return index ^ (index >> 31);
}

enum class KeyKind {
  kU64,     // 8 bytes, big-endian
  kString,  // hexadecimal digits and filler
  kYcsb,    // "user" and a decimal hash, as YCSB makes them: 24 bytes at most
  kPath,    // of a file on this machine
};

std::vector<std::string> KeyKindNames();
std::optional<KeyKind> KeyKindFromName(std::string_view name);
std::string KeyKindName(KeyKind kind);

struct DataOptions {
  KeyKind key_kind = KeyKind::kU64;
  size_t key_bytes = 16;  // strings only; at least 16
  size_t value_bytes = 8;
  uint64_t seed = 0;
  std::shared_ptr<const Paths> paths = nullptr;  // kPath only
};

// Makes keys and values in buffers of its own. Each thread has one.
class Data {
 public:
  explicit Data(const DataOptions& options)
      : options_(options), order_(Scatter(options.seed)), value_(options.value_bytes, '\0') {
    for (size_t i = 0; i < value_.size(); ++i) value_[i] = static_cast<char>(Scatter(options.seed + i));
    key_.resize(options.key_kind == KeyKind::kU64 ? sizeof(uint64_t) : options.key_bytes, 'k');
    view_ = key_;
    if (options.key_kind == KeyKind::kPath) path_order_.emplace(options.paths->size(), order_);
  }
  Data(const Data&) = delete;
  Data& operator=(const Data&) = delete;

  // The index-th key in random order: its number, and its bytes (in key(), good until the next call).
  uint64_t RandomKey(uint64_t index) {
    if (options_.key_kind == KeyKind::kU64) [[likely]]
      return SetInteger(Scatter(index ^ order_));
    return OtherRandomKey(index);
  }
  // The index-th key in ascending order.
  uint64_t SequentialKey(uint64_t index) {
    return options_.key_kind == KeyKind::kU64 ? SetInteger(index) : OtherSequentialKey(index);
  }
  std::string_view key() const { return view_; }

  // What the key's value is after it was written in a round: a word that names both, then filler.
  std::string_view ValueOf(uint64_t number, uint8_t round) {
    const uint64_t word = Word(number, round);
    if (value_.size() >= sizeof(word)) {
      std::memcpy(value_.data(), &word, sizeof(word));
    } else if (!value_.empty()) {
      std::memcpy(value_.data(), &word, value_.size());
    }
    return value_;
  }
  // Whether a value is the key's, written in any round up to `last_round`. Additions of 1 count as rounds.
  bool IsValueOf(uint64_t number, uint64_t last_round, std::string_view value) {
    if (value.size() != value_.size()) return false;
    uint64_t word = Word(number, 0);
    if (value.size() < sizeof(word))
      return value.empty() || std::memcmp(value.data() + 1, reinterpret_cast<char*>(&word) + 1, value.size() - 1) == 0;
    std::memcpy(&word, value.data(), sizeof(word));
    if (!IsWordOf(number, last_round, word)) return false;
    return value.size() == sizeof(word) ||
           std::memcmp(value.data() + sizeof(word), value_.data() + sizeof(word), value.size() - sizeof(word)) == 0;
  }
  static uint64_t Word(uint64_t number, uint8_t round) { return (Scatter(~number) & ~uint64_t{0xff}) | round; }
  static bool IsWordOf(uint64_t number, uint64_t last_round, uint64_t word) {
    return word - Word(number, 0) <= last_round;
  }

  const DataOptions& options() const { return options_; }

 private:
  uint64_t SetInteger(uint64_t number) {
    const uint64_t big_endian = __builtin_bswap64(number);
    std::memcpy(key_.data(), &big_endian, sizeof(big_endian));
    return number;
  }
  // Not inline: what they do takes longer than a call, and integers are measured most finely.
  uint64_t OtherRandomKey(uint64_t index);
  uint64_t OtherSequentialKey(uint64_t index);
  uint64_t SetHexadecimal(uint64_t number);
  uint64_t SetYcsbKey(uint64_t number, int least_digits);
  uint64_t SetPath(uint64_t number);

  const DataOptions options_;
  const uint64_t order_;
  std::optional<Permutation> path_order_;
  std::string key_;
  std::string_view view_;  // of key_, or of a path
  std::string value_;
};

// Of the first few thousand, where they aren't all the same.
double MeanKeyBytes(const DataOptions& options);

}  // namespace sealkv::bench

#endif  // SEALKV_BENCH_DATA_H_
