#!/usr/bin/env bash
# Tests daxctl(2) in a guest with the patched kernel, on ext4 and xfs. ./dev kernel calls it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/vm/guest.sh"

kernel=$("$here/vm/kernel.sh")
work=$(mktemp -d "${TMPDIR:-/tmp}/sealkv-guest.XXXXXX")
trap 'rm -rf "$work"' EXIT
make_initramfs "$work/initramfs" "$here/vm/init" "$kernel/static_dax_test"

passed=0 failed=0
for filesystem in ext4 xfs; do
  make_image "$work/$filesystem.image" "$filesystem"
  log=$work/$filesystem.log
  boot "$kernel/bzImage" "$work/initramfs" "$work/$filesystem.image" "guest_fs=$filesystem" >"$log"
  # The filesystem is whole as well.
  case $filesystem in
    ext4) fsck=(e2fsck -fn) ;;
    xfs) fsck=(xfs_repair -n) ;;
  esac
  if grep -q '^guest: test ended with 0' "$log" && ! grep -qE '^not ok|guest: (can|the kernel)' "$log" &&
    "${fsck[@]}" "$work/$filesystem.image" >"$work/fsck.log" 2>&1; then
    passed=$((passed + 1))
    echo "ok      daxctl on $filesystem: $(grep -c '^ok' "$log") claims hold"
  else
    failed=$((failed + 1))
    echo "FAILED  daxctl on $filesystem:"
    grep -E '^not ok|^Bail|^guest:|WARNING|BUG' "$log" || tail -n 20 "$log"
  fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
