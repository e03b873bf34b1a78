// The README's example, as it stands there: tests/readme_example_test.cc compares the two, and runs it.
#ifndef SEALKV_TESTS_README_EXAMPLE_H_
#define SEALKV_TESTS_README_EXAMPLE_H_

#include <iostream>
#include <string>

// README begins
#include "kv/sealkv.h"

absl::Status Example(const std::string& path) {
  auto store = sealkv::Store::OpenOrCreate(path, {.capacity_bytes = 64 << 20});
  if (!store.ok()) return store.status();
  if (auto status = (*store)->Put("ada", "countess"); !status.ok()) return status;  // durable from here on
  auto visits = (*store)->Add("visits", 1);  // one cache line, one fence
  if (!visits.ok()) return visits.status();
  auto it = (*store)->NewIterator({.prefix = "a"});
  for (it->SeekToFirst(); it->Valid(); it->Next()) std::cout << it->key() << " = " << it->value() << "\n";
  return it->status();
}
// README ends

#endif  // SEALKV_TESTS_README_EXAMPLE_H_
