// How kvdump gets at a store: read-only, whatever its tier, so that looking changes nothing. Beside a process that
// writes it, if what the command reads can be read then.
#ifndef SEALKV_TOOLS_STORE_ACCESS_H_
#define SEALKV_TOOLS_STORE_ACCESS_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "daxfile/dax_file.h"
#include "kv/image.h"
#include "kv/sealkv.h"
#include "tools/args.h"

namespace sealkv::tools {

// The file and what is in it, for commands that read the format itself. The superblock was validated.
struct OpenedImage {
  daxfile::DaxFile file;
  internal::Image image;
};
// At rest: nobody writes meanwhile. Unavailable, naming the writer, if somebody does. What a writer had committed
// before he died is in the image, if it can be read.
absl::StatusOr<daxfile::DaxFile> OpenFileAtRest(const std::string& path);
absl::StatusOr<OpenedImage> OpenImageAtRest(const std::string& path);
// What is read may be changing, and make no sense then.
absl::StatusOr<OpenedImage> OpenImageAsItIs(const std::string& path);

// The store, nobody else's meanwhile, and as the next writer would find it.
absl::StatusOr<std::unique_ptr<Store>> OpenStoreAtRest(const std::string& path);

// The store, for commands that read keys and values.
absl::StatusOr<std::unique_ptr<Store>> OpenStoreForReading(const std::string& path);

// A key from the command line: its bytes, or with --hex their hex digits.
absl::StatusOr<std::string> KeyFromArg(const std::string& text, bool is_hex);

// --prefix, --from, --to (exclusive), as KeyFromArg reads them.
absl::StatusOr<Range> RangeFromArgs(const Args& args);

}  // namespace sealkv::tools

#endif  // SEALKV_TOOLS_STORE_ACCESS_H_
