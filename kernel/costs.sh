#!/usr/bin/env bash
# Measures in a guest what a durable store costs, sealed, with MAP_SYNC, and with msync and its like; prints the tables of
# docs/static-dax-costs.md. ./dev costs calls it, and has built kvbench. 3 to 5 minutes.
#   costs.sh [FOLDER]    keeps what the guests said in FOLDER ({ext4,xfs}.{counted,parallel})
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/vm/guest.sh"
pm_mib=1024  # xfs looks after alignment in large allocation groups only
guest_seconds=900

kernel=$("$here/vm/kernel.sh")
kvbench=$here/../bazel-bin/bench/kvbench
[ -x "$kvbench" ] || { echo "costs.sh: there is no $kvbench; run ./dev costs, which builds it" >&2; exit 1; }
work=$(mktemp -d "${TMPDIR:-/tmp}/sealkv-costs.XXXXXX")
trap 'rm -rf "$work"' EXIT
keep=${1:-$work}
mkdir -p "$keep"

for program in costs tier_at_most; do gcc -static -O2 -Wall -Wextra -o "$work/$program" "$here/vm/$program.c"; done
make_initramfs "$work/initramfs" "$here/vm/init_costs" "$kvbench" "$work/costs" "$work/tier_at_most"

# measure FILESYSTEM counted|parallel: a guest whose clock counts instructions, on one CPU; or one with two CPUs at once.
measure() {
  local filesystem=$1 how=$2 log=$keep/$1.$2
  make_image "$work/image" "$filesystem"
  case $how in
    counted) guest_cpus=1 guest_accelerator=(-accel tcg,thread=single -icount shift=0,sleep=off) ;;
    parallel) guest_cpus=2 guest_accelerator=(-accel tcg,thread=multi) ;;
  esac
  echo "measuring on $filesystem, $how" >&2
  boot "$kernel/bzImage" "$work/initramfs" "$work/image" "guest_fs=$filesystem" "guest_do=$how" guest_rounds=5 |
    tr -d '\r' >"$log" || true
  rm -f "$work/image"
  if ! grep -q '^guest: done' "$log" || grep -qE '^guest: (can|.* failed|the kernel)' "$log"; then
    echo "costs.sh: on $filesystem, $how, the guest didn't do all (with FOLDER as argument its words are kept); its last ones:" >&2
    grep -vE '^cost\|' "$log" | tail -n 20 >&2
    exit 1
  fi
}

for filesystem in ext4 xfs; do
  for how in counted parallel; do measure "$filesystem" "$how"; done
done
"$here/costs_table.py" "$keep"
