#!/usr/bin/env bash
# The default build, as it is, under valgrind's memcheck: kvbench with its marks, each command of kvdump, and tests that
# look at the store from below. Valgrind has no clwb and no AVX-512, so this is also what the binaries do on a CPU that
# lacks them. Called by ./dev valgrind, which has installed what this needs. Leaves nothing behind.
set -euo pipefail
cd "$(dirname "$0")/.."

tests=(daxfile:persist_test kv:descent_test kv:check_test tests:iterator_test tests:budget_test tests:model_test
  tests:concurrency_test)
export SEALKV_TEST_SCALE=0.01  # valgrind takes some fifty times as long

work=$(mktemp -d /dev/shm/sealkv-valgrind.XXXXXX)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
store=$work/store

fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }

if ! bazel build //bench:kvbench //tools:kvdump "${tests[@]/#///}" >"$work/build.log" 2>&1; then
  cat "$work/build.log" >&2
  exit 1
fi

# Runs a program under memcheck, its children too as long as they don't exec; any finding is a failure. --fair-sched:
# valgrind runs one thread at a time, and who waits for another by looking must not keep the turn. --soname-synonyms: a
# test's own operator new (tests/failing_memory.h) stays in place; the library's malloc below it is watched as ever.
runs=0
check() {  # PROGRAM ARGUMENT…
  local begun=$SECONDS status=0 log arguments=${*:2}
  rm -f "$work"/valgrind.*
  valgrind --fair-sched=yes --soname-synonyms=somalloc=nouserintercepts --leak-check=full \
    --errors-for-leak-kinds=definite --error-exitcode=99 --log-file="$work/valgrind.%p" \
    "$@" >"$work/out" 2>&1 || status=$?
  # A process that was killed has no summary; nor has one that found an instruction which valgrind doesn't know.
  for log in "$work"/valgrind.*; do
    if grep -qE 'ERROR SUMMARY: [^0]|SIGILL|unrecognised instruction|unhandled' "$log"; then
      cat "$log" >&2
      status=99
    fi
  done
  if [ "$status" -ne 0 ]; then
    tail -n 20 "$work/out" >&2
    fail "exit code $status: valgrind $*"
  fi
  runs=$((runs + 1))
  printf '  ok, %2d s  %s %s\n' $((SECONDS - begun)) "${1#bazel-bin/}" "${arguments//"$work/"/}"
}

kvbench=bazel-bin/bench/kvbench
kvdump=bazel-bin/tools/kvdump
all=fillrandom,readrandom,readmissing,overwrite,seekrandom,readseq,readreverse,deleterandom

check $kvbench --engines=sealkv --num=1000 --seek_nexts=5 --benchmarks=$all,open --mark_operations="$work/marks"
# Each that began has an end. Whoever reads the marks counts on it.
begins=$(grep -c '^begin ' "$work/marks")
ends=$(grep -c '^end ' "$work/marks")
if [ "$begins" -lt 5000 ] || [ "$begins" -ne "$ends" ]; then fail "$begins marks of begins, $ends of ends"; fi
check $kvbench --engines=sealkv --num=1000 --seek_nexts=5 --benchmarks=$all --threads=3 --key_kind=string \
  --value_size=100 --db="$store" --keep

check $kvdump info "$store"
check $kvdump stat "$store"
check $kvdump check "$store"
check $kvdump scan "$store" --limit=10
check $kvdump get "$store" "$($kvdump scan "$store" --limit=1 --keys-only)"
check $kvdump page "$store" root
check $kvdump records "$store"
check $kvdump dump "$store" -f "$work/dump"
check $kvdump load "$work/copy" -f "$work/dump" --tier=volatile
cmp -s <($kvdump scan "$store") <($kvdump scan "$work/copy") || fail 'what was loaded is not what was dumped'

for test in "${tests[@]}"; do check "bazel-bin/${test/://}"; done
echo "$runs runs under valgrind, no errors"
