#include "kv/key_range.h"

namespace sealkv::internal {
namespace {

constexpr uint64_t kLastSlice = ~uint64_t{0};

// The least key with this slice, a byte at least.
std::string LeastKey(std::string_view path, uint64_t slice) {
  std::string key(path);
  for (; slice != 0; slice <<= 8) key.push_back(static_cast<char>(slice >> 56));
  if (key.size() == path.size() && !path.empty()) key.push_back('\0');
  return key;
}

}  // namespace

KeyRange KeyRange::OfPrefix(std::string_view prefix) {
  std::string behind(prefix);
  while (!behind.empty() && behind.back() == '\xff') behind.pop_back();
  if (behind.empty()) return {std::string(prefix), std::nullopt};
  ++behind.back();
  return {std::string(prefix), behind};
}

KeyRange KeyRange::OfSlices(std::string_view path, uint64_t first, uint64_t last) {
  KeyRange range = OfPrefix(path);
  range.from = LeastKey(path, first);
  if (last != kLastSlice) range.to = LeastKey(path, last + 1);
  return range;
}

}  // namespace sealkv::internal
