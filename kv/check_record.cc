#include "kv/check_record.h"

#include "kv/sealkv.h"

namespace sealkv::internal {

std::string RecordHeaderFault(const RecordHeader& header) {
  if (header.key_bytes() > kMaxKeyBytes) return absl::StrCat("a key of ", header.key_bytes(), " bytes");
  if (header.value_bytes > kMaxValueBytes && header.flags() != kLogRecord)
    return absl::StrCat("a value of ", header.value_bytes, " bytes");
  if (header.flags() > kLogRecord) return absl::StrCat("unknown flags ", header.flags());
  if (header.key_and_flags != RecordHeader::KeyAndFlags(header.key_bytes(), header.flags())) return "reserved bits set";
  if (header.expiry != 0 && header.flags() != kPlainRecord) return absl::StrCat("an expiry of ", header.expiry);
  return "";
}

RecordView RecordChecker::Take(Offset at, Offset referrer, RecordFlags flags) {
  const RecordView record = image_.RecordAt(at);
  if (record.is_null()) {
    findings_.Major(referrer, "the reference leads to ", Findings::Hex(at), ", where no record can be");
    return record;
  }
  if (!segments_.Claim(at, record.bytes())) {
    findings_.Major(referrer, "the reference leads to ", Findings::Hex(at), ", and ", record.bytes(),
                    " bytes from there belong, at least in part, to something else: two references to one record, or "
                    "records that overlap");
    return RecordView();
  }
  if (!CheckContent(at, record)) {
    segments_.Unclaim(at, record.bytes());  // it may be its length that is wrong
    return RecordView();
  }
  segments_.CheckPlaceOfRecord(at, record.bytes());
  if (record.header().flags() != flags) {
    findings_.Major(referrer, "the reference leads to the record at ", Findings::Hex(at),
                    ", which is of another sort: flags ", record.header().flags(), " instead of ",
                    static_cast<uint32_t>(flags));
    return RecordView();
  }
  CheckPadding(at, record);
  CheckReport& report = findings_.report();
  report.records += 1;
  report.record_bytes += record.bytes();
  if (record.header().sequence > report.max_sequence) {
    report.max_sequence = record.header().sequence;
    newest_ = at;
  }
  return record;
}

// The checksum first: where that is wrong, nothing else about the record is worth a word.
bool RecordChecker::CheckContent(Offset at, RecordView record) {
  if (findings_.options().verify_checksums && !record.ChecksumHolds()) {
    findings_.Major(at, "the record's checksum doesn't fit its content");
    return false;
  }
  const std::string fault = RecordHeaderFault(record.header());
  if (fault.empty()) return true;
  findings_.Major(at, "the record's header is impossible: ", fault);
  return false;
}

// Behind the key it is under the checksum; behind the value it isn't.
void RecordChecker::CheckPadding(Offset at, RecordView record) {
  if (!findings_.options().verify_checksums) return;
  const std::string_view value = record.value();
  const uint64_t padding_bytes = Pad8(value.size()) - value.size();
  for (uint64_t i = 0; i < padding_bytes; ++i) {
    if (value.data()[value.size() + i] == 0) continue;
    findings_.Minor(at + ValueOffset(record.header().key_bytes()) + value.size() + i,
                    "the padding behind a value is not zero");
    return;
  }
}

void RecordChecker::CheckGeneration() {
  const uint64_t generation = image_.superblock().generation;
  const uint64_t generation_max = findings_.report().max_sequence >> kGenerationShift;
  if (generation_max <= generation || newest_ == Offset::kNone) return;  // the newest may be in the other tree
  findings_.Major(Offset{offsetof(Superblock, generation)}, "superblock: the generation is ", generation,
                  ", but the record at ", Findings::Hex(newest_), " was written in generation ", generation_max);
}

}  // namespace sealkv::internal
