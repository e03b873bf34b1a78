#include "tools/page.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "kv/lane_word.h"
#include "kv/lanes.h"
#include "tools/segment_records.h"
#include "tools/text.h"

namespace sealkv::tools {
namespace {

using internal::Image;
using internal::Kind;
using internal::Kinds;
using internal::LaneWord;
using internal::LockWord;
using internal::Node;
using internal::Offset;
using internal::Perm;
using internal::PrefixKind;
using internal::Raw;
using internal::RecordRef;
using internal::RecordView;
using internal::SegmentWord;
using internal::Superblock;
using Json = nlohmann::ordered_json;

constexpr size_t kValueBytesShown = 256;

std::string KindName(Kind kind) {
  if (internal::IsEnd(kind)) return absl::StrCat("ends with ", static_cast<int>(kind));
  switch (kind) {
    case Kind::kMore:
      return "more";
    case Kind::kLayer:
      return "layer";
    case Kind::kInline:
      return "inline";
    default:
      return absl::StrCat("unknown ", static_cast<int>(kind));
  }
}

std::string SliceBytes(uint64_t slice) {
  const uint64_t bytes = __builtin_bswap64(slice);
  return std::string(reinterpret_cast<const char*>(&bytes), sizeof(bytes));
}

std::string RawBytes(uint64_t word) { return std::string(reinterpret_cast<const char*>(&word), sizeof(word)); }

// What a reference to a record leads to, in a few words.
std::string RecordInShort(const Image& image, RecordRef ref) {
  const RecordView record = image.RecordAt(ref.offset());
  std::string text = absl::StrCat("record ", HexNumber(Raw(ref.offset())));
  if (ref.fingerprint() != 0) absl::StrAppend(&text, ", upper bits ", HexNumber(ref.fingerprint()));
  if (record.is_null()) return absl::StrCat(text, ": no record can be there");
  return absl::StrCat(text, ": ", Quote(record.key()), " → ", WithCommas(record.header().value_bytes), " bytes");
}

std::string Meaning(const Image& image, const Node& node, unsigned slot) {
  if (!node.is_leaf()) return absl::StrCat("node ", HexNumber(node.ref(slot)));
  const Kind kind = node.kinds().kind(slot);
  if (internal::IsRecord(kind)) return RecordInShort(image, node.record(slot));
  if (kind == Kind::kLayer) return absl::StrCat("layer's root ", HexNumber(node.ref(slot)));
  if (kind == Kind::kInline) return absl::StrCat("value ", Quote(RawBytes(node.ref(slot))), " = ", node.ref(slot));
  return HexNumber(node.ref(slot));
}

std::string PrefixMeaning(const Image& image, const Node& node) {
  switch (node.kinds().prefix()) {
    case PrefixKind::kNone:
      if (!node.is_leaf() || node.bound() == 0) return "no prefix";
      if (node.bound() == internal::kUnbounded) return "bound: covers all that comes behind its first entry";
      return absl::StrCat("bound: covers up to ", Quote(SliceBytes(node.bound())));
    case PrefixKind::kInline:
      return absl::StrCat("prefix ", Quote(RawBytes(node.prefix_word())));
    case PrefixKind::kRecord:
      return absl::StrCat("prefix in ", RecordInShort(image, RecordRef::FromRaw(node.prefix_word())));
  }
  return "prefix of unknown kind";
}

std::string LockMeaning(LockWord lock) {
  return absl::StrCat("volatile: ", (lock.raw() & 1) != 0 ? "locked" : "unlocked",
                      (lock.raw() & 2) != 0 ? ", obsolete" : "", (lock.raw() & 4) != 0 ? ", claimed" : "",
                      (lock.raw() & 8) != 0 ? ", versioned" : "", ", version ", lock.version(), ", generation ",
                      lock.generation());
}

std::string LaneMeaning(const Image& image, uint64_t index) {
  const LaneWord word(Node::Load(image.superblock().lanes[index].word));
  if (word.is_free()) return "free";
  if (!word.IsWellFormed(index)) return "DAMAGED: the check doesn't fit";
  return absl::StrCat("a batch is committed, by the blob at ", HexNumber(Raw(word.blob())));
}

// Those that say something.
std::string LanesForPeople(const Json& lanes) {
  std::string text;
  for (const Json& lane : lanes) {
    if (lane["meaning"] == "free") continue;
    text += Row(absl::StrCat("lane ", lane["lane"].get<int>(), ", at ", lane["offset"].get<int>()),
                absl::StrCat(lane["word"].get<std::string>(), "  ", lane["meaning"].get<std::string>()));
  }
  return text.empty() ? Row("lanes", "all free: no batch waits to be finished") : text;
}

Json Word(uint64_t word, const std::string& meaning) { return {{"word", HexNumber(word)}, {"meaning", meaning}}; }

}  // namespace

Json DescribeNode(const Image& image, Offset offset) {
  const Node& node = *image.NodeAt(offset);
  const Perm perm = node.perm();
  const Kinds kinds = node.kinds();
  Json page = {{"what", "node"}, {"offset", Raw(offset)}};
  page["perm"] = Word(perm.raw(), perm.IsWellFormed() ? absl::StrCat(perm.count(), " of 14 slots in use")
                                                      : std::string("DAMAGED: not a permutation"));
  page["kinds"] = Word(kinds.raw(), kinds.level() == 0 ? std::string("leaf") : absl::StrCat("level ", kinds.level()));
  page["lock"] = Word(node.lock().raw(), LockMeaning(node.lock()));
  page["prefix"] = Word(node.prefix_word(), PrefixMeaning(image, node));
  page["entries"] = Json::array();
  for (unsigned i = 0; i < std::min(perm.count(), internal::kSlots); ++i) {
    const unsigned slot = perm.slot(i);
    if (slot < internal::kFirstSlot) continue;  // a damaged permutation names the words that are no slots
    page["entries"].push_back({{"slot", slot},
                               {"kind", node.is_leaf() ? KindName(kinds.kind(slot)) : std::string("child")},
                               {"slice", HexNumber(node.slice(slot))},
                               {"slice_text", Quote(SliceBytes(node.slice(slot)))},
                               {"reference", HexNumber(node.ref(slot))},
                               {"meaning", Meaning(image, node, slot)}});
  }
  return page;
}

Json DescribeRecord(const Image& image, Offset offset) {
  Json page = {{"what", "record"}, {"offset", Raw(offset)}};
  const RecordView record = image.RecordAt(offset);
  if (record.is_null()) {
    page["meaning"] = "no record can be here: offset not a multiple of 8, or it would not end inside the store";
    return page;
  }
  constexpr int kGenerationShift = 40;
  const internal::RecordHeader& header = record.header();
  page["checksum"] = Word(header.checksum, record.ChecksumHolds() ? "holds" : "DOES NOT HOLD");
  page["key_and_flags"] =
      Word(header.key_and_flags, absl::StrCat("key of ", WithCommas(header.key_bytes()), " bytes, flags ",
                                              header.flags(), header.flags() == 1 ? " (a layer's prefix)" : ""));
  page["value_bytes"] = Word(header.value_bytes, absl::StrCat("value of ", WithCommas(header.value_bytes), " bytes"));
  page["expiry"] = Word(header.expiry, header.expiry == 0 ? "never" : "seconds since 1970");
  page["sequence"] = Word(header.sequence, absl::StrCat("generation ", header.sequence >> kGenerationShift, ", number ",
                                                        header.sequence & ((uint64_t{1} << kGenerationShift) - 1)));
  page["key"] = Quote(record.key(), kValueBytesShown);
  page["value"] = Quote(record.value(), kValueBytesShown);
  page["bytes"] = record.bytes();
  return page;
}

Json DescribeRedoChunk(const Image& image, Offset offset) {
  const internal::RedoChunk& chunk = *internal::RedoChunkAt(image, offset);
  Json page = {{"what", "part of a batch"}, {"offset", Raw(offset)}};
  page["checksum"] = Word(chunk.checksum, "holds");
  page["next"] = Word(chunk.next, chunk.next == 0 ? "the last part" : "where the next part is");
  page["count"] = chunk.count;
  page["words"] = Json::array();
  for (uint64_t i = 0; i < chunk.count; ++i) {
    page["words"].push_back({{"where", Raw(chunk.words()[i].where)}, {"what", HexNumber(chunk.words()[i].value)}});
  }
  page["bytes"] = chunk.bytes();
  return page;
}

Json DescribeHeader(const Image& image, Offset offset) {
  const Superblock& superblock = image.superblock();
  if (Raw(offset) >= Superblock::kSegmentTableOffset) {
    const uint64_t index = (Raw(offset) - Superblock::kSegmentTableOffset) / sizeof(uint64_t);
    Json page = {{"what", "segment word"}, {"offset", Superblock::kSegmentTableOffset + index * sizeof(uint64_t)}};
    if (index >= image.segment_count()) {
      page["meaning"] = "behind the segment table";
      return page;
    }
    const SegmentWord word = image.segment_word(index);
    const SegmentRun run = RunOf(image, index);
    page["segment"] = index;
    page["at"] = HexNumber(Raw(image.SegmentStart(index)));
    page["word"] = Word(word.raw(), run.is_damaged ? std::string("DAMAGED") : std::string(SegmentKindName(run.kind)));
    if (run.kind == internal::SegmentKind::kLarge) page["run"] = absl::StrCat(run.first, ", ", run.length, " segments");
    return page;
  }
  Json page = {{"what", "superblock"}, {"offset", 0}};
  page["magic"] = HexNumber(superblock.magic);
  page["format"] = absl::StrCat(superblock.format_major, ".", superblock.format_minor);
  page["capacity_bytes"] = superblock.capacity_bytes;
  page["segment_bytes_log2"] = superblock.segment_bytes_log2;
  page["header_segments"] = superblock.header_segments;
  page["segment_count"] = superblock.segment_count;
  page["features_incompatible"] = superblock.features_incompatible;
  page["features_compatible"] = superblock.features_compatible;
  page["store_id"] = HexNumber(superblock.store_id);
  page["checksum"] = HexNumber(superblock.checksum);
  page["root"] = HexNumber(superblock.root);
  page["generation"] = superblock.generation;
  page["lanes"] = Json::array();
  for (uint64_t i = 0; i < Superblock::kLanes; ++i) {
    const auto at = Superblock::kLanesOffset + i * sizeof(Superblock::Lane);
    page["lanes"].push_back({{"lane", i},
                             {"offset", at},
                             {"word", HexNumber(superblock.lanes[i].word)},
                             {"meaning", LaneMeaning(image, i)}});
  }
  page["epoch"] = superblock.epoch;
  page["most_segments"] = superblock.most_segments;
  for (uint64_t i = 0; i < internal::Image::PartCount(superblock); ++i) {
    page[absl::StrCat("part ", i + 1)] =
        absl::StrCat(internal::Image::PartWordAt(superblock, i).segments(), " segments");
  }
  return page;
}

std::string PageForPeople(const Json& page) {
  std::string text =
      absl::StrCat(page["what"].get<std::string>(), " at ", HexNumber(page["offset"].get<uint64_t>()), "\n");
  for (const auto& [name, field] : page.items()) {
    if (name == "what" || name == "offset" || name == "entries") continue;
    if (name == "lanes") {
      text += LanesForPeople(field);
    } else if (name == "words") {
      for (const Json& word : field) {
        text +=
            Row(HexNumber(word["where"].get<uint64_t>()), absl::StrCat("becomes ", word["what"].get<std::string>()));
      }
    } else if (field.is_object()) {
      std::string word = field["word"].get<std::string>();
      word.resize(std::max<size_t>(word.size(), 20), ' ');
      text += Row(name, absl::StrCat(word, field["meaning"].get<std::string>()));
    } else {
      text += Row(name, field.is_string() ? field.get<std::string>() : field.dump());
    }
  }
  if (!page.contains("entries")) return text;
  for (const Json& entry : page["entries"]) {
    text += Row(absl::StrCat("slot ", entry["slot"].get<int>(), ": ", entry["kind"].get<std::string>()),
                absl::StrCat(entry["slice"].get<std::string>(), "  ", entry["slice_text"].get<std::string>(), "  ",
                             entry["meaning"].get<std::string>()));
  }
  return text;
}

}  // namespace sealkv::tools
