// What a sound store is made of and where it lies, so that tests can damage each part of it; and which differences a
// damage explains that no checker can notice, for what was changed is said once (docs/format.md, "What damage shows").
#ifndef SEALKV_TOOLS_TESTING_ANATOMY_H_
#define SEALKV_TOOLS_TESTING_ANATOMY_H_

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kv/image.h"
#include "kv/sealkv.h"

namespace sealkv::testing {

class Anatomy {
 public:
  using Offset = internal::Offset;
  using Node = internal::Node;
  using Kind = internal::Kind;

  // A key's entries, from the root of the top layer to where it is: one in each node on the way.
  struct Entry {
    Offset node;
    unsigned slot;
  };
  struct KeyPlace {
    std::vector<Entry> way;
    bool is_inline = false;
    Offset word_value = Offset::kNone;  // of the 8-byte value, inline or in a record
  };

  // `image` must stay, and stay sound.
  explicit Anatomy(const internal::Image& image) : image_(image) {
    std::vector<Entry> way;
    Visit(static_cast<Offset>(image.superblock().root), way);
  }

  const internal::Image& image() const { return image_; }
  const std::vector<Offset>& nodes() const { return nodes_; }      // from the root downwards, in key order
  const std::vector<Offset>& records() const { return records_; }  // those of prefixes too
  const std::map<std::string, KeyPlace>& keys() const { return keys_; }

 private:
  void Visit(Offset at, std::vector<Entry>& way) {
    nodes_.push_back(at);
    const Node* node = image_.NodeAt(at);
    if (node->kinds().prefix() == internal::PrefixKind::kRecord) {
      records_.push_back(internal::RecordRef::FromRaw(node->prefix_word()).offset());
    }
    for (unsigned i = 0; i < node->perm().count(); ++i) {
      const unsigned slot = node->perm().slot(i);
      const Kind kind = node->kinds().kind(slot);
      way.push_back({at, slot});
      if (!node->is_leaf() || kind == Kind::kLayer) {
        Visit(node->child(slot), way);
      } else if (kind == Kind::kInline) {
        keys_[U64Key(node->slice(slot))] = {way, true, at + 8 * Node::RefWord(slot)};
      } else {
        const internal::RecordView record = image_.RecordAt(node->record(slot).offset());
        records_.push_back(node->record(slot).offset());
        keys_[std::string(record.key())] = {
            way, false, record.has_word_value() ? image_.OffsetOf(record.value_word()) : Offset::kNone};
      }
      way.pop_back();
    }
  }

  const internal::Image& image_;
  std::vector<Offset> nodes_;
  std::vector<Offset> records_;
  std::map<std::string, KeyPlace> keys_;
};

// A damaged copy of that store. Each answer is the class of a word that was changed and that nothing else repeats, or
// null: then the difference should have been noticed.
class Excuses {
 public:
  // Keeps a copy: what is written to the damaged store later is no excuse.
  Excuses(const Anatomy& sound, std::span<const std::byte> damaged)
      : sound_(sound), damaged_(damaged.begin(), damaged.end()) {
    const auto* before = reinterpret_cast<const uint64_t*>(sound.image().base());
    const auto* after = reinterpret_cast<const uint64_t*>(damaged.data());
    for (size_t i = 0; i < damaged.size() / sizeof(uint64_t); ++i) {
      if (before[i] != after[i]) changed_.push_back(i * sizeof(uint64_t));
    }
  }

  bool are_none() const { return changed_.empty(); }

  const char* ForMissing(std::string_view key) const {
    const Anatomy::KeyPlace& place = sound_.keys().at(std::string(key));
    if (LeadsToOtherRoot()) return kRoot;
    if (RootIsACopy()) return kRootCopy;
    for (const Anatomy::Entry& entry : place.way) {
      if (!Names(Perm(entry.node), entry.slot)) return kPerm;
      if (IsChanged(entry.node + 8 * Node::kKindsWord) && KindOf(entry) == Kind::kInline) return kKind;
    }
    const Anatomy::Entry& last = place.way.back();
    return place.is_inline && IsChanged(last.node + 8 * Node::SliceWord(last.slot)) ? kInlineKey : nullptr;
  }

  const char* ForWrongValue(std::string_view key, std::string_view value) const {
    const Offset at = sound_.keys().at(std::string(key)).word_value;
    if (at != Offset::kNone && IsChanged(at) && BytesAt(at) == value) return kWordValue;
    return ForMadeUp(key, value);  // another entry's key became this one
  }

  // Only 8-byte keys with 8-byte values come from nothing.
  const char* ForMadeUp(std::string_view key, std::string_view value) const {
    if (key.size() != 8 || value.size() != 8) return nullptr;
    for (const uint64_t word : changed_) {
      const Offset node{word / internal::kNodeBytes * internal::kNodeBytes};
      if (std::find(sound_.nodes().begin(), sound_.nodes().end(), node) == sound_.nodes().end()) continue;
      for (unsigned slot = internal::kFirstSlot; slot < 16; ++slot) {
        const Offset slice = node + 8 * Node::SliceWord(slot);
        if (U64Key(WordAt(slice)) != key || !Names(Perm(node), slot) || KindOf({node, slot}) != Kind::kInline) continue;
        if (word == Raw(slice)) return kInlineKey;
        if (word == Raw(node + 8 * Node::kPermWord)) return kPerm;
        if (word == Raw(node + 8 * Node::kKindsWord)) return kKind;
      }
    }
    return nullptr;
  }

  static constexpr const char* kRoot = "the root word leads to another of the tree's nodes";
  static constexpr const char* kRootCopy = "the root became a copy of another of the tree's nodes";
  static constexpr const char* kPerm = "a permutation names fewer or other slots";
  static constexpr const char* kKind = "an entry's kind became that of inline pairs";
  static constexpr const char* kInlineKey = "an inline key stays in its place in order";
  static constexpr const char* kWordValue = "an 8-byte value";

 private:
  using Offset = Anatomy::Offset;
  using Node = Anatomy::Node;
  using Kind = Anatomy::Kind;

  uint64_t WordAt(Offset at) const { return *reinterpret_cast<const uint64_t*>(damaged_.data() + Raw(at)); }
  std::string_view BytesAt(Offset at) const { return {reinterpret_cast<const char*>(damaged_.data() + Raw(at)), 8}; }
  bool IsChanged(Offset word) const { return std::binary_search(changed_.begin(), changed_.end(), Raw(word)); }
  internal::Perm Perm(Offset node) const { return internal::Perm(WordAt(node + 8 * Node::kPermWord)); }
  Kind KindOf(const Anatomy::Entry& entry) const {
    return internal::Kinds(WordAt(entry.node + 8 * Node::kKindsWord)).kind(entry.slot);
  }
  static bool Names(internal::Perm perm, unsigned slot) {
    for (unsigned i = 0; i < perm.count(); ++i) {
      if (perm.slot(i) == slot) return true;
    }
    return false;
  }
  bool LeadsToOtherRoot() const {
    constexpr Offset kRootWord{offsetof(internal::Superblock, root)};
    return IsChanged(kRootWord) &&
           std::find(sound_.nodes().begin(), sound_.nodes().end(), Offset{WordAt(kRootWord)}) != sound_.nodes().end();
  }

  bool RootIsACopy() const {
    const auto* root = damaged_.data() + Raw(sound_.nodes().front());
    return IsChanged(sound_.nodes().front()) &&
           std::any_of(sound_.nodes().begin(), sound_.nodes().end(), [&](Offset node) {
             return std::memcmp(root, sound_.image().base() + Raw(node), internal::kNodeBytes) == 0;
           });
  }

  const Anatomy& sound_;
  const std::vector<std::byte> damaged_;
  std::vector<uint64_t> changed_;  // offsets of words, ascending
};

}  // namespace sealkv::testing

#endif  // SEALKV_TOOLS_TESTING_ANATOMY_H_
