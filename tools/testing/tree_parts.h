// What a sound store is made of, and where it lies: so that tests can damage each part of it.
#ifndef SEALKV_TOOLS_TESTING_TREE_PARTS_H_
#define SEALKV_TOOLS_TESTING_TREE_PARTS_H_

#include <vector>

#include "kv/image.h"

namespace sealkv::testing {

struct TreeParts {
  std::vector<internal::Offset> nodes;    // from the root downwards, in key order
  std::vector<internal::Offset> records;  // those of prefixes too
};

inline void AddParts(const internal::Image& image, internal::Offset at, TreeParts& parts) {
  using internal::Kind;
  parts.nodes.push_back(at);
  const internal::Node* node = image.NodeAt(at);
  if (node->kinds().prefix() == internal::PrefixKind::kRecord) {
    parts.records.push_back(internal::RecordRef::FromRaw(node->prefix_word()).offset());
  }
  for (unsigned i = 0; i < node->perm().count(); ++i) {
    const unsigned slot = node->perm().slot(i);
    const Kind kind = node->kinds().kind(slot);
    if (!node->is_leaf() || kind == Kind::kLayer) {
      AddParts(image, node->child(slot), parts);
    } else if (internal::IsRecord(kind)) {
      parts.records.push_back(node->record(slot).offset());
    }
  }
}

inline TreeParts PartsOf(const internal::Image& image) {
  TreeParts parts;
  AddParts(image, static_cast<internal::Offset>(image.superblock().root), parts);
  return parts;
}

}  // namespace sealkv::testing

#endif  // SEALKV_TOOLS_TESTING_TREE_PARTS_H_
