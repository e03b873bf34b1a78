// The segment table and its volatile side: which segments are free, what the others are used for, how full they are.
//
// Only the table's words are persistent. All else here is worked out again after each open: a segment that the table
// names as used when the store is opened is `kUnknown` until the background pass (kv/mark.h) has counted what lives in
// it.
//
// Thread safety: none, the heap's mutex guards it; but for the `tail` of a segment, which is of the arena that owns it.
#ifndef SEALKV_KV_SEGMENTS_H_
#define SEALKV_KV_SEGMENTS_H_

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <vector>

#include "daxfile/persist.h"
#include "kv/expiring.h"
#include "kv/image.h"

namespace sealkv::internal {

struct SegmentState {
  enum class Origin : uint8_t {
    kUnscanned = 0,  // the table's word wasn't looked at yet
    kFree,
    kUnknown,   // in use at open, not yet counted
    kCounted,   // taken since the open, or counted by the background pass
    kWithheld,  // free, but not to be taken: it is to go
  };
  Origin origin;
  SegmentKind kind;
  uint32_t run_length;    // of the run that begins here; 0 inside one
  uint32_t tail;          // record segments: bytes appended so far
  bool is_owned;          // an arena appends to it, or its nodes are being handed out
  uint64_t taken_at;      // the clock (kv/versions.h) when it held nothing: all in it is younger; 0 if that isn't known
  uint64_t mark;          // a clock << 24 | a place / 8: what lies from there on is younger than that
  int64_t live_bytes;     // what the tree refers to, and what is retired but not yet freed; see Arena::appended_bytes
  bool is_being_emptied;  // nothing is appended, and it isn't released, until that is over
  bool is_kept;           // what lives in it could not be moved, the last time that was tried
  int64_t kept_live_bytes;   // what that was; 0 until what was moved has been freed
  bool has_prefix;           // a layer's prefix was placed there: it isn't moved
  uint32_t kept_at_seconds;  // when that was
  bool was_emptied;          // since it was taken, what could be was moved out of it
  Expiring* expiring;        // what of it has an expiry; nullptr: nothing
};

// [first, end)
struct SegmentRange {
  uint64_t first = 0;
  uint64_t end = 0;
  bool Contains(uint64_t segment) const { return first <= segment && segment < end; }
  uint64_t count() const { return end - first; }
};

class Segments {
 public:
  Segments(const Image& image, daxfile::Persist& persist);

  // Takes a free segment (or a run of them for one large record); durable when it returns. Nothing: no more than
  // `reserve` would be left free. Cost: 1 line, 1 fence; and, where it comes to a line of the table for the first time
  // since the open, as much again.
  std::optional<uint64_t> Take(SegmentKind kind, uint32_t run_length = 1, uint64_t reserve = 0);

  // Gives a segment or a whole run back. Cost: 1 line, 1 fence: the table must not show a run's first word while one
  // inside it is already used for something else.
  void Release(uint64_t segment);

  SegmentState& state(uint64_t segment) { return states_.get()[segment]; }
  const SegmentState& state(uint64_t segment) const { return states_.get()[segment]; }

  // The free segments of the range aren't given away any more, nor those that become free; and are again, after all
  // others. All segments were scanned.
  void Withhold(SegmentRange range);
  void EndWithholding();
  bool AreAllWithheld() const;
  // Those that were withheld, the last ones, are gone: the image is as small as that.
  void ForgetWithheld();

  // Looks at all words of the table that weren't looked at yet. Linear in their number; only the background pass, a
  // large run and statistics need it.
  void ScanAll();

  uint64_t count() const { return image_.segment_count(); }
  // Free segments among those scanned.
  uint64_t free_count() const { return free_count_; }
  bool is_all_scanned() const { return scanned_ == count(); }

 private:
  void ScanNext();
  void LookAtNext();
  // Makes durable what a killed writer may have stored there (kv/settle.cc): before a segment is used in trust of it.
  void WriteBackTable(uint64_t first, uint64_t end);
  void AwaitWriteBack();
  std::optional<uint64_t> FindFree();
  std::optional<uint64_t> FindFreeRun(uint32_t run_length);

  const Image& image_;
  daxfile::Persist& persist_;
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };
  // As many as there may ever be; from calloc, so that they cost nothing until they are looked at.
  std::unique_ptr<SegmentState[], Free> states_;
  uint64_t scanned_;              // segments before this one are scanned
  const uint64_t count_at_open_;  // what comes later nobody else has touched
  bool is_written_back_ = true;   // the table's lines so far
  uint64_t free_count_ = 0;
  SegmentRange withheld_;
  // Hints: some may have been taken again; others that are free may be missing, but not after Withhold.
  std::vector<uint64_t> released_;
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_SEGMENTS_H_
