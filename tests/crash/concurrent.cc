#include "tests/crash/concurrent.h"

#include <functional>
#include <utility>

#include "daxfile/dax_file.h"
#include "kv/epoch.h"
#include "kv/sealkv.h"
#include "tests/crash/held.h"
#include "tests/crash/linearizable.h"
#include "tests/crash/recorder.h"
#include "tests/crash/schedule.h"
#include "tests/crash/single_step.h"
#include "tests/memory_store.h"

namespace sealkv::crash {
namespace {

class LinearizableExpectation : public Expectation {
 public:
  explicit LinearizableExpectation(const ConcurrentRecording& recording)
      : recording_(recording), history_(recording.initial) {}

  void Apply(const Event& mark) override {
    ++version_;
    if (mark.count < recording_.first_operation) return;
    const Call& call = recording_.calls[mark.count];
    if (mark.kind == EventKind::kOperationBegin) return history_.Begin(mark.count, call.operation);
    history_.End(mark.count, call.answer);
  }
  uint64_t version() const override { return version_; }
  bool MayBeNoStore() const override { return false; }
  const std::set<std::string>& keys() const override { return recording_.keys; }
  bool IsExplained() const { return history_.IsExplained(); }

  std::string Complaint(const Contents& contents) const override {
    const testing::Model model(contents.begin(), contents.end());
    const std::set<testing::Model>& allowed = history_.Allowed();
    if (allowed.contains(model)) return "";
    if (allowed.empty()) return "no order of the calls explains the answers";
    for (const std::string& key : KeysOf(model)) {
      std::set<Value> values;
      for (const testing::Model& state : allowed) values.insert(ValueIn(state, key));
      if (values.contains(ValueIn(model, key))) continue;
      return testing::Printable(key) + " is " + Text(ValueIn(model, key)) + "; allowed: " + Text(values);
    }
    return "each key has a value that is allowed, but not all together: " + Text(model);
  }

 private:
  // The keys of the calls, and what else is there.
  std::set<std::string> KeysOf(const testing::Model& model) const {
    std::set<std::string> keys = recording_.keys;
    for (const auto& [key, value] : model) keys.insert(key);
    return keys;
  }
  static Value ValueIn(const testing::Model& model, const std::string& key) {
    const auto found = model.find(key);
    return found == model.end() ? std::nullopt : Value(found->second);
  }
  static std::string Text(const Value& value) { return value.has_value() ? testing::Printable(*value) : "absent"; }
  static std::string Text(const std::set<Value>& values) {
    std::string text;
    for (const Value& value : values) text += (text.empty() ? "" : " or ") + Text(value);
    return text;
  }
  // What differs from the state before the threads.
  std::string Text(const testing::Model& model) const {
    std::string text;
    for (const std::string& key : KeysOf(model)) {
      const Value value = ValueIn(model, key);
      if (value != ValueIn(recording_.initial, key)) text += testing::Printable(key) + " " + Text(value) + "; ";
    }
    return text;
  }

  const ConcurrentRecording& recording_;
  History history_;
  uint64_t version_ = 0;
};

class ConcurrentRunner {
  static inline const Operation kClose = Close();

 public:
  explicit ConcurrentRunner(const ConcurrentScenario& scenario)
      : scenario_(scenario),
        memory_(scenario.memory_bytes),
        recorder_(memory_.span()),
        schedule_(scenario.seed, scenario.switch_percent),
        held_(scenario.threads.size() + 1),
        opened_(scenario.threads.size() + 1) {}

  ConcurrentRecording Run() {
    SetUp();
    recording_.first_operation = recording_.calls.size();
    recorder_.SetBeforeAction([this] { schedule_.Yield(); });
    std::vector<std::function<void()>> bodies;
    for (unsigned i = 0; i < scenario_.threads.size(); ++i) bodies.push_back([this, i] { RunThread(i + 1); });
    schedule_.Run(bodies);
    recorder_.SetBeforeAction(nullptr);
    if (held_[0].Apply(*store_, kClose).contents != seen_by_setup_) {
      recording_.problems.push_back("a snapshot of the setup doesn't show what was there then");
    }
    if (const auto offset = recorder_.FindBypassingStore(); offset.has_value()) {
      recording_.problems.push_back("a store bypassed the seam, at offset " + std::to_string(*offset));
    }
    held_.clear();
    store_.reset();
    for (const std::string& stray : recorder_.strays()) recording_.problems.push_back(stray);
    recording_.log = recorder_.log();
    CheckAnswers();
    return std::move(recording_);
  }

 private:
  void SetUp() {
    const uint64_t number = Begin(Format(), 0);
    auto store = Store::Format(daxfile::DaxFile::OverMemory(memory_.span(), &recorder_), Background::kNone);
    recorder_.EndOperation(number);
    if (!store.ok()) return recording_.problems.push_back(store.status().ToString());
    store_ = *std::move(store);
    for (const Operation& operation : scenario_.setup) {
      const uint64_t call = Begin(operation, 0);
      const Answer expected = crash::ApplyTo(recording_.initial, operation);
      const Answer answer =
          Held::Concerns(operation.action) ? held_[0].Apply(*store_, operation) : crash::ApplyTo(*store_, operation);
      recorder_.EndOperation(call);
      if (held_[0].has_snapshot() && seen_by_setup_.empty()) seen_by_setup_ = expected.contents;
      if (answer.code != expected.code) recording_.problems.push_back("in the setup: " + crash::Describe(operation));
    }
    (void)store_->WaitUntilSpaceIsKnown();  // else a thread of the store's own might begin to look for it
  }

  void RunThread(unsigned thread) {
    internal::internal_epoch::slot_hint = thread;
    recorder_.Enter(static_cast<ThreadNumber>(thread));
    for (const Operation& operation : scenario_.threads[thread - 1]) RunOperation(thread, operation);
    if (held_[thread].has_snapshot()) RunOperation(thread, kClose);
  }

  void RunOperation(unsigned thread, const Operation& operation) {
    schedule_.Yield();
    const uint64_t number = Begin(operation, thread);
    const bool is_stepped = thread == scenario_.stepped_thread && SingleStep::IsAvailable();
    Answer answer = is_stepped ? ApplyStepped(thread, operation) : Apply(thread, operation);
    if (answer.code == absl::StatusCode::kResourceExhausted && !MayFindNoSpace(operation, /*has_snapshots=*/true)) {
      recording_.problems.push_back("found no space, and needs none: " + crash::Describe(operation));
    }
    // What a snapshot shows was so when it was opened.
    if (operation.action == Action::kClose) {
      recording_.calls[opened_[thread]].answer.contents = std::exchange(answer.contents, {});
    } else if (operation.action == Action::kOpenSnapshot || operation.action == Action::kOpenIterator) {
      opened_[thread] = number;
    }
    recording_.calls[number].answer = std::move(answer);
    recorder_.EndOperation(number);
  }

  Answer Apply(unsigned thread, const Operation& operation) {
    const auto in_between = [this] { schedule_.Yield(); };
    return Held::Concerns(operation.action) ? held_[thread].Apply(*store_, operation, in_between)
                                            : crash::ApplyTo(*store_, operation, in_between);
  }

  Answer ApplyStepped(unsigned thread, const Operation& operation) {
    constexpr uint64_t kInstructions = 60;  // from one interruption to the next, on average
    const SingleStep step([this] { schedule_.Yield(kInstructions); });
    return Apply(thread, operation);
  }

  uint64_t Begin(const Operation& operation, unsigned thread) {
    AddKeysOf(operation, &recording_.keys);
    recording_.calls.push_back({operation, thread, {}});
    return recorder_.BeginOperation();
  }

  void CheckAnswers() {
    LinearizableExpectation expectation(recording_);
    for (const Event& event : recording_.log.events) {
      if (!event.is_mark()) continue;
      expectation.Apply(event);
      if (expectation.IsExplained()) continue;
      return recording_.problems.push_back("no order of the calls explains the answers, from operation " +
                                           std::to_string(event.count) + " on: " + recording_.Describe(event.count));
    }
  }

  const ConcurrentScenario& scenario_;
  testing::Memory memory_;
  Recorder recorder_;
  Schedule schedule_;
  std::unique_ptr<Store> store_;
  std::vector<Held> held_;  // by thread; let go of before the store is
  Contents seen_by_setup_;
  std::vector<uint64_t> opened_;  // by thread: which call opened the snapshot
  ConcurrentRecording recording_;
};

}  // namespace

std::unique_ptr<Expectation> ConcurrentRecording::NewExpectation() const {
  return std::make_unique<LinearizableExpectation>(*this);
}

ConcurrentRecording Record(const ConcurrentScenario& scenario) { return ConcurrentRunner(scenario).Run(); }

}  // namespace sealkv::crash
