# Functions to run a guest with emulated persistent memory. To be sourced.
#
# The middle one of the guest's three memory nodes is a file: what the guest stores there is in the file at once, and
# `memmap=` makes a /dev/pmem0 of it. So the file is the device: made by mkfs on the host, and still there when the
# guest is gone.

# What a script may set to something else, once it has sourced this.
pm_mib=512
guest_cpus=2
guest_accelerator=(-accel tcg,thread=multi)
guest_seconds=${guest_seconds:-300} # a guest that hangs ends as one that says nothing more

# make_image FILE ext4|xfs [OPTION…]: a new filesystem, with these further options of mkfs.
make_image() {
  local file=$1 filesystem=$2
  shift 2
  rm -f "$file"
  truncate -s "${pm_mib}M" "$file"
  case $filesystem in
    ext4) mkfs.ext4 -q -b 4096 "$@" "$file" ;;
    # The stripe unit makes xfs align what it allocates to 2 MiB: huge pages. The log can't have that one.
    xfs) mkfs.xfs -q -m reflink=1 -d agcount=2,su=2m,sw=1 -l su=32k "$@" "$file" ;;
  esac
}

# make_initramfs FILE INIT THING…: busybox, the script INIT as /init, the things in /bin: programs, with the libraries they
# need, and other files. A folder's contents go to /.
make_initramfs() {
  local file=$1 init=$2 root thing library
  shift 2
  root=$(mktemp -d)
  chmod 755 "$root"
  mkdir -p "$root"/{bin,proc,sys,dev,mnt,tmp}
  cp -L /bin/busybox "$root/bin/"
  cp "$init" "$root/init"
  cp "$(dirname "$init")/setup" "$root/bin/"
  chmod 755 "$root/init"
  for thing in "$@"; do
    if [ -d "$thing" ]; then
      cp -rL "$thing/." "$root/"
      continue
    fi
    cp -L "$thing" "$root/bin/"
    [ -x "$thing" ] || continue
    chmod u+w "$root/bin/${thing##*/}"
    strip "$root/bin/${thing##*/}"
    { ldd "$thing" 2>/dev/null || true; } | { grep -oE '/[^ ]+' || true; } | while read -r library; do
      mkdir -p "$root${library%/*}"
      cp -L "$library" "$root$library"
    done
  done
  (cd "$root" && find . | cpio -o -H newc 2>/dev/null | gzip -1) >"$file"
  rm -rf "$root"
}

# boot KERNEL INITRAMFS IMAGE ARGUMENT…: runs a guest to its end, with these arguments on the kernel's command line. Its
# console is standard output (lines end with \r\n). KVM isn't asked for: what is tested must not depend on the host.
# With $flush_plugin, a plugin and its arguments: one CPU, which the plugin watches. With $async_image, a second filesystem:
# on virtio-pmem, whose DAX isn't synchronous.
boot() {
  local kernel=$1 initramfs=$2 image=$3 more=() cpus=("${guest_accelerator[@]}" -smp "$guest_cpus")
  shift 3
  [ -z "${async_image:-}" ] || more=(
    -object memory-backend-file,id=async,share=on,mem-path="$async_image",size="$(stat -c %s "$async_image")"
    -device virtio-pmem-pci,memdev=async,id=async-pm)
  [ -z "${flush_plugin:-}" ] || cpus=(-accel tcg,thread=single -smp 1 -plugin "$flush_plugin")
  timeout --foreground "$guest_seconds" qemu-system-x86_64 "${cpus[@]}" -cpu max \
    -m "$((512 + pm_mib + 256))M,slots=2,maxmem=4G" -nographic -no-reboot -nic none \
    -object memory-backend-ram,id=low,size=512M \
    -object memory-backend-file,id=pm,share=on,mem-path="$image",size="${pm_mib}M" \
    -object memory-backend-ram,id=high,size=256M \
    -numa node,memdev=low -numa node,memdev=pm -numa node,memdev=high "${more[@]}" \
    -kernel "$kernel" -initrd "$initramfs" \
    -append "console=ttyS0 panic=-1 quiet memmap=${pm_mib}M!512M $*" </dev/null
}
