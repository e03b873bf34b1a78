#include "tests/history/needs.h"

#include <algorithm>

#include "tests/history/footprint.h"
#include "tests/history/key_class.h"

namespace sealkv::history {
namespace {

bool IsAnyBehind(const std::vector<uint32_t>& ends, const std::vector<uint32_t>& done) {
  for (size_t i = 0; i < ends.size(); ++i) {
    if (ends[i] > done[i]) return true;
  }
  return false;
}

}  // namespace

// Only of registers: of other keys it isn't known beforehand what will be written.
Needs::Needs(const Program& program, const Chains& chains, const std::vector<bool>& is_certain) : chains_(chains) {
  const Footprint footprint = FootprintOf(program, AllButRegisters(ClassifyKeys(program)));
  const auto note = [&](std::vector<uint32_t>& ends, Node node) {
    uint32_t& end = ends[chains.chain_of(node)];
    end = std::max(end, chains.position_of(node) + 1);
  };
  for (const Observation& seen : footprint.observations) {
    if (is_certain[seen.reader] && !seen.is_presence) note(EndsOf(seen.key, seen.value).readers, seen.reader);
  }
  for (const Effect& effect : footprint.effects) note(EndsOf(effect.key, effect.value).writers, effect.writer);
}

Needs::Ends& Needs::EndsOf(Key key, ValueNumber value) {
  Ends& ends = ends_[{key, value}];
  ends.readers.resize(chains_.size());
  ends.writers.resize(chains_.size());
  return ends;
}

bool Needs::IsNeeded(Key key, ValueNumber value, const std::vector<uint32_t>& done) const {
  const auto found = ends_.find({key, value});
  if (found == ends_.end()) return false;
  return IsAnyBehind(found->second.readers, done) && !IsAnyBehind(found->second.writers, done);
}

}  // namespace sealkv::history
