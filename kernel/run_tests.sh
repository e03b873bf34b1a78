#!/usr/bin/env bash
# Tests daxctl(2) in a guest with the patched kernel, on ext4 and xfs; then cuts the guest's power while it writes to a
# store there. ./dev kernel calls it, and has built kvbench and kvdump.
#   run_tests.sh [CUTS]    how often to cut, on each filesystem (default 20; 0: only the test of the call)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cuts=${1:-20}
. "$here/vm/guest.sh"

kernel=$("$here/vm/kernel.sh")
work=$(mktemp -d "${TMPDIR:-/tmp}/sealkv-guest.XXXXXX")
trap 'rm -rf "$work"' EXIT
make_initramfs "$work/initramfs" "$here/vm/init" "$kernel/static_dax_test"

passed=0 failed=0
for filesystem in ext4 xfs; do
  make_image "$work/$filesystem.image" "$filesystem"
  log=$work/$filesystem.log
  boot "$kernel/bzImage" "$work/initramfs" "$work/$filesystem.image" "guest_fs=$filesystem" | tr -d '\r' >"$log"
  # The filesystem is whole as well.
  case $filesystem in
    ext4) fsck=(e2fsck -fn) ;;
    xfs) fsck=(xfs_repair -n) ;;
  esac
  if grep -q '^guest: test ended with 0' "$log" && ! grep -qE '^not ok|guest: (can|the kernel)' "$log" &&
    "${fsck[@]}" "$work/$filesystem.image" >"$work/fsck.log" 2>&1; then
    passed=$((passed + 1))
    echo "ok      daxctl on $filesystem: $(sed -n 's/^# \(.* claims hold\)/\1/p' "$log")"
  else
    failed=$((failed + 1))
    echo "FAILED  daxctl on $filesystem:"
    grep -E '^not ok|^Bail|^guest:|WARNING|BUG' "$log" || tail -n 20 "$log"
  fi
done

# The whole machine: kvbench on a sealed store, no fsync, the power cut; and the controls.
if [ "$cuts" -gt 0 ]; then
  for program in no_fsync lay_out; do gcc -static -O2 -Wall -o "$work/$program" "$here/vm/$program.c"; done
  # The filter can fail a program: what it is for.
  if bash -c '"$0" sync; exit $?' "$work/no_fsync" 2>/dev/null; then
    echo "FAILED  no_fsync lets sync(2) pass: the power cut would prove nothing"
    exit 1
  fi
  seq 1 1000 | awk '{ printf "pair %d\nvalue of %d\n", $1, $1 }' >"$work/pairs"
  : >"$work/nothing"
  make_initramfs "$work/power" "$here/vm/init_power" "$here"/../bazel-bin/{bench/kvbench,tools/kvdump} \
    "$work"/{no_fsync,lay_out,pairs,nothing}
  for filesystem in ext4 xfs; do
    if "$here/power_cut.py" --kernel="$kernel" --initramfs="$work/power" --cuts="$cuts" "$filesystem"; then
      passed=$((passed + 1))
    else
      failed=$((failed + 1))
      echo "FAILED  the power cut on $filesystem"
    fi
  done
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
