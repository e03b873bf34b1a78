// Where things lie: an Offset from the start of the file, and the word by which a tree entry refers to a record.
#ifndef SEALKV_KV_REFERENCE_H_
#define SEALKV_KV_REFERENCE_H_

#include <cstdint>

namespace sealkv::internal {

// Bytes from the start of the file. Offset 0 is the superblock, so it doubles as "nothing".
enum class Offset : uint64_t { kNone = 0 };

constexpr uint64_t Raw(Offset offset) { return static_cast<uint64_t>(offset); }
constexpr Offset operator+(Offset offset, uint64_t bytes) { return static_cast<Offset>(Raw(offset) + bytes); }

// The word of a tree entry that refers to a record. Persistent format:
//
//   BITS    SIZE  MEANING
//   0..47   48    offset of the record (a multiple of 8)
//   48..63  16    fingerprint of the key beyond its slice, where the entry's kind is kMore; else 0
class RecordRef {
 public:
  constexpr RecordRef(Offset offset, uint16_t fingerprint)
      : raw_(Raw(offset) | static_cast<uint64_t>(fingerprint) << kOffsetBits) {}
  static constexpr RecordRef FromRaw(uint64_t raw) { return RecordRef(raw); }

  constexpr uint64_t raw() const { return raw_; }
  constexpr Offset offset() const { return static_cast<Offset>(raw_ & ((uint64_t{1} << kOffsetBits) - 1)); }
  constexpr uint16_t fingerprint() const { return static_cast<uint16_t>(raw_ >> kOffsetBits); }

  static constexpr int kOffsetBits = 48;

 private:
  constexpr explicit RecordRef(uint64_t raw) : raw_(raw) {}
  uint64_t raw_;
};

static_assert(sizeof(RecordRef) == 8);
static_assert(RecordRef(Offset{0x1234567890a8}, 0xbeef).offset() == Offset{0x1234567890a8});
static_assert(RecordRef(Offset{0x1234567890a8}, 0xbeef).fingerprint() == 0xbeef);

}  // namespace sealkv::internal

#endif  // SEALKV_KV_REFERENCE_H_
