// SPDX-License-Identifier: Apache-2.0
// What a durable store costs: sealed, with MAP_SYNC, and with msync, fsync, fdatasync, side by side.
//
//   costs setup|faults|puts|huge|tail FOLDER     FOLDER: on a filesystem on DAX, of a kernel with daxctl(2); needs root
//   costs unseal FILE
//
// The clock is the time stamp counter. In a QEMU with -icount shift=0 that counts the guest's instructions; else it
// counts the host's cycles. What it takes to read it is subtracted. The ways take turns, a batch each. A line for each
// series:
//   cost|TABLE|GROUP|WAY|samples|p50|p99|p99.9|max|mean|page faults per operation|remark
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <immintrin.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, HUGE_PAGE = 2 << 20, LINE = 64 };
enum { DAXCTL = 451, DAXCTL_STATIC = 1 << 2 };

static const char* folder;

static void die(const char* what) {
  printf("costs: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void check(bool holds, const char* what) {
  if (!holds) die(what);
}

// ---- The clock, and what was measured by it.

static uint64_t clock_cost;

static inline uint64_t now(void) {
  _mm_lfence();
  const uint64_t ticks = __rdtsc();
  _mm_lfence();
  return ticks;
}

struct series {
  uint64_t* ticks;
  size_t count;
  size_t operations;
  uint64_t faults;
};

static void start_series(struct series* series, size_t room) {
  *series = (struct series){.ticks = malloc(room * sizeof(uint64_t))};
  check(series->ticks != NULL, "memory");
  memset(series->ticks, 0, room * sizeof(uint64_t));
}

static void add(struct series* series, uint64_t ticks) {
  series->ticks[series->count++] = ticks > clock_cost ? ticks - clock_cost : 0;
}

static int compare(const void* a, const void* b) {
  const uint64_t x = *(const uint64_t*)a, y = *(const uint64_t*)b;
  return x < y ? -1 : x > y;
}

static uint64_t quantile(const struct series* series, size_t per_mille) {
  const size_t rank = (series->count * per_mille + 999) / 1000;
  return series->ticks[rank > 0 ? rank - 1 : 0];
}

static void report(const char* table, const char* group, const char* way, struct series* series, const char* remark) {
  double sum = 0;
  qsort(series->ticks, series->count, sizeof(uint64_t), compare);
  for (size_t i = 0; i < series->count; ++i) sum += (double)series->ticks[i];
  printf("cost|%s|%s|%s|%zu|%lu|%lu|%lu|%lu|%.0f|%.4f|%s\n", table, group, way, series->count, quantile(series, 500),
         quantile(series, 990), quantile(series, 999), quantile(series, 1000), sum / (double)series->count,
         (double)series->faults / (double)series->operations, remark);
  fflush(stdout);
  free(series->ticks);
}

static void measure_clock(void) {
  struct series series;
  start_series(&series, 1001);
  for (int i = 0; i < 1001; ++i) {
    const uint64_t begin = now();
    add(&series, now() - begin);
  }
  qsort(series.ticks, series.count, sizeof(uint64_t), compare);
  clock_cost = quantile(&series, 500);
  free(series.ticks);
}

static uint64_t page_faults(void) {
  struct rusage usage;
  check(getrusage(RUSAGE_SELF, &usage) == 0, "getrusage");
  return (uint64_t)(usage.ru_minflt + usage.ru_majflt);
}

// The same numbers in each run.
static uint64_t random_below(uint64_t end) {
  static uint64_t state = 88172645463325252u;
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state % end;
}

// ---- Files and their mappings.

enum layout { HOLE, ALLOCATED, WRITTEN };
enum mapping { PLAIN, SYNC, SEALED, SEALED_HUGE };  // SEALED_HUGE: with align = 2 MiB

struct file {
  char path[256];
  int fd;
  size_t bytes;
  char* map;
};

static void write_zeros(int fd, size_t from, size_t bytes) {
  static const char zeros[1 << 20];
  for (size_t at = 0; at < bytes;) {
    const size_t part = bytes - at < sizeof(zeros) ? bytes - at : sizeof(zeros);
    const ssize_t written = pwrite(fd, zeros, part, (off_t)(from + at));
    check(written > 0, "write zeros");
    at += (size_t)written;
  }
}

static void make_file(struct file* file, enum layout layout, size_t bytes) {
  static int number;
  snprintf(file->path, sizeof(file->path), "%s/file%d", folder, number++);
  file->bytes = bytes;
  file->fd = open(file->path, O_RDWR | O_CREAT | O_EXCL, 0600);
  check(file->fd >= 0, file->path);
  const off_t size = (off_t)bytes;
  check((layout == HOLE ? ftruncate(file->fd, size) : fallocate(file->fd, 0, 0, size)) == 0, "allocate");
  if (layout == WRITTEN) write_zeros(file->fd, 0, bytes);
  check(fsync(file->fd) == 0, "fsync");
}

static int seal(int fd, size_t align) { return (int)syscall(DAXCTL, fd, NULL, DAXCTL_STATIC, align); }

// At a multiple of 2 MiB, as huge mappings need it.
static void map_file(struct file* file, enum mapping mapping, bool huge) {
  if (mapping == SEALED) check(seal(file->fd, 0) == 0, "daxctl");
  if (mapping == SEALED_HUGE) check(seal(file->fd, HUGE_PAGE) == 0, "daxctl, align = 2 MiB");
  char* reserved = mmap(NULL, file->bytes + HUGE_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  check(reserved != MAP_FAILED, "reserve");
  char* aligned = (char*)(((uintptr_t)reserved + HUGE_PAGE - 1) & ~(uintptr_t)(HUGE_PAGE - 1));
  const int flags = mapping == SYNC ? MAP_SHARED_VALIDATE | MAP_SYNC : MAP_SHARED;
  file->map = mmap(aligned, file->bytes, PROT_READ | PROT_WRITE, flags | MAP_FIXED, file->fd, 0);
  check(file->map != MAP_FAILED, "mmap");
  check(madvise(file->map, file->bytes, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE) == 0, "madvise");
}

static void remove_file(struct file* file) {
  if (file->map != NULL) munmap(file->map, file->bytes);
  check(syscall(DAXCTL, file->fd, NULL, 0, 0) == 0, "unseal");
  close(file->fd);
  check(unlink(file->path) == 0, "unlink");
}

// ---- Making a file, and sealing it.

enum { SETUP_BYTES = 32 << 20, SETUP_ROUNDS = 5 };

static void make_and_seal(struct series* allocating, struct series* writing, struct series* sealing) {
  struct file allocated = {.map = NULL}, written = {.map = NULL};
  const uint64_t begin = now();
  make_file(&allocated, ALLOCATED, SETUP_BYTES);
  const uint64_t is_allocated = now();
  make_file(&written, WRITTEN, SETUP_BYTES);
  const uint64_t is_written = now();
  check(seal(written.fd, 0) == 0, "daxctl");
  add(sealing, now() - is_written);
  add(writing, is_written - is_allocated);
  add(allocating, is_allocated - begin);
  remove_file(&allocated);
  remove_file(&written);
}

static void all_setup(void) {
  static const char* const names[] = {"allocate, fsync", "allocate, write zeros, fsync", "daxctl"};
  struct series series[3];
  for (int i = 0; i < 3; ++i) start_series(&series[i], SETUP_ROUNDS);
  for (int round = 0; round < SETUP_ROUNDS; ++round) make_and_seal(&series[0], &series[1], &series[2]);
  for (int i = 0; i < 3; ++i) {
    series[i].operations = SETUP_ROUNDS;
    report("setup", "a file of 32 MiB", names[i], &series[i], "");
  }
}

// ---- Faults: the first store to each page.

struct toucher {
  const char* name;
  enum mapping mapping;
  enum layout layout;
  struct file file;
  struct series series;
};

enum { FAULT_ROUNDS = 20, FAULTS_A_ROUND = 128, FAULTS = FAULT_ROUNDS * FAULTS_A_ROUND };

static void start_toucher(struct toucher* toucher, size_t pages) {
  make_file(&toucher->file, toucher->layout, pages * PAGE);
  map_file(&toucher->file, toucher->mapping, false);
  start_series(&toucher->series, pages);
}

static void end_toucher(struct toucher* toucher, const char* table, const char* group, const char* remark) {
  report(table, group, toucher->name, &toucher->series, remark);
  remove_file(&toucher->file);
}

static void touch_next(struct toucher* toucher) {
  volatile char* at = toucher->file.map + toucher->series.count * PAGE;
  const uint64_t begin = now();
  *at = 1;
  add(&toucher->series, now() - begin);
}

// What happens before each fault. Who does it makes no difference to the kernel, so it is this process.
static int refusals;

static void nothing(struct file* file) { (void)file; }

static void change_another_file(struct file* file) {
  (void)file;
  char path[256];
  snprintf(path, sizeof(path), "%s/another", folder);
  const int fd = open(path, O_RDWR | O_CREAT, 0600);
  check(fd >= 0 && pwrite(fd, path, sizeof(path), 0) > 0, "another file");
  close(fd);
  check(unlink(path) == 0, "unlink another");
}

static void change_mode(struct file* file) {
  static mode_t mode = 0600;
  mode ^= 0040;
  check(fchmod(file->fd, mode) == 0, "fchmod");
}

// A page more behind the file's end, each time.
static void change_allocation(struct file* file) {
  struct stat status;
  check(fstat(file->fd, &status) == 0, "fstat");
  if (fallocate(file->fd, FALLOC_FL_KEEP_SIZE, status.st_blocks * 512, PAGE) == 0) return;
  check(errno == ETXTBSY, "fallocate");
  refusals++;
}

static void measure_faults(const char* group, enum layout layout, void (*disturb)(struct file*)) {
  struct toucher touchers[] = {
      // No other file can be sealed.
      {.name = layout == WRITTEN ? "sealed" : "sealed: prepared", .mapping = SEALED, .layout = WRITTEN},
      {.name = "MAP_SYNC", .mapping = SYNC, .layout = layout},
      {.name = "plain", .mapping = PLAIN, .layout = layout},
  };
  const int ways = sizeof(touchers) / sizeof(touchers[0]);
  for (int i = 0; i < ways; ++i) start_toucher(&touchers[i], FAULTS);
  for (int turn = 0; turn < FAULT_ROUNDS * ways; ++turn) {
    struct toucher* toucher = &touchers[(turn + turn / ways) % ways];
    refusals = 0;
    for (int i = 0; i < FAULTS_A_ROUND; ++i) {
      disturb(&toucher->file);
      const uint64_t faults = page_faults();
      touch_next(toucher);
      toucher->series.faults += page_faults() - faults;
      toucher->series.operations++;
    }
    check(refusals == 0 || (refusals == FAULTS_A_ROUND && toucher->mapping == SEALED), "refused at times");
  }
  for (int i = 0; i < ways; ++i) {
    const bool is_refused = disturb == change_allocation && touchers[i].mapping == SEALED;
    end_toucher(&touchers[i], "faults", group, is_refused ? "the change is refused: ETXTBSY" : "");
  }
}

static void all_faults(void) {
  measure_faults("prepared", WRITTEN, nothing);
  measure_faults("prepared; another file is made and removed before each fault", WRITTEN, change_another_file);
  measure_faults("prepared; chmod of the file before each fault", WRITTEN, change_mode);
  measure_faults("prepared; a page is allocated behind its end before each fault", WRITTEN, change_allocation);
  measure_faults("allocated, never written", ALLOCATED, nothing);
  measure_faults("a hole", HOLE, nothing);
}

// ---- Puts: 64 bytes, made durable, on a page that was stored to before.

struct putter {
  const char* name;
  enum mapping mapping;
  bool huge;
  void (*put)(struct putter* putter, size_t at);
  struct file file;
  struct series series;
};

enum { PUT_PAGES = 1024, PUT_ROUNDS = 100, PUTS_A_ROUND = 40 };

__attribute__((target("avx"))) static inline void store_line(char* to) {
  const __m256i value = _mm256_set1_epi64x((long long)(uintptr_t)to);
  _mm256_store_si256((__m256i*)to, value);
  _mm256_store_si256((__m256i*)to + 1, value);
}

__attribute__((target("avx,clwb"))) static void put_flush(struct putter* putter, size_t at) {
  store_line(putter->file.map + at);
  _mm_clwb(putter->file.map + at);
  _mm_sfence();
}

static void put_msync(struct putter* putter, size_t at) {
  store_line(putter->file.map + at);
  check(msync(putter->file.map + at / PAGE * PAGE, PAGE, MS_SYNC) == 0, "msync");
}

static void put_fdatasync(struct putter* putter, size_t at) {
  store_line(putter->file.map + at);
  check(fdatasync(putter->file.fd) == 0, "fdatasync");
}

static void put_fsync(struct putter* putter, size_t at) {
  store_line(putter->file.map + at);
  check(fsync(putter->file.fd) == 0, "fsync");
}

static void put_pwrite(struct putter* putter, size_t at) {
  static const char value[LINE];
  check(pwrite(putter->file.fd, value, LINE, (off_t)at) == LINE, "pwrite");
  check(fdatasync(putter->file.fd) == 0, "fdatasync");
}

static const struct putter all_putters[] = {
    {.name = "sealed: store, clwb, sfence", .mapping = SEALED, .put = put_flush},
    {.name = "MAP_SYNC: store, clwb, sfence", .mapping = SYNC, .put = put_flush},
    {.name = "store, msync of the page", .mapping = PLAIN, .put = put_msync},
    {.name = "store, fdatasync", .mapping = PLAIN, .put = put_fdatasync},
    {.name = "store, fsync", .mapping = PLAIN, .put = put_fsync},
    {.name = "pwrite, fdatasync", .mapping = PLAIN, .put = put_pwrite},
    {.name = "store, msync of the page; mapped by 2 MiB", .mapping = PLAIN, .huge = true, .put = put_msync},
};
// Of the last, which takes ten times as long as the others, the tail isn't looked at.
enum { PUTTERS = sizeof(all_putters) / sizeof(all_putters[0]), TAIL_PUTTERS = PUTTERS - 1 };

static void touch_all(struct file* file) {
  for (size_t at = 0; at < file->bytes; at += PAGE) *(volatile char*)(file->map + at) = 1;
}

static void start_putter(struct putter* putter, size_t room) {
  make_file(&putter->file, WRITTEN, PUT_PAGES * PAGE);
  map_file(&putter->file, putter->mapping, putter->huge);
  touch_all(&putter->file);
  // These go on from where their last sync left the page.
  if (putter->mapping == PLAIN) check(fsync(putter->file.fd) == 0, "fsync");
  start_series(&putter->series, room);
}

static void put_at(struct putter* putter, size_t at) {
  const uint64_t begin = now();
  putter->put(putter, at);
  add(&putter->series, now() - begin);
  putter->series.operations++;
}

static void put_somewhere(struct putter* putter) { put_at(putter, random_below(putter->file.bytes / LINE) * LINE); }

static void wait_a_minute(void) { sleep(60); }

// What happens to pages that are mapped and dirty: a sync(2) by anybody writes them back, and protects them against
// stores for that. The kernel's own writeback of what is half a minute old would, if it looked at DAX files.
static void measure_puts_after(const char* group, void (*happen)(void)) {
  struct putter putters[] = {all_putters[0], all_putters[1]};
  for (int i = 0; i < 2; ++i) start_putter(&putters[i], PUT_PAGES);
  happen();
  for (int i = 0; i < 2; ++i) {
    const uint64_t faults = page_faults();
    for (size_t page = 0; page < PUT_PAGES; ++page) put_at(&putters[i], page * PAGE);
    putters[i].series.faults = page_faults() - faults;
    report("puts", group, putters[i].name, &putters[i].series, "");
    remove_file(&putters[i].file);
  }
}

static void all_puts(void) {
  struct putter putters[PUTTERS];
  memcpy(putters, all_putters, sizeof(putters));
  for (int i = 0; i < PUTTERS; ++i) start_putter(&putters[i], PUT_ROUNDS * PUTS_A_ROUND);
  for (int turn = 0; turn < PUT_ROUNDS * PUTTERS; ++turn) {
    struct putter* putter = &putters[(turn + turn / PUTTERS) % PUTTERS];
    const uint64_t faults = page_faults();
    for (int i = 0; i < PUTS_A_ROUND; ++i) put_somewhere(putter);
    putter->series.faults += page_faults() - faults;
  }
  for (int i = 0; i < PUTTERS; ++i) {
    report("puts", "steady state", putters[i].name, &putters[i].series, "");
    remove_file(&putters[i].file);
  }
  measure_puts_after("one on each page, after a minute of quiet", wait_a_minute);
  measure_puts_after("one on each page, after somebody's sync(2)", sync);
}

// ---- Huge pages: touching all of a file, and puts anywhere in it.

enum { HUGE_BYTES = 32 << 20, HUGE_ROUNDS = 9, HUGE_PUTS = 400 };

struct walker {
  const char* name;
  enum mapping mapping;
  bool huge;
  bool unaligned;
  struct putter putter;
  struct series walk;
  char remark[128];
};

// In one piece, but a page off: what is 2 MiB of the file isn't 2 MiB of the memory.
static void make_unaligned(struct file* file) {
  make_file(file, WRITTEN, HUGE_BYTES + PAGE);
  check(fallocate(file->fd, FALLOC_FL_COLLAPSE_RANGE, 0, PAGE) == 0, "collapse range");
  check(fsync(file->fd) == 0, "fsync");
  file->bytes = HUGE_BYTES;
}

static void start_walker(struct walker* walker) {
  struct file* file = &walker->putter.file;
  if (walker->unaligned) {
    make_unaligned(file);
  } else {
    make_file(file, WRITTEN, HUGE_BYTES);
  }
  if (walker->unaligned && walker->mapping == SEALED && seal(file->fd, HUGE_PAGE) != 0) {
    snprintf(walker->remark, sizeof(walker->remark), "align = 2 MiB is refused: %s", strerrorname_np(errno));
  }
  walker->putter.put = put_flush;
  start_series(&walker->walk, HUGE_ROUNDS);
  start_series(&walker->putter.series, HUGE_ROUNDS * HUGE_PUTS);
}

static void walk(struct walker* walker) {
  struct file* file = &walker->putter.file;
  map_file(file, walker->mapping, walker->huge);
  const uint64_t faults = page_faults();
  const uint64_t begin = now();
  touch_all(file);
  add(&walker->walk, now() - begin);
  walker->walk.faults += page_faults() - faults;
  walker->walk.operations++;
  for (int i = 0; i < HUGE_PUTS; ++i) put_somewhere(&walker->putter);
  munmap(file->map, file->bytes);
  file->map = NULL;
}

static void all_huge(void) {
  struct walker walkers[] = {
      {.name = "sealed, align = 2 MiB", .mapping = SEALED_HUGE, .huge = true},
      {.name = "sealed, align = 0", .mapping = SEALED, .huge = true},
      {.name = "sealed, align = 0, MADV_NOHUGEPAGE", .mapping = SEALED, .huge = false},
      {.name = "MAP_SYNC", .mapping = SYNC, .huge = true},
      {.name = "MAP_SYNC, MADV_NOHUGEPAGE", .mapping = SYNC, .huge = false},
      {.name = "plain", .mapping = PLAIN, .huge = true},
      {.name = "plain, MADV_NOHUGEPAGE", .mapping = PLAIN, .huge = false},
      {.name = "sealed, align = 0; a file that isn't aligned", .mapping = SEALED, .huge = true, .unaligned = true},
      {.name = "MAP_SYNC; a file that isn't aligned", .mapping = SYNC, .huge = true, .unaligned = true},
  };
  const int ways = sizeof(walkers) / sizeof(walkers[0]);
  for (int i = 0; i < ways; ++i) start_walker(&walkers[i]);
  for (int round = 0; round < HUGE_ROUNDS; ++round) {
    for (int i = 0; i < ways; ++i) walk(&walkers[i]);
  }
  for (int i = 0; i < ways; ++i) {
    report("huge", "touching all", walkers[i].name, &walkers[i].walk, walkers[i].remark);
    report("huge", "a put anywhere", walkers[i].name, &walkers[i].putter.series, "");
    remove_file(&walkers[i].putter.file);
  }
}

// ---- The tail: the same while another process keeps the journal busy.

enum { TAIL_ROUNDS = 100, TAIL_A_ROUND = 20, TAIL = TAIL_ROUNDS * TAIL_A_ROUND };

struct noise {
  pid_t process;
  volatile uint64_t* turns;
};

// Makes, appends to, syncs and removes files, without an end.
static void make_noise(volatile uint64_t* turns) {
  char path[256], text[4096];
  memset(text, 'x', sizeof(text));
  for (;;) {
    snprintf(path, sizeof(path), "%s/noise%lu", folder, *turns % 16);
    unlink(path);
    const int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    for (int i = 0; i < 4 && fd >= 0; ++i) {
      if (write(fd, text, sizeof(text)) < 0 || (i % 2 == 1 && fsync(fd) != 0)) break;
    }
    close(fd);
    ++*turns;
  }
}

static void run_on(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  check(sched_setaffinity(0, sizeof(set), &set) == 0, "sched_setaffinity");
}

static void start_noise(struct noise* noise) {
  noise->turns = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  check(noise->turns != MAP_FAILED, "memory");
  noise->process = fork();
  check(noise->process >= 0, "fork");
  if (noise->process > 0) return;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  run_on(0);
  make_noise(noise->turns);
}

static void set_noise(struct noise* noise, bool on) {
  kill(noise->process, on ? SIGCONT : SIGSTOP);
  usleep(5000);
}

static void end_noise(struct noise* noise) {
  kill(noise->process, SIGKILL);
  waitpid(noise->process, NULL, 0);
}

// First among the processes of its CPU: what is measured is what it waits for, not that others run as well. They run in
// the pause before each operation.
static void be_first(void) {
  run_on((int)sysconf(_SC_NPROCESSORS_ONLN) - 1);
  check(sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 1}) == 0, "SCHED_FIFO");
}

static void pause_a_little(void) { usleep(50 + (useconds_t)random_below(100)); }

static void tail_of_puts(struct noise* noise, bool busy) {
  const char* group = busy ? "puts, journal busy" : "puts, quiet";
  struct putter putters[TAIL_PUTTERS];
  memcpy(putters, all_putters, sizeof(putters));
  for (int i = 0; i < TAIL_PUTTERS; ++i) start_putter(&putters[i], TAIL);
  set_noise(noise, busy);
  for (int turn = 0; turn < TAIL_ROUNDS * TAIL_PUTTERS; ++turn) {
    struct putter* putter = &putters[(turn + turn / TAIL_PUTTERS) % TAIL_PUTTERS];
    for (int i = 0; i < TAIL_A_ROUND; ++i) {
      pause_a_little();
      const uint64_t faults = page_faults();
      put_somewhere(putter);
      putter->series.faults += page_faults() - faults;
    }
  }
  set_noise(noise, false);
  for (int i = 0; i < TAIL_PUTTERS; ++i) {
    report("tail", group, putters[i].name, &putters[i].series, "");
    remove_file(&putters[i].file);
  }
}

static void tail_of_faults(struct noise* noise, bool busy) {
  const char* group = busy ? "first stores, journal busy" : "first stores, quiet";
  struct toucher touchers[] = {
      {.name = "sealed", .mapping = SEALED, .layout = WRITTEN},
      {.name = "MAP_SYNC, prepared", .mapping = SYNC, .layout = WRITTEN},
      {.name = "MAP_SYNC, never written", .mapping = SYNC, .layout = ALLOCATED},
      {.name = "plain, prepared", .mapping = PLAIN, .layout = WRITTEN},
  };
  const int ways = sizeof(touchers) / sizeof(touchers[0]);
  for (int i = 0; i < ways; ++i) start_toucher(&touchers[i], TAIL);
  set_noise(noise, busy);
  for (int turn = 0; turn < TAIL_ROUNDS * ways; ++turn) {
    struct toucher* toucher = &touchers[(turn + turn / ways) % ways];
    for (int i = 0; i < TAIL_A_ROUND; ++i) {
      pause_a_little();
      const uint64_t faults = page_faults();
      touch_next(toucher);
      toucher->series.faults += page_faults() - faults;
      toucher->series.operations++;
    }
  }
  set_noise(noise, false);
  for (int i = 0; i < ways; ++i) end_toucher(&touchers[i], "tail", group, "");
}

static void whole_tail(void) {
  struct noise noise;
  start_noise(&noise);
  be_first();
  for (int busy = 0; busy < 2; ++busy) {
    tail_of_puts(&noise, busy);
    tail_of_faults(&noise, busy);
  }
  end_noise(&noise);
  printf("costs: meanwhile the other process made, synced twice and removed %lu files\n", *noise.turns);
}

static int unseal(const char* path) {
  const int fd = open(path, O_RDWR);
  check(fd >= 0 && syscall(DAXCTL, fd, NULL, 0, 0) == 0, path);
  return 0;
}

int main(int argc, char** argv) {
  static const struct {
    const char* name;
    void (*measure)(void);
  } tables[] = {
      {"setup", all_setup}, {"faults", all_faults}, {"puts", all_puts}, {"huge", all_huge}, {"tail", whole_tail}};
  if (argc == 3) {
    if (strcmp(argv[1], "unseal") == 0) return unseal(argv[2]);
    folder = argv[2];
    measure_clock();
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); ++i) {
      if (strcmp(argv[1], tables[i].name) != 0) continue;
      tables[i].measure();
      return 0;
    }
  }
  printf("usage: costs setup|faults|puts|huge|tail FOLDER, costs unseal FILE\n");
  return 2;
}
