// Wakes a thread that has nothing to do.
//
// Thread safety: Ring by any number of threads; one waits.
#ifndef SEALKV_KV_BELL_H_
#define SEALKV_KV_BELL_H_

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>

namespace sealkv::internal {

class Bell {
 public:
  void Ring() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      has_rung_ = true;
    }
    rung_.notify_one();
  }
  // Returns when it rings, or has rung since the last time that it was waited for. False: not for so long.
  bool Wait(std::optional<std::chrono::milliseconds> at_most = std::nullopt) {
    std::unique_lock<std::mutex> lock(mutex_);
    const auto has_rung = [this] { return has_rung_; };
    if (!at_most.has_value()) {
      rung_.wait(lock, has_rung);
    } else if (!rung_.wait_for(lock, *at_most, has_rung)) {
      return false;
    }
    has_rung_ = false;
    return true;
  }

 private:
  std::mutex mutex_;
  std::condition_variable rung_;
  bool has_rung_ = false;
};

}  // namespace sealkv::internal

#endif  // SEALKV_KV_BELL_H_
