// Life after life of one store: a victim writes and is killed, the store is judged, the next victim goes on with it.
#ifndef SEALKV_TESTS_KILL_LIVES_H_
#define SEALKV_TESTS_KILL_LIVES_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "tests/kill/journal.h"
#include "tests/kill/oracle.h"
#include "tests/random.h"

namespace sealkv::kill {

struct Plan {
  uint64_t seed = 0;
  std::string test;  // its name: who runs it alone, with the seed, has the same lives
  std::string directory;
  uint64_t capacity_bytes = 0;
  uint64_t max_bytes = 0;  // it grows as far as this
  unsigned writers = 4;
  // The moment of a kill is drawn evenly from 0 to 2^n, n from 0 to this: many early kills, some late ones.
  unsigned most_moment_log2 = 0;
  uint64_t most_pauses = 0;       // between the moment and the kill
  uint64_t change_log_bytes = 0;  // how much it keeps of what is changed
  bool may_kill_itself = true;    // two of three lives end between two actions at the seam (Killer::kAction, kTrail)
};

class Lives {
 public:
  explicit Lives(const Plan& plan);
  ~Lives();  // removes the store, unless something was wrong with it
  Lives(const Lives&) = delete;
  Lives& operator=(const Lives&) = delete;

  // Makes the store. Empty, or what went wrong; so do the others.
  std::string Begin();
  // One more life, and the judgement.
  std::string Next();

  uint64_t count() const { return count_; }
  const Tally& tally() const { return oracle_.tally(); }
  // One line: what the lives came to.
  std::string Summary() const;

 private:
  void Draw(Life& life);

  const Plan plan_;
  const std::string path_;
  testing::Random random_;
  SharedJournal journal_;
  Oracle oracle_;
  uint64_t count_ = 0;
  bool is_evidence_ = false;
  std::string tier_;
  std::chrono::steady_clock::time_point begin_;  // for the summary only
};

}  // namespace sealkv::kill

#endif  // SEALKV_TESTS_KILL_LIVES_H_
