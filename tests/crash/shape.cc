#include "tests/crash/shape.h"

#include "kv/image.h"

namespace sealkv::crash {
namespace {

using internal::Image;
using internal::Kind;
using internal::Node;
using internal::Offset;
using internal::Perm;
using internal::PrefixKind;
using internal::RecordRef;
using internal::RecordView;
using internal::SegmentKind;
using internal::SegmentWord;

class Walker {
 public:
  Walker(std::span<std::byte> memory, std::vector<bool>* live_words) : image_(memory.data()), live_words_(live_words) {}

  Shape Walk() {
    MarkLive(0, internal::Superblock::kSegmentTableOffset + image_.most_segments() * sizeof(uint64_t));
    ReadTable();
    shape_.root = image_.superblock().root;
    shape_.parts = Image::PartCount(image_.superblock());
    const Node* root = image_.NodeAt(static_cast<Offset>(shape_.root));
    if (root == nullptr) {
      Contradict("no root", shape_.root);
      return std::move(shape_);
    }
    shape_.top_level = root->level();
    WalkNode(static_cast<Offset>(shape_.root));
    const Offset log_root{image_.superblock().log_root};
    if (log_root == Offset::kNone) return std::move(shape_);
    is_in_log_ = true;
    WalkNode(log_root);
    const Node* const node = image_.NodeAt(log_root);
    if (node != nullptr) shape_.log_top_level = node->level();
    return std::move(shape_);
  }

 private:
  void Contradict(const char* what, uint64_t at) {
    if (shape_.contradiction.empty()) shape_.contradiction = std::string(what) + " at " + std::to_string(at);
  }

  void MarkLive(uint64_t offset, uint64_t bytes) {
    if (live_words_ == nullptr) return;
    for (uint64_t word = offset / 8; word < (offset + bytes) / 8; ++word) (*live_words_)[word] = true;
  }

  void ReadTable() {
    owner_.resize(image_.segment_count(), 0);
    kinds_.resize(image_.segment_count(), SegmentKind::kFree);
    uint64_t run_end = 0;
    for (uint64_t segment = image_.header_segments(); segment < image_.segment_count(); ++segment) {
      const SegmentWord word = image_.segment_word(segment);
      if (!word.IsWellFormed(segment, image_.segment_count())) Contradict("a segment word", segment);
      if (word.kind() == SegmentKind::kFree) continue;
      ++shape_.segments[word.kind()];
      if (segment < run_end) Contradict("a used segment inside a run", segment);
      run_end = segment + word.run_length();
      for (uint64_t i = segment; i < std::min(run_end, image_.segment_count()); ++i) {
        owner_[i] = segment;
        kinds_[i] = word.kind();
      }
    }
  }

  void Use(uint64_t offset, SegmentKind kind, SegmentKind other_kind) {
    const uint64_t segment = image_.SegmentOf(Offset{offset});
    shape_.live_segments.insert(owner_[segment]);
    if (kinds_[segment] != kind && kinds_[segment] != other_kind)
      Contradict("a live object in a segment of another kind", offset);
  }

  void WalkNode(Offset offset) {
    const Node* node = image_.NodeAt(offset);
    if (node == nullptr || !node->perm().IsWellFormed()) return Contradict("not a node", Raw(offset));
    std::set<uint64_t>& nodes = is_in_log_ ? (node->is_leaf() ? shape_.log_leaves : shape_.log_inner)
                                           : (node->is_leaf() ? shape_.leaves : shape_.inner);
    const bool is_new = nodes.insert(Raw(offset)).second;
    if (!is_new) return Contradict("a node reached twice", Raw(offset));
    Use(Raw(offset), SegmentKind::kNodes, SegmentKind::kNodes);
    shape_.node_bytes += internal::kNodeBytes;
    const Perm perm = node->perm();
    for (const unsigned word : {Node::kPermWord, Node::kKindsWord, Node::kPrefixWord}) {
      MarkLive(Raw(offset) + 8 * word, 8);
    }
    for (unsigned i = 0; i < perm.count(); ++i) {
      const unsigned slot = perm.slot(i);
      MarkLive(Raw(offset) + 8 * Node::SliceWord(slot), 8);
      MarkLive(Raw(offset) + 8 * Node::RefWord(slot), 8);
      if (!node->is_leaf()) {
        WalkNode(node->child(slot));
        continue;
      }
      const Kind kind = node->kinds().kind(slot);
      if (is_in_log_) {
        shape_.log_entries.push_back(node->slice(slot));
      } else {
        ++shape_.entries[kind];
      }
      if (kind == Kind::kLayer) {
        WalkLayer(node->child(slot));
      } else if (IsRecord(kind)) {
        SeeRecord(node->record(slot).offset());
      }
    }
  }

  void WalkLayer(Offset offset) {
    const Node* root = image_.NodeAt(offset);
    if (root == nullptr) return Contradict("not a layer", Raw(offset));
    shape_.layer_roots.insert(Raw(offset));
    const PrefixKind prefix = root->kinds().prefix();
    size_t prefix_bytes = prefix == PrefixKind::kInline ? 8 : 0;
    if (prefix == PrefixKind::kRecord) {
      const Offset record = RecordRef::FromRaw(root->prefix_word()).offset();
      SeeRecord(record);
      const RecordView view = image_.RecordAt(record);
      if (!view.is_null()) prefix_bytes = view.key().size();
    }
    shape_.layer_prefix_bytes.insert(prefix_bytes);
    WalkNode(offset);
  }

  void SeeRecord(Offset offset) {
    const RecordView record = image_.RecordAt(offset);
    if (record.is_null()) return Contradict("not a record", Raw(offset));
    if (!record.ChecksumHolds()) Contradict("a torn record", Raw(offset));
    if (!shape_.records.insert(Raw(offset)).second) Contradict("a record reached twice", Raw(offset));
    Use(Raw(offset), SegmentKind::kRecords, SegmentKind::kLarge);
    shape_.record_bytes += record.bytes();
    MarkLive(Raw(offset), record.bytes());
  }

  const Image image_;
  std::vector<bool>* const live_words_;
  std::vector<uint64_t> owner_;  // by segment: the first of its run
  std::vector<SegmentKind> kinds_;
  bool is_in_log_ = false;
  Shape shape_;
};

}  // namespace

Shape ShapeOf(std::span<std::byte> memory, std::vector<bool>* live_words) {
  if (live_words != nullptr) live_words->assign(memory.size() / sizeof(uint64_t), false);
  return Walker(memory, live_words).Walk();
}

}  // namespace sealkv::crash
