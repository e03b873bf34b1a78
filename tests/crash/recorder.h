// Stands behind the persistence seam and writes the log (log.h) from which durability.h and crash_images.h make every
// state that a power cut could leave.
//
// The recorder also keeps a shadow: the memory as the log says it must be. A store that reached the memory without
// passing the seam is found by comparing the two (FindBypassingStore).
//
// Threads: any number, but only one may act at a time (schedule.h sees to that): the log is one sequence. Each but the
// one that made the recorder says who it is (Enter); an action of any other is a stray, and a test must find none.
#ifndef SEALKV_TESTS_CRASH_RECORDER_H_
#define SEALKV_TESTS_CRASH_RECORDER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "daxfile/persist.h"
#include "daxfile/site.h"
#include "tests/crash/log.h"

namespace sealkv::crash {

class Recorder : public daxfile::PersistObserver {
 public:
  // The memory must be cache-line aligned and hold still until the first event. The calling thread is number 0.
  explicit Recorder(std::span<std::byte> memory);
  ~Recorder() override;

  // The calling thread is this one from now on.
  void Enter(ThreadNumber thread);
  // Called before each action, by the thread that is about to act. Other threads may act meanwhile.
  void SetBeforeAction(std::function<void()> before_action) { before_action_ = std::move(before_action); }

  void OnStore(const uint64_t* word, uint64_t value, const daxfile::Site& site) override;
  void OnCopy(const void* to, const void* from, size_t bytes, bool non_temporal, const daxfile::Site& site) override;
  void OnFlush(const void* address, size_t bytes, const daxfile::Site& site) override;
  void OnFence(const daxfile::Site& site) override;

  // Operations are numbered from 0, in the order of their begins. Those of one thread don't nest.
  uint64_t BeginOperation();
  void EndOperation(uint64_t operation);

  const Log& log() const { return log_; }

  // The offset of a word that differs from what was stored through the seam, if there is one. Words that are, or were,
  // the lock words of nodes don't count. To be called between operations.
  std::optional<uint64_t> FindBypassingStore();
  // What the recorder couldn't make sense of: misaligned copies, stores outside the memory, unknown threads. And what
  // no log can put in order: a write where another thread's non-temporal copy waits for its fence, and may come later
  // still.
  const std::vector<std::string>& strays() const { return strays_; }

 private:
  // The event of an action, but for what it acts on. Nothing: a stray.
  std::optional<Event> NewEvent(EventKind kind, const char* action, const daxfile::Site& site);
  SiteId SiteOf(const daxfile::Site& site, const char* action);
  // Words of [address, address + bytes), as indices; nothing (and a stray) if that isn't whole words of the memory.
  std::optional<uint64_t> FirstWordOf(const void* address, size_t bytes, const char* action);
  void AddWrite(Event event, const void* from);
  void FindRace(const Event& write);

  const std::span<std::byte> memory_;
  std::function<void()> before_action_;
  Log log_;
  std::map<Site, SiteId> site_ids_;
  uint64_t operations_ = 0;
  std::vector<uint64_t> shadow_;
  std::vector<bool> is_volatile_;              // by word
  std::map<uint64_t, ThreadNumber> unfenced_;  // words of non-temporal copies: whose fence they wait for
  std::vector<std::string> strays_;
};

}  // namespace sealkv::crash

#endif  // SEALKV_TESTS_CRASH_RECORDER_H_
