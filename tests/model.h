// What a store should hold and answer: std::map, and an iterator over it with the rules of sealkv::Iterator.
#ifndef SEALKV_TESTS_MODEL_H_
#define SEALKV_TESTS_MODEL_H_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "gtest/gtest.h"
#include "kv/sealkv.h"
#include "tests/random.h"
#include "tests/status.h"

namespace sealkv::testing {

using Model = std::map<std::string, std::string, std::less<>>;

inline std::string WordValue(uint64_t word) { return {reinterpret_cast<const char*>(&word), sizeof(word)}; }
inline uint64_t WordOf(std::string_view value) {
  uint64_t word;
  std::memcpy(&word, value.data(), sizeof(word));
  return word;
}

class ModelIterator {
 public:
  ModelIterator(const Model& model, const Range& range)
      : model_(model), begin_(model.lower_bound(std::max(range.lower.value_or(""), range.prefix))), end_(model.end()) {
    if (range.upper.has_value()) end_ = model.lower_bound(*range.upper);
    std::string after_prefix = range.prefix;  // the least string behind all that begin with the prefix
    while (!after_prefix.empty() && after_prefix.back() == '\xff') after_prefix.pop_back();
    if (!after_prefix.empty()) {
      after_prefix.back() = static_cast<char>(after_prefix.back() + 1);
      const auto after = model.lower_bound(after_prefix);
      if (IsBefore(after, end_)) end_ = after;
    }
    if (IsBefore(end_, begin_)) end_ = begin_;
    at_ = end_;
  }

  bool Valid() const { return at_ != end_; }
  void SeekToFirst() { at_ = begin_; }
  void SeekToLast() { at_ = begin_ == end_ ? end_ : std::prev(end_); }
  void Seek(std::string_view key) {
    at_ = model_.lower_bound(key);
    if (IsBefore(at_, begin_)) at_ = begin_;
    if (!IsBefore(at_, end_)) at_ = end_;
  }
  void SeekForPrev(std::string_view key) {
    at_ = model_.upper_bound(key);
    if (IsBefore(end_, at_)) at_ = end_;
    at_ = IsBefore(begin_, at_) ? std::prev(at_) : end_;
  }
  void Next() { ++at_; }
  void Prev() { at_ = at_ == begin_ ? end_ : std::prev(at_); }
  const std::string& key() const { return at_->first; }
  const std::string& value() const { return at_->second; }

 private:
  bool IsBefore(Model::const_iterator a, Model::const_iterator b) const {
    if (a == model_.end()) return false;
    return b == model_.end() || a->first < b->first;
  }

  const Model& model_;
  Model::const_iterator begin_;
  Model::const_iterator end_;
  Model::const_iterator at_;
};

// Short enough for a message, whatever the bytes.
inline std::string Printable(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes.substr(0, 48)) {
    static constexpr char kHex[] = "0123456789abcdef";
    const auto code = static_cast<unsigned char>(byte);
    if (code >= 32 && code < 127 && byte != '\\') {
      text += byte;
    } else {
      text.append({'\\', 'x', kHex[code >> 4], kHex[code & 15]});
    }
  }
  if (bytes.size() > 48) text += "…";
  return text + " (" + std::to_string(bytes.size()) + " bytes)";
}

// All that a scan shows.
inline Model ContentsOf(const Store& store) {
  Model contents;
  const std::unique_ptr<Iterator> all = store.NewIterator();
  for (all->SeekToFirst(); all->Valid(); all->Next()) contents.emplace(all->key(), all->value());
  EXPECT_OK(all->status());
  return contents;
}

// Whether a scan shows exactly the model, in both directions.
inline ::testing::AssertionResult ScansAs(const Store& store, const Model& model) {
  const std::unique_ptr<Iterator> iterator = store.NewIterator();
  auto expected = model.begin();
  for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next(), ++expected) {
    if (expected == model.end()) return ::testing::AssertionFailure() << "too much: " << Printable(iterator->key());
    if (iterator->key() != expected->first) {
      return ::testing::AssertionFailure()
             << "forward: wanted " << Printable(expected->first) << ", got " << Printable(iterator->key());
    }
    if (iterator->value() != expected->second) {
      return ::testing::AssertionFailure() << "value of " << Printable(expected->first) << ": wanted "
                                           << Printable(expected->second) << ", got " << Printable(iterator->value());
    }
  }
  if (!iterator->status().ok()) return ::testing::AssertionFailure() << iterator->status().ToString();
  if (expected != model.end()) return ::testing::AssertionFailure() << "missing: " << Printable(expected->first);
  auto backward = model.rbegin();
  for (iterator->SeekToLast(); iterator->Valid(); iterator->Prev(), ++backward) {
    if (backward == model.rend() || iterator->key() != backward->first || iterator->value() != backward->second) {
      return ::testing::AssertionFailure() << "backward: wrong at " << Printable(iterator->key());
    }
  }
  if (!iterator->status().ok()) return ::testing::AssertionFailure() << iterator->status().ToString();
  if (backward != model.rend())
    return ::testing::AssertionFailure() << "backward: missing " << Printable(backward->first);
  return ::testing::AssertionSuccess();
}

// Whether a get of each key answers as the model does.
inline ::testing::AssertionResult GetsAs(const Store& store, const Model& model) {
  std::string value;
  for (const auto& [key, expected] : model) {
    const absl::Status status = store.Get(key, &value);
    if (!status.ok()) return ::testing::AssertionFailure() << "get " << Printable(key) << ": " << status.ToString();
    if (value != expected) {
      return ::testing::AssertionFailure()
             << "get " << Printable(key) << ": wanted " << Printable(expected) << ", got " << Printable(value);
    }
  }
  return ::testing::AssertionSuccess();
}

}  // namespace sealkv::testing

#endif  // SEALKV_TESTS_MODEL_H_
