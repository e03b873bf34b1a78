// A thread of the library's own: it takes no signals, which are for those of the program.
#ifndef SEALKV_KV_QUIET_THREAD_H_
#define SEALKV_KV_QUIET_THREAD_H_

#include <signal.h>

#include <new>
#include <system_error>
#include <thread>
#include <utility>

namespace sealkv::internal {

// Not joinable, if there is no thread to be had, nor memory for one: the caller has to do without.
template <typename Run>
std::thread StartQuietThread(Run run) {
  sigset_t all, before;
  sigfillset(&all);
  if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0) return {};
  std::thread thread;
  try {
    thread = std::thread(std::move(run));
  } catch (const std::system_error&) {
  } catch (const std::bad_alloc&) {
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

}  // namespace sealkv::internal

#endif  // SEALKV_KV_QUIET_THREAD_H_
