// The records of one segment, found without the tree: each begins where the one before ends, or behind the blobs that
// batches have left there.
#ifndef SEALKV_TOOLS_SEGMENT_RECORDS_H_
#define SEALKV_TOOLS_SEGMENT_RECORDS_H_

#include <cstdint>
#include <string>

#include "kv/image.h"
#include "kv/record.h"

namespace sealkv::tools {

// Where a segment's run begins and how long it is: itself and 1, but inside a large run.
struct SegmentRun {
  uint64_t first;
  uint64_t length;
  internal::SegmentKind kind;
  bool is_damaged;  // the table's word
};
SegmentRun RunOf(const internal::Image& image, uint64_t segment);
const char* SegmentKindName(internal::SegmentKind kind);

class SegmentRecords {
 public:
  // `run.first` is at least the first segment behind the header.
  SegmentRecords(const internal::Image& image, const SegmentRun& run);

  // The next record whose header is possible. False: there is none, and why_ended() says why.
  bool Next();
  internal::Offset offset() const { return offset_; }
  internal::RecordView record() const { return record_; }
  const std::string& why_ended() const { return why_ended_; }

 private:
  const internal::Image& image_;
  const bool is_large_;
  internal::Offset next_;
  internal::Offset end_;
  internal::Offset offset_ = internal::Offset::kNone;
  internal::RecordView record_;
  std::string why_ended_;
};

}  // namespace sealkv::tools

#endif  // SEALKV_TOOLS_SEGMENT_RECORDS_H_
