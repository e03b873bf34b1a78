#include "tests/history/key_class.h"

#include <array>
#include <string>

namespace sealkv::history {
namespace {

// What is known of a key's operations so far.
struct Uses {
  bool has_adds = false;
  bool has_other_writes = false;
  bool is_beyond_rule = false;
  std::array<unsigned, kCounterThreads> additions = {};
  std::array<bool, kCounterThreads> may_be_missing = {};
};

void NoteAdd(const ProgramNode& node, const Instruction& instruction, Uses& uses) {
  uses.has_adds = true;
  const unsigned thread = node.transaction->thread;
  if (thread >= kCounterThreads || instruction.delta != CounterDelta(thread) || node.is_aborted) {
    uses.is_beyond_rule = true;
    return;
  }
  // Of an addition that may be missing it would be unclear whether a count has it or the one behind it.
  uses.is_beyond_rule |= uses.may_be_missing[thread] || ++uses.additions[thread] > kMostAdditions;
  uses.may_be_missing[thread] |= node.is_optional;
}

void Note(const ProgramNode& node, const Instruction& instruction, std::vector<Uses>& uses) {
  switch (instruction.action) {
    case Action::kGet:
    case Action::kScan:
      break;
    case Action::kAdd:
      NoteAdd(node, instruction, uses[instruction.first]);
      break;
    case Action::kPutIfAbsent:
      // Whether it wrote isn't known.
      uses[instruction.first].is_beyond_rule |= !instruction.was_there.has_value();
      [[fallthrough]];
    default:
      for (Key key = instruction.first; key < instruction.last; ++key) uses[key].has_other_writes = true;
  }
}

bool MayCount(const Program& program, Key key) {
  const Value& initial = program.values().TextOf(program.initial()[key]);
  return !initial.has_value() || *initial == WordValue(0);
}

}  // namespace

std::vector<KeyClass> ClassifyKeys(const Program& program) {
  std::vector<Uses> uses(program.keys().size());
  for (const ProgramNode& node : program.nodes()) {
    for (const Instruction& instruction : node.instructions) Note(node, instruction, uses);
  }
  std::vector<KeyClass> classes;
  for (Key key = 0; key < uses.size(); ++key) {
    const Uses& one = uses[key];
    if (one.is_beyond_rule || (one.has_adds && (one.has_other_writes || !MayCount(program, key)))) {
      classes.push_back(KeyClass::kOther);
    } else {
      classes.push_back(one.has_adds ? KeyClass::kCounter : KeyClass::kRegister);
    }
  }
  return classes;
}

std::vector<bool> AllButRegisters(const std::vector<KeyClass>& classes) {
  std::vector<bool> are_others(classes.size());
  for (Key key = 0; key < classes.size(); ++key) are_others[key] = classes[key] != KeyClass::kRegister;
  return are_others;
}

}  // namespace sealkv::history
