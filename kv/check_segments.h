// The checker's view of space: what the segment table says of each segment, and which bytes were found to be alive.
// Every object claims its bytes once; a second claim to any of them is a double reference, a cycle, or an overlap.
#ifndef SEALKV_KV_CHECK_SEGMENTS_H_
#define SEALKV_KV_CHECK_SEGMENTS_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "kv/check_findings.h"
#include "kv/image.h"

namespace sealkv::internal {

class CheckSegments {
 public:
  // Reads the whole table and reports what is wrong with it.
  CheckSegments(const Image& image, Findings& findings);

  // False if any of these bytes is claimed already. They lie inside the file, aligned to 8. All claims together take
  // time proportional to the file, however they overlap: one ends at the first byte that isn't free. One that fails
  // leaves no trace, but for what Unclaim says.
  bool Claim(Offset offset, uint64_t bytes);

  // Gives back what was claimed for something that can't be there, but for its first granule: what it seemed to cover
  // may belong to others, and what refers to it again fails at once. When that was done for as many bytes as the file
  // has, they stay claimed from then on: no forged file shall take more time than its size.
  void Unclaim(Offset offset, uint64_t bytes);

  bool IsClaimed(Offset offset) const;

  // Report where the table says that such an object can't be there. The bytes lie inside the file.
  void CheckPlaceOfNode(Offset node);
  void CheckPlaceOfRecord(Offset record, uint64_t bytes);

  // After all claims: which segments are in use for nothing, and how full the others are.
  void CountLive();

 private:
  struct Segment {
    SegmentKind kind = SegmentKind::kFree;
    bool is_damaged = false;   // the table's word: reported once, objects here aren't complained of
    bool is_reported = false;  // that an object of another kind lies here
    uint64_t run_begin = 0;
    uint64_t run_length = 1;
    uint64_t live_bytes = 0;
    std::unique_ptr<uint64_t[]> claimed;  // one bit per 8 bytes; null: none
  };

  void CheckHeaderWords();
  void ReadTable();
  uint64_t ReadRun(uint64_t first, SegmentWord word);
  uint64_t ClaimWithin(Segment& segment, uint64_t first_granule,
                       uint64_t granules);  // how many: fewer, if one isn't free
  void ReportKind(Segment& segment, uint64_t index, const char* object, Offset offset);
  Offset WordOffset(uint64_t index) const { return image_.OffsetOf(&image_.segment_words()[index]); }
  Segment& SegmentAt(Offset offset) { return segments_[image_.SegmentOf(offset)]; }

  static constexpr uint64_t kGranuleBytes = 8;

  const Image& image_;
  Findings& findings_;
  std::vector<Segment> segments_;
  uint64_t unclaimed_bytes_ = 0;
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_CHECK_SEGMENTS_H_
