// The process that is killed: the test's own program, started again. From inside, what it does; from outside, its
// start and its end.
#ifndef SEALKV_TESTS_KILL_VICTIM_H_
#define SEALKV_TESTS_KILL_VICTIM_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "tests/kill/journal.h"

namespace sealkv::kill {

// To be called first in main(): if this process was started to be a victim, does what the journal says and doesn't
// come back.
void BecomeVictimIfAsked(int argc, char** argv);

class Victim {
 public:
  // Starts it, for the life that the journal describes.
  explicit Victim(const SharedJournal& journal);
  ~Victim();
  Victim(const Victim&) = delete;
  Victim& operator=(const Victim&) = delete;

  // Waits until it is dead. Killer::kTest: until its moment has come, and `pauses` instructions longer; then kills it.
  // Returns what went wrong if it ended in any other way than by SIGKILL.
  std::string AwaitDeath(uint64_t pauses);

 private:
  const Life& life_;
  pid_t pid_ = -1;
  int progress_fd_ = -1;
};

}  // namespace sealkv::kill

#endif  // SEALKV_TESTS_KILL_VICTIM_H_
