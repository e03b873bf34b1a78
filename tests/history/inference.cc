#include "tests/history/inference.h"

#include <algorithm>
#include <string>

namespace sealkv::history {

Inference::Inference(const Program& program, const Footprint& footprint, std::vector<bool>& is_certain,
                     DependencyGraph& graph)
    : program_(program),
      footprint_(footprint),
      is_certain_(is_certain),
      graph_(graph),
      versions_(program.keys().size(), Versions(graph.chains().size())) {
  for (const Effect& effect : footprint.effects) {
    if (is_certain_[effect.writer]) {
      AddVersion(effect);
    } else {
      optional_[effect.key].push_back({effect.writer, effect.value});
    }
  }
  for (const Observation& seen : footprint.observations) {
    reads_.push_back({.seen = seen});
    FindCandidates(reads_.back());
  }
}

void Inference::AddVersion(const Effect& effect) {
  const Chains& chains = graph_.chains();
  std::vector<Version>& chain = versions_[effect.key][chains.chain_of(effect.writer)];
  const auto behind = std::partition_point(chain.begin(), chain.end(), [&](const Version& version) {
    return chains.position_of(version.writer) < chains.position_of(effect.writer);
  });
  chain.insert(behind, {effect.writer, effect.value});
}

// What it wrote was seen: it has taken effect.
void Inference::Certify(Node node) {
  is_certain_[node] = true;
  for (const Effect& effect : footprint_.effects) {
    if (effect.writer == node) AddVersion(effect);
  }
}

// Of each chain: the last version that is known to come before the read, and all those behind it that needn't come
// after.
void Inference::FindCandidates(Read& read) {
  const Observation& seen = read.seen;
  const auto consider = [&](const Version& version) {
    if (version.writer != seen.reader && seen.Matches(version.value)) read.candidates.push_back(version.writer);
  };
  if (seen.Matches(program_.initial()[seen.key])) read.candidates.push_back(kInitialState);
  for (size_t i = 0; i < graph_.chains().size(); ++i) {
    const std::vector<Version>& chain = versions_[seen.key][i];
    const Version* last_before = LastBefore(seen.reader, chain, i);
    for (const Version* at = last_before != nullptr ? last_before : chain.data(); at != chain.data() + chain.size();
         ++at) {
      if (IsBefore(seen.reader, at->writer)) break;
      consider(*at);
    }
  }
  const auto optional = optional_.find(seen.key);
  if (optional != optional_.end()) {
    for (const Version& version : optional->second) {
      if (!IsBefore(seen.reader, version.writer)) consider(version);
    }
  }
  if (!read.candidates.empty()) return;
  read.candidates = AllThatMatch(seen);  // wrong, each of them; but they tell what is wrong
}

std::vector<Node> Inference::AllThatMatch(const Observation& seen) const {
  std::vector<Node> matching;
  for (const std::vector<Version>& chain : versions_[seen.key]) {
    for (const Version& version : chain) {
      if (version.writer != seen.reader && seen.Matches(version.value)) matching.push_back(version.writer);
    }
  }
  return matching;
}

void Inference::ReportImpossible(const Observation& seen) {
  AnomalyKind kind = AnomalyKind::kGarbageRead;
  std::vector<Node> nodes{seen.reader};
  if (!seen.is_presence && seen.value != kAbsent) {
    const auto intermediate = footprint_.intermediate.find({seen.key, seen.value});
    if (intermediate != footprint_.intermediate.end()) {
      kind = AnomalyKind::kIntermediateRead;
      nodes.push_back(intermediate->second);
    } else if (program_.WroteAborted(seen.key, seen.value)) {
      kind = AnomalyKind::kAbortedRead;
    }
  }
  const std::string what = seen.is_presence ? "a value" : Describe(program_.values().TextOf(seen.value));
  anomalies_.push_back({kind, program_.keys()[seen.key] + " was seen as " + what, nodes});
}

bool Inference::Run() {
  if (!graph_.Close()) return false;
  bool is_changed = true;
  while (is_changed) {
    is_changed = false;
    for (Read& read : reads_) {
      if (is_certain_[read.seen.reader]) is_changed |= Conclude(read);
    }
    if (!graph_.Close()) {
      PutAllAfter();
      return false;
    }
  }
  return true;
}

// There is a cycle, which may have been closed by the order of time. A dependency that goes the same way says more.
void Inference::PutAllAfter() {
  for (const Read& read : reads_) {
    if (read.is_resolved && read.candidates.size() == 1) PutOthersAfter(read, /*with_known=*/true);
  }
}

bool Inference::Conclude(Read& read) {
  if (read.candidates.empty()) {
    if (!read.is_resolved) ReportImpossible(read.seen);
    read.is_resolved = true;
    return false;
  }
  bool is_changed = read.is_resolved ? false : Narrow(read);
  if (read.candidates.size() == 1) {
    is_changed |= Resolve(read);
    is_changed |= PutOthersBefore(read);
  }
  return PutOthersAfter(read) || is_changed;
}

bool Inference::Narrow(Read& read) {
  std::vector<Node> left;
  for (const Node candidate : read.candidates) {
    const bool is_later = candidate != kInitialState && IsBefore(read.seen.reader, candidate);
    if (!is_later && !IsOverwritten(candidate, read.seen)) left.push_back(candidate);
  }
  if (left.size() == read.candidates.size()) return false;
  if (left.empty()) {
    // None can be: a contradiction. The latest is taken, and its edges will close a cycle that says why not.
    left.push_back(*std::max_element(read.candidates.begin(), read.candidates.end(),
                                     [](Node a, Node b) { return a + 1 < b + 1; }));  // the initial state is the first
  }
  read.candidates = std::move(left);
  return true;
}

bool Inference::IsOverwritten(Node writer, const Observation& seen) const {
  for (size_t i = 0; i < graph_.chains().size(); ++i) {
    const Version* last = LastBefore(seen.reader, versions_[seen.key][i], i);
    if (last != nullptr && last->writer != writer && IsBefore(writer, last->writer)) return true;
  }
  return false;
}

bool Inference::Resolve(Read& read) {
  if (read.is_resolved) return false;
  read.is_resolved = true;
  const Node writer = read.candidates.front();
  sources_[{read.seen.reader, read.seen.key}] = writer;
  if (writer == kInitialState) return false;
  if (!is_certain_[writer]) Certify(writer);
  graph_.Add(writer, {.to = read.seen.reader, .kind = Dependency::kWriteRead, .key = read.seen.key});
  return true;
}

// Of each chain the last version before the read comes before the one that was read.
bool Inference::PutOthersBefore(const Read& read) {
  const Node writer = read.candidates.front();
  if (writer == kInitialState) return false;
  bool is_changed = false;
  for (size_t i = 0; i < graph_.chains().size(); ++i) {
    const Version* last = LastBefore(read.seen.reader, versions_[read.seen.key][i], i);
    if (last == nullptr || last->writer == writer || IsBefore(last->writer, writer)) continue;
    if (IsBefore(writer, last->writer)) continue;  // a contradiction, of which PutOthersAfter makes more sense
    graph_.Add(last->writer, {.to = writer, .kind = Dependency::kWriteWrite, .key = read.seen.key});
    is_changed = true;
  }
  return is_changed;
}

// Of each chain the first version that comes after every candidate comes after the read.
bool Inference::PutOthersAfter(const Read& read, bool with_known) {
  bool is_changed = false;
  for (const std::vector<Version>& chain : versions_[read.seen.key]) {
    auto first = std::partition_point(chain.begin(), chain.end(), [&](const Version& version) {
      return !std::all_of(read.candidates.begin(), read.candidates.end(),
                          [&](Node candidate) { return IsBefore(candidate, version.writer); });
    });
    if (first != chain.end() && first->writer == read.seen.reader) ++first;
    if (first == chain.end() || (!with_known && IsBefore(read.seen.reader, first->writer))) continue;
    graph_.Add(read.seen.reader, {.to = first->writer,
                                  .kind = Dependency::kReadWrite,
                                  .key = read.seen.key,
                                  .is_predicate = read.seen.is_by_scan && read.seen.Matches(kAbsent)});
    is_changed = true;
  }
  return is_changed;
}

const Inference::Version* Inference::LastBefore(Node node, const std::vector<Version>& chain,
                                                size_t chain_number) const {
  const uint32_t count = graph_.before().Count(node, chain_number);
  const auto behind = std::partition_point(chain.begin(), chain.end(), [&](const Version& version) {
    return graph_.chains().position_of(version.writer) < count;
  });
  return behind == chain.begin() ? nullptr : &*std::prev(behind);
}

std::optional<ValueNumber> Inference::ReplacedByBoth(Node a, Node b, Key key) const {
  const auto source_a = sources_.find({a, key});
  const auto source_b = sources_.find({b, key});
  if (source_a == sources_.end() || source_b == sources_.end() || source_a->second != source_b->second) {
    return std::nullopt;
  }
  const bool did_replace = VersionOf(a, key).has_value() && VersionOf(b, key).has_value();
  if (!did_replace) return std::nullopt;
  return source_a->second == kInitialState ? program_.initial()[key] : VersionOf(source_a->second, key);
}

std::optional<ValueNumber> Inference::VersionOf(Node writer, Key key) const {
  for (const Version& version : versions_[key][graph_.chains().chain_of(writer)]) {
    if (version.writer == writer) return version.value;
  }
  return std::nullopt;
}

}  // namespace sealkv::history
