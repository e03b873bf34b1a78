#include "tests/history/linearizable.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "tests/history/program.h"

namespace sealkv::history {
namespace {

// Histories of all keys, in one pass.
class Projector {
 public:
  explicit Projector(const History& history) : keys_(Program(history).keys()) {
    for (const std::string& key : keys_) histories_[key];
    for (const auto& row : history.initial) histories_[row.first].initial.insert(row);
    for (const Transaction& transaction : history.transactions) Project(transaction);
  }

  std::map<std::string, History> Take() { return std::move(histories_); }

 private:
  void Project(const Transaction& transaction) {
    for (const Step& step : transaction.steps) {
      if (step.action != Action::kScan && step.action != Action::kDeleteRange) {
        PartOf(transaction, step.key).push_back(step);
        continue;
      }
      const auto first = std::lower_bound(keys_.begin(), keys_.end(), step.key);
      const auto last = step.upper.has_value() ? std::lower_bound(first, keys_.end(), *step.upper) : keys_.end();
      for (auto key = first; key < last; ++key) PartOf(transaction, *key).push_back(PartOf(step, *key));
    }
  }

  // The steps of the transaction's part, which is made with the first of them. Its times are the whole's: what is left
  // may only read where the whole wrote.
  std::vector<Step>& PartOf(const Transaction& transaction, const std::string& key) {
    std::vector<Transaction>& all = histories_[key].transactions;
    if (last_part_.try_emplace(key, nullptr).first->second != &transaction) {
      last_part_[key] = &transaction;
      Transaction part{.kind = transaction.kind, .thread = transaction.thread, .outcome = transaction.outcome};
      part.begin = part.commit = IntervalOf(transaction).first;
      part.end = transaction.end;
      all.push_back(std::move(part));
    }
    return all.back().steps;
  }

  static Step PartOf(const Step& step, const std::string& key) {
    if (step.action == Action::kDeleteRange) return Delete(key);
    const auto row =
        std::find_if(step.rows.begin(), step.rows.end(), [&](const Row& shown) { return shown.first == key; });
    return Get(key, row == step.rows.end() ? Value() : Value(row->second));
  }

  const std::vector<std::string> keys_;
  std::map<std::string, History> histories_;
  std::map<std::string, const Transaction*> last_part_;  // by key
};

std::string TextOf(const History& history, const SerialOrder& search) {
  const Program program(history);
  std::string text = "after " + std::to_string(search.longest) + " of " + std::to_string(program.nodes().size()) +
                     ", in whatever order, none of these fits:\n";
  for (const Node node : search.stuck) text += "  " + Describe(*program.nodes()[node].transaction) + "\n";
  return text;
}

}  // namespace

History Projection(const History& history, const std::string& key) {
  std::map<std::string, History> all = Projector(history).Take();
  return std::move(all[key]);
}

LinearizabilityReport CheckLinearizability(const History& history, const SearchOptions& options) {
  LinearizabilityReport report;
  for (const auto& [key, part] : Projector(history).Take()) {
    const SerialOrder search = FindSerialOrder(part, options);
    report.states += search.states;
    if (search.verdict == Verdict::kYes || report.verdict == Verdict::kNo) continue;
    report.verdict = search.verdict;
    report.key = key;
    report.text = TextOf(part, search);
  }
  return report;
}

}  // namespace sealkv::history
