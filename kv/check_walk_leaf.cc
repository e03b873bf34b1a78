// The walk in a leaf: order, kinds, and each entry against the record that it leads to.
#include <algorithm>
#include <utility>

#include "kv/change_log.h"
#include "kv/check_walk.h"
#include "kv/fingerprint.h"
#include "kv/sealkv.h"

namespace sealkv::internal {

void TreeWalk::PrefetchRecords(const Frame& frame) const {
  const Kinds kinds = frame.node->kinds();
  for (unsigned i = 0; i < frame.perm().count(); ++i) {
    const unsigned slot = frame.perm().slot(i);
    const uint64_t at = Raw(frame.node->record(slot).offset());
    if (IsRecord(kinds.kind(slot)) && at < image_.size_bytes()) __builtin_prefetch(image_.base() + at);
  }
}

// N3, as far as slices and kinds go, and the bounds that the way down has set.
void TreeWalk::CheckLeafOrder(Frame& frame) {
  const Perm perm = frame.perm();
  const Kinds kinds = frame.node->kinds();
  const uint64_t problems_before = findings_.report().major_problems;
  unsigned ties = 0;
  for (unsigned i = 0; i < perm.count(); ++i) {
    const unsigned slot = perm.slot(i);
    const uint64_t slice = frame.node->slice(slot);
    const Kind kind = kinds.kind(slot);
    if (slice < frame.lowest_slice || slice > frame.last_slice) {
      findings_.Major(frame.SliceWord(slot), "the slice ", Findings::HexSlice(slice), " is outside its leaf's bounds ",
                      Findings::HexSlice(frame.lowest_slice), " to ", Findings::HexSlice(frame.last_slice));
    }
    if (i > 0) {
      const unsigned slot_before = perm.slot(i - 1);
      const uint64_t before = frame.node->slice(slot_before);
      const unsigned rank_before = KindRank(kinds.kind(slot_before));
      const bool is_tie = slice == before && kind == Kind::kMore && kinds.kind(slot_before) == Kind::kMore;
      ties = is_tie ? ties + 1 : 0;
      if (ties == kMaxTies)
        findings_.Major(frame.SliceWord(slot), "more than ", kMaxTies, " keys that go on share a slice");
      if (!is_tie && (slice < before || (slice == before && KindRank(kind) <= rank_before))) {
        findings_.Major(frame.SliceWord(slot), "entries don't ascend: slice ", Findings::HexSlice(slice), " of kind ",
                        static_cast<int>(kind), " after ", Findings::HexSlice(before), " of kind ",
                        static_cast<int>(kinds.kind(slot_before)));
      }
    }
  }
  if (findings_.report().major_problems != problems_before) FindEntriesInPlace(frame);
}

void TreeWalk::VisitEntry(Frame& frame, unsigned position) {
  const unsigned slot = frame.perm().slot(position);
  const Kind kind = frame.node->kinds().kind(slot);
  if (kind != Kind::kMore) frame.tie = {};
  if (root_ == RootId::kLog) {
    VisitLogRecord(frame, slot, kind);
  } else if (IsRecord(kind)) {
    VisitRecord(frame, slot, kind);
  } else if (kind == Kind::kLayer) {
    EnterLayer(Frame(frame), slot);
  } else if (kind == Kind::kInline && frame.layer_depth == 0) {
    VisitInline(frame, position);
  } else {
    findings_.Major(frame.KindsWord(), "the entry in slot ", slot, " is of kind ", static_cast<int>(kind),
                    kind == Kind::kInline ? ", which exists in the top layer only" : ", which doesn't exist");
    Lose([&] { return RangeOfEntry(frame, slot); });
  }
}

void TreeWalk::VisitInline(Frame& frame, unsigned position) {
  ++findings_.report().inline_values;
  CountKey(kSliceBytes, sizeof(uint64_t));
  if (visitor_ == nullptr) return;
  const unsigned slot = frame.perm().slot(position);
  const bool is_in_place = (frame.in_place & PositionBit(position)) != 0;
  if (!is_in_place && (frame.strays & PositionBit(position)) == 0) return LoseMisplaced(frame, position);
  visitor_->OnInline(frame.node->slice(slot), frame.node->ref(slot), frame.SliceWord(slot),
                     PlaceOf(frame, is_in_place));
}

void TreeWalk::CountKey(uint64_t key_bytes, uint64_t value_bytes) {
  constexpr uint64_t kKeysPerProgress = 1 << 14;
  CheckReport& report = findings_.report();
  report.keys += 1;
  report.key_bytes += key_bytes;
  report.value_bytes += value_bytes;
  report.key_bytes_max = std::max(report.key_bytes_max, key_bytes);
  report.value_bytes_max = std::max(report.value_bytes_max, value_bytes);
  const auto& progress = findings_.options().progress;
  if (report.keys % kKeysPerProgress == 0 && progress != nullptr && !progress(report.keys)) report.was_stopped = true;
}

void TreeWalk::VisitRecord(Frame& frame, unsigned slot, Kind kind) {
  const RecordRef ref = frame.node->record(slot);
  const RecordView record = records_.Take(ref.offset(), frame.RefWord(slot), kPlainRecord);
  if (record.is_null()) return Lose([&] { return RangeOfEntry(frame, slot); });
  findings_.report().tied_keys += kind == Kind::kMore;
  CountKey(record.key().size(), record.header().value_bytes);
  if (IsEnd(kind) && ref.fingerprint() != 0) {
    findings_.Minor(frame.RefWord(slot), "fingerprint bits in the reference to a record whose key ends here");
  }
  const KeyFault fault = CheckKey(frame, slot, kind, record.key());
  if (fault == KeyFault::kNone) NoteProvenWay(frame);
  if (visitor_ == nullptr) return;
  visitor_->OnRecord(record, ref.offset(), PlaceOf(frame, fault == KeyFault::kNone));
  if (fault == KeyFault::kWay) Lose([&] { return RangeOfWay(frame); });
  if (fault == KeyFault::kSlice)
    Lose([&] { return RangeOf(frame, SlicesBetweenNeighbours(frame, frame.position - 1)); });
  if (fault == KeyFault::kKind) Lose([&] { return RangeOfEntry(frame, slot); });
}

// An entry of the log: kv/change_log.h.
void TreeWalk::VisitLogRecord(Frame& frame, unsigned slot, Kind kind) {
  if (kind != Kind::kEndsWith8) {
    return findings_.Major(frame.KindsWord(), "the entry in slot ", slot, " is of kind ", static_cast<int>(kind),
                           ", which none of the log is");
  }
  const RecordRef ref = frame.node->record(slot);
  const RecordView record = records_.Take(ref.offset(), frame.RefWord(slot), kLogRecord);
  if (record.is_null() || CheckKey(frame, slot, kind, record.key()) != KeyFault::kNone) return;
  CommittedChange change;
  if (!ParseLogEntry(record.value(), &change)) {
    return findings_.Major(ref.offset(), "the entry of the log doesn't say what was changed");
  }
  const uint64_t number = frame.node->slice(slot);
  const LogHeader header = *LogHeaderOf(record.value());
  if (last_logged_.number != 0 && (number != last_logged_.number + 1 || header.past != last_logged_.chain)) {
    findings_.Major(frame.SliceWord(slot), "the log's entry ", number, " doesn't go on from ", last_logged_.number);
  }
  last_logged_ = {number, header.chain};
  findings_.report().log_entries += 1;
  const auto& progress = findings_.options().progress;
  if (number % 1024 == 0 && progress != nullptr && !progress(findings_.report().keys)) {
    findings_.report().was_stopped = true;
  }
  findings_.report().log_bytes += record.bytes();
}

// The record's key is the truth; the entry repeats parts of it.
TreeWalk::KeyFault TreeWalk::CheckKey(Frame& frame, unsigned slot, Kind kind, std::string_view key) {
  const std::string_view tie_before = std::exchange(frame.tie, std::string_view());
  if (key.size() < frame.depth + (frame.layer_depth > 0)) {
    findings_.Major(frame.RefWord(slot), "the record's key has ", key.size(), " bytes, but the way here is ",
                    frame.depth, " bytes into the key");
    return KeyFault::kWay;
  }
  if (const std::string_view path = PathOf(frame); key.substr(0, path.size()) != path) {
    findings_.Major(frame.RefWord(slot), "the record's key begins otherwise than the way that leads to it");
    return KeyFault::kWay;
  }
  const uint64_t slice = SliceAt(key, frame.depth);
  if (slice != frame.node->slice(slot)) {
    findings_.Major(frame.SliceWord(slot), "the slice is ", Findings::HexSlice(frame.node->slice(slot)),
                    ", the record's key says ", Findings::HexSlice(slice));
    return KeyFault::kSlice;
  }
  if (kind != KindAt(key, frame.depth)) {
    findings_.Major(frame.KindsWord(), "the entry in slot ", slot, " is of kind ", static_cast<int>(kind),
                    ", the record's key says ", static_cast<int>(KindAt(key, frame.depth)));
    return KeyFault::kKind;
  }
  if (kind != Kind::kMore) return KeyFault::kNone;
  const uint16_t fingerprint = Fingerprint(key.substr(frame.depth + kSliceBytes));
  if (fingerprint != frame.node->record(slot).fingerprint()) {
    findings_.Major(frame.RefWord(slot), "the reference's fingerprint is ", frame.node->record(slot).fingerprint(),
                    ", the record's key says ", fingerprint);
    return KeyFault::kKind;
  }
  // A tie of another slice compares by that.
  if (!tie_before.empty() && key <= tie_before) {
    findings_.Major(frame.RefWord(slot), "keys that share a slice don't ascend");
  }
  frame.tie = key;
  return KeyFault::kNone;
}

}  // namespace sealkv::internal
