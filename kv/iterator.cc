#include "kv/iterator.h"

#include <algorithm>
#include <array>
#include <new>
#include <tuple>
#include <utility>

namespace sealkv::internal {
namespace {

// The least string greater than all that begin with `prefix`; nothing if there is none.
std::optional<std::string> AfterPrefix(std::string prefix) {
  while (!prefix.empty() && static_cast<unsigned char>(prefix.back()) == 0xff) prefix.pop_back();
  if (prefix.empty()) return std::nullopt;
  prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
  return prefix;
}

// Of iterators that are gone.
class SpareMemory {
 public:
  ~SpareMemory() {
    while (void* const memory = Take()) ::operator delete(memory, kAlignment);
    is_over_ = true;
  }
  // nullptr: there is none.
  void* Take() { return !is_over_ && count_ > 0 ? blocks_[--count_] : nullptr; }
  // Whether there is room for it.
  bool Keep(void* memory) {
    if (is_over_ || count_ == blocks_.size()) return false;
    blocks_[count_++] = memory;
    return true;
  }

  static constexpr std::align_val_t kAlignment{alignof(RangeIterator)};

 private:
  std::array<void*, 2> blocks_{};
  size_t count_ = 0;
  static thread_local bool is_over_;  // an iterator may outlive its thread's objects
};
constinit thread_local bool SpareMemory::is_over_ = false;
constinit thread_local SpareMemory spare_memory;

}  // namespace

void* RangeIterator::operator new(size_t bytes, std::align_val_t alignment) {
  void* const memory = spare_memory.Take();
  return memory != nullptr ? memory : ::operator new(bytes, alignment);
}

void RangeIterator::operator delete(void* memory, std::align_val_t alignment) {
  if (!spare_memory.Keep(memory)) ::operator delete(memory, alignment);
}

std::pair<std::string, std::optional<std::string>> BoundsOf(Range&& range) {
  std::string lower = std::max(std::move(range.lower).value_or(std::string()), range.prefix);
  std::optional<std::string> upper = std::move(range.upper);
  if (!range.prefix.empty()) {
    std::optional<std::string> after = AfterPrefix(std::move(range.prefix));
    if (after.has_value() && (!upper.has_value() || *after < *upper)) upper = std::move(after);
  }
  return {std::move(lower), std::move(upper)};
}

RangeIterator::RangeIterator(const Tree& tree, Epochs& epochs, Range&& range,
                             std::shared_ptr<const OpenSnapshot> snapshot)
    : snapshot_(std::move(snapshot)),
      cursor_(snapshot_ != nullptr ? Cursor(tree, epochs, snapshot_->view()) : Cursor(tree, epochs)) {
  std::tie(lower_, upper_) = BoundsOf(std::move(range));
}

// What throws leaves it standing on nothing, to be sought again: the cursor may be anywhere then.
void RangeIterator::SeekToFirst() {
  StandOnNothing();
  if (lower_.empty()) {
    cursor_.SeekToFirst();
  } else {
    cursor_.Seek(lower_);
  }
  CheckUpper();
}

void RangeIterator::SeekToLast() {
  StandOnNothing();
  if (upper_.has_value()) {
    cursor_.SeekBefore(*upper_);
  } else {
    cursor_.SeekToLast();
  }
  CheckLower();
}

void RangeIterator::Seek(std::string_view key) {
  if (key <= std::string_view(lower_)) return SeekToFirst();
  StandOnNothing();
  cursor_.Seek(key);
  CheckUpper();
}

void RangeIterator::SeekForPrev(std::string_view key) {
  if (upper_.has_value() && key >= std::string_view(*upper_)) return SeekToLast();
  StandOnNothing();
  cursor_.SeekForPrev(key);
  CheckLower();
}

void RangeIterator::Next() {
  // Most often: then the iterator's key and value lie where they lay, too.
  if (!upper_.has_value() && cursor_.NextInline()) return;
  NextOtherwise();
}

void RangeIterator::NextOtherwise() {
  StandOnNothing();
  cursor_.Next();
  CheckUpper();
}

void RangeIterator::Prev() {
  StandOnNothing();
  cursor_.Prev();
  CheckLower();
}

}  // namespace sealkv::internal
