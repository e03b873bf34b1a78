// Where an engine's files are, and that nothing of them stays when the run is over.
#ifndef SEALKV_BENCH_STORE_FILES_H_
#define SEALKV_BENCH_STORE_FILES_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace sealkv::bench {

// SealKV's is the file --db itself; each other engine has a folder beside it: DB.lmdb, DB.sqlite-nosync.
std::string StorePath(std::string_view engine, std::string_view db);

// What stands at the path takes so much of the filesystem: files and, for a folder, those in it.
uint64_t BytesOnDisk(const std::string& path);

// How durable what is there is when it was synced: even that is lost with the power where files are in memory.
const char* DurabilityOfSynced(const std::string& path);

// Makes a peer's empty folder, or sees that the existing one is there.
absl::Status PrepareFolder(const std::string& path, bool use_existing);

// An engine's files: whose they are, and what becomes of them.
enum class FilesAre {
  kTemporary,  // the run's own: removed when this goes
  kKept,       // the run's own: a fill replaces them, and the last fill's stay
  kNotOurs,    // were there before, or aren't files
};

class StoreFiles {
 public:
  StoreFiles(std::string_view engine, std::string path, FilesAre are);
  ~StoreFiles() {
    if (are_ == FilesAre::kTemporary) Remove();
  }
  StoreFiles(const StoreFiles&) = delete;
  StoreFiles& operator=(const StoreFiles&) = delete;

  // Nothing, if they aren't ours.
  void Remove() const;
  const std::string& path() const { return path_; }

 private:
  const bool is_sealkv_;
  const std::string path_;
  const FilesAre are_;
};

}  // namespace sealkv::bench

#endif  // SEALKV_BENCH_STORE_FILES_H_
