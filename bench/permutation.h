// A permutation of [0, count), computed: no table competes for the cache.
#ifndef SEALKV_BENCH_PERMUTATION_H_
#define SEALKV_BENCH_PERMUTATION_H_

#include <algorithm>
#include <bit>
#include <cstdint>

namespace sealkv::bench {

// A bijection of the next power of two, walked along its cycle until it is back in range (Black and Rogaway, "Ciphers
// with arbitrary finite domains", 2002): two steps at most, on average.
class Permutation {
 public:
  Permutation(uint64_t count, uint64_t seed)
      : count_(count),
        bits_(std::max(2, static_cast<int>(std::bit_width(count - 1)))),
        mask_(bits_ >= 64 ? ~uint64_t{0} : (uint64_t{1} << bits_) - 1),
        seed_(seed) {}

  // index < count.
  uint64_t operator()(uint64_t index) const {
    do index = Mix(index);
    while (index >= count_);
    return index;
  }

 private:
  uint64_t Mix(uint64_t x) const {
    x = ((x ^ seed_) * 0xbf58476d1ce4e5b9) & mask_;
    x = ((x ^ (x >> (bits_ / 2))) * 0x94d049bb133111eb) & mask_;
    return x ^ (x >> ((bits_ + 1) / 2));
  }

  uint64_t count_;
  int bits_;
  uint64_t mask_;
  uint64_t seed_;
};

}  // namespace sealkv::bench

#endif  // SEALKV_BENCH_PERMUTATION_H_
