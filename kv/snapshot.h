// An open snapshot, shared by whoever reads at it; closed when the last of them lets go.
#ifndef SEALKV_KV_SNAPSHOT_H_
#define SEALKV_KV_SNAPSHOT_H_

#include "kv/tree.h"

namespace sealkv::internal {

class StoreImpl;

class OpenSnapshot {
 public:
  // StoreImpl::NewSnapshot makes it, and sets the view then: without memory there is no snapshot to close.
  explicit OpenSnapshot(StoreImpl& store) : store_(store) {}
  ~OpenSnapshot();
  OpenSnapshot(const OpenSnapshot&) = delete;
  OpenSnapshot& operator=(const OpenSnapshot&) = delete;

  StoreImpl& store() const { return store_; }
  const SnapshotView& view() const { return view_; }
  void set_view(const SnapshotView& view) { view_ = view; }

 private:
  StoreImpl& store_;
  SnapshotView view_;
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_SNAPSHOT_H_
