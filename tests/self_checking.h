// Values that say whether they are whole: a reader that meets one knows whether it was ever put under its key.
#ifndef SEALKV_TESTS_SELF_CHECKING_H_
#define SEALKV_TESTS_SELF_CHECKING_H_

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace sealkv::testing {

inline uint64_t Scramble(uint64_t number) {
  number = (number ^ number >> 31) * 0x9e3779b97f4a7c15;
  return number ^ number >> 29;
}

// Keys of all the ways in which a tree can hold one: inline, as a record, tied, in a layer.
inline std::string KeyOf(uint64_t number) {
  std::string key(8, '\0');
  for (int i = 0; i < 8; ++i) key[i] = static_cast<char>(number / 4 >> (56 - 8 * i));
  switch (number % 4) {
    case 0:
      return key;
    case 1:
      return "k" + std::to_string(number);
    case 2:
      return "a path that all share/" + std::to_string(number);
    default:
      return key + std::to_string(number);
  }
}

// A version of a key's value, below 2^32: 8 bytes, or more.
inline std::string ValueOf(std::string_view key, uint64_t version) {
  uint64_t seed = key.size();
  for (const char byte : key) seed = Scramble(seed + static_cast<unsigned char>(byte));
  if (version % 3 == 0) {
    const uint64_t word = version << 32 | (Scramble(seed + version) & 0xffffffff);
    return std::string(reinterpret_cast<const char*>(&word), sizeof(word));
  }
  std::string value(9 + version % 400, '\0');
  std::memcpy(value.data(), &version, sizeof(version));
  for (size_t i = 8; i < value.size(); ++i) value[i] = static_cast<char>(Scramble(seed + version + i));
  return value;
}

inline bool IsWhole(std::string_view key, std::string_view value) {
  uint64_t version;
  if (value.size() < sizeof(version)) return false;
  std::memcpy(&version, value.data(), sizeof(version));
  if (value.size() == sizeof(version)) version >>= 32;
  return version < uint64_t{1} << 32 && ValueOf(key, version) == value;
}

}  // namespace sealkv::testing

#endif  // SEALKV_TESTS_SELF_CHECKING_H_
