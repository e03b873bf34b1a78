#include <utility>

#include "kv/sealkv.h"

namespace sealkv {

void WriteBatch::Put(std::string_view key, std::string_view value) {
  operations_.push_back({Kind::kPut, bytes_.size(), key.size(), value.size(), 0, std::nullopt});
  bytes_.append(key).append(value);
}

void WriteBatch::PutUntil(std::string_view key, std::string_view value, std::chrono::sys_seconds expiry) {
  Put(key, value);
  operations_.back().expiry = expiry;
}

void WriteBatch::Delete(std::string_view key) {
  operations_.push_back({Kind::kDelete, bytes_.size(), key.size(), 0, 0, std::nullopt});
  bytes_.append(key);
}

void WriteBatch::Add(std::string_view key, uint64_t delta) {
  operations_.push_back({Kind::kAdd, bytes_.size(), key.size(), 0, delta, std::nullopt});
  bytes_.append(key);
}

void WriteBatch::Clear() {
  bytes_.clear();
  operations_.clear();
}

}  // namespace sealkv
