// When a value is over: seconds since 1970, as CLOCK_REALTIME has them; 0: never. A record says it in its header
// (kv/record.h). What is over reads as absent from that second on, by itself; it is erased when compaction comes by.
// Where a state of the store is read (a snapshot, an iterator), what counts is the time when that began.
#ifndef SEALKV_KV_EXPIRY_H_
#define SEALKV_KV_EXPIRY_H_

#include <time.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>

namespace sealkv::internal {

inline constexpr uint32_t kNeverOver = 0;

// Tests say what time it is; 0: it is what it is.
inline std::atomic<uint32_t> seconds_for_tests{0};

inline uint32_t NowSeconds() {
  if (const uint32_t seconds = seconds_for_tests.load(std::memory_order_relaxed); seconds != 0) return seconds;
  timespec now;
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return static_cast<uint32_t>(now.tv_sec);
}

inline bool IsOver(uint32_t expiry, uint32_t now_seconds) { return expiry != kNeverOver && now_seconds >= expiry; }
// The time is asked for only where it matters.
inline bool IsOver(uint32_t expiry) { return expiry != kNeverOver && IsOver(expiry, NowSeconds()); }

// As programs have it; nothing: never.
inline std::optional<std::chrono::sys_seconds> ExpiryFrom(uint32_t expiry) {
  if (expiry == kNeverOver) return std::nullopt;
  return std::chrono::sys_seconds(std::chrono::seconds(expiry));
}

// kNeverOver if there is no such expiry: it would be before 1970, or after 2106.
inline uint32_t ExpiryOf(std::chrono::sys_seconds when) {
  const int64_t seconds = when.time_since_epoch().count();
  return seconds > 0 && seconds <= int64_t{UINT32_MAX} ? static_cast<uint32_t>(seconds) : kNeverOver;
}
inline uint32_t ExpiryOf(std::optional<std::chrono::sys_seconds> when) {
  return when.has_value() ? ExpiryOf(*when) : kNeverOver;
}

}  // namespace sealkv::internal

#endif  // SEALKV_KV_EXPIRY_H_
