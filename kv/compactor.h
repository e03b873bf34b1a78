// Compaction: what lives in a segment that is mostly dead moves elsewhere, each object by one commit of its own, and
// the segment is free as soon as nobody can be looking at it any more.
//
// A record is written anew, and its entry led there, as by an update. Which records live in a segment isn't written
// down anywhere: it is read from its beginning to its end, record by record, and the tree is asked for each key whether
// its entry leads here. What lies there besides (the rest of a write that a crash cut off, the blob of a batch) is no
// record by its checksum, and passed over. A node is copied, and the word that leads to it led to the copy.
//
// Any number of threads share the work: each takes a few objects, moves them, and says that it has. What is looked at
// by an open snapshot, a pinned value or an iterator stays until they are gone: so does the segment, then. A layer's
// prefix isn't moved.
//
// (Log-structured memory: Rumble, Kejriwal, Ousterhout, "Log-structured memory for DRAM-based storage", FAST 2014. Here
// segments are chosen by what is alive in them alone, the emptiest first.)
//
// Thread safety: any, by callers who are outside of the gate.
#ifndef SEALKV_KV_COMPACTOR_H_
#define SEALKV_KV_COMPACTOR_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "kv/gate.h"
#include "kv/heap.h"
#include "kv/image.h"
#include "kv/reference.h"
#include "kv/writer_lock.h"

namespace sealkv::internal {

class Compactor {
 public:
  Compactor(const Image& image, Heap& heap, Gate& gate) : image_(image), heap_(heap), gate_(gate) {}

  // Objects that somebody has taken on, all in one segment.
  struct Share {
    uint64_t segment = 0;
    bool are_nodes = false;
    absl::InlinedVector<Offset, 32> objects;
  };
  // Up to so many objects that may have to move; there may be none in a share. Nothing: no segment is worth emptying,
  // or (then IsBusy) this isn't the time to begin another one.
  std::optional<Share> Take(size_t most, Heap::Thrift thrift);
  // The same; nothing, too, if somebody else is about to take some.
  std::optional<Share> TryToTake(size_t most, Heap::Thrift thrift);

  // They have been moved, or must stay. `go_on`: false if there is no space for the rest. True: it was the last share
  // of its segment, which is free now, or will be when nobody can see what was moved.
  bool Done(const Share& share, bool go_on);

  // Whether somebody has a share.
  bool IsBusy();

 private:
  struct Work {
    Heap::Emptying emptying;
    uint64_t at = 0;  // of a record segment: an offset in the file; of a node segment: a place in the list of nodes
    unsigned shares = 0;
    bool is_walked = false;
    bool is_given_up = false;
  };

  std::optional<Share> TakeLocked(size_t most, Heap::Thrift thrift);
  void Walk(Work& work, size_t most, Share* share) const;
  void WalkRecords(Work& work, size_t most, Share* share) const;

  const Image& image_;
  Heap& heap_;
  Gate& gate_;
  WriterLock mutex_;
  std::vector<Work> works_;  // the last one may not be walked to its end yet; shares of the others are out
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_COMPACTOR_H_
