#include "tests/crash/durability.h"

#include <algorithm>
#include <set>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace sealkv::crash {
namespace {

constexpr size_t kCompleteContents = 256;  // a line with no more than this is listed completely when asked to
constexpr uint64_t kLinesPerPage = 4096 / kLineBytes;

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

// What a line holds after each of its pending words, in the order of the log; of the last ones, if they are very many.
std::set<LineContent> PrefixesOf(const PendingLine& pending, LineContent content) {
  constexpr size_t kMost = 64;
  std::set<LineContent> prefixes;
  for (size_t i = 0; i < pending.size(); ++i) {
    if (i + kMost >= pending.size()) prefixes.insert(content);
    content[pending[i].word] = pending[i].value;
  }
  prefixes.insert(content);
  return prefixes;
}

// Keeps those of `kept`, and a seeded choice of the others.
void Thin(std::vector<LineContent>* contents, const std::set<LineContent>& kept, size_t most, testing::Random& random) {
  std::vector<LineContent> others;
  for (const LineContent& content : *contents) {
    if (!kept.contains(content)) others.push_back(content);
  }
  const size_t room = most - std::min(most, kept.size());
  while (others.size() > room) others.erase(others.begin() + static_cast<ptrdiff_t>(random.Below(others.size())));
  contents->assign(kept.begin(), kept.end());
  contents->insert(contents->end(), others.begin(), others.end());
}

}  // namespace

const char* PlatformName(Platform platform) {
  switch (platform) {
    case Platform::kPx86:
      return "volatile caches";
    case Platform::kEadr:
      return "persistent caches (eADR)";
    case Platform::kPageCache:
      return "page cache (msync)";
  }
  return "?";
}

DurabilityModel::DurabilityModel(std::span<const uint64_t> initial_words, Platform platform)
    : platform_(platform), durable_(initial_words.begin(), initial_words.end()) {
  for (uint64_t line = 0; line < durable_.size() / kWordsPerLine; ++line) {
    durable_hash_ ^= HashOf(line, DurableLine(line));
  }
}

uint64_t DurabilityModel::HashOf(uint64_t line, const LineContent& content) {
  return XXH3_64bits_withSeed(content.data(), sizeof(content), line);
}

LineContent DurabilityModel::DurableLine(uint64_t line) const {
  LineContent content;
  std::copy_n(durable_.begin() + static_cast<ptrdiff_t>(line * kWordsPerLine), kWordsPerLine, content.begin());
  return content;
}

DurabilityModel::Thread& DurabilityModel::ThreadOf(const Event& event) {
  if (threads_.size() <= event.thread) threads_.resize(event.thread + 1);
  return threads_[event.thread];
}

void DurabilityModel::Apply(const Log& log, const Event& event) {
  switch (event.kind) {
    case EventKind::kStore:
    case EventKind::kCopy:
      if (platform_ == Platform::kEadr) SettleAllCached();
      return AddWords(log, event, /*is_non_temporal=*/false);
    case EventKind::kNonTemporalCopy:
      if (platform_ != Platform::kPageCache) return AddWords(log, event, /*is_non_temporal=*/true);
      AddWords(log, event, /*is_non_temporal=*/false);
      return Flush(event);
    case EventKind::kFlush:
      return Flush(event);
    case EventKind::kFence:
      if (platform_ == Platform::kEadr) SettleAllCached();
      return Fence(event);
    case EventKind::kOperationBegin:
    case EventKind::kOperationEnd:
      return;
  }
}

void DurabilityModel::AddWords(const Log& log, const Event& event, bool is_non_temporal) {
  const uint64_t bundle = next_bundle_++;
  uint64_t line_before = ~uint64_t{0};
  PendingLine* pending = nullptr;
  for (uint64_t i = 0; i < event.count; ++i) {
    const uint64_t word = event.first_word + i;
    const uint64_t line = word / kWordsPerLine;
    if (line != line_before) {
      line_before = line;
      pending = &pending_[line];
      if (is_non_temporal) ThreadOf(event).non_temporal_lines.push_back(line);
    }
    pending->push_back({static_cast<uint8_t>(word % kWordsPerLine), event.thread, is_non_temporal, bundle,
                        log.payload[event.payload + i]});
  }
}

void DurabilityModel::Flush(const Event& event) {
  if (event.count == 0) return;
  uint64_t first = event.first_line();
  uint64_t last = event.last_line();
  if (platform_ == Platform::kPageCache) {
    first = first / kLinesPerPage * kLinesPerPage;
    last = last / kLinesPerPage * kLinesPerPage + kLinesPerPage - 1;
  }
  Thread& thread = ThreadOf(event);
  for (auto at = pending_.lower_bound(first); at != pending_.end() && at->first <= last; ++at) {
    thread.flushed.push_back({at->first, next_bundle_});
  }
}

void DurabilityModel::Fence(const Event& event) {
  Thread& thread = ThreadOf(event);
  for (const Flushed& flushed : thread.flushed) {
    Settle(flushed.line,
           [&](const PendingWord& word) { return !word.is_non_temporal && word.bundle < flushed.end_bundle; });
  }
  for (const uint64_t line : thread.non_temporal_lines) {
    Settle(line, [&](const PendingWord& word) { return word.is_non_temporal && word.thread == event.thread; });
  }
  thread.flushed.clear();
  thread.non_temporal_lines.clear();
}

void DurabilityModel::SettleAllCached() {
  std::vector<uint64_t> lines;
  for (const auto& [line, pending] : pending_) lines.push_back(line);
  for (const uint64_t line : lines) Settle(line, [](const PendingWord& word) { return !word.is_non_temporal; });
}

template <typename IsSettled>
void DurabilityModel::Settle(uint64_t line, IsSettled is_settled) {
  const auto found = pending_.find(line);
  if (found == pending_.end()) return;
  durable_hash_ ^= HashOf(line, DurableLine(line));
  // Stores to one word stay in order: with a durable one, what is older is out of the question. But for a non-temporal
  // word of another thread: that may come late, until its own thread's fence.
  std::array<const PendingWord*, kWordsPerLine> newer{};
  PendingLine left;
  for (auto word = found->second.rbegin(); word != found->second.rend(); ++word) {
    const PendingWord* const durable_word = newer[word->word];
    const bool may_come_late = durable_word != nullptr && word->is_non_temporal && word->thread != durable_word->thread;
    if (durable_word != nullptr && !may_come_late) continue;
    if (is_settled(*word)) {
      durable_[line * kWordsPerLine + word->word] = word->value;
      newer[word->word] = &*word;
    } else {
      left.push_back(*word);
    }
  }
  durable_hash_ ^= HashOf(line, DurableLine(line));
  if (left.empty()) {
    pending_.erase(found);
  } else {
    found->second.assign(left.rbegin(), left.rend());
  }
}

LineChoices DurabilityModel::ChoicesOf(uint64_t line, size_t most, testing::Random& random) const {
  const PendingLine& pending = pending_.at(line);
  const LineContent durable = DurableLine(line);
  std::map<uint64_t, unsigned> bundles;  // the cached ones, and how many words each has
  unsigned non_temporal = 0;
  for (const PendingWord& word : pending) word.is_non_temporal ? ++non_temporal : ++bundles[word.bundle];
  const std::vector<uint64_t> non_temporal_subsets = Subsets(non_temporal, kCompleteContents, random);
  LineChoices choices{line, {}, non_temporal <= 8};

  // The bundles before `bundle`, of itself the words of `partial`, and of the non-temporal words `subset`.
  const auto add = [&](uint64_t bundle, uint64_t partial, uint64_t subset) {
    LineContent content = durable;
    unsigned in_bundle = 0;
    unsigned in_subset = 0;
    for (const PendingWord& word : pending) {
      bool is_there;
      if (word.is_non_temporal) {
        is_there = (subset >> std::min(in_subset++, 63u) & 1) != 0;
      } else if (word.bundle == bundle) {
        is_there = (partial >> std::min(in_bundle++, 63u) & 1) != 0;
      } else {
        is_there = word.bundle < bundle;
      }
      if (is_there) content[word.word] = word.value;
    }
    choices.contents.push_back(content);
  };
  constexpr uint64_t kAll = ~uint64_t{0};
  for (const auto& [bundle, words] : bundles) {
    for (const uint64_t partial : Subsets(words, kCompleteContents, random)) {
      // The whole of a bundle is the next one's nothing.
      if (partial == (uint64_t{1} << words) - 1) continue;
      for (const uint64_t subset : non_temporal_subsets) add(bundle, partial, subset);
    }
    if (choices.contents.size() > 4 * kCompleteContents) {
      choices.is_complete = false;
      break;
    }
  }
  if (choices.is_complete) {
    for (const uint64_t subset : non_temporal_subsets) add(kAll, 0, subset);
  }
  add(kAll, 0, kAll);

  std::vector<LineContent>& contents = choices.contents;
  const LineContent all = contents.back();
  std::sort(contents.begin(), contents.end());
  contents.erase(std::unique(contents.begin(), contents.end()), contents.end());
  if (contents.size() > most) {
    choices.is_complete = false;
    Thin(&contents, PrefixesOf(pending, durable), most, random);
  }
  // The two that have a meaning go to the ends.
  std::erase_if(contents, [&](const LineContent& content) { return content == durable || content == all; });
  contents.insert(contents.begin(), durable);
  if (all != durable) contents.push_back(all);
  return choices;
}

}  // namespace sealkv::crash
