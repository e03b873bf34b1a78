#include "tests/kill/death.h"

#include <signal.h>
#include <unistd.h>

#include <functional>
#include <string_view>

namespace sealkv::kill {
namespace {

// For each death that a trail had, so many more actions must pass before one may die there again.
constexpr uint64_t kActionsPerDeath = 5000;

// Ten bits for each of the last six lines that acted.
thread_local uint64_t trail = 0;

size_t TrailIndex() { return (trail * 0x9e3779b97f4a7c15) >> (64 - kTrailsLog2); }

}  // namespace

void Die() {
  ::kill(getpid(), SIGKILL);
  for (;;) pause();
}

void Death::BeginTrail() { trail = 0; }

void Death::OnStore(const uint64_t*, uint64_t, const daxfile::Site& site) { Count(site, true); }
void Death::OnCopy(const void*, const void*, size_t, bool, const daxfile::Site& site) { Count(site, true); }
void Death::OnFlush(const void*, size_t, const daxfile::Site& site) { Count(site, true); }
// A flush changes nothing that a kill would leave, so here a death would be the one at the flush again.
void Death::OnFence(const daxfile::Site& site) { Count(site, false); }

void Death::Count(const daxfile::Site& site, bool may_die) {
  const uint64_t action = actions_.fetch_add(1);
  if (life_.killer == Killer::kAction) {
    if (action >= life_.moment) Die();
    return;
  }
  const uint64_t line = std::hash<std::string_view>()(site.file_name()) ^ site.line() * 0x9e3779b97f4a7c15;
  trail = trail << 10 | line >> 54;
  if (!may_die || action < life_.moment) return;
  std::atomic<uint32_t>& deaths = journal_.deaths[TrailIndex()];
  if (deaths * kActionsPerDeath > action - life_.moment) return;
  ++deaths;
  Die();
}

}  // namespace sealkv::kill
