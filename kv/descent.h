// The way down, optimistically: read a node, then make sure that nobody wrote to it. No store, no lock. Readers and
// writers share it; a writer then locks, and sees whether the leaf is still as it was.
//
// Most descents are one step: to the leaf where the key's neighbours were seen last (kv/leaf_hints.h). The others go
// hand over hand: a child's version is read before the node that led to it is looked at again. So at some moment both
// were as read, and what the way says about the child (that it is part of the tree, and which slices it covers) was
// true of that version of it.
#ifndef SEALKV_KV_DESCENT_H_
#define SEALKV_KV_DESCENT_H_

#include <cstddef>
#include <cstdint>

#include "kv/node.h"
#include "kv/search.h"

namespace sealkv::internal {

enum class Purpose : uint8_t {
  // What a layer's keys share is not compared: the caller compares the whole key, at the record.
  kRead,
  kWrite,
};

struct Descent {
  enum class Outcome : uint8_t {
    kLeaf,           // `node` is where the key is or would be
    kAbsent,         // kRead: no key of the layer is so short
    kPrefixDiffers,  // kWrite: the key doesn't share the prefix of a layer on the way
    kDamaged,        // `problem` with `node`
  };
  // Nothing is initialized: a descent sets what its outcome has.
  Outcome outcome;
  const Node* node;
  // kLeaf: all that follows was read of the node when it had this version; void if it has another by now.
  LockWord version;
  Perm perm;
  uint64_t slice;
  SliceRange range;  // the entries with this slice
  size_t depth;      // bytes of the key before this layer's slices
  const char* problem;

  Descent() : version(0), perm(0) {}
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_DESCENT_H_
