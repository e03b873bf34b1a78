// What is to become of a key: the sum of all that a batch does to it. A batch comes down to a list of these, one for
// each of its keys, in key order.
#ifndef SEALKV_KV_KEY_CHANGES_H_
#define SEALKV_KV_KEY_CHANGES_H_

#include <cstdint>
#include <cstring>
#include <forward_list>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace sealkv::internal {

struct KeyChange {
  // kBadAdd: an addition to a value that isn't 8 bytes. Only while it is being worked out: what follows may make it
  // void.
  enum class Kind : uint8_t { kPut, kDelete, kAdd, kBadAdd };
  std::string_view key;
  Kind kind;
  std::string_view value;  // kPut
  uint64_t delta = 0;      // kAdd
  uint32_t expiry = 0;     // kPut: kv/expiry.h
};

class KeyChanges {
 public:
  void Reserve(size_t count) { changes_.reserve(count); }
  // In any order of keys; the changes of one key in their order. Keys and values must outlive this.
  void Append(const KeyChange& change) { changes_.push_back(change); }
  // After the last one. FailedPrecondition: Add to a value that isn't 8 bytes.
  absl::Status SortAndFold();

  const std::vector<KeyChange>& list() const { return changes_; }

 private:
  struct Sorted {
    uint64_t slice;
    uint32_t index;
  };
  bool IsBefore(const Sorted& a, const Sorted& b) const;
  void Sort(std::vector<Sorted>& order) const;
  void Fold(KeyChange& into, const KeyChange& next);

  std::vector<KeyChange> changes_;
  std::forward_list<std::string> sums_;  // values that were worked out here
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_KEY_CHANGES_H_
