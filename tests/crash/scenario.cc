#include "tests/crash/scenario.h"

#include <memory>
#include <utility>

#include "daxfile/dax_file.h"
#include "kv/sealkv.h"
#include "kv/superblock.h"
#include "tests/memory_store.h"

namespace sealkv::crash {
namespace {

using testing::Model;
using testing::WordOf;
using testing::WordValue;

// Applies an operation to what a store should hold.
void ApplyToModel(const Operation& operation, State* state) {
  if (operation.action == Action::kFormat) {
    *state = Model{};
    return;
  }
  Model& model = state->value();
  switch (operation.action) {
    case Action::kPut:
      model.insert_or_assign(operation.key, operation.value);
      return;
    case Action::kDelete:
      model.erase(operation.key);
      return;
    case Action::kAdd: {
      const auto [entry, is_new] = model.emplace(operation.key, WordValue(0));
      entry->second = WordValue(WordOf(entry->second) + operation.number);
      return;
    }
    case Action::kCompareAndSwap: {
      const auto entry = model.find(operation.key);
      if (entry != model.end() && entry->second == operation.value) entry->second = WordValue(operation.number);
      return;
    }
    case Action::kFormat:
    case Action::kReopen:
      return;
  }
}

class Runner {
 public:
  explicit Runner(const Scenario& scenario)
      : memory_(scenario.memory_bytes, scenario.memory_fill), recorder_(memory_.span()) {}

  Recording Run(const Scenario& scenario) {
    recording_.states.push_back(std::nullopt);
    const bool formats_itself = scenario.setup.empty() && scenario.operations[0].action == Action::kFormat;
    if (!formats_itself) Do(Format(), nullptr);
    for (const Operation& operation : scenario.setup) Do(operation, nullptr);
    recording_.first_operation = recording_.operations.size();
    for (const Operation& operation : scenario.operations) Do(operation, scenario.happened);
    store_.reset();
    for (const std::string& stray : recorder_.strays()) recording_.problems.push_back(stray);
    recording_.log = recorder_.log();
    return std::move(recording_);
  }

 private:
  void Do(const Operation& operation, const std::function<bool(const Shape&, const Shape&)>& happened) {
    const bool look = happened != nullptr && recording_.states.back().has_value();
    const Shape before = look ? ShapeOf(memory_.span()) : Shape();
    recorder_.BeginOperation();
    const absl::Status status = Apply(operation);
    recorder_.EndOperation();
    const std::string where = "operation " + std::to_string(recording_.operations.size()) + ": ";
    if (!status.ok()) recording_.problems.push_back(where + status.ToString());
    if (const auto offset = recorder_.FindBypassingStore(); offset.has_value()) {
      recording_.problems.push_back(where + "a store bypassed the seam, at offset " + std::to_string(*offset));
    }
    recording_.operations.push_back(operation);
    State state = recording_.states.back();
    ApplyToModel(operation, &state);
    recording_.states.push_back(std::move(state));
    if (happened == nullptr) return;
    const Shape after = ShapeOf(memory_.span());
    if (!after.contradiction.empty()) recording_.problems.push_back(where + after.contradiction);
    recording_.times_happened += happened(before, after);
  }

  absl::Status Apply(const Operation& operation) {
    switch (operation.action) {
      case Action::kFormat:
      case Action::kReopen: {
        store_.reset();
        daxfile::DaxFile file = daxfile::DaxFile::OverMemory(memory_.span(), &recorder_);
        auto store =
            operation.action == Action::kFormat ? Store::Format(std::move(file)) : Store::Attach(std::move(file));
        if (store.ok()) store_ = *std::move(store);
        return store.status();
      }
      case Action::kPut:
        return store_->Put(operation.key, operation.value);
      case Action::kDelete:
        return store_->Delete(operation.key);
      case Action::kAdd:
        return store_->Add(operation.key, operation.number).status();
      case Action::kCompareAndSwap:
        return store_->CompareAndSwap(operation.key, WordOf(operation.value), operation.number).status();
    }
    return absl::OkStatus();
  }

  testing::Memory memory_;
  Recorder recorder_;
  std::unique_ptr<Store> store_;
  Recording recording_;
};

}  // namespace

std::vector<const State*> Recording::AllowedDuring(uint64_t k) const {
  static const State not_a_store;
  std::vector<const State*> allowed = {&states[k], &states[k + 1]};
  if (operations[k].action == Action::kFormat) allowed.push_back(&not_a_store);
  return allowed;
}

Recording Record(const Scenario& scenario) { return Runner(scenario).Run(scenario); }

}  // namespace sealkv::crash
