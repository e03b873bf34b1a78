// libFuzzer: any bytes as a store. The checker and salvage must end, and so must every read of what still opens as a
// store. Run it by `./dev fuzz`; a file that it leaves is replayed by giving it as the argument.
//
// The input is patched into a sound store: a list of {where, what}, for random bytes alone never get past the
// superblock.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "daxfile/dax_file.h"
#include "kv/check.h"
#include "kv/recovery.h"
#include "kv/sealkv.h"
#include "tools/testing/damage.h"
#include "tools/testing/salvage.h"

namespace {

using namespace sealkv;  // NOLINT: a program of one function

struct Patch {
  uint32_t where;
  uint64_t what;
} __attribute__((packed));

void Damage(std::span<std::byte> store, const uint8_t* data, size_t size) {
  for (Patch patch; size >= sizeof(patch); data += sizeof(patch), size -= sizeof(patch)) {
    std::memcpy(&patch, data, sizeof(patch));
    const size_t word = patch.where % (store.size() / sizeof(uint64_t));
    std::memcpy(store.data() + word * sizeof(uint64_t), &patch.what, sizeof(patch.what));
  }
}

void ReadAll(Store& store) {
  const std::unique_ptr<Iterator> at = store.NewIterator();
  std::string last;
  for (at->SeekToFirst(); at->Valid(); at->Next()) last = at->key();
  (void)store.Get(last);
  for (at->SeekToLast(); at->Valid(); at->Prev()) last = at->key();
  (void)store.Get(last);
  at->Seek(last + "x");
  at->SeekForPrev(last);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::vector<sealkv::testing::Sample> samples = sealkv::testing::MakeSamples();
  if (size == 0) return 0;
  const sealkv::testing::Sample& sample = samples[data[0] % samples.size()];
  sealkv::testing::Memory memory(sample.bytes.size());
  std::memcpy(memory.data(), sample.bytes.data(), sample.bytes.size());
  Damage(memory.span(), data + 1, size - 1);
  (void)sealkv::testing::SalvageMemory(memory.span());
  daxfile::DaxFile file = daxfile::DaxFile::OverMemory(memory.span());
  const absl::StatusOr<internal::Image> image = internal::OpenImage(file);
  if (!image.ok()) return 0;
  (void)internal::Check(*image);
  (void)internal::Check(*image, {.verify_checksums = false, .progress = nullptr});
  absl::StatusOr<std::unique_ptr<Store>> store = Store::Attach(std::move(file));
  if (store.ok()) ReadAll(**store);
  return 0;
}
