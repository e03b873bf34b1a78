// How a victim ends itself between two actions at the persistence seam: at a given one, or where few have died before.
#ifndef SEALKV_TESTS_KILL_DEATH_H_
#define SEALKV_TESTS_KILL_DEATH_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "daxfile/persist.h"
#include "tests/kill/journal.h"

namespace sealkv::kill {

// SIGKILL, to this process.
[[noreturn]] void Die();

// Sees every action of the victim just before it happens.
//
// A commit that is seldom made would hardly ever be met by a moment drawn at random. So Killer::kTrail looks at the
// trail: the last few lines of source that acted, of this thread and operation. The shorter it is under way, the fewer
// deaths a trail may have had for the victim to die there too; so deaths spread over all trails there are, and a new
// one is taken at once.
class Death : public daxfile::PersistObserver {
 public:
  explicit Death(Journal& journal) : journal_(journal), life_(journal.life) {}

  // The calling thread begins an operation: what it did before is no part of the trail.
  static void BeginTrail();

  void OnStore(const uint64_t* word, uint64_t value, const daxfile::Site& site) override;
  void OnCopy(const void* to, const void* from, size_t bytes, bool non_temporal, const daxfile::Site& site) override;
  void OnFlush(const void* address, size_t bytes, const daxfile::Site& site) override;
  void OnFence(const daxfile::Site& site) override;

 private:
  void Count(const daxfile::Site& site, bool may_die);

  Journal& journal_;
  const Life& life_;
  std::atomic<uint64_t> actions_{0};
};

}  // namespace sealkv::kill

#endif  // SEALKV_TESTS_KILL_DEATH_H_
