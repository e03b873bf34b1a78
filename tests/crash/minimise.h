// The least of a failing list that still fails: "Simplifying and isolating failure-inducing input" (Zeller,
// Hildebrandt, IEEE TSE 2002), leaving out ever smaller parts.
#ifndef SEALKV_TESTS_CRASH_MINIMISE_H_
#define SEALKV_TESTS_CRASH_MINIMISE_H_

#include <algorithm>
#include <cstddef>
#include <vector>

namespace sealkv::crash {

// `fails(const std::vector<T>&)` is true of `items`, and of what is returned.
template <typename T, typename Fails>
std::vector<T> Minimise(std::vector<T> items, Fails fails) {
  for (size_t part = std::max<size_t>(items.size() / 2, 1); !items.empty();) {
    bool has_shrunk = false;
    for (size_t at = 0; at < items.size();) {
      std::vector<T> rest(items.begin(), items.begin() + static_cast<ptrdiff_t>(at));
      rest.insert(rest.end(), items.begin() + static_cast<ptrdiff_t>(std::min(at + part, items.size())), items.end());
      if (fails(rest)) {
        items = std::move(rest);
        has_shrunk = true;
      } else {
        at += part;
      }
    }
    if (part == 1 && !has_shrunk) break;
    part = std::max<size_t>(part / 2, 1);
  }
  return items;
}

}  // namespace sealkv::crash

#endif  // SEALKV_TESTS_CRASH_MINIMISE_H_
