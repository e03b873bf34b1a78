#!/usr/bin/env bash
# What docs/performance.md states, measured again: a section of it for each name, all of them without one (half an hour).
# Called by ./dev measure, which has built kvbench. Each command is printed before what it prints; the folder measured/
# gets each one's JSON, for `./dev kvbench report`.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d /dev/shm/sealkv-measure.XXXXXX)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
mkdir -p measured

kvbench() {  # NAME FLAG…
  printf '\n$ ./dev kvbench %s\n' "${*:2}"
  bazel-bin/bench/kvbench "${@:2}" --json="measured/$1.json"
}
core=ycsbload,ycsba,ycsbb,ycsbc,ycsbd,ycsbe,ycsbf
reads=fillrandom,readrandom,multireadrandom,overwrite,seekrandom,readseq

floor() { printf '\n$ ./dev kvbench limits\n'; bazel-bin/bench/kvbench limits; }
pairs() {
  kvbench pairs --engines=sealkv,btree_map --num=5000000 --reads=10000000 --repetitions=3 --limits \
    --benchmarks=$reads
  kvbench pairs-lmdb --engines=sealkv,lmdb --num=5000000 --reads=5000000 --benchmarks=$reads
}
cached() { kvbench cached --engines=sealkv,btree_map --num=500000 --repetitions=5 --benchmarks=$reads; }
ycsb() {
  local keys=(--num=2000000 --key_kind=ycsb --value_size=100)
  kvbench ycsb --engines=sealkv,btree_map,lmdb "${keys[@]}" --repetitions=3 --limits \
    --benchmarks=fillrandom,readrandom,multireadrandom,seekrandom,ycsbe,overwrite,ycsba,ycsbb,ycsbc,ycsbd,ycsbf
}
peers() {
  kvbench peers --engines=sealkv,lmdb,rocksdb,leveldb,sqlite,btree_map,std_map --num=200000 --reads=200000 \
    --key_kind=ycsb --value_size=100 --repetitions=3 --benchmarks=$core
}
paths() {
  kvbench paths --engines=sealkv,btree_map,lmdb --key_kind=path --value_size=100 --num=200000 --reads=3000000 \
    --repetitions=3 --benchmarks=fillrandom,readrandom,multireadrandom,seekrandom,readseq
}
sizes() {
  local num
  for num in 100000 1000000 10000000 50000000; do
    kvbench "sizes-$num" --engines=sealkv,btree_map --db="$work/store" --num=$num --reads=2000000 \
      --capacity=2147483648 --benchmarks=fillrandom,readrandom,readrandom,multireadrandom,open
  done
}
opens() {
  kvbench opens --engines=sealkv,lmdb,rocksdb,leveldb,sqlite --num=500000 --benchmarks=fillrandom,open \
    --batch_size=1000
}
threads() {
  local number
  for number in 1 2 64; do
    kvbench "threads-$number" --db=memory --engines=sealkv --num=2000000 --threads=$number --repetitions=3 \
      --histogram --benchmarks=fillrandom,overwrite,readrandom,addhot
  done
}
batches() {
  local together
  for together in 1 100; do
    kvbench "batches-$together" --db=memory --engines=sealkv --num=5000000 --batch_size=$together --repetitions=3 \
      --benchmarks=fillrandom,overwrite
    kvbench "batches-records-$together" --db=memory --engines=sealkv --num=1000000 --key_kind=ycsb --value_size=100 \
      --batch_size=$together --repetitions=3 --benchmarks=fillrandom,overwrite
  done
}
snapshots() {
  kvbench snapshots --db=memory --engines=sealkv --num=5000000 \
    --benchmarks=fillrandom,snapshot,readseq,readseqwhilewriting,readseq,readseqwhilewriting,readwhilewriting
}
changes() {
  local bytes
  for bytes in 0 67108864; do
    kvbench "changes-$bytes" --engines=sealkv --num=500000 --capacity=1073741824 --change_log=$bytes \
      --benchmarks=fillrandom,overwrite
  done
}
compaction() {
  local capacity run
  for run in 1 2; do
    for capacity in 413138944 1099956224; do  # 80 and 30 % alive
      kvbench "compaction-$capacity-$run" --engines=sealkv --db=memory --num=2000000 --value_size=100 --histogram \
        --sample_every=1 --capacity=$capacity --benchmarks=fillrandom,overwrite,overwrite,overwrite
    done
  done
  kvbench deleted --engines=sealkv --db=memory --num=5000000 --value_size=100 \
    --benchmarks=fillrandom,deletemost,compact,readseq
  kvbench fresh --engines=sealkv --db=memory --num=500000 --value_size=100 --benchmarks=fillrandom,compact,readseq
}
growth() {
  local run
  for run in 1 2 3; do
    kvbench growth-$run --engines=sealkv --db="$work/store" --key_kind=string --key_size=24 --value_size=1000 \
      --num=3500000 --capacity=67108864 --max_capacity=4294967296 --benchmarks=fillrandom --histogram --sample_every=1
    kvbench growth-small-$run --engines=sealkv --db="$work/store" --key_kind=string --key_size=24 --value_size=100 \
      --num=20000000 --capacity=67108864 --max_capacity=4294967296 --benchmarks=fillrandom --histogram \
      --sample_every=1
  done
}

sections=(floor pairs cached ycsb peers paths sizes opens threads batches snapshots changes compaction growth)
if [ $# -eq 0 ]; then set -- "${sections[@]}"; fi
for section in "$@"; do
  if [[ " ${sections[*]} " != *" $section "* ]]; then
    printf 'no such section: %s (there are: %s)\n' "$section" "${sections[*]}" >&2
    exit 2
  fi
done
for section in "$@"; do
  printf '\n== %s\n' "$section"
  $section
done
