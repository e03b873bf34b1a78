#include "kv/segments.h"

#include <new>

namespace sealkv::internal {

Segments::Segments(const Image& image, daxfile::Persist& persist)
    : image_(image),
      persist_(persist),
      states_(static_cast<SegmentState*>(std::calloc(image.most_segments(), sizeof(SegmentState)))),
      scanned_(image.header_segments()),
      count_at_open_(image.segment_count()) {
  if (states_ == nullptr) throw std::bad_alloc();
}

void Segments::ScanNext() {
  const uint64_t segment = scanned_;
  LookAtNext();
  WriteBackTable(segment, scanned_);
}

void Segments::LookAtNext() {
  const uint64_t segment = scanned_;
  const SegmentWord word = image_.segment_word(segment);
  SegmentState& first = state(segment);
  if (word.raw() == SegmentWord::kFreeRaw) {
    first.origin = SegmentState::Origin::kFree;
    ++free_count_;
    ++scanned_;
    return;
  }
  // A damaged word is left alone: its segment is neither used nor given away.
  const bool sound = word.IsWellFormed(segment, count());
  const uint32_t run_length = sound ? word.run_length() : 1;
  for (uint32_t i = 0; i < run_length; ++i) {
    state(segment + i) = {SegmentState::Origin::kUnknown,
                          sound ? word.kind() : SegmentKind::kFree,
                          i == 0 ? run_length : 0,
                          0,
                          false,
                          0,
                          0,
                          0};
  }
  scanned_ += run_length;
  if (sound) return;
  // It may have been the first of a run, whose other words are zero: they say nothing then.
  for (; scanned_ < count() && image_.segment_word(scanned_).raw() == SegmentWord::kFreeRaw; ++scanned_) {
    state(scanned_) = {SegmentState::Origin::kUnknown, SegmentKind::kFree, 1, 0, false, 0, 0, 0};
  }
}

void Segments::ScanAll() {
  while (scanned_ < count()) ScanNext();
  AwaitWriteBack();
}

std::optional<uint64_t> Segments::FindFree() {
  while (!released_.empty()) {
    const uint64_t segment = released_.back();
    released_.pop_back();
    if (state(segment).origin == SegmentState::Origin::kFree) return segment;
  }
  while (scanned_ < count()) {
    const uint64_t segment = scanned_;
    ScanNext();
    if (state(segment).origin == SegmentState::Origin::kFree) return segment;
  }
  if (free_count_ == 0) return std::nullopt;
  return FindFreeRun(1);  // one that was passed over when a large run was looked for
}

std::optional<uint64_t> Segments::FindFreeRun(uint32_t run_length) {
  ScanAll();
  uint64_t length = 0;
  for (uint64_t segment = image_.header_segments(); segment < count(); ++segment) {
    length = state(segment).origin == SegmentState::Origin::kFree ? length + 1 : 0;
    if (length == run_length) return segment + 1 - run_length;
  }
  return std::nullopt;
}

std::optional<uint64_t> Segments::Take(SegmentKind kind, uint32_t run_length, uint64_t reserve) {
  while (reserve > 0 && free_count_ < run_length + reserve && scanned_ < count()) ScanNext();
  std::optional<uint64_t> segment;
  if (reserve == 0 || free_count_ >= run_length + reserve) {
    segment = run_length == 1 ? FindFree() : FindFreeRun(run_length);
  }
  AwaitWriteBack();  // here: a fence is of the thread that has flushed
  if (!segment.has_value()) return std::nullopt;
  for (uint32_t i = 0; i < run_length; ++i) {
    state(*segment + i) = {SegmentState::Origin::kCounted, kind, i == 0 ? run_length : 0, 0, false, 0, 0, 0};
  }
  free_count_ -= run_length;
  uint64_t* word = &image_.segment_words()[*segment];
  persist_.Store(word, SegmentWord(kind, run_length, *segment).raw());
  persist_.Flush(word);
  persist_.Fence();
  return segment;
}

void Segments::Release(uint64_t segment) {
  const uint32_t run_length = state(segment).run_length;
  uint64_t* word = &image_.segment_words()[segment];
  persist_.Store(word, SegmentWord::kFreeRaw);
  persist_.Flush(word);
  persist_.Fence();
  for (uint32_t i = 0; i < run_length; ++i) {
    const bool is_withheld = withheld_.Contains(segment + i);
    state(segment + i) = {is_withheld ? SegmentState::Origin::kWithheld : SegmentState::Origin::kFree,
                          SegmentKind::kFree,
                          1,
                          0,
                          false,
                          0,
                          0,
                          0};
    if (is_withheld) continue;
    released_.push_back(segment + i);
    ++free_count_;
  }
}

void Segments::Withhold(SegmentRange range) {
  withheld_ = range;
  for (uint64_t segment = range.first; segment < range.end; ++segment) {
    if (state(segment).origin != SegmentState::Origin::kFree) continue;
    state(segment).origin = SegmentState::Origin::kWithheld;
    --free_count_;
  }
  released_.clear();
  for (uint64_t segment = count(); segment-- > image_.header_segments();) {
    if (state(segment).origin == SegmentState::Origin::kFree) released_.push_back(segment);
  }
}

void Segments::EndWithholding() {
  std::vector<uint64_t> released;
  for (uint64_t segment = withheld_.first; segment < withheld_.end; ++segment) {
    if (state(segment).origin != SegmentState::Origin::kWithheld) continue;
    state(segment).origin = SegmentState::Origin::kFree;
    released.push_back(segment);
    ++free_count_;
  }
  released_.insert(released_.begin(), released.begin(), released.end());  // the last is taken first
  withheld_ = {};
}

bool Segments::AreAllWithheld() const {
  for (uint64_t segment = withheld_.first; segment < withheld_.end; ++segment) {
    if (state(segment).origin != SegmentState::Origin::kWithheld) return false;
  }
  return true;
}

void Segments::ForgetWithheld() {
  for (uint64_t segment = withheld_.first; segment < scanned_; ++segment) state(segment) = {};
  scanned_ = withheld_.first;
  withheld_ = {};
}

}  // namespace sealkv::internal
