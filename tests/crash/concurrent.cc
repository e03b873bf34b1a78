#include "tests/crash/concurrent.h"

#include <functional>
#include <utility>

#include "daxfile/dax_file.h"
#include "kv/sealkv.h"
#include "tests/crash/linearizable.h"
#include "tests/crash/recorder.h"
#include "tests/crash/schedule.h"
#include "tests/crash/single_step.h"
#include "tests/memory_store.h"

namespace sealkv::crash {
namespace {

class LinearizableExpectation : public Expectation {
 public:
  explicit LinearizableExpectation(const ConcurrentRecording& recording) : recording_(recording) {
    for (const std::string& key : recording.keys) {
      const auto found = recording.initial.find(key);
      histories_.emplace(key, found == recording.initial.end() ? std::nullopt : Value(found->second));
    }
  }

  void Apply(const Event& mark) override {
    ++version_;
    if (mark.count < recording_.first_operation) return;
    const Call& call = recording_.calls[mark.count];
    if (call.operation.action != Action::kScan) {
      return Apply(mark, histories_.at(call.operation.key), call.operation, call.answer);
    }
    // A scan is a get of each key, at some time between its begin and its end.
    static const Operation get = Get("");
    const std::map<std::string, std::string> seen(call.contents.begin(), call.contents.end());
    for (auto& [key, history] : histories_) {
      const auto found = seen.find(key);
      Answer answer{absl::StatusCode::kNotFound, std::nullopt};
      if (found != seen.end()) answer = {absl::StatusCode::kOk, found->second};
      Apply(mark, history, get, answer);
    }
  }
  uint64_t version() const override { return version_; }
  bool MayBeNoStore() const override { return false; }
  const std::set<std::string>& keys() const override { return recording_.keys; }

  std::string Complaint(const Contents& contents) const override {
    auto found = contents.begin();
    for (const auto& [key, history] : histories_) {  // ascending, as the contents
      if (found != contents.end() && found->first < key) break;
      const bool is_there = found != contents.end() && found->first == key;
      const Value value = is_there ? Value(found++->second) : std::nullopt;
      const std::set<Value>& allowed = history.Allowed();
      if (allowed.contains(value)) continue;
      if (allowed.empty()) return "no order of the calls explains the answers about " + testing::Printable(key);
      return testing::Printable(key) + " is " + Text(value) + "; allowed: " + Text(allowed);
    }
    return found == contents.end() ? "" : "a key that nobody put: " + testing::Printable(found->first);
  }

  // A key with answers that can't be; empty: none.
  std::string FindContradiction() const {
    for (const auto& [key, history] : histories_) {
      if (history.Allowed().empty())
        return "no order of the calls explains the answers about " + testing::Printable(key);
    }
    return "";
  }

 private:
  static void Apply(const Event& mark, KeyHistory& history, const Operation& operation, const Answer& answer) {
    if (mark.kind == EventKind::kOperationBegin) return history.Begin(mark.count, operation);
    history.End(mark.count, answer);
  }
  static std::string Text(const Value& value) { return value.has_value() ? testing::Printable(*value) : "absent"; }
  static std::string Text(const std::set<Value>& values) {
    std::string text;
    for (const Value& value : values) text += (text.empty() ? "" : " or ") + Text(value);
    return text;
  }

  const ConcurrentRecording& recording_;
  std::map<std::string, KeyHistory> histories_;
  uint64_t version_ = 0;
};

class ConcurrentRunner {
 public:
  explicit ConcurrentRunner(const ConcurrentScenario& scenario)
      : scenario_(scenario),
        memory_(scenario.memory_bytes),
        recorder_(memory_.span()),
        schedule_(scenario.seed, scenario.switch_percent) {}

  ConcurrentRecording Run() {
    SetUp();
    recording_.first_operation = recording_.calls.size();
    recorder_.SetBeforeAction([this] { schedule_.Yield(); });
    std::vector<std::function<void()>> bodies;
    for (unsigned i = 0; i < scenario_.threads.size(); ++i) bodies.push_back([this, i] { RunThread(i + 1); });
    schedule_.Run(bodies);
    recorder_.SetBeforeAction(nullptr);
    if (const auto offset = recorder_.FindBypassingStore(); offset.has_value()) {
      recording_.problems.push_back("a store bypassed the seam, at offset " + std::to_string(*offset));
    }
    store_.reset();
    for (const std::string& stray : recorder_.strays()) recording_.problems.push_back(stray);
    recording_.log = recorder_.log();
    CheckAnswers();
    return std::move(recording_);
  }

 private:
  void SetUp() {
    const uint64_t number = Begin(Format(), 0);
    auto store = Store::Format(daxfile::DaxFile::OverMemory(memory_.span(), &recorder_));
    recorder_.EndOperation(number);
    if (!store.ok()) return recording_.problems.push_back(store.status().ToString());
    store_ = *std::move(store);
    for (const Operation& operation : scenario_.setup) {
      const uint64_t call = Begin(operation, 0);
      const auto found = recording_.initial.find(operation.key);
      Value value = found == recording_.initial.end() ? std::nullopt : Value(found->second);
      const bool is_as_expected = ApplyTo(*store_, operation) == ApplyTo(value, operation);
      recorder_.EndOperation(call);
      if (!is_as_expected) recording_.problems.push_back("in the setup: " + crash::Describe(operation));
      recording_.initial.erase(operation.key);
      if (value.has_value()) recording_.initial.emplace(operation.key, *value);
    }
    (void)store_->WaitUntilSpaceIsKnown();  // else a thread of the store's own might begin to look for it
  }

  void RunThread(unsigned thread) {
    recorder_.Enter(static_cast<ThreadNumber>(thread));
    for (const Operation& operation : scenario_.threads[thread - 1]) {
      schedule_.Yield();
      const uint64_t number = Begin(operation, thread);
      if (operation.action == Action::kScan) {
        Contents contents = ReadAll();
        recording_.calls[number].contents = std::move(contents);
      } else {
        const bool is_stepped = thread == scenario_.stepped_thread && SingleStep::IsAvailable();
        Answer answer = is_stepped ? ApplyStepped(operation) : ApplyTo(*store_, operation);
        if (answer.code == absl::StatusCode::kResourceExhausted && !MayFindNoSpace(operation.action)) {
          recording_.problems.push_back("found no space, and needs none: " + crash::Describe(operation));
        }
        recording_.calls[number].answer = std::move(answer);
      }
      recorder_.EndOperation(number);
    }
  }

  Answer ApplyStepped(const Operation& operation) {
    constexpr uint64_t kInstructions = 60;  // from one interruption to the next, on average
    const SingleStep step([this] { schedule_.Yield(kInstructions); });
    return ApplyTo(*store_, operation);
  }

  uint64_t Begin(const Operation& operation, unsigned thread) {
    if (operation.action > Action::kRecover && operation.action != Action::kScan) recording_.keys.insert(operation.key);
    recording_.calls.push_back({operation, thread, {}, {}});
    return recorder_.BeginOperation();
  }

  Contents ReadAll() {
    Contents contents;
    const std::unique_ptr<Iterator> iterator = store_->NewIterator();
    for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) {
      contents.emplace_back(iterator->key(), iterator->value());
      schedule_.Yield();
    }
    if (!iterator->status().ok()) recording_.problems.push_back("a scan: " + iterator->status().ToString());
    return contents;
  }

  void CheckAnswers() {
    LinearizableExpectation expectation(recording_);
    for (const Event& event : recording_.log.events) {
      if (!event.is_mark()) continue;
      expectation.Apply(event);
      if (std::string found = expectation.FindContradiction(); !found.empty()) {
        return recording_.problems.push_back(std::move(found));
      }
    }
  }

  const ConcurrentScenario& scenario_;
  testing::Memory memory_;
  Recorder recorder_;
  Schedule schedule_;
  std::unique_ptr<Store> store_;
  ConcurrentRecording recording_;
};

}  // namespace

std::unique_ptr<Expectation> ConcurrentRecording::NewExpectation() const {
  return std::make_unique<LinearizableExpectation>(*this);
}

ConcurrentRecording Record(const ConcurrentScenario& scenario) { return ConcurrentRunner(scenario).Run(); }

}  // namespace sealkv::crash
