// SPDX-License-Identifier: GPL-2.0-or-later
// A plugin of QEMU 7.2 (TCG, x86-64, one vCPU): a power cut that loses what wasn't flushed.
//
//   -plugin flush_plugin.so,image=FILE[,evict=SEED][,ignore=N][,ignore_around=N]
//
// FILE is what the guest has as persistent memory, from PM_BEGIN on. FILE.durable, equal to it at the start, gets a
// line (64 bytes) when it becomes durable; FILE.cut holds one word: as soon as it isn't 0, the power goes at that many
// stores to the memory from then. Then FILE.durable is what a next boot finds, and FILE.report says what was seen.
//   evict          each line that isn't durable had, or hadn't, been written back early, by the seed; without, none had
//   ignore         for a control: of N lines there is one that programs flush in vain
//   ignore_around  for a control: of N lines there is one where non-temporal stores stay in the cache
//
// The model (Px86, with one CPU): a store makes its line dirty; clwb, clflushopt and clflush take what is in the line
// at that moment; sfence, mfence, a locked instruction or an xchg with memory make durable what was taken. A
// non-temporal store is a store whose line is taken at once. Nothing else makes a line durable: neither serializing
// instructions nor device accesses nor interrupts, though on real CPUs some of them do; and a clflush of theirs needs
// no fence. So more is lost here than is there. A line written back early holds what it held after one of its stores: 8
// bytes, or less, are never torn.
//
// Why it may be trusted. Version 1 of the plugin interface tells neither a register nor what clwb is applied to, and
// QEMU does nothing for a clwb. What the interface lacks is taken from QEMU's own functions, found by name: its
// debugger's, for registers and page tables. Within a block of translated code the registers they see are stale: only
// before a store or a load, and at a block's end, are all of them where the debugger looks. So `singlestep` is set, at
// the first store to the memory, and every instruction is a block of its own. Each of these steps is looked at while
// the guest runs, and a disagreement ends it with a message:
//   - of ordinary stores, a sample: the address computed as a clwb's is must be the one that QEMU tells; the page tables
//     must lead where QEMU says that it stored; the register that was stored must be in FILE, at the place.
//   - of lea, which like clwb touches no memory: the address computed is in the register when the next instruction begins.
//     Stores alone wouldn't tell stale registers from others.
//   - at the cut: FILE and FILE.durable may differ in lines that are known to be dirty only. A store that wasn't seen, or a
//     line held durable too early, shows here.
//   - a flush in a block of several instructions, or by an address with a segment, isn't understood: the end.
// A clwb that was missed makes more be lost, not less.
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

// Of the plugin interface, version 1 (qemu-plugin.h isn't packaged).
typedef uint64_t qemu_plugin_id_t;
typedef uint32_t qemu_plugin_meminfo_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_plugin_hwaddr;
typedef struct {
  const char* target_name;
  struct {
    int min, cur;
  } version;
  bool system_emulation;
  struct {
    int smp_vcpus, max_vcpus;
  } system;
} qemu_info_t;
enum { NO_REGISTERS = 0, MEMORY_WRITE = 2 };
typedef void (*translated_fn)(qemu_plugin_id_t, struct qemu_plugin_tb*);
typedef void (*executed_fn)(unsigned vcpu, void* data);
typedef void (*accessed_fn)(unsigned vcpu, qemu_plugin_meminfo_t, uint64_t address, void* data);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, translated_fn);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn*, executed_fn, int flags, void* data);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn*, accessed_fn, int flags, int rw, void* data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb*);
struct qemu_plugin_insn* qemu_plugin_tb_get_insn(const struct qemu_plugin_tb*, size_t index);
const void* qemu_plugin_insn_data(const struct qemu_plugin_insn*);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn*);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn*);
unsigned qemu_plugin_mem_size_shift(qemu_plugin_meminfo_t);
bool qemu_plugin_mem_is_store(qemu_plugin_meminfo_t);
struct qemu_plugin_hwaddr* qemu_plugin_get_hwaddr(qemu_plugin_meminfo_t, uint64_t address);
bool qemu_plugin_hwaddr_is_io(const struct qemu_plugin_hwaddr*);
uint64_t qemu_plugin_hwaddr_phys_addr(const struct qemu_plugin_hwaddr*);

// Of QEMU itself, and of GLib.
struct byte_array {
  uint8_t* data;
  unsigned bytes;
};
extern __thread void* current_cpu;
extern int singlestep;
void cpu_exit(void* cpu);
int x86_cpu_gdb_read_register(void* cpu, struct byte_array*, int number);
uint64_t cpu_get_phys_page_attrs_debug(void* cpu, uint64_t address, uint32_t* attributes);
struct byte_array* g_byte_array_new(void);
struct byte_array* g_byte_array_set_size(struct byte_array*, unsigned);

#define EXPORT __attribute__((visibility("default")))
EXPORT int qemu_plugin_version = 1;

enum { LINE = 64, PAGE = 4096 };
static const uint64_t PM_BEGIN = 512ull << 20;

static uint8_t* image;    // what the guest sees
static uint8_t* durable;  // what a power cut leaves
static uint8_t* evicted;  // what a line had at a random moment since it was durable
static uint64_t image_bytes;
static volatile uint64_t* cut_in;
static uint64_t cut_after;  // stores that are left, once the cut was asked for
static FILE* report;

enum state { DURABLE, DIRTY, TAKEN };
static uint8_t* state_of;      // by line
static uint16_t* versions_of;  // by line: stores since it was durable
static bool with_eviction;
static uint64_t seed, ignored, ignored_around;

static struct {
  uint64_t stores, non_temporal, flushes, useful_flushes, fences, checked_stores, checked_stores_in_pm, checked_leas,
      flushes_elsewhere, flushes_unmapped;
} count;

// What one CPU has flushed and not fenced.
struct taken {
  uint64_t line;
  uint8_t content[LINE];
};
static struct taken* taken;
static size_t taken_count, taken_capacity;

static void __attribute__((format(printf, 1, 2), noreturn)) die(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("flush_plugin: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  if (report) {
    va_start(arguments, format);
    fputs("error ", report);
    vfprintf(report, format, arguments);
    fclose(report);
  }
  _exit(99);
}

static uint64_t random_word(void) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  return seed ^= seed << 17;
}

// For the controls.
static bool is_one_of(uint64_t every, uint64_t line) { return every != 0 && line % every == 0; }

// ---- Lines

static void store_to_line(uint64_t line) {
  state_of[line] = DIRTY;
  if (!with_eviction) return;
  // Of all contents since the line was durable each is as likely to be the one that was written back.
  if (versions_of[line] < UINT16_MAX) versions_of[line]++;
  if (random_word() % versions_of[line] == 0) memcpy(evicted + line * LINE, image + line * LINE, LINE);
}

static void take_line(uint64_t line) {
  if (state_of[line] == DURABLE) return;
  count.useful_flushes++;
  if (taken_count == taken_capacity) {
    taken_capacity = taken_capacity * 2 + 64;
    taken = realloc(taken, taken_capacity * sizeof(*taken));
    if (!taken) die("no memory");
  }
  taken[taken_count].line = line;
  memcpy(taken[taken_count++].content, image + line * LINE, LINE);
  state_of[line] = TAKEN;
}

// What was stored to a line after it was taken is still only in the cache.
static void make_durable(const struct taken* one) {
  const uint64_t line = one->line;
  memcpy(durable + line * LINE, one->content, LINE);
  if (state_of[line] == TAKEN) state_of[line] = DURABLE;
  if (!with_eviction) return;
  versions_of[line] = state_of[line] == DIRTY;
  memcpy(evicted + line * LINE, image + line * LINE, LINE);
}

static void on_fence(unsigned vcpu, void* data) {
  if (taken_count == 0) return;
  count.fences++;
  for (size_t i = 0; i < taken_count; ++i) make_durable(&taken[i]);
  taken_count = 0;
}

// ---- The cut

// FILE and FILE.durable differ where they are known to.
static void compare_all(void) {
  for (uint64_t at = 0; at < image_bytes; at += PAGE) {
    if (memcmp(image + at, durable + at, PAGE) == 0) continue;
    for (uint64_t line = at / LINE; line < (at + PAGE) / LINE; ++line) {
      if (state_of[line] == DURABLE && memcmp(image + line * LINE, durable + line * LINE, LINE) != 0)
        die("line 0x%" PRIx64 " has changed, and no store to it was seen", line * LINE);
    }
  }
}

static void __attribute__((noreturn)) cut_power(void) {
  compare_all();
  uint64_t waiting = 0, different = 0, kept = 0;
  for (uint64_t line = 0; line < image_bytes / LINE; ++line) {
    if (state_of[line] == DURABLE) continue;
    uint8_t* const to = durable + line * LINE;
    waiting++;
    different += memcmp(to, image + line * LINE, LINE) != 0;
    if (!with_eviction) continue;
    const unsigned what = random_word() >> 32 & 3;
    if (what >= 2) kept++;
    if (what == 2) memcpy(to, evicted + line * LINE, LINE);
    if (what == 3) memcpy(to, image + line * LINE, LINE);
  }
  fprintf(report,
          "stores %" PRIu64 "\nnon_temporal %" PRIu64 "\nflushes %" PRIu64 "\nuseful_flushes %" PRIu64
          "\nfences %" PRIu64 "\nflushes_elsewhere %" PRIu64 "\nflushes_unmapped %" PRIu64 "\nchecked_stores %" PRIu64
          "\nchecked_stores_in_pm %" PRIu64 "\nchecked_leas %" PRIu64 "\nnot_durable %" PRIu64 "\ndifferent %" PRIu64
          "\nkept %" PRIu64 "\n",
          count.stores, count.non_temporal, count.flushes, count.useful_flushes, count.fences, count.flushes_elsewhere,
          count.flushes_unmapped, count.checked_stores, count.checked_stores_in_pm, count.checked_leas, waiting,
          different, kept);
  fclose(report);
  _exit(0);
}

static void count_down(void) {
  if (cut_after == 0) cut_after = *cut_in;
  if (cut_after != 0 && --cut_after == 0) cut_power();
}

// ---- Instructions

struct instruction {
  bool has_operand_size, has_repeat, has_lock, has_segment, has_address_size, is_0f, has_memory;
  uint8_t rex, opcode, modrm, base, index, scale;
  bool has_base, has_index, is_relative;
  int32_t displacement;
  uint64_t next;  // address
};

static bool read_prefix(struct instruction* it, uint8_t byte) {
  switch (byte) {
    case 0x66:
      return it->has_operand_size = true;
    case 0xf2:
    case 0xf3:
      return it->has_repeat = true;
    case 0xf0:
      return it->has_lock = true;
    case 0x64:
    case 0x65:
      return it->has_segment = true;
    case 0x67:
      return it->has_address_size = true;
    case 0x26:
    case 0x2e:
    case 0x36:
    case 0x3e:
      return true;  // ignored in 64-bit code
  }
  return false;
}

// The address's parts. `at` is behind ModRM.
static void read_address(struct instruction* it, const uint8_t* at, const uint8_t* end) {
  const uint8_t mod = it->modrm >> 6, rm = it->modrm & 7;
  it->has_memory = mod != 3;
  if (!it->has_memory) return;
  it->has_base = true;
  it->base = rm | (it->rex & 1) << 3;
  if (rm == 4 && at < end) {
    const uint8_t sib = *at++;
    it->scale = sib >> 6;
    it->index = (sib >> 3 & 7) | (it->rex & 2) << 2;
    it->has_index = it->index != 4;
    it->base = (sib & 7) | (it->rex & 1) << 3;
    if (mod == 0 && (sib & 7) == 5) it->has_base = false;
  } else if (mod == 0 && rm == 5) {
    it->has_base = false;
    it->is_relative = true;
  }
  if (mod == 1 && at < end) it->displacement = (int8_t)*at;
  if ((mod == 2 || !it->has_base) && at + 4 <= end) memcpy(&it->displacement, at, 4);
}

// Of a VEX prefix only what tells a non-temporal store. EVEX: QEMU's CPU has no AVX-512.
static size_t read_vex(struct instruction* it, const uint8_t* bytes, size_t size) {
  const size_t length = bytes[0] == 0xc5 ? 2 : 3;
  if (length >= size) return size;
  it->is_0f = length == 2 || (bytes[1] & 0x1f) == 1;
  return length;
}

static struct instruction decode(const struct qemu_plugin_insn* from) {
  struct instruction it = {.next = qemu_plugin_insn_vaddr(from) + qemu_plugin_insn_size(from)};
  const uint8_t* const bytes = qemu_plugin_insn_data(from);
  const size_t size = qemu_plugin_insn_size(from);
  size_t at = 0;
  while (at < size && read_prefix(&it, bytes[at])) at++;
  if (at < size && (bytes[at] & 0xf0) == 0x40) it.rex = bytes[at++];
  if (at < size && (bytes[at] == 0xc5 || bytes[at] == 0xc4)) {
    at += read_vex(&it, bytes + at, size - at);
  } else if (at < size && bytes[at] == 0x0f) {
    it.is_0f = true;
    at++;
  }
  if (at + 1 < size) {
    it.opcode = bytes[at];
    it.modrm = bytes[at + 1];
    read_address(&it, bytes + at + 2, bytes + size);
  }
  return it;
}

static bool is_flush(const struct instruction* it) {
  const uint8_t what = it->modrm >> 3 & 7;
  if (!it->is_0f || it->opcode != 0xae || !it->has_memory || it->has_repeat) return false;
  return what == 7 || (what == 6 && it->has_operand_size);  // clflush and clflushopt, or clwb
}

static bool is_fence(const struct instruction* it) {
  if (it->has_lock) return true;
  if (!it->is_0f) return (it->opcode & 0xfe) == 0x86 && it->has_memory;                          // xchg
  return it->opcode == 0xae && !it->has_memory && !it->has_repeat && (it->modrm >> 3 & 7) >= 6;  // mfence, sfence
}

// movnti; movntps, movntpd; movntq, movntdq
static bool is_non_temporal(const struct instruction* it) {
  return it->is_0f && it->has_memory && (it->opcode == 0xc3 || it->opcode == 0x2b || it->opcode == 0xe7);
}

// mov of eight bytes from a register: what the sample is taken from.
static bool is_plain_store(const struct instruction* it) {
  return !it->is_0f && it->opcode == 0x89 && (it->rex & 8) && it->has_memory && !it->has_segment &&
         !it->has_address_size && !it->has_lock && !it->has_operand_size && !it->has_repeat;
}

// lea to eight bytes.
static bool is_lea(const struct instruction* it) {
  return !it->is_0f && it->opcode == 0x8d && (it->rex & 8) && it->has_memory && !it->has_address_size &&
         !it->has_operand_size;
}

// The register of ModRM that isn't part of the address.
static unsigned operand_of(const struct instruction* it) { return (it->modrm >> 3 & 7) | (it->rex & 4) << 1; }

static uint64_t read_register(unsigned number) {
  // The debugger's numbers of rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi.
  static const uint8_t debugger[8] = {0, 2, 3, 1, 7, 6, 4, 5};
  static struct byte_array* buffer;
  uint64_t value;
  if (!buffer) buffer = g_byte_array_new();
  g_byte_array_set_size(buffer, 0);
  if (x86_cpu_gdb_read_register(current_cpu, buffer, number < 8 ? debugger[number] : (int)number) != 8)
    die("register %u isn't one of 8 bytes", number);
  memcpy(&value, buffer->data, 8);
  return value;
}

static uint64_t address_of(const struct instruction* it) {
  uint64_t address = (int64_t)it->displacement;
  if (it->is_relative) address += it->next;
  if (it->has_base) address += read_register(it->base);
  if (it->has_index) address += read_register(it->index) << it->scale;
  return address;
}

// ---- From addresses to places in FILE

static const uint64_t NOWHERE = UINT64_MAX;

// By the guest's page tables, as of now. `in_use`: whether the address has a page at all.
static uint64_t walk(uint64_t address, bool* in_use) {
  uint32_t attributes = 0;
  const uint64_t page = cpu_get_phys_page_attrs_debug(current_cpu, address & ~(uint64_t)(PAGE - 1), &attributes);
  *in_use = page != UINT64_MAX;
  if (!*in_use || page < PM_BEGIN || page >= PM_BEGIN + image_bytes) return NOWHERE;
  return page - PM_BEGIN + address % PAGE;
}

// QEMU 7.2's phys_addr isn't the guest's physical address: it is off by where QEMU keeps that memory. By how much is
// asked of the page tables, once for each 2 MiB.
static uint64_t place_of(qemu_plugin_meminfo_t info, uint64_t address) {
  enum { CHUNK_BITS = 21, CHUNKS = 1 << 14 };
  static struct {
    bool is_known, is_pm;
    uint64_t offset;
  } chunks[CHUNKS];
  bool in_use;
  const struct qemu_plugin_hwaddr* const where = qemu_plugin_get_hwaddr(info, address);
  if (!where || qemu_plugin_hwaddr_is_io(where)) return NOWHERE;
  const uint64_t told = qemu_plugin_hwaddr_phys_addr(where);
  if (told >> CHUNK_BITS >= CHUNKS) die("QEMU tells a physical address of 0x%" PRIx64, told);
  typeof(chunks[0])* const chunk = &chunks[told >> CHUNK_BITS];
  if (!chunk->is_known) {
    const uint64_t place = walk(address, &in_use);
    if (!in_use) return NOWHERE;
    chunk->is_known = true;
    chunk->is_pm = place != NOWHERE;
    chunk->offset = told - place;
  }
  return chunk->is_pm ? told - chunk->offset : NOWHERE;
}

// ---- What the guest does

static const struct instruction* sampled;  // is being executed
static uint64_t sampled_address, sampled_value;

static void on_plain_store(unsigned vcpu, void* data) {
  static unsigned executed;
  sampled = NULL;
  if (++executed % 16 != 0) return;
  sampled = data;
  sampled_address = address_of(sampled);
  sampled_value = read_register(operand_of(sampled));
}

static void check_sample(uint64_t address, uint64_t place) {
  bool in_use;
  if (address != sampled_address)
    die("a store's address is 0x%" PRIx64 ", not 0x%" PRIx64 " (before 0x%" PRIx64 ")", address, sampled_address,
        sampled->next);
  if (walk(address, &in_use) != place) die("the page tables don't lead where 0x%" PRIx64 " was stored", address);
  if (place != NOWHERE && place % PAGE <= PAGE - 8 && memcmp(image + place, &sampled_value, 8) != 0)
    die("what was stored to 0x%" PRIx64 " isn't in the image at 0x%" PRIx64, address, place);
  count.checked_stores++;
  count.checked_stores_in_pm += place != NOWHERE;
  sampled = NULL;
}

static const struct instruction* last_lea;
static uint64_t last_lea_result;

static void on_lea(unsigned vcpu, void* data) {
  last_lea = data;
  last_lea_result = address_of(last_lea);
}

static void on_instruction_after_lea(unsigned vcpu, void* data) {
  const struct instruction* const lea = data;
  if (lea != last_lea) return;
  const uint64_t value = read_register(operand_of(lea));
  if (value != last_lea_result)
    die("lea before 0x%" PRIx64 " made 0x%" PRIx64 ", not 0x%" PRIx64, lea->next, value, last_lea_result);
  count.checked_leas++;
  last_lea = NULL;
}

static void store(uint64_t place, uint64_t bytes, bool is_non_temporal) {
  for (uint64_t line = place / LINE; line <= (place + bytes - 1) / LINE; ++line) {
    store_to_line(line);
    if (is_non_temporal && !is_one_of(ignored_around, line)) take_line(line);
  }
  count.stores++;
  count.non_temporal += is_non_temporal;
  count_down();
}

enum { PLAIN = 1, NON_TEMPORAL = 2 };

// The rest of this block is still executed as it is; then the CPU looks for the next one, and finds none of one
// instruction.
static void go_step_by_step(void) {
  singlestep = 1;
  cpu_exit(current_cpu);
}

static void on_access(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t address, void* data) {
  const uintptr_t kind = (uintptr_t)data;
  if (!qemu_plugin_mem_is_store(info)) return;  // 7.2 tells of some loads as well
  // The kernel is the first to store to the memory: it mounts the filesystem. (If it weren't, compare_all would tell.)
  if (!singlestep && (int64_t)address >= 0) return;
  const uint64_t place = place_of(info, address);
  if (place != NOWHERE && !singlestep) go_step_by_step();
  if (kind == PLAIN && sampled) check_sample(address, place);
  const uint64_t bytes = 1ull << qemu_plugin_mem_size_shift(info), in_page = PAGE - address % PAGE;
  if (bytes > in_page) {
    const uint64_t rest = place_of(info, address + in_page);
    if (rest != NOWHERE) store(rest, bytes - in_page, kind == NON_TEMPORAL);
  }
  if (place != NOWHERE) store(place, bytes < in_page ? bytes : in_page, kind == NON_TEMPORAL);
}

static void on_flush(unsigned vcpu, void* data) {
  const struct instruction* const it = data;
  bool in_use;
  if (it->has_segment || it->has_address_size)
    die("a flush before 0x%" PRIx64 " by an address that isn't understood", it->next);
  const uint64_t address = address_of(it), place = walk(address, &in_use);
  if (place == NOWHERE) {
    count.flushes_elsewhere += in_use;
    count.flushes_unmapped += !in_use;
    return;
  }
  count.flushes++;
  if ((int64_t)address >= 0 && is_one_of(ignored, place / LINE)) return;
  take_line(place / LINE);
}

// In a block of several instructions the registers are those of some earlier moment. Before the memory was in use no
// flush counts.
static void on_flush_in_block(unsigned vcpu, void* data) {
  if (singlestep)
    die("a flush before 0x%" PRIx64 " in a block of several instructions", ((struct instruction*)data)->next);
}

static struct instruction* keep(const struct instruction* it) {
  struct instruction* const kept = malloc(sizeof(*kept));  // for as long as the translation: for ever
  if (!kept) die("no memory");
  return memcpy(kept, it, sizeof(*it));
}

// A lea is checked at the instruction behind it; these are translated one after the other, at their first execution.
static void check_lea(struct qemu_plugin_insn* insn, const struct instruction* it) {
  static struct instruction* lea;
  if (lea && qemu_plugin_insn_vaddr(insn) == lea->next)
    qemu_plugin_register_vcpu_insn_exec_cb(insn, on_instruction_after_lea, NO_REGISTERS, lea);
  lea = is_lea(it) ? keep(it) : NULL;
  if (lea) qemu_plugin_register_vcpu_insn_exec_cb(insn, on_lea, NO_REGISTERS, lea);
}

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb* block) {
  const size_t size = qemu_plugin_tb_n_insns(block);
  const bool is_single = singlestep && size == 1;
  for (size_t i = 0; i < size; ++i) {
    struct qemu_plugin_insn* const insn = qemu_plugin_tb_get_insn(block, i);
    const struct instruction it = decode(insn);
    uintptr_t kind = is_non_temporal(&it) ? NON_TEMPORAL : 0;
    if (is_flush(&it))
      qemu_plugin_register_vcpu_insn_exec_cb(insn, is_single ? on_flush : on_flush_in_block, NO_REGISTERS, keep(&it));
    if (is_fence(&it)) qemu_plugin_register_vcpu_insn_exec_cb(insn, on_fence, NO_REGISTERS, NULL);
    if (is_single) check_lea(insn, &it);
    if (is_single && is_plain_store(&it)) {
      kind = PLAIN;
      qemu_plugin_register_vcpu_insn_exec_cb(insn, on_plain_store, NO_REGISTERS, keep(&it));
    }
    qemu_plugin_register_vcpu_mem_cb(insn, on_access, NO_REGISTERS, MEMORY_WRITE, (void*)kind);
  }
}

// ---- The start

static void* map(const char* file, const char* suffix, int flags, uint64_t* bytes) {
  char path[4096];
  struct stat status;
  snprintf(path, sizeof(path), "%s%s", file, suffix);
  const int descriptor = open(path, flags);
  if (descriptor < 0 || fstat(descriptor, &status) != 0) die("can't open %s", path);
  *bytes = (uint64_t)status.st_size;
  void* const at = mmap(NULL, *bytes, flags == O_RDWR ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, descriptor, 0);
  if (at == MAP_FAILED) die("can't map %s", path);
  close(descriptor);
  return at;
}

static void* zeros(uint64_t bytes) {
  void* const at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) die("no memory");
  return at;
}

static void open_files(const char* file) {
  char path[4096];
  uint64_t bytes;
  image = map(file, "", O_RDONLY, &image_bytes);
  durable = map(file, ".durable", O_RDWR, &bytes);
  if (bytes != image_bytes || bytes % PAGE != 0) die("%s.durable isn't as long as %s", file, file);
  cut_in = map(file, ".cut", O_RDONLY, &bytes);
  if (bytes < sizeof(*cut_in)) die("%s.cut isn't a word", file);
  snprintf(path, sizeof(path), "%s.report", file);
  report = fopen(path, "w");
  if (!report) die("can't write %s", path);
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t* info, int count_of, char** arguments) {
  const char* file = NULL;
  for (int i = 0; i < count_of; ++i) {
    if (strncmp(arguments[i], "image=", 6) == 0) file = arguments[i] + 6;
    if (strncmp(arguments[i], "evict=", 6) == 0) {
      with_eviction = true;
      seed = strtoull(arguments[i] + 6, NULL, 0) | 1;
    }
    if (strncmp(arguments[i], "ignore=", 7) == 0) ignored = strtoull(arguments[i] + 7, NULL, 0);
    if (strncmp(arguments[i], "ignore_around=", 14) == 0) ignored_around = strtoull(arguments[i] + 14, NULL, 0);
  }
  if (!file) die("image=FILE is missing");
  if (!info->system_emulation || strcmp(info->target_name, "x86_64") != 0 || info->system.smp_vcpus != 1)
    die("only for a whole x86-64 machine with one CPU");
  open_files(file);
  state_of = zeros(image_bytes / LINE);
  if (with_eviction) {
    versions_of = zeros(image_bytes / LINE * sizeof(*versions_of));
    evicted = zeros(image_bytes);
  }
  qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
  return 0;
}
