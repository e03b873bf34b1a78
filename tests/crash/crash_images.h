// The images that a crash at one point may leave (durability.h), each line with one of the contents that it may have.
#ifndef SEALKV_TESTS_CRASH_CRASH_IMAGES_H_
#define SEALKV_TESTS_CRASH_CRASH_IMAGES_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "tests/crash/durability.h"

namespace sealkv::crash {

// One image: the durable words, but for these lines.
struct CrashImage {
  struct ChangedLine {
    uint64_t line;
    const LineContent* content;
  };
  std::vector<ChangedLine> changed;
  uint64_t hash = 0;  // of the whole image

  void WriteTo(std::span<std::byte> memory, const DurabilityModel& model) const;
};

struct ImageLimits {
  size_t exhaustive_images = 4096;  // all of them where there are no more
  size_t line_contents = 12;        // else so many for each line
  size_t random_images = 64;        // and so many more
};

// Only what a missing flush or fence shows in at the latest: nothing, all, one line, all but one.
inline constexpr ImageLimits kFewImages{.exhaustive_images = 16, .line_contents = 2, .random_images = 0};

// Calls `visit` for the images at this point, until it returns false. Where there are too many: none and all that is
// pending, each content of each line while the others have none or all, and random ones. Returns whether these are all.
bool ForEachCrashImage(const DurabilityModel& model, const ImageLimits& limits, uint64_t seed,
                       const std::function<bool(const CrashImage&)>& visit);

}  // namespace sealkv::crash

#endif  // SEALKV_TESTS_CRASH_CRASH_IMAGES_H_
