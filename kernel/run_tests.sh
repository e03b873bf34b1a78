#!/usr/bin/env bash
# Tests static DAX files in a guest, on ext4 and xfs; then cuts the guest's power while it writes to a store there.
# ./dev kernel, ./dev module and ./dev flush call it, and have built kvbench and kvdump.
#   run_tests.sh patched|stock|debug|flush [CUTS [SECONDS]]
# patched: daxctl(2), in a kernel with the series. debug: the same kernel with its own checks, lockdep and KASAN; no cuts.
# stock: the module, in Debian's kernel. flush: only cuts, in the patched kernel, and what wasn't flushed is dropped.
# CUTS: how often to cut, on each filesystem. SECONDS: how long to race.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
kind=$1 cuts=${2:-20} race_seconds=${3:-60}
. "$here/vm/guest.sh"
say() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }

work=$(mktemp -d "${TMPDIR:-/tmp}/sealkv-guest.XXXXXX")
trap 'rm -rf "$work"' EXIT
root=()
case $kind in
  patched | flush) kernel=$("$here/vm/kernel.sh")/bzImage ;;
  debug) kernel=$("$here/vm/kernel.sh" debug)/bzImage cuts=0 ;;
  stock)
    "$here/vm/stock.sh" "$work/stock"
    kernel=$work/stock/vmlinuz
    root=("$work/stock/root")
    ;;
esac
passed=0 failed=0

# The claims, the race; what the guest's kernel says of itself; and whether the filesystem is whole afterwards.
test_calls() {  # FILESYSTEM
  local filesystem=$1 log=$work/$1.log fsck
  make_image "$work/$filesystem.image" "$filesystem"
  # A machine that never came up has touched nothing: once more.
  for _ in 1 2; do
    boot "$kernel" "$work/initramfs" "$work/$filesystem.image" "guest_fs=$filesystem guest_race=$race_seconds" |
      tr -d '\r' >"$log" || true # one that was ended for want of a sign of life says so by its log
    grep -q 'guest: begins' "$log" && break
    echo "# a guest never came up"
  done
  case $filesystem in
    ext4) fsck=(e2fsck -fn) ;;
    xfs) fsck=(xfs_repair -n) ;;
  esac
  if [ "$(grep -c '^guest: .* ended with 0' "$log")" -eq "$parts" ] && ! grep -qE '^not ok|^guest: (can|the kernel)' "$log" &&
    "${fsck[@]}" "$work/$filesystem.image" >"$work/fsck.log" 2>&1; then
    passed=$((passed + 1))
    echo "ok      $kind kernel, $filesystem: $(sed -n 's/^# \(.* claims hold\)/\1/p; s/^ok 1 - \(the promise\)/\1/p' "$log" | paste -sd ';')"
  else
    failed=$((failed + 1))
    echo "FAILED  $kind kernel, $filesystem:"
    grep -E '^not ok|^Bail|^# seed|^guest:|WARNING|BUG|KASAN' "$log" || tail -n 20 "$log"
    [ ! -s "$work/fsck.log" ] || tail -n 5 "$work/fsck.log"
  fi
}

test_all_calls() {
  say "testing daxctl on ext4 and xfs ($kind kernel)"
  if [ "$kind" = stock ]; then
    "$here/vm/selftest.sh" "$work/tests" "$here/module"
    parts=3
  else
    "$here/vm/selftest.sh" "$work/tests"
    parts=2
  fi
  make_initramfs "$work/initramfs" "$here/vm/init" "$work"/tests/* "${root[@]}"
  # Not where KASAN slows the guest down: ACPI's interpreter gives up there at times, and the device has no interrupt then.
  if [ "$kind" != debug ]; then
    async_image=$work/async.image
    pm_mib=64 make_image "$async_image" ext4
  fi
  # Time to boot and for the claims, which take longer where the kernel looks at itself.
  guest_seconds=$((race_seconds * 2 + 600))
  for filesystem in ext4 xfs; do test_calls "$filesystem"; done
  async_image=
}
[ "$kind" = flush ] || test_all_calls

# The whole machine: kvbench on a sealed store, no fsync, the power cut; and the controls.
if [ "$cuts" -gt 0 ]; then
  say "cutting the power, $cuts times on each"
  for program in no_fsync lay_out; do gcc -static -O2 -Wall -o "$work/$program" "$here/vm/$program.c"; done
  # The filter can fail a program: what it is for.
  if bash -c '"$0" sync; exit $?' "$work/no_fsync" 2>/dev/null; then
    echo "FAILED  no_fsync lets sync(2) pass: the power cut would prove nothing"
    exit 1
  fi
  seq 1 1000 | awk '{ printf "pair %d\nvalue of %d\n", $1, $1 }' >"$work/pairs"
  : >"$work/nothing"
  make_initramfs "$work/power" "$here/vm/init_power" "$here"/../bazel-bin/{bench/kvbench,tools/kvdump} \
    "$work"/{no_fsync,lay_out,pairs,nothing} "${root[@]}"
  cut=("$here/power_cut.py")
  if [ "$kind" = flush ]; then
    gcc -shared -fPIC -O2 -Wall -fvisibility=hidden -o "$work/flush_plugin.so" "$here/plugin/flush_plugin.c"
    cut=("$here/flush_cut.py" --plugin="$work/flush_plugin.so")
  fi
  for filesystem in ext4 xfs; do
    if "${cut[@]}" --kernel="$kernel" --initramfs="$work/power" --cuts="$cuts" "$filesystem"; then
      passed=$((passed + 1))
    else
      failed=$((failed + 1))
      echo "FAILED  the power cut on $filesystem"
    fi
  done
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
