// Random numbers that are the same on every machine for the same seed, and where tests take their seeds from.
#ifndef SEALKV_TESTS_RANDOM_H_
#define SEALKV_TESTS_RANDOM_H_

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace sealkv::testing {

// SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    uint64_t mixed = state_ += 0x9e3779b97f4a7c15;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
    return mixed ^ mixed >> 31;
  }
  // 0..limit-1. `limit` > 0.
  uint64_t Below(uint64_t limit) { return Next() % limit; }
  uint64_t Between(uint64_t first, uint64_t last) { return first + Below(last - first + 1); }
  bool OneIn(uint64_t n) { return Below(n) == 0; }
  bool Percent(unsigned percent) { return Below(100) < percent; }

  std::string Bytes(size_t size) {
    std::string bytes(size, '\0');
    for (size_t at = 0; at < size; at += 8) {
      uint64_t word = Next();
      for (size_t i = at; i < size && i < at + 8; ++i, word >>= 8) bytes[i] = static_cast<char>(word);
    }
    return bytes;
  }
  std::string BytesFrom(std::string_view alphabet, size_t size) {
    std::string bytes(size, '\0');
    for (char& byte : bytes) byte = alphabet[Below(alphabet.size())];
    return bytes;
  }

 private:
  uint64_t state_;
};

// The seed of this run: SEALKV_TEST_SEED replays one (`bazel test --test_env=SEALKV_TEST_SEED=7 …`). Without it the
// seed is fixed: a test that passed passes again.
inline uint64_t TestSeed() {
  const char* given = std::getenv("SEALKV_TEST_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 0) : 20240607;
}

// Multiplies how much a randomised test does (default 1): SEALKV_TEST_SCALE=20 for a long run, 0.1 under a sanitizer.
inline uint64_t Scaled(uint64_t count) {
  const char* given = std::getenv("SEALKV_TEST_SCALE");
  double scale = given != nullptr ? std::strtod(given, nullptr) : 1.0;
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  if (given == nullptr) scale = 0.1;
#endif
  const auto scaled = static_cast<uint64_t>(static_cast<double>(count) * scale);
  return scaled > 0 ? scaled : 1;
}

}  // namespace sealkv::testing

#endif  // SEALKV_TESTS_RANDOM_H_
