#include "tests/kill/journal.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <new>

namespace sealkv::kill {
namespace {

[[noreturn]] void Fail(const char* what) {
  std::perror(what);
  std::abort();
}

}  // namespace

SharedJournal::SharedJournal() : fd_(memfd_create("sealkv-kill-journal", 0)) {
  if (fd_ < 0) Fail("kill_test: the journal's memory (memfd_create)");
  if (ftruncate(fd_, sizeof(Journal)) != 0) Fail("kill_test: the journal's memory (ftruncate)");
  Map();
  new (journal_) Journal();
}

SharedJournal::SharedJournal(int fd) : fd_(fd) { Map(); }

SharedJournal::~SharedJournal() {
  munmap(journal_, sizeof(Journal));
  close(fd_);
}

void SharedJournal::Map() {
  void* const at = mmap(nullptr, sizeof(Journal), PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
  if (at == MAP_FAILED) Fail("kill_test: the journal can't be mapped");
  journal_ = static_cast<Journal*>(at);
}

}  // namespace sealkv::kill
