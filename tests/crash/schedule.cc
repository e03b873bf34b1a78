#include "tests/crash/schedule.h"

#include <cstdio>
#include <cstdlib>
#include <thread>

#include "kv/wait.h"
#include "tests/crash/single_step.h"

namespace sealkv::crash {
namespace {

constexpr uint64_t kMostWaitsInARow = 1'000'000;

// Whose threads these are: the hook of the store is told nothing.
thread_local Schedule* schedule_of_thread = nullptr;

}  // namespace

void Schedule::Run(const std::vector<std::function<void()>>& bodies) {
  for (size_t i = 0; i < bodies.size(); ++i) threads_.push_back(std::make_unique<Thread>());
  std::vector<std::thread> threads;
  for (size_t i = 0; i < bodies.size(); ++i) {
    threads.emplace_back([this, i, &bodies] {
      schedule_of_thread = this;
      internal::wait_in_test = [] { schedule_of_thread->Wait(); };
      threads_[i]->turn.acquire();
      bodies[i]();
      internal::wait_in_test = nullptr;
      threads_[i]->state = State::kDone;
      waits_in_a_row_ = 0;
      for (const auto& thread : threads_) {
        if (thread->state == State::kWaiting) thread->state = State::kReady;
      }
      const size_t next = Choose(/*not_this=*/true);
      if (next == kNone) return all_done_.release();
      running_ = next;
      threads_[next]->turn.release();
    });
  }
  running_ = Choose(/*not_this=*/false);
  threads_[running_]->turn.release();
  all_done_.acquire();
  for (std::thread& thread : threads) thread.join();
}

size_t Schedule::Choose(bool not_this) {
  for (const State wanted : {State::kReady, State::kWaiting}) {
    std::vector<size_t> candidates;
    for (size_t i = 0; i < threads_.size(); ++i) {
      if (threads_[i]->state == wanted && !(not_this && i == running_)) candidates.push_back(i);
    }
    if (!candidates.empty()) return candidates[random_.Below(candidates.size())];
  }
  return kNone;
}

void Schedule::HandOver(size_t next) {
  Thread& self = *threads_[running_];
  running_ = next;
  threads_[next]->turn.release();
  self.turn.acquire();
}

void Schedule::Yield(uint64_t one_in) {
  const Uninterrupted here;
  // It has done something since it was last here: who waits may look again.
  waits_in_a_row_ = 0;
  for (const auto& thread : threads_) {
    if (thread->state == State::kWaiting) thread->state = State::kReady;
  }
  if (one_in == 0 ? !random_.Percent(switch_percent_) : !random_.OneIn(one_in)) return;
  const size_t next = Choose(/*not_this=*/true);
  if (next != kNone) HandOver(next);
}

void Schedule::Wait() {
  const Uninterrupted here;
  if (++waits_in_a_row_ > kMostWaitsInARow) {
    std::fprintf(stderr, "schedule: all threads wait for each other\n");
    std::abort();
  }
  threads_[running_]->state = State::kWaiting;
  const size_t next = Choose(/*not_this=*/true);
  if (next != kNone) HandOver(next);
  threads_[running_]->state = State::kReady;
}

}  // namespace sealkv::crash
