// So that nothing fails half-way: memory is asked for before the first step that it would be missing after.
#ifndef SEALKV_KV_MAKE_ROOM_H_
#define SEALKV_KV_MAKE_ROOM_H_

#include <algorithm>
#include <cstddef>

namespace sealkv::internal {

// The next push_back won't need memory. Of a vector of any kind.
template <typename List>
void MakeRoomForOne(List& list) {
  if (list.size() == list.capacity()) list.reserve(std::max<size_t>(4, 2 * list.size()));
}

}  // namespace sealkv::internal

#endif  // SEALKV_KV_MAKE_ROOM_H_
