// The writer's view of the processes that read its store: it tells them its epoch, and finds the oldest one that any of
// them is in. Costs a plain store when an epoch begins, and a system call when something is about to be freed; nothing
// else, whether there are readers or not.
//
// Epochs go on from one writer to the next, for a reader may be in one that a writer before this began: the first epoch
// here is later than all of these. So what earlier writers left unreachable, and the background pass after the open
// finds, must wait until no reader is in an epoch before the first.
//
// The reader's side is kv/live_reader.h; docs/design.md, "Other processes", has the argument.
//
// Thread safety: any.
#ifndef SEALKV_KV_FOREIGN_READERS_H_
#define SEALKV_KV_FOREIGN_READERS_H_

#include <cstdint>

#include "daxfile/dax_file.h"
#include "kv/image.h"
#include "kv/sealkv.h"

namespace sealkv::internal {

class ForeignReaders {
 public:
  // For whoever has just opened the store for writing.
  ForeignReaders(const daxfile::DaxFile& file, const Image& image);

  // This writer's first epoch.
  uint64_t first_epoch() const { return first_epoch_; }
  void Publish(uint64_t epoch) const;
  // The oldest epoch that a reader is in, or `none` if that is older. What the caller stored before this is seen by
  // all readers that come too late to be found.
  uint64_t Oldest(uint64_t none) const;
  // Whether all that readers may look at is known to Oldest(): none is left from before this writer.
  bool AreAllFromNow() const { return Oldest(first_epoch_) == first_epoch_; }

  // Who they are, as far as that can be told from here.
  void Describe(uint64_t current_epoch, Stats& stats) const;

 private:
  const daxfile::DaxFile& file_;
  const Image& image_;
  uint64_t first_epoch_;
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_FOREIGN_READERS_H_
