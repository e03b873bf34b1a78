#include "tests/crash/crash_images.h"

#include <algorithm>
#include <cstring>

namespace sealkv::crash {
namespace {

constexpr size_t kCompleteContents = 256;  // a line with no more than this is listed completely when asked to

// Subsets of `count` things, as bit masks: all of them if they are no more than `most`; else none, all, each alone, all
// but one, each prefix, and random ones.
std::vector<uint64_t> Subsets(unsigned count, size_t most, testing::Random& random) {
  std::vector<uint64_t> subsets;
  if (count < 20 && (uint64_t{1} << count) <= most) {
    for (uint64_t mask = 0; mask < uint64_t{1} << count; ++mask) subsets.push_back(mask);
    return subsets;
  }
  const uint64_t all = count >= 64 ? ~uint64_t{0} : (uint64_t{1} << count) - 1;
  subsets = {0, all};
  for (unsigned i = 0; i < std::min(count, 64u); ++i) {
    subsets.push_back(uint64_t{1} << i);
    subsets.push_back(all & ~(uint64_t{1} << i));
    subsets.push_back((uint64_t{1} << i) - 1);
  }
  for (int i = 0; i < 8; ++i) subsets.push_back(random.Next() & all);
  return subsets;
}

// Keeps the first, the last, and a seeded choice of what is between.
void Thin(std::vector<LineContent>* contents, size_t most, testing::Random& random) {
  while (contents->size() > std::max<size_t>(most, 2)) {
    contents->erase(contents->begin() + static_cast<ptrdiff_t>(1 + random.Below(contents->size() - 2)));
  }
}

}  // namespace

DurabilityModel::DurabilityModel(std::span<const uint64_t> initial_words)
    : durable_(initial_words.begin(), initial_words.end()) {
  for (uint64_t line = 0; line < durable_.size() / kWordsPerLine; ++line) {
    durable_hash_ ^= HashOf(line, DurableLine(line));
  }
}

uint64_t DurabilityModel::HashOf(uint64_t line, const LineContent& content) {
  uint64_t hash = testing::Random(line).Next();
  for (const uint64_t word : content) hash = testing::Random(hash ^ word).Next();
  return hash;
}

LineContent DurabilityModel::DurableLine(uint64_t line) const {
  LineContent content;
  std::copy_n(durable_.begin() + static_cast<ptrdiff_t>(line * kWordsPerLine), kWordsPerLine, content.begin());
  return content;
}

void DurabilityModel::Apply(const Log& log, const Event& event) {
  switch (event.kind) {
    case EventKind::kStore:
    case EventKind::kCopy:
      return AddWords(log, event, /*is_non_temporal=*/false);
    case EventKind::kNonTemporalCopy:
      return AddWords(log, event, /*is_non_temporal=*/true);
    case EventKind::kFlush:
      for (uint64_t line = event.first_word; line < event.first_word + event.count; ++line) {
        const auto found = pending_.find(line);
        if (found == pending_.end()) continue;
        found->second.bundles_flushed = found->second.bundles;
        lines_to_settle_.push_back(line);
      }
      return;
    case EventKind::kFence:
      return Fence();
    case EventKind::kOperationBegin:
    case EventKind::kOperationEnd:
      return;
  }
}

void DurabilityModel::AddWords(const Log& log, const Event& event, bool is_non_temporal) {
  uint64_t line_before = ~uint64_t{0};
  PendingLine* pending = nullptr;
  for (uint64_t i = 0; i < event.count; ++i) {
    const uint64_t word = event.first_word + i;
    const uint64_t line = word / kWordsPerLine;
    if (line != line_before) {
      line_before = line;
      pending = &pending_[line];
      if (is_non_temporal) {
        lines_to_settle_.push_back(line);
      } else {
        ++pending->bundles;
      }
    }
    pending->words.push_back({static_cast<uint8_t>(word % kWordsPerLine), is_non_temporal, pending->bundles - 1,
                              log.payload[event.payload + i]});
  }
}

void DurabilityModel::Fence() {
  for (const uint64_t line : lines_to_settle_) {
    const auto found = pending_.find(line);
    if (found == pending_.end()) continue;
    PendingLine& pending = found->second;
    durable_hash_ ^= HashOf(line, DurableLine(line));
    const auto is_settled = [&](const PendingWord& word) {
      return word.is_non_temporal || word.bundle < pending.bundles_flushed;
    };
    for (const PendingWord& word : pending.words) {
      if (is_settled(word)) durable_[line * kWordsPerLine + word.word] = word.value;
    }
    durable_hash_ ^= HashOf(line, DurableLine(line));
    std::erase_if(pending.words, is_settled);
    for (PendingWord& word : pending.words) word.bundle -= pending.bundles_flushed;
    pending.bundles -= pending.bundles_flushed;
    pending.bundles_flushed = 0;
    if (pending.words.empty()) pending_.erase(found);
  }
  lines_to_settle_.clear();
}

LineChoices DurabilityModel::ChoicesOf(uint64_t line, size_t most, testing::Random& random) const {
  const PendingLine& pending = pending_.at(line);
  const LineContent durable = DurableLine(line);
  const auto non_temporal = static_cast<unsigned>(
      std::count_if(pending.words.begin(), pending.words.end(), [](const auto& word) { return word.is_non_temporal; }));
  const std::vector<uint64_t> non_temporal_subsets = Subsets(non_temporal, kCompleteContents, random);
  LineChoices choices{line, {}, non_temporal <= 8};

  // `bundles` whole bundles, of the next one the words of `partial`, and of the non-temporal words `subset`.
  const auto add = [&](uint32_t bundles, uint64_t partial, uint64_t subset) {
    LineContent content = durable;
    unsigned in_bundle = 0;
    unsigned in_subset = 0;
    for (const PendingWord& word : pending.words) {
      bool is_there;
      if (word.is_non_temporal) {
        is_there = (subset >> std::min(in_subset++, 63u) & 1) != 0;
      } else if (word.bundle == bundles) {
        is_there = (partial >> std::min(in_bundle++, 63u) & 1) != 0;
      } else {
        is_there = word.bundle < bundles;
      }
      if (is_there) content[word.word] = word.value;
    }
    choices.contents.push_back(content);
  };
  for (uint32_t bundles = 0; bundles <= pending.bundles; ++bundles) {
    const auto bundle_words =
        static_cast<unsigned>(std::count_if(pending.words.begin(), pending.words.end(), [&](const auto& word) {
          return !word.is_non_temporal && word.bundle == bundles;
        }));
    for (const uint64_t partial : Subsets(bundle_words, kCompleteContents, random)) {
      // The whole of a bundle is the next round's nothing.
      if (bundle_words > 0 && partial == (uint64_t{1} << bundle_words) - 1) continue;
      for (const uint64_t subset : non_temporal_subsets) add(bundles, partial, subset);
    }
    if (choices.contents.size() > 4 * kCompleteContents) {
      choices.is_complete = false;
      break;
    }
  }
  const uint64_t everything = ~uint64_t{0};
  add(pending.bundles, everything, everything);

  // Sorted for uniqueness, with the two that have a meaning at the ends.
  std::vector<LineContent>& contents = choices.contents;
  const LineContent all = contents.back();
  std::sort(contents.begin(), contents.end());
  contents.erase(std::unique(contents.begin(), contents.end()), contents.end());
  std::erase_if(contents, [&](const LineContent& content) { return content == durable || content == all; });
  contents.insert(contents.begin(), durable);
  if (all != durable) contents.push_back(all);
  if (contents.size() > most) {
    choices.is_complete = false;
    Thin(&contents, most, random);
  }
  return choices;
}

void CrashImage::WriteTo(std::span<std::byte> memory, const DurabilityModel& model) const {
  std::memcpy(memory.data(), model.durable_words().data(), memory.size());
  for (const ChangedLine& line : changed) {
    std::memcpy(memory.data() + line.line * kLineBytes, line.content->data(), kLineBytes);
  }
}

namespace {

// Builds images out of one choice for each line.
class Combiner {
 public:
  Combiner(const DurabilityModel& model, std::vector<LineChoices> lines,
           const std::function<bool(const CrashImage&)>& visit)
      : model_(model), lines_(std::move(lines)), visit_(visit), chosen_(lines_.size()) {
    for (const LineChoices& line : lines_) {
      std::vector<uint64_t>& hashes = hashes_.emplace_back();
      for (const LineContent& content : line.contents) hashes.push_back(DurabilityModel::HashOf(line.line, content));
    }
  }

  size_t lines() const { return lines_.size(); }
  size_t ContentsOf(size_t line) const { return lines_[line].contents.size(); }
  void Choose(size_t line, size_t content) { chosen_[line] = content; }
  void ChooseNone() { std::fill(chosen_.begin(), chosen_.end(), 0); }
  void ChooseAll() {
    for (size_t i = 0; i < lines_.size(); ++i) chosen_[i] = ContentsOf(i) - 1;
  }
  // The next combination, as in counting; false after the last.
  bool ChooseNext() {
    for (size_t i = 0; i < lines_.size(); ++i) {
      if (++chosen_[i] < ContentsOf(i)) return true;
      chosen_[i] = 0;
    }
    return false;
  }

  bool Visit() {
    image_.changed.clear();
    image_.hash = model_.durable_hash();
    for (size_t i = 0; i < lines_.size(); ++i) {
      if (chosen_[i] == 0) continue;
      image_.changed.push_back({lines_[i].line, &lines_[i].contents[chosen_[i]]});
      image_.hash ^= hashes_[i][0] ^ hashes_[i][chosen_[i]];
    }
    return visit_(image_);
  }

 private:
  const DurabilityModel& model_;
  const std::vector<LineChoices> lines_;
  const std::function<bool(const CrashImage&)>& visit_;
  std::vector<size_t> chosen_;
  std::vector<std::vector<uint64_t>> hashes_;
  CrashImage image_;
};

void VisitExhaustively(Combiner& combiner) {
  do {
    if (!combiner.Visit()) return;
  } while (combiner.ChooseNext());
}

void VisitSelection(Combiner& combiner, const ImageLimits& limits, testing::Random& random) {
  for (const bool others_have_all : {false, true}) {
    for (size_t line = 0; line < combiner.lines(); ++line) {
      for (size_t content = 0; content < combiner.ContentsOf(line); ++content) {
        others_have_all ? combiner.ChooseAll() : combiner.ChooseNone();
        combiner.Choose(line, content);
        if (!combiner.Visit()) return;
      }
    }
  }
  for (size_t i = 0; i < limits.random_images; ++i) {
    for (size_t line = 0; line < combiner.lines(); ++line) {
      combiner.Choose(line, random.Below(combiner.ContentsOf(line)));
    }
    if (!combiner.Visit()) return;
  }
}

}  // namespace

void ForEachCrashImage(const DurabilityModel& model, const ImageLimits& limits, uint64_t seed,
                       const std::function<bool(const CrashImage&)>& visit) {
  testing::Random random(seed);
  std::vector<LineChoices> complete;
  double images = 1;
  for (const auto& [line, pending] : model.pending()) {
    complete.push_back(model.ChoicesOf(line, limits.exhaustive_images, random));
    images *= complete.back().is_complete ? static_cast<double>(complete.back().contents.size()) : 1e9;
    if (complete.back().contents.size() == 1) complete.pop_back();
    if (images > static_cast<double>(limits.exhaustive_images)) break;
  }
  if (images <= static_cast<double>(limits.exhaustive_images)) {
    Combiner combiner(model, std::move(complete), visit);
    return VisitExhaustively(combiner);
  }
  std::vector<LineChoices> lines;
  for (const auto& [line, pending] : model.pending()) {
    LineChoices choices = model.ChoicesOf(line, limits.line_contents, random);
    if (choices.contents.size() > 1) lines.push_back(std::move(choices));
  }
  Combiner combiner(model, std::move(lines), visit);
  VisitSelection(combiner, limits, random);
}

}  // namespace sealkv::crash
