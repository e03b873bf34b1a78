// Knows what must be in the store when a victim is dead, and looks whether it is.
#ifndef SEALKV_TESTS_KILL_ORACLE_H_
#define SEALKV_TESTS_KILL_ORACLE_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kv/sealkv.h"
#include "tests/kill/journal.h"
#include "tests/kill/script.h"
#include "tests/model.h"

namespace sealkv::kill {

// What the lives so far came to.
struct Tally {
  uint64_t operations = 0;
  uint64_t in_flight = 0;           // begun, not ended, and to be seen if they were done
  uint64_t in_flight_there = 0;     // and they were
  uint64_t together_in_flight = 0;  // of those in flight: batches and transactions
  uint64_t together_there = 0;
  uint64_t batches_to_finish = 0;  // committed, and finished by the next open
  uint64_t no_space = 0;
  uint64_t before_open = 0;    // kills before the store was open
  uint64_t before_end = 0;     // kills after that, before an operation of that life had ended
  uint64_t during_pass = 0;    // kills while the background pass ran, or waited to
  uint64_t most_segments = 0;  // in use at a kill, of the most that were
  uint64_t most_parts = 0;
};

class Oracle {
 public:
  Oracle(uint64_t seed, unsigned writers);

  // Judges the store after a life. Empty, or what is wrong. The store is left as the victim left it: the next one has
  // to cope with that by itself.
  std::string Judge(SharedJournal& journal);

  const Tally& tally() const { return tally_; }
  size_t keys() const { return model_.size(); }

 private:
  struct InFlight {
    unsigned writer;
    uint64_t number;
    Operation operation;
  };

  // Applies what was acknowledged since the last time.
  std::string CatchUp(Journal& journal);
  void Apply(const Operation& operation);
  std::optional<std::string> InModel(std::string_view key) const;
  void NoteInFlight(const Operation& operation, bool is_there);

  // Looks which of those in flight were done. The model is then what the store must hold.
  std::string Settle(const Store& store);
  std::string SettleOwnKeys(const Store& store, const InFlight& in_flight);
  std::string SettleCounter(const Store& store, size_t counter);
  std::string SettleTwins(const Store& store);
  // Which of the additions in flight there were, by the sum.
  std::string SettleSum(const Store& store, std::string_view key, const std::vector<const Operation*>& adds);

  std::string CompareWithModel(const Store& store, const Journal& journal) const;
  std::string CompareSums(const Journal& journal) const;
  // On a copy of the store: opened for writing, it is sound, and nothing is in use that can't be reached.
  std::string FindLeak(const std::string& path);

  std::vector<Script> scripts_;
  std::vector<uint64_t> applied_;  // by writer: operations that are in the model, or known not to have happened
  std::vector<InFlight> in_flight_;
  testing::Model model_;
  Tally tally_;
};

}  // namespace sealkv::kill

#endif  // SEALKV_TESTS_KILL_ORACLE_H_
