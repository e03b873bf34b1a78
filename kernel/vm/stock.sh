#!/usr/bin/env bash
# Prepares Debian's own kernel for the guest: FOLDER/vmlinuz, and FOLDER/root/modules: what it has as modules of what the
# guest needs, and daxctl_static, built here. The kernel is unpacked, not installed, and kept like the patched one.
#   stock.sh FOLDER
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=$1
cache=${SEALKV_KERNEL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sealkv/kernel}

version=$(find /usr/src -maxdepth 1 -name 'linux-headers-*-cloud-amd64' -printf '%f\n' | sort -V | tail -n 1)
version=${version#linux-headers-}
package=linux-image-$version
stock=$cache/$package-$(dpkg-query -W -f '${Version}' "linux-headers-$version")
if [ ! -e "$stock" ]; then
  mkdir -p "$stock.part"
  cd "$stock.part"
  if ! apt-get download -qq "$package" >download.log 2>&1; then
    cat download.log >&2
    echo "stock.sh: can't fetch $package" >&2
    exit 1
  fi
  dpkg -x ./*.deb .
  rm ./*.deb
  cd "$here"
  /sbin/depmod -b "$stock.part" "$version"
  mv "$stock.part" "$stock"
fi
mkdir -p "$folder/root/modules" "$folder/build"
cp "$stock/boot/vmlinuz-$version" "$folder/vmlinuz"

cp "$here"/../module/*.[ch] "$here"/../module/{Kbuild,Makefile} "$folder/build"
if ! make -C "$folder/build" KVERSION="$version" >"$folder/build.log" 2>&1 || grep -iE 'warning' "$folder/build.log"; then
  cat "$folder/build.log" >&2
  echo "stock.sh: the module doesn't build without a warning" >&2
  exit 1
fi
for module in nd_e820 nd_pmem virtio_pci virtio_pmem crc32c_intel xfs; do
  # What is built in has no file.
  /sbin/modprobe -d "$stock" -S "$version" --show-depends "$module" | sed -n 's/^insmod \([^ ]*\).*/\1/p'
done | awk '!seen[$0]++' | while read -r file; do
  cp "$file" "$folder/root/modules/"
  basename "$file"
done >"$folder/root/modules/order"
cp "$folder/build/daxctl_static.ko" "$folder/root/modules/"
echo daxctl_static.ko >>"$folder/root/modules/order"
