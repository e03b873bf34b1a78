// What a medium does to a file: each fault of each kind, for one store.
#ifndef SEALKV_TOOLS_TESTING_MEDIA_FAULT_H_
#define SEALKV_TOOLS_TESTING_MEDIA_FAULT_H_

#include <cstddef>
#include <cstring>
#include <ostream>
#include <set>
#include <span>
#include <vector>

#include "tests/random.h"
#include "tools/testing/anatomy.h"

namespace sealkv::testing {

struct MediaFault {
  enum class Kind : uint8_t {
    kHeaderBit,  // superblock and segment table
    kNodeBit,
    kRecordBit,  // of its header
    kLineZeroed,
    kLineRepeated,  // a neighbour's content over it
    kSectorZeroed,  // 512 bytes
    kSectorReplaced,
    kBlockZeroed,  // 4 KiB
    kBlockReplaced,
    kCut,
  };
  static constexpr size_t kKinds = 10;
  static constexpr const char* kNames[kKinds] = {"bit of superblock or segment table",
                                                 "bit of a node",
                                                 "bit of a record's header",
                                                 "cache line zeroed",
                                                 "cache line repeated over the next",
                                                 "512 bytes zeroed",
                                                 "512 bytes from elsewhere",
                                                 "4 KiB zeroed",
                                                 "4 KiB from elsewhere",
                                                 "the end of the file cut"};

  Kind kind;
  uint64_t at;             // the byte; of kCut: how many are left
  uint64_t bytes = 1;      // how many are wrong
  uint64_t from = kZeros;  // where what is there instead comes from
  unsigned bit = 0;

  static constexpr uint64_t kZeros = ~uint64_t{0};

  const char* name() const { return kNames[static_cast<size_t>(kind)]; }

  // `image` is sound before. Returns how much is left of it.
  size_t Apply(std::span<std::byte> image) const {
    switch (kind) {
      case Kind::kHeaderBit:
      case Kind::kNodeBit:
      case Kind::kRecordBit:
        image[at] ^= static_cast<std::byte>(1 << bit);
        return image.size();
      case Kind::kCut:
        return at;
      default:
        if (from == kZeros) {
          std::memset(&image[at], 0, bytes);
        } else {
          std::memcpy(&image[at], &image[from], bytes);
        }
        return image.size();
    }
  }

  friend std::ostream& operator<<(std::ostream& out, const MediaFault& fault) {
    out << fault.name() << " at 0x" << std::hex << fault.at;
    if (fault.from != kZeros) out << " from 0x" << fault.from;
    return out << std::dec << ", bit " << fault.bit;
  }
};

// All of them: each bit of all metadata, each line and block. Of blocks from elsewhere: some, drawn by the seed, for
// each sector, and all pairs of 4 KiB.
inline std::vector<MediaFault> AllMediaFaults(const Anatomy& anatomy, uint64_t seed) {
  using Kind = MediaFault::Kind;
  constexpr uint64_t kLine = 64, kSector = 512, kBlock = 4096;
  const internal::Image& image = anatomy.image();
  const uint64_t end = image.size_bytes();
  std::vector<MediaFault> faults;
  const auto add_bits = [&](Kind kind, uint64_t from, uint64_t bytes) {
    for (uint64_t at = from; at < from + bytes; ++at) {
      for (unsigned bit = 0; bit < 8; ++bit) faults.push_back({kind, at, 1, MediaFault::kZeros, bit});
    }
  };
  add_bits(Kind::kHeaderBit, 0, internal::Superblock::kSegmentTableOffset + image.segment_count() * sizeof(uint64_t));
  for (const internal::Offset node : anatomy.nodes()) add_bits(Kind::kNodeBit, Raw(node), internal::kNodeBytes);
  for (const internal::Offset record : anatomy.records()) {
    add_bits(Kind::kRecordBit, Raw(record), sizeof(internal::RecordHeader));
  }
  for (uint64_t at = 0; at < end; at += kLine) {
    faults.push_back({Kind::kLineZeroed, at, kLine});
    if (at > 0) faults.push_back({Kind::kLineRepeated, at, kLine, at - kLine});
    if (at + kLine < end) faults.push_back({Kind::kLineRepeated, at, kLine, at + kLine});
  }
  Random random(seed);
  constexpr int kReplacements = 8;
  for (uint64_t at = 0; at < end; at += kSector) {
    faults.push_back({Kind::kSectorZeroed, at, kSector});
    for (int i = 0; i < kReplacements; ++i) {
      faults.push_back({Kind::kSectorReplaced, at, kSector, random.Below(end / kSector) * kSector});
    }
  }
  for (uint64_t at = 0; at < end; at += kBlock) {
    faults.push_back({Kind::kBlockZeroed, at, kBlock});
    for (uint64_t from = 0; from < end; from += kBlock) {
      if (from != at) faults.push_back({Kind::kBlockReplaced, at, kBlock, from});
    }
  }
  std::set<uint64_t> cuts;
  for (uint64_t left = kLine; left <= Raw(image.SegmentStart(image.header_segments())); left += kLine)
    cuts.insert(left);
  for (uint64_t left = kSector; left < end; left += kSector) cuts.insert(left);
  for (const uint64_t left : cuts) faults.push_back({Kind::kCut, left});
  return faults;
}

}  // namespace sealkv::testing

#endif  // SEALKV_TOOLS_TESTING_MEDIA_FAULT_H_
