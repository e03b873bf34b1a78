// Ranges of keys, and how they follow from the slices that bound them in the tree.
#ifndef SEALKV_KV_KEY_RANGE_H_
#define SEALKV_KV_KEY_RANGE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sealkv::internal {

struct KeyRange {
  std::string from;
  std::optional<std::string> to;  // the first key behind it; nothing: there is no end

  bool Contains(std::string_view key) const { return key >= from && (!to.has_value() || key < *to); }
  friend bool operator==(const KeyRange&, const KeyRange&) = default;

  static KeyRange All() { return {}; }
  static KeyRange OfPrefix(std::string_view prefix);
  // All keys whose slice behind `path` is one of `first` to `last`. A slice is padded with zeros, so the least of these
  // keys may be shorter. Behind a path that isn't empty keys have at least one byte.
  static KeyRange OfSlices(std::string_view path, uint64_t first, uint64_t last);
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_KEY_RANGE_H_
