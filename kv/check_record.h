// The checker's look at one record.
#ifndef SEALKV_KV_CHECK_RECORD_H_
#define SEALKV_KV_CHECK_RECORD_H_

#include <cstdint>

#include "kv/check_findings.h"
#include "kv/check_segments.h"
#include "kv/image.h"
#include "kv/record.h"

namespace sealkv::internal {

// What a record's header says that isn't possible, or "". Looks at nothing but the header.
std::string RecordHeaderFault(const RecordHeader& header);

class RecordChecker {
 public:
  RecordChecker(const Image& image, CheckSegments& segments, Findings& findings)
      : image_(image), segments_(segments), findings_(findings) {}

  // Checks the record that the word at `referrer` leads to. A null view: it can't be used any further, which has been
  // reported.
  RecordView Take(Offset record, Offset referrer, RecordFlags flags);

  // Reports, once, if records are newer than the generation of the store.
  void CheckGeneration();

 private:
  bool CheckContent(Offset at, RecordView record);
  void CheckPadding(Offset at, RecordView record);

  const Image& image_;
  CheckSegments& segments_;
  Findings& findings_;
  Offset newest_ = Offset::kNone;
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_CHECK_RECORD_H_
