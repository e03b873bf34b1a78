#include "kv/recovery.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstring>
#include <random>
#include <vector>

#include "absl/strings/str_cat.h"
#include "kv/lanes.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace sealkv::internal {
namespace {

uint64_t SuperblockChecksum(const Superblock& superblock) {
  return XXH3_64bits(&superblock, Superblock::kChecksummedBytes);
}

// Sets the fields that follow from the store's size.
void SetGeometry(Superblock& identity, uint64_t capacity_bytes) {
  identity.capacity_bytes = capacity_bytes;
  identity.segment_bytes_log2 = SegmentBytesLog2For(capacity_bytes);
  identity.segment_count = capacity_bytes >> identity.segment_bytes_log2;
  const uint64_t header_bytes = Superblock::kSegmentTableOffset + identity.segment_count * sizeof(uint64_t);
  const uint64_t segment_bytes = uint64_t{1} << identity.segment_bytes_log2;
  identity.header_segments = static_cast<uint32_t>((header_bytes + segment_bytes - 1) / segment_bytes);
}

// What the first 64 bytes of an empty store of this size say.
Superblock IdentityFor(uint64_t file_bytes) {
  Superblock identity{};
  identity.magic = Superblock::kMagic;
  identity.format_major = Superblock::kFormatMajor;
  identity.format_minor = Superblock::kFormatMinor;
  SetGeometry(identity, file_bytes);
  std::random_device entropy;
  identity.store_id = uint64_t{entropy()} << 32 | entropy();
  identity.checksum = SuperblockChecksum(identity);
  return identity;
}

// The first segment behind the header becomes a node segment; its first node is the root: an empty leaf. All else in
// the header is zero: no generation, every other segment free.
void WriteEmptyTree(daxfile::Persist& persist, std::byte* base, const Superblock& identity) {
  const uint64_t segment = identity.header_segments;
  const uint64_t root = segment << identity.segment_bytes_log2;
  std::vector<uint64_t> header(Superblock::kSegmentTableOffset / sizeof(uint64_t) + identity.segment_count);
  header[offsetof(Superblock, root) / sizeof(uint64_t)] = root;
  header[Superblock::kSegmentTableOffset / sizeof(uint64_t) + segment] =
      SegmentWord(SegmentKind::kNodes, 1, segment).raw();
  persist.CopyNonTemporal(base, header.data(), header.size() * sizeof(uint64_t));
  Node leaf{};
  leaf.words[Node::kPermWord] = Perm::kEmptyRaw;
  leaf.words[Node::kPrefixWord] = kUnbounded;
  persist.CopyNonTemporal(base + root, &leaf, sizeof(leaf));
  persist.Fence();
}

// The magic is the last word stored into its line, so it is there only if the rest of the line is. No fence: the one of
// BeginGeneration, which follows, covers it.
void CommitIdentity(daxfile::Persist& persist, std::byte* base, const Superblock& identity) {
  auto* words = reinterpret_cast<uint64_t*>(base);
  uint64_t values[8];
  std::memcpy(values, &identity, sizeof(values));
  for (int i = 7; i >= 0; --i) persist.Store(&words[i], values[i]);
  persist.Flush(words, sizeof(values));
}

absl::Status CheckIdentity(const Superblock& superblock, uint64_t file_bytes, const std::string& path) {
  if (superblock.magic != Superblock::kMagic) {
    return absl::FailedPreconditionError(absl::StrCat(
        path, ": not a SealKV store (no magic number at offset 0). If its creation was interrupted, remove it."));
  }
  if (superblock.format_major != Superblock::kFormatMajor || superblock.features_incompatible != 0) {
    // A damaged number must not be taken for another version.
    if (SuperblockChecksum(superblock) != superblock.checksum) {
      return absl::DataLossError(absl::StrCat(path, ": superblock damaged (checksum, offset 56)."));
    }
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": store format ", superblock.format_major, ".", superblock.format_minor, " with features ",
                     superblock.features_incompatible, "; this library reads format ", Superblock::kFormatMajor,
                     ". Dump it with the version that made it, and load the dump."));
  }
  if (SuperblockChecksum(superblock) != superblock.checksum) {
    return absl::DataLossError(absl::StrCat(path, ": superblock damaged (checksum, offset 56). Restore a backup."));
  }
  const uint64_t segment_bytes_log2 = superblock.segment_bytes_log2;
  if (segment_bytes_log2 < Superblock::kMinSegmentBytesLog2 || segment_bytes_log2 > Superblock::kMaxSegmentBytesLog2 ||
      superblock.segment_count != superblock.capacity_bytes >> segment_bytes_log2 || superblock.header_segments == 0 ||
      superblock.header_segments >= superblock.segment_count ||
      Superblock::kSegmentTableOffset + superblock.segment_count * sizeof(uint64_t) >
          uint64_t{superblock.header_segments} << segment_bytes_log2) {
    return absl::DataLossError(absl::StrCat(path, ": superblock contradicts itself (geometry, offset 16)."));
  }
  if (file_bytes < superblock.capacity_bytes) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": truncated: the store has ", superblock.capacity_bytes,
                                                      " bytes, the file ", file_bytes, ". Restore a backup."));
  }
  return absl::OkStatus();
}

}  // namespace

uint32_t SegmentBytesLog2For(uint64_t capacity_bytes) {
  const auto log2 = static_cast<uint32_t>(std::bit_width(capacity_bytes / 128 + 1) - 1);
  return std::clamp(log2, Superblock::kMinSegmentBytesLog2, Superblock::kMaxSegmentBytesLog2);
}

absl::Status FormatImage(daxfile::DaxFile& file) {
  constexpr uint64_t kMinBytes = 64 << 10;
  if (file.size_bytes() < kMinBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(file.path(), ": a store needs at least ", kMinBytes, " bytes, not ", file.size_bytes(), "."));
  }
  daxfile::Persist& persist = file.persist();
  std::byte* base = file.data();
  auto& superblock = *reinterpret_cast<Superblock*>(base);
  // What was here stops being a store before the first byte of it goes.
  persist.Store(&superblock.magic, 0);
  persist.Flush(&superblock.magic);
  persist.Fence();
  const Superblock identity = IdentityFor(file.size_bytes());
  WriteEmptyTree(persist, base, identity);
  CommitIdentity(persist, base, identity);
  return persist.status();
}

absl::StatusOr<Image> OpenImage(const daxfile::DaxFile& file) {
  if (file.size_bytes() < Superblock::kSegmentTableOffset) {
    return absl::FailedPreconditionError(
        absl::StrCat(file.path(), ": not a SealKV store: too short (", file.size_bytes(), " bytes)."));
  }
  const auto& superblock = *reinterpret_cast<const Superblock*>(file.data());
  if (absl::Status status = CheckIdentity(superblock, file.size_bytes(), file.path()); !status.ok()) return status;
  Image image(file.data());
  if (image.NodeAt(static_cast<Offset>(superblock.root)) == nullptr) {
    return absl::DataLossError(
        absl::StrCat(file.path(), ": root word damaged (offset 64): ", superblock.root, " can't be a node."));
  }
  return image;
}

absl::StatusOr<DamagedImage> OpenDamagedImage(daxfile::DaxFile& file) {
  const uint64_t file_bytes = file.size_bytes();
  if (file_bytes < Superblock::kSegmentTableOffset) {
    return absl::FailedPreconditionError(absl::StrCat(file.path(), ": only ", file_bytes, " bytes: nothing is left."));
  }
  const auto& said = *reinterpret_cast<const Superblock*>(file.data());
  // Its length is no argument here.
  const absl::Status identity = CheckIdentity(said, said.capacity_bytes, file.path());
  if (!identity.ok() && SuperblockChecksum(said) == said.checksum) return identity;  // of another version
  DamagedImage damaged;
  Superblock superblock = said;
  if (!identity.ok()) {
    SetGeometry(superblock, said.capacity_bytes);
    if (superblock.segment_bytes_log2 == said.segment_bytes_log2 && superblock.segment_count == said.segment_count &&
        superblock.header_segments == said.header_segments && superblock.segment_count > superblock.header_segments) {
      damaged.caveats.push_back("superblock damaged: its geometry is believed, for its parts agree");
    } else {
      SetGeometry(superblock, file_bytes);
      damaged.caveats.push_back(absl::StrCat("superblock damaged: assumed that the store has the file's size (",
                                             file_bytes, " bytes, segments of ",
                                             uint64_t{1} << superblock.segment_bytes_log2, ")"));
    }
  }
  damaged.capacity_bytes = superblock.capacity_bytes;
  if (file_bytes < superblock.capacity_bytes) {
    damaged.caveats.push_back(
        absl::StrCat("cut short: ", file_bytes, " of ", superblock.capacity_bytes, " bytes are left"));
  }
  Geometry geometry = Image::GeometryOf(superblock);
  geometry.size_bytes = std::min(geometry.size_bytes, file_bytes / kNodeBytes * kNodeBytes);
  if (geometry.size_bytes <= geometry.header_bytes) {
    return absl::FailedPreconditionError(
        absl::StrCat(file.path(), ": ends before the first key could be (", file_bytes, " bytes): nothing is left."));
  }
  damaged.image = Image(file.data(), geometry);
  const CommittedBatches batches(damaged.image);
  if (!batches.damaged().empty()) {
    damaged.may_lack_batches = true;
    damaged.caveats.push_back(absl::StrCat("a batch that was committed may be missing in part (lane at offset ",
                                           Raw(batches.damaged().front().at), ": ", batches.damaged().front().why,
                                           batches.damaged().size() > 1 ? "; and others" : "", ")"));
  }
  if (file.lock_fd() >= 0) {
    if (absl::Status status = FinishWhatCanBeRead(file, damaged.image); !status.ok()) return status;
  }
  return damaged;
}

absl::Status FinishForReading(daxfile::DaxFile& file, const Image& image) {
  if (absl::Status status = CommittedBatches(image).status(); !status.ok()) return status;
  return FinishWhatCanBeRead(file, image);
}

absl::Status FinishWhatCanBeRead(daxfile::DaxFile& file, const Image& image) {
  CommittedBatches batches(image);
  if (batches.count() == 0) return absl::OkStatus();
  if (absl::Status status = file.MakePrivate(); !status.ok()) return status;
  daxfile::Persist private_memory(daxfile::Persist::Mode::kCpu);
  return batches.Finish(private_memory);
}

uint32_t BeginGeneration(const Image& image, daxfile::Persist& persist) {
  uint64_t& word = image.superblock().generation;
  uint64_t next = word + 1;
  if (static_cast<uint32_t>(next) == 0) ++next;  // lock words carry 32 bits of it, and 0 is no generation
  persist.Store(&word, next);
  persist.Flush(&word);
  persist.Fence();
  return static_cast<uint32_t>(word);
}

}  // namespace sealkv::internal
