// Walks over a recording, makes the crash images at each store and fence of its operations, and judges each distinct
// one. Recovery can be crashed too: what opening a crash image writes is recorded and explored in turn.
#ifndef SEALKV_TESTS_CRASH_EXPLORER_H_
#define SEALKV_TESTS_CRASH_EXPLORER_H_

#include <cstdint>
#include <string>
#include <unordered_set>
#include <vector>

#include "tests/crash/crash_images.h"
#include "tests/crash/expectation.h"

namespace sealkv::crash {

// By a hash of each image and of what is allowed of it.
using ImageSet = std::unordered_set<uint64_t>;

struct ExploreOptions {
  Platform platform = Platform::kPx86;
  ImageLimits limits;
  // Also after each store; else only before and after each fence, and at the end of each operation.
  bool at_each_store = true;
  // How often recovery is crashed, one crash in the recovery from the other, for one in so many images; for fewer where
  // recoveries have so much to write that they would leave more images than what they recover from.
  unsigned recovery_crashes = 0;
  uint64_t recovery_one_in = 1;
  ImageLimits recovery_limits = {.exhaustive_images = 256, .line_contents = 3, .random_images = 16};
  bool stop_at_first_failure = false;
  // Ends the process by SIGALRM if the judgement of one image takes longer: mutants may hang. 0: no limit.
  unsigned most_seconds_per_image = 0;
  // Not judged, for they are known to be right.
  const ImageSet* known_images = nullptr;
  uint64_t seed = 0;
};

struct Exploration {
  uint64_t points = 0;           // stores, fences and ends of operations
  uint64_t points_sampled = 0;   // those with too many images to try all
  uint64_t images = 0;           // distinct
  uint64_t recovery_images = 0;  // of these, by crashes of recovery
  uint64_t judgements = 0;       // an image is judged again where something else is allowed
  uint64_t redo_images = 0;      // of those judged: with batches that are committed, and are to be done again
  uint64_t most_lanes = 0;       // and so many of them in one image
  uint64_t failures = 0;
  std::vector<std::string> first_failures;
  double seconds = 0;  // of CPU time

  Exploration& operator+=(const Exploration& other);
};

Exploration Explore(const Recording& recording, const ExploreOptions& options);

// All that Explore would judge. (With no crashes of recovery.)
ImageSet ImagesOf(const Recording& recording, const ExploreOptions& options);

}  // namespace sealkv::crash

#endif  // SEALKV_TESTS_CRASH_EXPLORER_H_
