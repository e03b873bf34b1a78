// Reads at snapshots, beside the victim's writers: what is written together agrees there, and stays as it is.
#ifndef SEALKV_TESTS_KILL_SNAPSHOT_READER_H_
#define SEALKV_TESTS_KILL_SNAPSHOT_READER_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "kv/sealkv.h"
#include "tests/kill/journal.h"

namespace sealkv::kill {

class SnapshotReader {
 public:
  SnapshotReader(Store& store, Journal& journal, unsigned writers);

  // Opens a snapshot and reads at it; again when `meanwhile` has returned. Empty, or what is wrong.
  std::string Read(const std::function<void()>& meanwhile);

 private:
  using Values = std::vector<std::optional<std::string>>;  // of each set of keys, one: they agree

  absl::StatusOr<Values> ReadAll(const Snapshot& snapshot) const;
  static absl::StatusOr<std::optional<std::string>> ReadSet(const Snapshot& snapshot,
                                                            const std::vector<std::string>& keys);

  Store& store_;
  Journal& journal_;
  std::vector<std::vector<std::string>> sets_;  // the twins, then each writer's group
};

}  // namespace sealkv::kill

#endif  // SEALKV_TESTS_KILL_SNAPSHOT_READER_H_
