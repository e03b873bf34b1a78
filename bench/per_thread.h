// What an engine keeps for each of its threads: a read transaction, a connection. Made when a thread first asks, handed
// on to a later thread when that one ends, destroyed together.
#ifndef SEALKV_BENCH_PER_THREAD_H_
#define SEALKV_BENCH_PER_THREAD_H_

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace sealkv::bench {

template <typename T>
class PerThread {
 public:
  // The calling thread's; `make` returns a std::unique_ptr<T>, and nullptr if it can't. One comparison once it is
  // there.
  template <typename Make>
  T* Get(const Make& make) {
    thread_local Lease lease;
    if (lease.pool == pool_) [[likely]]
      return lease.value;
    lease.GiveBack();
    T* value = pool_->Take();
    if (value == nullptr) {
      std::unique_ptr<T> made = make();
      if (made == nullptr) return nullptr;
      value = pool_->Keep(std::move(made));
    }
    lease.pool = pool_;
    lease.value = value;
    return value;
  }

  // Destroys all of them. No thread may be using its own.
  void Clear() {
    pool_->Clear();
    pool_ = std::make_shared<Pool>();  // what threads remember of the old one doesn't count any more
  }

 private:
  struct Pool {
    T* Take() {
      const std::lock_guard lock(mutex);
      if (idle.empty()) return nullptr;
      T* value = idle.back();
      idle.pop_back();
      return value;
    }
    T* Keep(std::unique_ptr<T> value) {
      const std::lock_guard lock(mutex);
      all.push_back(std::move(value));
      return all.back().get();
    }
    void Return(T* value) {
      const std::lock_guard lock(mutex);
      if (!all.empty()) idle.push_back(value);
    }
    void Clear() {
      const std::lock_guard lock(mutex);
      idle.clear();
      all.clear();
    }

    std::mutex mutex;
    std::vector<std::unique_ptr<T>> all;
    std::vector<T*> idle;
  };
  struct Lease {
    ~Lease() { GiveBack(); }
    void GiveBack() {
      if (pool != nullptr) pool->Return(value);
      pool = nullptr;
    }
    std::shared_ptr<Pool> pool;
    T* value = nullptr;
  };

  std::shared_ptr<Pool> pool_ = std::make_shared<Pool>();
};

}  // namespace sealkv::bench

#endif  // SEALKV_BENCH_PER_THREAD_H_
