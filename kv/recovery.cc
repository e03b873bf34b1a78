#include "kv/recovery.h"

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstring>
#include <random>
#include <vector>

#include "absl/strings/str_cat.h"
#include "daxfile/file_lock.h"
#include "kv/change_log.h"
#include "kv/lanes.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace sealkv::internal {
namespace {

constexpr int kIdentityWords = 8;

uint64_t SuperblockChecksum(const Superblock& superblock) {
  return XXH3_64bits(&superblock, Superblock::kChecksummedBytes);
}

// Whether there are committed batches that nobody is about to finish.
bool NeedsToFinish(const daxfile::DaxFile& file) {
  const absl::StatusOr<Image> image = OpenImage(file);
  return image.ok() && HasCommittedLanes(*image) && !daxfile::HasWriter(file.lock_fd());
}

uint64_t MostSegmentsChecksum(uint64_t most_segments) { return XXH3_64bits(&most_segments, sizeof(most_segments)); }

// How many segments the store may grow to, if the superblock says so and that is whole; else 0.
uint64_t MostSegmentsSaid(const Superblock& superblock) {
  const uint64_t most = superblock.most_segments;
  return superblock.most_segments_checksum == MostSegmentsChecksum(most) ? most : 0;
}

// Sets the fields that follow from the store's size. `most_segments`: 0 if it doesn't grow.
void SetGeometry(Superblock& identity, uint64_t capacity_bytes, uint64_t most_segments) {
  identity.capacity_bytes = capacity_bytes;
  identity.segment_bytes_log2 = SegmentBytesLog2For(capacity_bytes);
  identity.segment_count = capacity_bytes >> identity.segment_bytes_log2;
  const uint64_t table_words = std::max(identity.segment_count, most_segments);
  const uint64_t header_bytes = Superblock::kSegmentTableOffset + table_words * sizeof(uint64_t);
  const uint64_t segment_bytes = uint64_t{1} << identity.segment_bytes_log2;
  identity.header_segments = static_cast<uint32_t>((header_bytes + segment_bytes - 1) / segment_bytes);
}

// The superblock of an empty store of this size, but for the root.
Superblock SuperblockFor(uint64_t capacity_bytes, uint64_t most_bytes, uint64_t log_bytes) {
  Superblock superblock{};
  superblock.magic = Superblock::kMagic;
  superblock.format_major = Superblock::kFormatMajor;
  superblock.format_minor = Superblock::kFormatMinor;
  superblock.features_incompatible = Superblock::kMayExpire;
  if (most_bytes > capacity_bytes) {
    superblock.features_incompatible |= Superblock::kGrows;
    superblock.most_segments = most_bytes >> SegmentBytesLog2For(capacity_bytes);
    superblock.most_segments_checksum = MostSegmentsChecksum(superblock.most_segments);
  }
  SetGeometry(superblock, capacity_bytes, superblock.most_segments);
  std::random_device entropy;
  superblock.store_id = uint64_t{entropy()} << 32 | entropy();
  if (log_bytes > 0) {
    superblock.features_incompatible |= Superblock::kKeepsLog;
    superblock.log_terms = {superblock.store_id, log_bytes, 0};
    superblock.log_terms.checksum = LogTermsChecksum(superblock.log_terms);
  }
  superblock.checksum = SuperblockChecksum(superblock);
  return superblock;
}

// All of the header but the identity, which comes last. The first segment behind the header becomes a node segment; its
// first node is the root: an empty leaf; the second that of the log, if there is one. No generation, no parts, every
// other segment free: zeros.
void WriteEmptyTree(daxfile::Persist& persist, std::byte* base, const Superblock& superblock) {
  const uint64_t segment = superblock.header_segments;
  const uint64_t root = segment << superblock.segment_bytes_log2;
  constexpr uint64_t kSuperblockWords = Superblock::kSegmentTableOffset / sizeof(uint64_t);
  std::vector<uint64_t> header(kSuperblockWords + std::max(superblock.segment_count, superblock.most_segments));
  std::memcpy(header.data(), &superblock, sizeof(superblock));
  std::fill_n(header.begin(), kIdentityWords, 0);
  const bool keeps_log = superblock.Has(Superblock::kKeepsLog);
  const uint64_t log_root = root + kNodeBytes;
  header[RootWordOffset(RootId::kKeys) / sizeof(uint64_t)] = root;
  header[RootWordOffset(RootId::kLog) / sizeof(uint64_t)] = keeps_log ? log_root : 0;
  header[kSuperblockWords + segment] = SegmentWord(SegmentKind::kNodes, 1, segment).raw();
  persist.CopyNonTemporal(base, header.data(), header.size() * sizeof(uint64_t));
  Node leaf{};
  leaf.words[Node::kPermWord] = Perm::kEmptyRaw;
  leaf.words[Node::kPrefixWord] = kUnbounded;
  persist.CopyNonTemporal(base + root, &leaf, sizeof(leaf));
  leaf.words[Node::kPrefixWord] = 0;
  if (keeps_log) persist.CopyNonTemporal(base + log_root, &leaf, sizeof(leaf));
  persist.Fence();
}

// The magic is the last word stored into its line, so it is there only if the rest of the line is. No fence: the one of
// BeginGeneration, which follows, covers it.
void CommitIdentity(daxfile::Persist& persist, std::byte* base, const Superblock& identity) {
  auto* words = reinterpret_cast<uint64_t*>(base);
  uint64_t values[kIdentityWords];
  std::memcpy(values, &identity, sizeof(values));
  for (int i = kIdentityWords - 1; i >= 0; --i) persist.Store(&words[i], values[i]);
  persist.Flush(words, sizeof(values));
}

// What makes a store one that grows, and the parts that it has.
absl::Status CheckGrowth(const Superblock& superblock, const std::string& path) {
  if (!superblock.Has(Superblock::kGrows)) return absl::OkStatus();
  const auto damaged = [&path](const char* what, uint64_t at) {
    return absl::DataLossError(absl::StrCat(path, ": superblock damaged (", what, ", offset ", at, ")."));
  };
  const uint64_t most = MostSegmentsSaid(superblock);
  const uint64_t header_bytes = uint64_t{superblock.header_segments} << superblock.segment_bytes_log2;
  if (most < superblock.segment_count || most > header_bytes / sizeof(uint64_t) ||
      Superblock::kSegmentTableOffset + most * sizeof(uint64_t) > header_bytes) {
    return damaged("how far it may grow", offsetof(Superblock, most_segments));
  }
  const uint64_t parts = Image::PartCount(superblock);
  for (uint64_t i = parts; i < Superblock::kParts; ++i) {
    if (Image::PartWordAt(superblock, i).raw() == PartWord::kNoneRaw) continue;
    if (Image::PartCount(superblock) != parts) return CheckGrowth(superblock, path);  // a writer has just added one
    return damaged("the table of its parts", offsetof(Superblock, parts) + i * sizeof(uint64_t));
  }
  if (Image::GeometryOf(superblock).size_bytes >> superblock.segment_bytes_log2 > most) {
    return damaged("its parts are larger than it may be", offsetof(Superblock, parts));
  }
  return absl::OkStatus();
}

absl::Status TooShortError(const std::string& path, uint64_t bytes) {
  return absl::FailedPreconditionError(absl::StrCat(path, ": not a SealKV store: too short (", bytes, " bytes)."));
}

absl::Status CheckMagic(uint64_t magic, const std::string& path) {
  if (magic == Superblock::kMagic) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      path, ": not a SealKV store (no magic number at offset 0). If its creation was interrupted, remove it."));
}

absl::Status CheckIdentity(const Superblock& superblock, uint64_t file_bytes, const std::string& path) {
  if (absl::Status status = CheckMagic(superblock.magic, path); !status.ok()) return status;
  if (superblock.format_major != Superblock::kFormatMajor ||
      (superblock.features_incompatible & ~Superblock::kKnownFeatures) != 0) {
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
  if (absl::Status status = CheckGrowth(superblock, path); !status.ok()) return status;
  if (file_bytes < superblock.capacity_bytes) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": truncated: the store has ", superblock.capacity_bytes,
                                                      " bytes, the file ", file_bytes, ". Restore a backup."));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status RecognizeStore(const std::string& path, std::span<const std::byte> head) {
  uint64_t magic = 0;
  if (head.size() < sizeof(magic)) return TooShortError(path, head.size());
  std::memcpy(&magic, head.data(), sizeof(magic));
  return CheckMagic(magic, path);
}

uint32_t SegmentBytesLog2For(uint64_t capacity_bytes) {
  const auto log2 = static_cast<uint32_t>(std::bit_width(capacity_bytes / 128 + 1) - 1);
  return std::clamp(log2, Superblock::kMinSegmentBytesLog2, Superblock::kMaxSegmentBytesLog2);
}

uint64_t MostBytesByDefault(uint64_t capacity_bytes) {
  constexpr uint64_t kMuch = uint64_t{16} << 40;
  if (capacity_bytes >= kMuch) return capacity_bytes;
  const uint64_t segment_bytes = uint64_t{1} << SegmentBytesLog2For(capacity_bytes);
  const uint64_t in_table = capacity_bytes / 64 / sizeof(uint64_t) * segment_bytes;
  return std::max(capacity_bytes, std::min({capacity_bytes * 64, in_table, kMuch}));
}

uint64_t MostBytesFor(uint64_t capacity_bytes) {
  constexpr uint64_t kAddresses = uint64_t{1} << 46;
  if (capacity_bytes >= kAddresses) return capacity_bytes;
  const uint64_t segment_bytes = uint64_t{1} << SegmentBytesLog2For(capacity_bytes);
  return std::max(capacity_bytes, std::min(capacity_bytes / 4 / sizeof(uint64_t) * segment_bytes, kAddresses));
}

absl::Status FormatImage(daxfile::DaxFile& file, uint64_t capacity_bytes, uint64_t most_bytes, uint64_t log_bytes) {
  constexpr uint64_t kMinBytes = 64 << 10;
  if (capacity_bytes == 0) capacity_bytes = file.size_bytes();
  if (capacity_bytes < kMinBytes || capacity_bytes > file.size_bytes()) {
    return absl::InvalidArgumentError(absl::StrCat(file.path(), ": a store needs at least ", kMinBytes,
                                                   " bytes, and can't have ", capacity_bytes, " of ", file.size_bytes(),
                                                   "."));
  }
  if (file.lock_fd() >= 0 && capacity_bytes + kMinBytes < file.size_bytes()) {
    return absl::InvalidArgumentError(absl::StrCat(file.path(), ": a store has all of its file: ", file.size_bytes(),
                                                   " bytes, not ", capacity_bytes, "."));
  }
  if (most_bytes > MostBytesFor(capacity_bytes)) {
    return absl::InvalidArgumentError(absl::StrCat(file.path(), ": a store that begins with ", capacity_bytes,
                                                   " bytes can grow to ", MostBytesFor(capacity_bytes), ", not to ",
                                                   most_bytes, ". Begin with more."));
  }
  if (most_bytes > capacity_bytes) {
    if (absl::Status status = file.Reserve(most_bytes); !status.ok()) return status;
  }
  daxfile::Persist& persist = file.persist();
  std::byte* base = file.data();
  auto& superblock = *reinterpret_cast<Superblock*>(base);
  // What was here stops being a store before the first byte of it goes.
  persist.Store(&superblock.magic, 0);
  persist.Flush(&superblock.magic);
  persist.Fence();
  const Superblock fresh = SuperblockFor(capacity_bytes, most_bytes, log_bytes);
  WriteEmptyTree(persist, base, fresh);
  CommitIdentity(persist, base, fresh);
  return persist.status();
}

daxfile::Part PartOf(const Superblock& superblock, uint64_t i) {
  uint64_t first = superblock.segment_count;
  for (uint64_t before = 0; before < i; ++before) first += Image::PartWordAt(superblock, before).segments();
  return {superblock.store_id, i + 1, first << superblock.segment_bytes_log2,
          uint64_t{Image::PartWordAt(superblock, i).segments()} << superblock.segment_bytes_log2};
}

absl::StatusOr<uint64_t> CountParts(const std::string& path) {
  const absl::StatusOr<daxfile::DaxFile> file =
      daxfile::DaxFile::Open(path, {.weakest_tier = daxfile::Tier::kVolatile, .read_only = true});
  if (!file.ok()) return file.status();
  const auto& superblock = *reinterpret_cast<const Superblock*>(file->data());
  if (absl::Status status = ValidateSuperblock(superblock, file->size_bytes(), path); !status.ok()) return status;
  return superblock.Has(Superblock::kGrows) ? Image::PartCount(superblock) : 0;
}

absl::Status MapParts(daxfile::DaxFile& file) {
  if (file.size_bytes() < Superblock::kSegmentTableOffset) return absl::OkStatus();
  const auto* superblock = reinterpret_cast<const Superblock*>(file.data());
  if (!CheckIdentity(*superblock, file.size_bytes(), file.path()).ok()) return absl::OkStatus();
  if (!superblock->Has(Superblock::kGrows)) return absl::OkStatus();
  if (absl::Status status = file.Reserve(superblock->most_segments << superblock->segment_bytes_log2); !status.ok()) {
    return status;
  }
  superblock = reinterpret_cast<const Superblock*>(file.data());
  while (file.parts() < Image::PartCount(*superblock)) {
    const daxfile::Part part = PartOf(*superblock, file.parts());
    if (part.bytes == 0) break;  // a writer has just taken it back
    if (absl::Status status = file.OpenPart(part); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status ValidateSuperblock(const Superblock& superblock, uint64_t file_bytes, const std::string& path) {
  if (absl::Status status = CheckIdentity(superblock, file_bytes, path); !status.ok()) return status;
  const bool keeps_log = superblock.Has(Superblock::kKeepsLog);
  if (keeps_log && LogTermsChecksum(superblock.log_terms) != superblock.log_terms.checksum) {
    return absl::DataLossError(absl::StrCat(path, ": superblock damaged (the terms of its log, offset ",
                                            offsetof(Superblock, log_terms), ")."));
  }
  const Image image(nullptr, Image::GeometryOf(superblock));
  const auto check_root = [&](RootId id, uint64_t root) -> absl::Status {
    if (image.CanBeNode(static_cast<Offset>(root))) return absl::OkStatus();
    return absl::DataLossError(
        absl::StrCat(path, ": root word damaged (offset ", RootWordOffset(id), "): ", root, " can't be a node."));
  };
  if (absl::Status status = check_root(RootId::kKeys, superblock.root); !status.ok() || !keeps_log) return status;
  return check_root(RootId::kLog, superblock.log_root);
}

absl::StatusOr<Image> OpenImage(const daxfile::DaxFile& file) {
  if (file.size_bytes() < Superblock::kSegmentTableOffset) {
    return TooShortError(file.path(), file.size_bytes());
  }
  const auto& superblock = *reinterpret_cast<const Superblock*>(file.data());
  if (absl::Status status = ValidateSuperblock(superblock, file.size_bytes(), file.path()); !status.ok()) return status;
  Geometry geometry = Image::GeometryOf(superblock);
  if (file.lock_fd() >= 0) {
    // A writer may have added some since they were mapped; or be about to take one back, and not do it.
    geometry.size_bytes = std::max(superblock.segment_count << superblock.segment_bytes_log2, file.parts_end());
  } else if (geometry.size_bytes > file.size_bytes()) {
    return absl::FailedPreconditionError(absl::StrCat(file.path(), ": truncated: the store has ", geometry.size_bytes,
                                                      " bytes, the memory ", file.size_bytes(), "."));
  }
  return Image(file.data(), geometry);
}

namespace {

// What is left of the parts; zeros for those that are lost.
void MapWhatIsLeftOfParts(daxfile::DaxFile& file, const Superblock& superblock, DamagedImage& damaged) {
  const uint64_t count = Image::PartCount(superblock);
  while (file.parts() < count) {
    const daxfile::Part part = PartOf(superblock, file.parts());
    absl::Status status = file.OpenPart(part);
    if (status.ok()) continue;
    damaged.caveats.push_back(absl::StrCat("a part of it is lost: ", status.message()));
    if (!file.MapZeros(part).ok()) break;
  }
  for (uint64_t i = count; i < Superblock::kParts; ++i) {
    if (Image::PartWordAt(superblock, i).raw() == PartWord::kNoneRaw) continue;
    damaged.caveats.push_back("the table of its parts is damaged: what lies in those behind that isn't looked at");
    break;
  }
}

}  // namespace

absl::StatusOr<DamagedImage> OpenDamagedImage(daxfile::DaxFile& file) {
  const uint64_t file_bytes = file.size_bytes();
  if (file_bytes < Superblock::kSegmentTableOffset) {
    return absl::FailedPreconditionError(absl::StrCat(file.path(), ": only ", file_bytes, " bytes: nothing is left."));
  }
  const Superblock said = *reinterpret_cast<const Superblock*>(file.data());
  // Its length is no argument here.
  const absl::Status identity = CheckIdentity(said, said.capacity_bytes, file.path());
  if (absl::IsFailedPrecondition(identity) && SuperblockChecksum(said) == said.checksum) return identity;
  DamagedImage damaged;
  Superblock superblock = said;
  const bool is_identity_whole = SuperblockChecksum(said) == said.checksum;
  if (!identity.ok() && is_identity_whole) damaged.caveats.emplace_back(identity.message());
  if (!is_identity_whole) {
    const uint64_t most = MostSegmentsSaid(said);
    SetGeometry(superblock, said.capacity_bytes, most);
    if (superblock.segment_bytes_log2 == said.segment_bytes_log2 && superblock.segment_count == said.segment_count &&
        superblock.header_segments == said.header_segments && superblock.segment_count > superblock.header_segments) {
      damaged.caveats.push_back("superblock damaged: its geometry is believed, for its parts agree");
    } else {
      SetGeometry(superblock, file_bytes, most);
      damaged.caveats.push_back(absl::StrCat("superblock damaged: assumed that the store has the file's size (",
                                             file_bytes, " bytes, segments of ",
                                             uint64_t{1} << superblock.segment_bytes_log2, ")"));
    }
    superblock.features_incompatible = most > 0 ? Superblock::kGrows : 0;
    const std::string first_part = daxfile::PartPath(file.path(), 1);
    if (most == 0 && access(first_part.c_str(), F_OK) == 0) {
      damaged.caveats.push_back(absl::StrCat("superblock damaged: whether ", first_part,
                                             " is a part of the store can't be told, and it isn't looked at"));
    }
  }
  const uint64_t header_bytes = uint64_t{superblock.header_segments} << superblock.segment_bytes_log2;
  superblock.most_segments =
      std::clamp(superblock.most_segments, superblock.segment_count, header_bytes / sizeof(uint64_t));
  const uint64_t first_bytes = superblock.segment_count << superblock.segment_bytes_log2;
  if (file_bytes < superblock.capacity_bytes) {
    damaged.caveats.push_back(
        absl::StrCat("cut short: ", file_bytes, " of ", superblock.capacity_bytes, " bytes are left"));
  }
  Geometry geometry = Image::GeometryOf(superblock);
  damaged.capacity_bytes = std::max(superblock.capacity_bytes, geometry.size_bytes);
  if (file_bytes < first_bytes) {
    geometry.size_bytes = std::min(geometry.size_bytes, file_bytes / kNodeBytes * kNodeBytes);
  } else if (geometry.size_bytes > first_bytes && file.lock_fd() >= 0) {
    if (absl::Status status = file.Reserve(geometry.size_bytes); !status.ok()) return status;
    MapWhatIsLeftOfParts(file, superblock, damaged);
    geometry.size_bytes = std::min(geometry.size_bytes, file.mapped_bytes());
  } else {
    geometry.size_bytes = std::min(geometry.size_bytes, file_bytes);
  }
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

absl::StatusOr<daxfile::DaxFile> OpenForReading(std::string_view path, daxfile::OpenOptions how) {
  for (;;) {
    absl::StatusOr<daxfile::DaxFile> file = daxfile::DaxFile::Open(path, how);
    // Not alone while there is a writer: he has come meanwhile, and finished what was to be finished.
    if (!how.live && absl::IsUnavailable(file.status())) {
      how.live = true;
      continue;
    }
    if (!file.ok()) return file;
    if (absl::Status status = MapParts(*file); !status.ok()) return status;
    if (how.live && !NeedsToFinish(*file)) return file;
    if (how.live) {
      how.live = false;  // what is finished for this process alone must not be finished by a writer as well
      continue;
    }
    const absl::StatusOr<Image> image = OpenImage(*file);
    if (!image.ok()) return image.status();
    if (absl::Status status = FinishForReading(*file, *image); !status.ok()) return status;
    return file;
  }
}

absl::Status FinishForReading(daxfile::DaxFile& file, const Image& image) {
  const CommittedBatches batches(image);
  if (absl::Status status = batches.status(); !status.ok()) return status;
  if (batches.count() == 0) return absl::OkStatus();
  PersistSuperblock(image, file.persist());
  batches.PersistPages(file.persist());
  if (absl::Status status = file.persist().status(); !status.ok()) return status;
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
