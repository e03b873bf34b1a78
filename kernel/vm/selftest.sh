#!/usr/bin/env bash
# Builds the tests of the call, which are in the last patch of the series, into FOLDER.
#   selftest.sh FOLDER [MODULE]   with MODULE, the folder of the module: for its device, and its own tests too
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=$1 module=${2:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sources=tools/testing/selftests/filesystems/static_dax
(cd "$work" && git apply --include="$sources/*" "$here"/../patches/*-selftests-*.patch)
[ -z "$module" ] || cp "$module"/test/*.[ch] "$module/daxctl_ioctl.h" "$work/$sources/"
mkdir -p "$folder"
for source in "$work/$sources"/*.c; do
  gcc -static -O2 -Wall -o "$folder/$(basename "$source" .c)" "$source"
done
