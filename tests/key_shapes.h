// The kinds of keys that randomised tests use. Each is made to meet a part of the tree: slices of 8 bytes, ties, layers
// and their prefixes, keys that end where others go on.
#ifndef SEALKV_TESTS_KEY_SHAPES_H_
#define SEALKV_TESTS_KEY_SHAPES_H_

#include <cstdint>
#include <functional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kv/sealkv.h"
#include "tests/random.h"

namespace sealkv::testing {

using KeyMaker = std::function<std::string(Random&)>;

struct KeyShape {
  const char* name;
  // A maker draws from a limited set of keys, so that a test meets the same key again and again.
  std::function<KeyMaker()> new_maker;
};

// How GoogleTest names one in its messages.
inline void PrintTo(const KeyShape& shape, std::ostream* out) { *out << shape.name; }

namespace key_shapes {

inline KeyMaker U64Random() {
  return [](Random& random) { return U64Key(Random(random.Below(40'000)).Next()); };
}

// Mostly the next number, in either direction: the tree grows at one edge.
inline KeyMaker U64Sequential(bool descending) {
  return [descending, count = uint64_t{0}](Random& random) mutable {
    const uint64_t number = random.Percent(60) ? count++ : random.Below(count + 1);
    return U64Key(descending ? ~number : number);
  };
}

// 0 to 12 bytes of a few different ones: NUL (which pads slices) and 0xff (the greatest) among them.
inline KeyMaker ShortStrings() {
  return [](Random& random) {
    static constexpr std::string_view kAlphabets[] = {{"\0", 1}, {"\0\xff", 2}, {"ab", 2}, {"\0a\xff", 3}};
    return random.BytesFrom(kAlphabets[random.Below(4)], random.Below(13));
  };
}

// A few bytes behind a long common part, whose length lies around the multiples of 8.
inline KeyMaker CommonPrefixes() {
  return [](Random& random) {
    static constexpr size_t kLengths[] = {7, 8, 9, 15, 16, 17, 24, 40, 100};
    std::string key(kLengths[random.Below(9)], 'p');
    // Now and then the common part is left early: layers' prefixes have to be shortened.
    if (random.OneIn(8)) key[random.Below(key.size())] = random.OneIn(2) ? 'o' : 'q';
    return key + random.BytesFrom(std::string_view("\0xyz", 4), random.Below(6));
  };
}

// Keys that are prefixes of each other: a, aa, aaa, …, of three bytes that matter.
inline KeyMaker PrefixesOfEachOther() {
  return [](Random& random) {
    std::string key(random.Below(70), std::string_view("a\0\xff", 3)[random.Below(3)]);
    if (random.OneIn(4)) key.push_back(static_cast<char>(random.Below(3)));
    return key;
  };
}

inline KeyMaker AllBytes() {
  return [](Random& random) { return random.Bytes(random.Between(1, 3)); };
}

inline KeyMaker Paths() {
  return [](Random& random) {
    static constexpr std::string_view kParts[] = {"usr",
                                                  "share",
                                                  "doc",
                                                  "lib",
                                                  "x86_64-linux-gnu",
                                                  "python3",
                                                  "locale",
                                                  "a",
                                                  "changelog.Debian.gz",
                                                  "copyright",
                                                  "LC_MESSAGES",
                                                  ".",
                                                  "include"};
    std::string key = "/";
    for (uint64_t depth = random.Between(1, 7); depth > 0; --depth) {
      key.append(kParts[random.Below(13)]).append("/");
    }
    return key.append("file").append(std::to_string(random.Below(20)));
  };
}

// Up to the longest allowed. Few of them share much, some nearly all.
inline KeyMaker LongKeys() {
  return [](Random& random) {
    static constexpr size_t kLengths[] = {0,           8, 255, 1000, 4096, 30'000, kMaxKeyBytes - 9, kMaxKeyBytes - 1,
                                          kMaxKeyBytes};
    std::string key(kLengths[random.Below(9)], 'k');
    if (!key.empty() && random.OneIn(2)) key[random.Below(key.size())] = 'j';
    if (!key.empty() && random.OneIn(2)) key.back() = static_cast<char>('a' + random.Below(26));
    return key;
  };
}

}  // namespace key_shapes

inline std::vector<KeyShape> PlainKeyShapes() {
  namespace shapes = key_shapes;
  return {
      {"U64Random", shapes::U64Random},
      {"U64Sequential", [] { return shapes::U64Sequential(false); }},
      {"U64Descending", [] { return shapes::U64Sequential(true); }},
      {"ShortStrings", shapes::ShortStrings},
      {"CommonPrefixes", shapes::CommonPrefixes},
      {"PrefixesOfEachOther", shapes::PrefixesOfEachOther},
      {"AllBytes", shapes::AllBytes},
      {"Paths", shapes::Paths},
      {"LongKeys", shapes::LongKeys},
  };
}

// All of these in one store.
inline KeyMaker MixedKeys() {
  std::vector<KeyMaker> makers;
  for (const KeyShape& shape : PlainKeyShapes()) makers.push_back(shape.new_maker());
  return [makers = std::move(makers)](Random& random) mutable {
    // Long keys, the last, are slow: let them be rare.
    const bool may_be_long = random.OneIn(20);
    return makers[random.Below(makers.size() - (may_be_long ? 0 : 1))](random);
  };
}

inline std::vector<KeyShape> AllKeyShapes() {
  std::vector<KeyShape> shapes = PlainKeyShapes();
  shapes.push_back({"Mixed", MixedKeys});
  return shapes;
}

}  // namespace sealkv::testing

#endif  // SEALKV_TESTS_KEY_SHAPES_H_
