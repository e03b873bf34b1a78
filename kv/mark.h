// The background pass after an open: walks the trees in key order and counts what lives in each segment that was in
// use. It closes the gate for a few hundred entries at a time; writers go on in between. Until it is through, new
// objects go to segments that were free at open, so what it counts can only become less, and Heap keeps count of that.
//
// Thread safety: Step needs the gate closed; is_done may be asked by any thread.
#ifndef SEALKV_KV_MARK_H_
#define SEALKV_KV_MARK_H_

#include <atomic>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "kv/epoch.h"
#include "kv/heap.h"
#include "kv/tree.h"

namespace sealkv::internal {

class Marker {
 public:
  Marker(std::vector<const Tree*> trees, Heap& heap, Epochs& epochs)
      : trees_(std::move(trees)), heap_(heap), epochs_(epochs) {}

  // Counts up to `entries` more. True: through, or failed.
  bool Step(unsigned entries);
  bool is_done() const { return is_done_; }
  // Why the pass couldn't finish: then the space of the segments in question is never used again in this session.
  const absl::Status& status() const { return status_; }

 private:
  // The same in one tree. False: not through; or failed, then is_done_.
  bool StepIn(const Tree& tree, unsigned* entries);
  bool Fail(absl::Status status);

  const std::vector<const Tree*> trees_;
  size_t at_tree_ = 0;
  Heap& heap_;
  Epochs& epochs_;
  bool has_begun_ = false;
  std::atomic<bool> is_done_{false};
  absl::Status status_;
  std::string last_key_;
  bool has_last_key_ = false;
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_MARK_H_
