// The superblock: the first 2 KiB of the file. What it says about itself never changes after creation and is covered by
// a checksum; the words that change lie in lines of their own.
//
//   OFFSET  SIZE  NAME                    MEANING
//   0       8     magic                   kMagic; stored last: without it there is no store here
//   8       4     format_major            readers refuse another
//   12      4     format_minor            readers accept any
//   16      8     capacity_bytes          what the store was made for; no more than its first file's size
//   24      4     segment_bytes_log2      12..21
//   28      4     header_segments         segments at the start that hold superblock and segment table
//   32      8     segment_count           of the first file; header included
//   40      4     features_incompatible   bits: a reader that doesn't know one refuses
//                                         1: kGrows, the fields at 1280 and 1288 and the parts are in use (since 3.1)
//                                         2: kKeepsLog, those from 1296 to 1327 are (since 3.2)
//                                         4: kMayExpire, records may have an expiry (since 3.2)
//   44      4     features_compatible     bits: a reader may ignore them (none so far)
//   48      8     store_id                random
//   56      8     checksum                XXH3-64 of bytes 0..55
//   64      8     root                    commit word: offset of the root node of the top layer
//   72      56    -                       zero
//   128     8     generation              counts the opens for writing
//   136     56    -                       zero
//   192     64·16 lanes                   16 lines, each: 8 bytes, the LaneWord of a committed batch (kv/lane_word.h);
//                                         56 zero
//   1216    8     epoch                   volatile: of the last or living writer, for readers in other processes
//                                         (kv/foreign_readers.h)
//   1224    56    -                       zero
//   1280    8     most_segments           kGrows: how many there may ever be; so long is the segment table. Else 0
//   1288    8     most_segments_checksum  kGrows: XXH3-64 of most_segments. Else 0
//   1296    8     log_root                kKeepsLog: commit word: offset of the root node of the log (kv/change_log.h).
//                                         Else 0
//   1304    24    log_terms               kKeepsLog: LogTerms. Else 0
//   1328    16    -                       zero
//   1344    8·88  parts                   commit words: one PartWord for each further file (kv/part_word.h)
//   2048    8·n   segment table           one SegmentWord per segment (kv/segment_word.h)
#ifndef SEALKV_KV_SUPERBLOCK_H_
#define SEALKV_KV_SUPERBLOCK_H_

#include <cstddef>
#include <cstdint>

namespace sealkv::internal {

// What a log is of, and how long it is kept.
//
//   OFFSET  SIZE  NAME        MEANING
//   0       8     lineage     random; a store and its copies have the same one: their logs number the same changes
//   8       8     most_bytes  of records; what is older goes
//   16      8     checksum    XXH3-64 of bytes 0..15
struct LogTerms {
  uint64_t lineage;
  uint64_t most_bytes;
  uint64_t checksum;
};
static_assert(sizeof(LogTerms) == 24 && offsetof(LogTerms, checksum) == 16);

struct alignas(64) Superblock {
  uint64_t magic;
  uint32_t format_major;
  uint32_t format_minor;
  uint64_t capacity_bytes;
  uint32_t segment_bytes_log2;
  uint32_t header_segments;
  uint64_t segment_count;
  uint32_t features_incompatible;
  uint32_t features_compatible;
  uint64_t store_id;
  uint64_t checksum;

  uint64_t root;
  uint64_t zero_1[7];

  uint64_t generation;
  uint64_t zero_2[7];

  struct Lane {
    uint64_t word;
    uint64_t zero[7];
  };
  static constexpr size_t kLanes = 16;
  Lane lanes[kLanes];

  uint64_t epoch;
  uint64_t zero_3[7];

  uint64_t most_segments;
  uint64_t most_segments_checksum;

  uint64_t log_root;
  LogTerms log_terms;
  uint64_t zero_4[2];
  static constexpr size_t kParts = 88;
  uint64_t parts[kParts];

  static constexpr uint64_t kMagic = 0x0a1a564b6c616553;  // "SealKV", then SUB and LF, which text transfers mangle
  static constexpr uint32_t kFormatMajor = 3;
  static constexpr uint32_t kFormatMinor = 2;
  // Of features_incompatible.
  static constexpr uint32_t kGrows = 1;
  static constexpr uint32_t kKeepsLog = 2;
  static constexpr uint32_t kMayExpire = 4;
  static constexpr uint32_t kKnownFeatures = kGrows | kKeepsLog | kMayExpire;
  bool Has(uint32_t feature) const { return (features_incompatible & feature) != 0; }

  static constexpr uint64_t kLanesOffset = 192;
  static constexpr uint64_t kSegmentTableOffset = 2048;
  static constexpr uint32_t kMinSegmentBytesLog2 = 12;
  static constexpr uint32_t kMaxSegmentBytesLog2 = 21;
  static constexpr size_t kChecksummedBytes = 56;
};

static_assert(sizeof(Superblock) == Superblock::kSegmentTableOffset);
static_assert(offsetof(Superblock, capacity_bytes) == 16 && offsetof(Superblock, segment_bytes_log2) == 24);
static_assert(offsetof(Superblock, segment_count) == 32 && offsetof(Superblock, features_incompatible) == 40);
static_assert(offsetof(Superblock, store_id) == 48 && offsetof(Superblock, checksum) == 56);
static_assert(offsetof(Superblock, root) == 64 && offsetof(Superblock, generation) == 128);
static_assert(offsetof(Superblock, lanes) == Superblock::kLanesOffset && sizeof(Superblock::Lane) == 64);
static_assert(offsetof(Superblock, epoch) == 1216 && offsetof(Superblock, most_segments) == 1280);
static_assert(offsetof(Superblock, most_segments_checksum) == 1288 && offsetof(Superblock, parts) == 1344);
static_assert(offsetof(Superblock, log_root) == 1296 && offsetof(Superblock, log_terms) == 1304);

// A store has one tree, or two; each begins at a word of the superblock.
enum class RootId : uint8_t {
  kKeys,  // what the store is for
  kLog,   // what was changed in it: kv/change_log.h
};
inline constexpr size_t kRoots = 2;

inline uint64_t& RootWord(Superblock& superblock, RootId id) {
  return id == RootId::kKeys ? superblock.root : superblock.log_root;
}
constexpr uint64_t RootWordOffset(RootId id) {
  return id == RootId::kKeys ? offsetof(Superblock, root) : offsetof(Superblock, log_root);
}

}  // namespace sealkv::internal

#endif  // SEALKV_KV_SUPERBLOCK_H_
