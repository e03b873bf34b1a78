// The log: what each commit has changed, in the order of the commits. It is a tree of its own beside that of the keys
// (RootId::kLog), from a commit's number, big-endian, to one record that says what it did. A commit and its entry are
// one batch: one is there if the other is (kv/batch_commit.cc). Numbers ascend by one, so that a gap shows. What is old
// is erased, by the batch that adds something, or where space is short; the last entry stays for good, for it says what
// comes next. Each entry has a hash of all that was logged up to it, so that two logs which go on from the same entry
// have the same past, whatever of it is kept.
//
// The value of such a record (native byte order; nothing is padded):
//
//   OFFSET   SIZE  NAME            MEANING
//   0        8     begin_bytes     of all records of the log before this one, those erased included
//   8        8     past            `chain` of the entry before; 0: there was none
//   16       8     chain           XXH3-64 of the operations, seeded with `past`; of an entry that a loaded store
//                                  begins with: that of the last it stands for
//   24       4     operations      how many
//   28       4     flags           1: kSilent, it stands for what was changed up to it, and doesn't say what that was
//   32             for each operation, ascending by key:
//   +0       4     key_and_kind    bits 0..16 key length; bit 31: deleted
//   +4       4     value_bytes     deleted: 0
//   +8       4     expiry          of the value (kv/expiry.h)
//   +12      k, v                  key, value
//
// Silent is the first entry of a copy, and that of a delete in a store which has no room to say what is deleted.
#ifndef SEALKV_KV_CHANGE_LOG_H_
#define SEALKV_KV_CHANGE_LOG_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "kv/superblock.h"

namespace sealkv {
struct CommittedChange;
}  // namespace sealkv

namespace sealkv::internal {

struct LogHeader {
  uint64_t begin_bytes;
  uint64_t past;
  uint64_t chain;
  uint32_t operations;
  uint32_t flags;

  bool is_silent() const { return flags == kSilent; }
  static constexpr uint32_t kSilent = 1;  // of flags
};
static_assert(sizeof(LogHeader) == 32 && offsetof(LogHeader, past) == 8 && offsetof(LogHeader, chain) == 16);
static_assert(offsetof(LogHeader, operations) == 24 && offsetof(LogHeader, flags) == 28);

// Where a log ends: the last entry's number, and its chain.
struct LogEnd {
  uint64_t number = 0;
  uint64_t chain = 0;
};

struct LoggedOperation {
  uint32_t key_and_kind;
  uint32_t value_bytes;
  uint32_t expiry;

  static constexpr uint32_t kDeleted = uint32_t{1} << 31;  // of key_and_kind
};
static_assert(sizeof(LoggedOperation) == 12 && offsetof(LoggedOperation, expiry) == 8);

// An entry that is being put together.
class LogEntry {
 public:
  void Put(std::string_view key, std::string_view value, uint32_t expiry) { Add(key, value, 0, expiry); }
  void Delete(std::string_view key) { Add(key, {}, LoggedOperation::kDeleted, 0); }
  // Stands for all entries up to this one, which aren't in the log.
  void StandFor(const LogEnd& end) {
    flags_ = LogHeader::kSilent;
    end_ = end;
  }
  // Says no more than that there was a commit.
  void Silence() { flags_ = LogHeader::kSilent; }
  // The commit must get this number; 0: whichever comes next.
  void Expect(uint64_t number) { expected_ = number; }

  bool is_empty() const { return operations_ == 0 && !end_.has_value(); }
  bool is_silent() const { return flags_ == LogHeader::kSilent; }
  uint64_t expected() const { return expected_; }
  // What the entry's number is, where the one before has this.
  uint64_t NumberAfter(uint64_t before) const { return end_.has_value() ? end_->number : before + 1; }
  size_t bytes() const { return std::max(sizeof(LogHeader), bytes_.size()); }
  // The value of its record.
  std::string_view Finish(uint64_t begin_bytes, uint64_t past);

 private:
  void Add(std::string_view key, std::string_view value, uint32_t kind, uint32_t expiry);

  std::string bytes_;  // room for the header, then the operations; empty before the first
  uint32_t operations_ = 0;
  uint32_t flags_ = 0;
  uint64_t expected_ = 0;
  std::optional<LogEnd> end_;  // StandFor
};

// The header of an entry; nothing if this is none.
std::optional<LogHeader> LogHeaderOf(std::string_view value);
// What an entry says, but for its number: views into it. False: it is none.
bool ParseLogEntry(std::string_view value, CommittedChange* change);
uint64_t LogTermsChecksum(const LogTerms& terms);

}  // namespace sealkv::internal

#endif  // SEALKV_KV_CHANGE_LOG_H_
