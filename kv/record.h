// The record: a key and its value, written once, beside the tree. Only an 8-byte value is ever changed in place.
//
//   OFFSET         SIZE  NAME            MEANING
//   0              4     checksum        low half of XXH3-64, see RecordChecksum
//   4              4     key_and_flags   bits 0..16 key length; bits 20..31 RecordFlags; the others 0
//   8              4     value_bytes
//   12             4     expiry          seconds since 1970 from which on it is over; 0: never (kv/expiry.h)
//   16             8     sequence        ascends over the life of the store: generation << 40 | count
//   24             k     key             then zeros to the next multiple of 8
//   24 + pad8(k)   v     value           then zeros to the next multiple of 8
//
// Records are 8-aligned, so an 8-byte value is one aligned word, and applications may read integers and structs in
// place. The checksum covers all from offset 4 on, but not an 8-byte value: Add and CompareAndSwap change that in place
// by one store, which no checksum could follow.
#ifndef SEALKV_KV_RECORD_H_
#define SEALKV_KV_RECORD_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sealkv::internal {

inline constexpr unsigned kGenerationShift = 40;  // of a sequence number

enum RecordFlags : uint32_t {
  kPlainRecord = 0,
  kPrefixRecord = 1,  // belongs to a layer's root: the "key" is the layer's prefix
  kLogRecord = 2,     // of the log: the key is a commit's number, the value what it changed (kv/change_log.h)
};

struct RecordHeader {
  uint32_t checksum;
  uint32_t key_and_flags;
  uint32_t value_bytes;
  uint32_t expiry;
  uint64_t sequence;

  uint32_t key_bytes() const { return key_and_flags & 0x1ffff; }
  uint32_t flags() const { return key_and_flags >> 20; }
  static constexpr uint32_t KeyAndFlags(uint32_t key_bytes, uint32_t flags) { return key_bytes | flags << 20; }
};
static_assert(sizeof(RecordHeader) == 24);
static_assert(offsetof(RecordHeader, value_bytes) == 8 && offsetof(RecordHeader, sequence) == 16);

constexpr uint64_t Pad8(uint64_t bytes) { return (bytes + 7) & ~uint64_t{7}; }
constexpr uint64_t ValueOffset(uint64_t key_bytes) { return sizeof(RecordHeader) + Pad8(key_bytes); }
constexpr uint64_t RecordBytes(uint64_t key_bytes, uint64_t value_bytes) {
  return ValueOffset(key_bytes) + Pad8(value_bytes);
}

// A record where it lies. Made by Image::RecordAt, which has checked that all of it is inside the file.
class RecordView {
 public:
  RecordView() = default;
  explicit RecordView(const std::byte* at) : at_(at) {}

  bool is_null() const { return at_ == nullptr; }
  const RecordHeader& header() const { return *reinterpret_cast<const RecordHeader*>(at_); }
  std::string_view key() const {
    return {reinterpret_cast<const char*>(at_) + sizeof(RecordHeader), header().key_bytes()};
  }
  std::string_view value() const {
    return {reinterpret_cast<const char*>(at_) + ValueOffset(header().key_bytes()), header().value_bytes};
  }
  bool has_word_value() const { return header().value_bytes == sizeof(uint64_t); }
  // The 8-byte value, which may be changing: read it with Node::Load.
  uint64_t* value_word() const {
    return reinterpret_cast<uint64_t*>(const_cast<std::byte*>(at_) + ValueOffset(header().key_bytes()));
  }
  uint64_t bytes() const { return RecordBytes(header().key_bytes(), header().value_bytes); }
  const std::byte* data() const { return at_; }

  inline bool ChecksumHolds() const;

 private:
  const std::byte* at_ = nullptr;
};

// The checksum of a record whose header and padded key are the `head_bytes` at `head` (the checksum field is skipped)
// and whose value is `value`, wherever that lies: hash of the head, then of the value with the first as its seed.
uint32_t RecordChecksum(const void* head, size_t head_bytes, std::string_view value);

bool RecordView::ChecksumHolds() const {
  return RecordChecksum(at_, ValueOffset(header().key_bytes()), value()) == header().checksum;
}

}  // namespace sealkv::internal

#endif  // SEALKV_KV_RECORD_H_
