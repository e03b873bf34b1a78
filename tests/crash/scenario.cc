#include "tests/crash/scenario.h"

#include <algorithm>
#include <memory>
#include <thread>
#include <utility>

#include "daxfile/dax_file.h"
#include "kv/sealkv.h"
#include "tests/crash/held.h"
#include "tests/crash/recorder.h"
#include "tests/memory_store.h"

namespace sealkv::crash {
namespace {

using testing::Model;

// One of the states between operations: before or after the one in flight.
class StatesExpectation : public Expectation {
 public:
  explicit StatesExpectation(const ScenarioRecording& recording) : recording_(recording) {}

  void Apply(const Event& mark) override {
    const uint64_t k = mark.count;
    ++version_;
    allowed_ = {&recording_.states[k + 1]};
    may_be_no_store_ = false;
    if (mark.kind == EventKind::kOperationEnd) return;
    if (recording_.states[k] != recording_.states[k + 1]) allowed_.push_back(&recording_.states[k]);
    may_be_no_store_ = recording_.operations[k].action == Action::kFormat;
  }
  uint64_t version() const override { return version_; }
  bool MayBeNoStore() const override { return may_be_no_store_; }
  const std::set<std::string>& keys() const override { return recording_.keys; }

  std::string Complaint(const Contents& contents) const override {
    std::string complaint = "a store where there should be none";
    for (const State* state : allowed_) {
      if (!state->has_value()) continue;
      const auto [found, expected] =
          std::mismatch(contents.begin(), contents.end(), (*state)->begin(), (*state)->end(),
                        [](const auto& a, const auto& b) { return a.first == b.first && a.second == b.second; });
      if (found == contents.end() && expected == (*state)->end()) return "";
      complaint = found == contents.end() ? "the scan doesn't show " + testing::Printable(expected->first)
                                          : "the scan shows " + testing::Printable(found->first) + " = " +
                                                testing::Printable(found->second);
    }
    return complaint;
  }

 private:
  const ScenarioRecording& recording_;
  std::vector<const State*> allowed_;
  bool may_be_no_store_ = false;
  uint64_t version_ = 0;
};

class Runner {
 public:
  explicit Runner(const Scenario& scenario)
      : memory_(scenario.memory_bytes, scenario.memory_fill), recorder_(WithImage(memory_.span(), scenario.image)) {
    if (scenario.capacity_bytes > 0) capacity_ = {scenario.capacity_bytes, scenario.memory_bytes};
    capacity_.change_log_bytes = scenario.change_log_bytes;
  }

  ScenarioRecording Run(const Scenario& scenario) {
    may_be_full_ = scenario.may_be_full;
    const bool has_store = !scenario.image.empty();
    recording_.states.push_back(has_store ? State(scenario.image_contents) : std::nullopt);
    for (const auto& [key, value] : scenario.image_contents) recording_.keys.insert(key);
    const bool formats_itself = scenario.setup.empty() && scenario.operations[0].action == Action::kFormat;
    if (!formats_itself && !has_store) Do(Format(), nullptr);
    for (const Operation& operation : scenario.setup) Do(operation, nullptr);
    recording_.first_operation = recording_.operations.size();
    for (const Operation& operation : scenario.operations) Do(operation, scenario.happened);
    LetGoOfStore();
    for (const std::string& stray : recorder_.strays()) recording_.problems.push_back(stray);
    recording_.log = recorder_.log();
    return std::move(recording_);
  }

 private:
  static std::span<std::byte> WithImage(std::span<std::byte> memory, const std::vector<std::byte>& image) {
    std::copy(image.begin(), image.end(), memory.begin());
    return memory;
  }

  void Do(const Operation& operation, const std::function<bool(const Shape&, const Shape&)>& happened) {
    const bool look = happened != nullptr && recording_.states.back().has_value();
    const Shape before = look ? ShapeOf(memory_.span()) : Shape();
    const std::string where = "operation " + std::to_string(recording_.operations.size()) + ": ";
    State state = recording_.states.back();
    const uint64_t number = recorder_.BeginOperation();
    const std::string problem = Apply(operation, &state);
    recorder_.EndOperation(number);
    if (!problem.empty()) recording_.problems.push_back(where + problem);
    if (const auto offset = recorder_.FindBypassingStore(); offset.has_value()) {
      recording_.problems.push_back(where + "a store bypassed the seam, at offset " + std::to_string(*offset));
    }
    recording_.operations.push_back(operation);
    recording_.states.push_back(std::move(state));
    AddKeysOf(operation, &recording_.keys);
    if (happened == nullptr) return;
    const Shape after = ShapeOf(memory_.span());
    if (!after.contradiction.empty()) recording_.problems.push_back(where + after.contradiction);
    recording_.times_happened += happened(before, after);
  }

  // To the store, and to what it should hold. Returns what is wrong.
  std::string Apply(const Operation& operation, State* state) {
    if (operation.IsOpening()) return Open(operation.action, state);
    const bool may_find_no_space = may_be_full_ && MayFindNoSpace(operation, held_.has_snapshot());
    const Answer answer = operation.action == Action::kGrow  ? GrowByAnotherThread()
                          : Held::Concerns(operation.action) ? held_.Apply(*store_, operation)
                                                             : crash::ApplyTo(*store_, operation);
    if (answer.code == absl::StatusCode::kResourceExhausted && may_find_no_space) {
      return IsNearlyFull(operation) ? "" : "found no space where there is enough";
    }
    Answer expected = crash::ApplyTo(state->value(), operation);
    // What a snapshot shows is told when it is closed.
    if (operation.action == Action::kOpenSnapshot || operation.action == Action::kOpenIterator) {
      seen_by_held_ = std::exchange(expected.contents, {});
    } else if (operation.action == Action::kClose) {
      expected.contents = std::exchange(seen_by_held_, {});
    }
    if (answer == expected) return "";
    return crash::Describe(operation) + " answered " + absl::StatusCodeToString(answer.code) + ", or another value";
  }

  // Whether an operation may fail. A record that isn't large takes one segment, nodes never more than two.
  bool IsNearlyFull(const Operation& operation) {
    constexpr uint64_t kEnough = 3;
    const Stats stats = store_->GetStats();
    const bool is_large = 2 * BytesOf(operation) > stats.segment_bytes || operation.action == Action::kDeleteRange;
    return is_large || stats.segments_free < kEnough;
  }

  // As the store's own does it.
  Answer GrowByAnotherThread() {
    Answer answer;
    std::thread([&] {
      recorder_.Enter(1);
      answer = crash::ApplyTo(*store_, Grow());
    }).join();
    return answer;
  }

  void LetGoOfStore() {
    held_.LetGo();
    seen_by_held_.clear();
    store_.reset();
  }

  std::string Open(Action action, State* state) {
    LetGoOfStore();
    daxfile::DaxFile file = daxfile::DaxFile::OverMemory(memory_.span(), &recorder_);
    auto store = action == Action::kFormat ? Store::Format(std::move(file), Background::kNone, capacity_)
                                           : Store::Attach(std::move(file), Background::kNone);
    if (action == Action::kFormat) *state = Model{};
    if (!store.ok()) return store.status().ToString();
    store_ = *std::move(store);
    const absl::Status status = action == Action::kRecover ? store_->WaitUntilSpaceIsKnown() : absl::OkStatus();
    return status.ok() ? "" : status.ToString();
  }

  testing::Memory memory_;
  Recorder recorder_;
  std::unique_ptr<Store> store_;
  Held held_;  // let go of before the store is
  Contents seen_by_held_;
  ScenarioRecording recording_;
  bool may_be_full_ = false;
  Capacity capacity_;
};

}  // namespace

std::unique_ptr<Expectation> ScenarioRecording::NewExpectation() const {
  return std::make_unique<StatesExpectation>(*this);
}

ScenarioRecording Record(const Scenario& scenario) { return Runner(scenario).Run(scenario); }

}  // namespace sealkv::crash
