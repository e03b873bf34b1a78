#include "tests/crash/crash_images.h"

#include <algorithm>
#include <cstring>

namespace sealkv::crash {

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

bool ForEachCrashImage(const DurabilityModel& model, const ImageLimits& limits, uint64_t seed,
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
    VisitExhaustively(combiner);
    return true;
  }
  std::vector<LineChoices> lines;
  for (const auto& [line, pending] : model.pending()) {
    LineChoices choices = model.ChoicesOf(line, limits.line_contents, random);
    if (choices.contents.size() > 1) lines.push_back(std::move(choices));
  }
  Combiner combiner(model, std::move(lines), visit);
  VisitSelection(combiner, limits, random);
  return false;
}

}  // namespace sealkv::crash
