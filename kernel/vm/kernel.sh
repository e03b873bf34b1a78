#!/usr/bin/env bash
# Builds the guest's kernel: Debian's source of Linux 6.1, this project's patches, a small configuration. Prints the
# folder that holds bzImage. A build takes some 12 minutes of one CPU, so it is kept, by all that it is made of: in
# $SEALKV_KERNEL_CACHE, or ~/.cache/sealkv/kernel.
#   kernel.sh [debug]    with the kernel's own checks (config.debug); some 20 minutes
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source=/usr/src/linux-source-6.1.tar.xz
cache=${SEALKV_KERNEL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sealkv/kernel}

configs=("$here/config")
[ "${1:-}" != debug ] || configs+=("$here/config.debug")
# What isn't built into the kernel has patches of its own.
patches=()
for patch in "$here"/../patches/*.patch; do
  case $patch in *-Documentation-* | *-selftests-*) ;; *) patches+=("$patch") ;; esac
done
version=$(dpkg-query -W -f '${Version}' linux-source-6.1)
key=$(cat "${patches[@]}" "${configs[@]}" "$here/kernel.sh" | sha256sum | cut -c 1-16)
done_dir=$cache/$version-$key
if [ ! -e "$done_dir/bzImage" ]; then
  echo "building the guest's kernel (some 12 minutes of one CPU; kept in $cache)" >&2
  work=$(mktemp -d "${TMPDIR:-/tmp}/sealkv-kernel.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  tar -xf "$source" -C "$work" --strip-components=1
  cd "$work"
  for patch in "${patches[@]}"; do patch -p1 -s --fuzz=0 <"$patch"; done
  make -s tinyconfig >/dev/null
  ./scripts/kconfig/merge_config.sh -m .config "${configs[@]}" >/dev/null 2>&1
  make -s olddefconfig 2>/dev/null
  # An option that didn't take would make a guest that fails in some odd way.
  grep -hoE '^CONFIG_[A-Z0-9_]+=y' "${configs[@]}" | while read -r option; do
    grep -qx "$option" .config || { echo "kernel.sh: the kernel doesn't take $option" >&2; exit 1; }
  done
  if ! make -j"$(nproc)" bzImage >build.log 2>&1; then
    grep -iE 'error' build.log | head -n 20 >&2 || tail -n 20 build.log >&2
    exit 1
  fi
  mkdir -p "$done_dir.part"
  cp arch/x86/boot/bzImage .config "$done_dir.part/"
  mv "$done_dir.part" "$done_dir"
fi
echo "$done_dir"
