#include "kv/change_log.h"

#include "kv/expiry.h"
#include "kv/sealkv.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace sealkv::internal {

void LogEntry::Add(std::string_view key, std::string_view value, uint32_t kind, uint32_t expiry) {
  const LoggedOperation operation{static_cast<uint32_t>(key.size()) | kind, static_cast<uint32_t>(value.size()),
                                  expiry};
  if (bytes_.empty()) bytes_.resize(sizeof(LogHeader));
  bytes_.append(reinterpret_cast<const char*>(&operation), sizeof(operation)).append(key).append(value);
  ++operations_;
}

std::string_view LogEntry::Finish(uint64_t begin_bytes, uint64_t past) {
  if (bytes_.empty()) bytes_.resize(sizeof(LogHeader));
  const std::string_view operations = std::string_view(bytes_).substr(sizeof(LogHeader));
  const uint64_t chain =
      end_.has_value() ? end_->chain : XXH3_64bits_withSeed(operations.data(), operations.size(), past);
  if (is_silent()) {
    bytes_.resize(sizeof(LogHeader));
    operations_ = 0;
  }
  const LogHeader header{begin_bytes, past, chain, operations_, flags_};
  std::memcpy(bytes_.data(), &header, sizeof(header));
  return bytes_;
}

std::optional<LogHeader> LogHeaderOf(std::string_view value) {
  LogHeader header;
  if (value.size() < sizeof(header)) return std::nullopt;
  std::memcpy(&header, value.data(), sizeof(header));
  return header;
}

bool ParseLogEntry(std::string_view value, CommittedChange* change) {
  const std::optional<LogHeader> header = LogHeaderOf(value);
  if (!header.has_value()) return false;
  change->operations.clear();
  size_t at = sizeof(LogHeader);
  for (uint32_t i = 0; i < header->operations; ++i) {
    LoggedOperation operation;
    if (value.size() - at < sizeof(operation)) return false;
    std::memcpy(&operation, value.data() + at, sizeof(operation));
    at += sizeof(operation);
    const bool is_deleted = (operation.key_and_kind & LoggedOperation::kDeleted) != 0;
    const size_t key_bytes = operation.key_and_kind & ~LoggedOperation::kDeleted;
    if (key_bytes > kMaxKeyBytes || value.size() - at < key_bytes + operation.value_bytes) return false;
    const std::string_view key = value.substr(at, key_bytes);
    if (i > 0 && key <= change->operations.back().key) return false;
    change->operations.push_back(
        {is_deleted, key, value.substr(at + key_bytes, operation.value_bytes), ExpiryFrom(operation.expiry)});
    at += key_bytes + operation.value_bytes;
  }
  return at == value.size() && header->flags <= LogHeader::kSilent;
}

uint64_t LogTermsChecksum(const LogTerms& terms) { return XXH3_64bits(&terms, offsetof(LogTerms, checksum)); }

}  // namespace sealkv::internal
