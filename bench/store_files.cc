#include "bench/store_files.h"

#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bench/engine.h"
#include "daxfile/sealing.h"
#include "kv/sealkv.h"

namespace sealkv::bench {
namespace {

// What is allocated, not what the file's size says: LMDB's is a map of which most is a hole.
uint64_t BytesOf(const std::string& path) {
  struct stat file;
  if (stat(path.c_str(), &file) != 0) return 0;  // an engine's thread may just have removed it
  return static_cast<uint64_t>(file.st_blocks) * 512;
}

}  // namespace

std::string StorePath(std::string_view engine, std::string_view db) {
  if (engine == "sealkv") return std::string(db);
  // The others have no store in memory; a file in memory is the nearest.
  if (db == kInMemory) return absl::StrCat("/dev/shm/kvbench.", getpid(), ".", std::string(engine));
  return absl::StrCat(std::string(db), ".", std::string(engine));
}

uint64_t BytesOnDisk(const std::string& path) {
  std::error_code error;
  uint64_t bytes = BytesOf(path);
  for (auto it = std::filesystem::recursive_directory_iterator(path, error);
       !error && it != std::filesystem::recursive_directory_iterator(); it.increment(error)) {
    bytes += BytesOf(it->path());
  }
  return bytes;
}

const char* DurabilityOfSynced(const std::string& path) {
  struct statfs filesystem;
  const bool is_in_memory = statfs(path.c_str(), &filesystem) == 0 && filesystem.f_type == TMPFS_MAGIC;
  return is_in_memory ? "on tmpfs, lost with the power" : "durable when a write returns";
}

absl::Status PrepareFolder(const std::string& path, bool use_existing) {
  if (use_existing) {
    if (std::filesystem::is_directory(path)) return absl::OkStatus();
    return absl::NotFoundError(absl::StrCat(path, ": no such folder; make it by a run with --keep"));
  }
  if (mkdir(path.c_str(), 0755) == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(path, ": the folder can't be made: ", std::strerror(errno)));
}

StoreFiles::StoreFiles(std::string_view engine, std::string path, FilesAre are)
    : is_sealkv_(engine == "sealkv"), path_(std::move(path)), are_(are) {}

void StoreFiles::Remove() const {
  if (are_ == FilesAre::kNotOurs) return;
  if (is_sealkv_) {
    if (!Store::Remove(path_).ok()) daxfile::RemoveFile(path_).IgnoreError();
    return;
  }
  std::error_code error;
  std::filesystem::remove_all(path_, error);
}

}  // namespace sealkv::bench
