// An open snapshot, shared by whoever reads at it; closed when the last of them lets go.
#ifndef SEALKV_KV_SNAPSHOT_H_
#define SEALKV_KV_SNAPSHOT_H_

#include "kv/tree.h"

namespace sealkv::internal {

class StoreImpl;

class OpenSnapshot {
 public:
  OpenSnapshot(StoreImpl& store, const SnapshotView& view) : store_(store), view_(view) {}
  ~OpenSnapshot();
  OpenSnapshot(const OpenSnapshot&) = delete;
  OpenSnapshot& operator=(const OpenSnapshot&) = delete;

  StoreImpl& store() const { return store_; }
  const SnapshotView& view() const { return view_; }

 private:
  StoreImpl& store_;
  const SnapshotView view_;
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_SNAPSHOT_H_
