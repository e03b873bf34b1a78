#include "tools/store_access.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "kv/recovery.h"
#include "tools/text.h"

namespace sealkv::tools {

namespace {

absl::StatusOr<OpenedImage> OpenImageIn(absl::StatusOr<daxfile::DaxFile> file, bool is_at_rest) {
  if (!file.ok()) return file.status();
  if (absl::Status status = internal::MapParts(*file); !status.ok()) return status;
  const absl::StatusOr<internal::Image> image = internal::OpenImage(*file);
  if (!image.ok()) return image.status();
  if (is_at_rest) {
    if (absl::Status status = internal::FinishWhatCanBeRead(*file, *image); !status.ok()) return status;
  }
  return OpenedImage{*std::move(file), *image};
}

}  // namespace

absl::StatusOr<daxfile::DaxFile> OpenFileAtRest(const std::string& path) {
  absl::StatusOr<daxfile::DaxFile> file =
      daxfile::DaxFile::Open(path, {.weakest_tier = daxfile::Tier::kVolatile, .read_only = true});
  if (!absl::IsUnavailable(file.status())) return file;
  return absl::UnavailableError(absl::StrCat(file.status().message(),
                                             " This needs a store at rest; beside a writer there are info, stat, get, "
                                             "scan, dump, page and records."));
}

absl::StatusOr<OpenedImage> OpenImageAtRest(const std::string& path) { return OpenImageIn(OpenFileAtRest(path), true); }

absl::StatusOr<OpenedImage> OpenImageAsItIs(const std::string& path) {
  return OpenImageIn(
      daxfile::DaxFile::Open(path, {.weakest_tier = daxfile::Tier::kVolatile, .read_only = true, .live = true}), false);
}

absl::StatusOr<std::unique_ptr<Store>> OpenStoreAtRest(const std::string& path) {
  absl::StatusOr<daxfile::DaxFile> file = OpenFileAtRest(path);
  if (!file.ok()) return file.status();
  if (absl::Status status = internal::MapParts(*file); !status.ok()) return status;
  const absl::StatusOr<internal::Image> image = internal::OpenImage(*file);
  if (!image.ok()) return image.status();
  if (absl::Status status = internal::FinishForReading(*file, *image); !status.ok()) return status;
  return Store::Attach(*std::move(file));
}

absl::StatusOr<std::unique_ptr<Store>> OpenStoreForReading(const std::string& path) {
  Options options;
  options.weakest_tier = daxfile::Tier::kVolatile;
  options.read_only = true;
  return Store::Open(path, options);
}

absl::StatusOr<std::string> KeyFromArg(const std::string& text, bool is_hex) {
  if (!is_hex) return text;
  std::optional<std::string> bytes = FromHex(text);
  if (bytes.has_value()) return *std::move(bytes);
  return absl::InvalidArgumentError(
      absl::StrCat("with --hex a key is an even number of hex digits, not ", Quote(text)));
}

absl::StatusOr<Range> RangeFromArgs(const Args& args) {
  Range range;
  const bool is_hex = args.Has("hex");
  for (const char* name : {"prefix", "from", "to"}) {
    const std::optional<std::string> text = args.Value(name);
    if (!text.has_value()) continue;
    absl::StatusOr<std::string> key = KeyFromArg(*text, is_hex);
    if (!key.ok()) return key.status();
    if (name[0] == 'p')
      range.prefix = *std::move(key);
    else if (name[0] == 'f')
      range.lower = *std::move(key);
    else
      range.upper = *std::move(key);
  }
  return range;
}

}  // namespace sealkv::tools
