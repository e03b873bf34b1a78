#include "daxfile/part.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "daxfile/errors.h"
#include "daxfile/open_file.h"
#include "daxfile/populate.h"
#include "daxfile/sealing.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace daxfile {
namespace {

struct Label {
  uint64_t magic;
  Part part;
  uint64_t checksum;

  static constexpr uint64_t kMagic = 0x0a1a747261506c53;  // "SlPart", then SUB and LF
};
static_assert(sizeof(Part) == 32 && sizeof(Label) == 48 && offsetof(Label, part) == 8);

uint64_t Checksum(const Part& part) { return XXH3_64bits_withSeed(&part, sizeof(part), Label::kMagic); }

}  // namespace

std::string PartPath(const std::string& path, uint64_t number) { return absl::StrCat(path, ".", number); }

std::string ResolvedPath(const std::string& path) {
  char resolved[PATH_MAX];
  return realpath(path.c_str(), resolved) != nullptr ? resolved : path;
}

std::optional<Part> ReadPartLabel(int fd, uint64_t unit) {
  struct stat info;
  if (fstat(fd, &info) != 0 || static_cast<uint64_t>(info.st_size) < 2 * unit) return std::nullopt;
  const off_t at = info.st_size - static_cast<off_t>(unit);
  Label label;
  if (pread(fd, &label, sizeof(label), at) != ssize_t{sizeof(label)}) return std::nullopt;
  const bool is_one = label.magic == Label::kMagic && label.checksum == Checksum(label.part) &&
                      label.part.bytes == static_cast<uint64_t>(at);
  return is_one ? std::optional<Part>(label.part) : std::nullopt;
}

// Through a mapping: hugetlbfs has no write(2).
absl::Status WritePartLabel(int fd, const std::string& path, uint64_t unit, const Part& part) {
  void* const at = mmap(nullptr, unit, PROT_READ | PROT_WRITE, MAP_SHARED, fd, static_cast<off_t>(part.bytes));
  if (at == MAP_FAILED) return SystemError(errno, path, "map the label of");
  if (absl::Status status = Populate(fd, path, part.bytes, static_cast<std::byte*>(at), unit, nullptr); !status.ok()) {
    munmap(at, unit);
    return status;
  }
  const Label label = {Label::kMagic, part, Checksum(part)};
  std::memcpy(at, &label, sizeof(label));
  munmap(at, unit);
  return absl::OkStatus();
}

namespace {

// Of the file of this name. NotFound: there is no file.
absl::StatusOr<std::optional<Part>> LabelAt(const std::string& path) {
  const absl::StatusOr<int> fd = OpenExisting(path, /*read_only=*/true);
  if (absl::IsFailedPrecondition(fd.status())) return std::optional<Part>();  // no file
  if (!fd.ok()) return fd.status();
  const absl::Cleanup close_fd = [&fd] { close(*fd); };
  return ReadPartLabel(*fd, SizeUnit(*fd));
}

}  // namespace

std::vector<std::string> PartPathsOf(const std::string& path, uint64_t owner) {
  const std::string resolved = ResolvedPath(path);
  std::vector<std::string> paths;
  for (uint64_t number = 1;; ++number) {
    std::string of_part = PartPath(resolved, number);
    const absl::StatusOr<std::optional<Part>> label = LabelAt(of_part);
    const bool is_one = label.ok() && label->has_value() && (*label)->owner == owner && (*label)->number == number;
    if (!is_one) return paths;
    paths.push_back(std::move(of_part));
  }
}

absl::Status CheckPartName(const std::string& path, uint64_t number, uint64_t owner) {
  const std::string of_part = PartPath(path, number);
  const absl::StatusOr<std::optional<Part>> label = LabelAt(of_part);
  if (absl::IsNotFound(label.status())) return absl::OkStatus();
  if (!label.ok()) return label.status();
  if (label->has_value() && (*label)->number == number && (*label)->owner == owner) return absl::OkStatus();
  return absl::AlreadyExistsError(absl::StrCat(
      of_part, ": is in the way: the store ", path, " keeps a part of itself under this name, and this ",
      label->has_value() ? "is a part of another store" : "is something else", ". Move it away, or remove it."));
}

absl::Status RemovePart(const std::string& path, uint64_t number, uint64_t owner) {
  const std::string of_part = PartPath(path, number);
  if (absl::Status status = LabelAt(of_part).status(); !status.ok()) return status;
  if (absl::Status status = CheckPartName(path, number, owner); !status.ok()) return status;
  return RemoveFile(of_part);
}

}  // namespace daxfile
