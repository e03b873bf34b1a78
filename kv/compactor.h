// Compaction of record segments: of one that is mostly dead, each record that lives is written anew elsewhere, and its
// entry led there, by the same commit as an update's. What is left is free as soon as nobody can be looking at it.
//
// Which records live in a segment isn't written down anywhere: it is read from its beginning to its end, record by
// record, and the tree is asked for each key whether its entry leads here. What lies there besides (the rest of a write
// that a crash cut off, the blob of a batch) is no record by its checksum, and passed over.
//
// A record at which an open snapshot, a pinned value or an iterator may be looking stays where it is until they are
// gone: so does the segment, then. A layer's prefix isn't moved.
//
// (Log-structured memory: Rumble, Kejriwal, Ousterhout, "Log-structured memory for DRAM-based storage", FAST 2014. Here
// segments are chosen by what is alive in them alone, the emptiest first.)
//
// Thread safety: one thread at a time.
#ifndef SEALKV_KV_COMPACTOR_H_
#define SEALKV_KV_COMPACTOR_H_

#include <cstdint>
#include <optional>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kv/heap.h"
#include "kv/image.h"
#include "kv/reference.h"

namespace sealkv::internal {

class Compactor {
 public:
  Compactor(const Image& image, Heap& heap) : image_(image), heap_(heap) {}

  // Moves all that can be moved out of the segment that is least alive, and returns which that is. `relocate` moves the
  // record at an offset, if anything leads to it. Nothing: there is none of which a 64th or more is dead.
  // ResourceExhausted: there is no space for what lives in it.
  absl::StatusOr<std::optional<uint64_t>> EmptyOneSegment(absl::FunctionRef<absl::Status(Offset record)> relocate);

 private:
  const Image& image_;
  Heap& heap_;
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_COMPACTOR_H_
