#!/usr/bin/env bash
# A tour of SealKV on this machine, with real data: every path that dpkg knows, and the package it belongs to.
# Called by ./dev demo, which has installed what this needs. Leaves nothing behind.
set -euo pipefail
cd "$(dirname "$0")/.."

case ${1:-} in
  '') ;;
  -h | --help)
    echo 'usage: ./dev demo    (needs about 1 GiB in /dev/shm; 2-3 minutes, of which the first build takes most)'
    exit 0 ;;
  *)
    echo "./dev demo: it takes no argument, '$1' neither" >&2
    exit 2 ;;
esac

bold() { if [ -t 1 ]; then printf '\033[1m%s\033[0m' "$1"; else printf '%s' "$1"; fi; }
step=0
begin() { step=$((step + 1)); bold "$step. $1"; echo; }
say() { printf '   %s\n' "$*"; }
number() { sed ':a;s/\B[0-9]\{3\}\>/,&/;ta' <<<"$1"; }
fail() { printf '   FAILED: %s\n' "$*" >&2; exit 1; }

work=$(mktemp -d /dev/shm/sealkv-demo.XXXXXX)
loader=
cleanup() {
  [ -z "$loader" ] || kill -9 "$loader" 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM
store=$work/paths.store

begin 'Build, optimised'
log=$work/build.log
begun=$SECONDS
if ! bazel build //tools:kvdump //bench:kvbench >"$log" 2>&1; then
  cat "$log" >&2
  exit 1
fi
kvdump=$PWD/bazel-bin/tools/kvdump
kvbench=$PWD/bazel-bin/bench/kvbench
say "kvdump and kvbench, in $((SECONDS - begun)) s"

begin "Load every path that dpkg knows, with its package"
# Pairs of lines, key and value; a directory belongs to several packages: the last one named has it.
for list in /var/lib/dpkg/info/*.list; do
  package=${list##*/}
  package=${package%.list}
  sed -n 's/\\/\\5c/g; /^\/./p' "$list" | sed "a ${package%%:*}"
done >"$work/pairs"
pairs=$(($(wc -l <"$work/pairs") / 2))
begun=$(date +%s%N)
"$kvdump" load -T "$store" -f "$work/pairs" --tier=volatile --capacity=512M >"$work/load.out"
took=$((($(date +%s%N) - begun) / 1000000))
keys=$("$kvdump" stat --json "$store" | grep -m1 -o '"keys": *[0-9]*' | grep -o '[0-9]*$')
say "$(number "$pairs") pairs into $(number "$keys") keys, each durable before the next, in $took ms with making the file"

begin 'Read it all back'
awk 'NR % 2 { key = $0; next } { value[key] = $0 } END { for (key in value) print key "\t" value[key] }' "$work/pairs" |
  perl -pe 's/\\5c/\\\\/g; s/([^ -~\t\n])/sprintf("\\x%02x", ord $1)/ge' | LC_ALL=C sort >"$work/expected"
"$kvdump" scan "$store" >"$work/found"
LC_ALL=C sort -c -t '	' -k 1,1 "$work/found" || fail 'keys out of order'
if ! LC_ALL=C sort "$work/found" | diff - "$work/expected" >"$work/diff"; then
  head -n 5 "$work/diff" >&2
  fail 'what was read is not what was put'
fi
say "$(number "$(wc -l <"$work/found")") keys, in order, each with the value that was put"

begin 'Scan a prefix: /usr/share/doc/bazel-bootstrap'
"$kvdump" scan "$store" --prefix=/usr/share/doc/bazel-bootstrap --limit=4 | sed 's/\t/  ->  /; s/^/   /'

begin 'Kill a writer with SIGKILL in the middle of a second load'
mkfifo "$work/pipe"
sed 's|^/|/second&|' "$work/pairs" >"$work/second"
"$kvdump" load -T "$store" -f "$work/pipe" --tier=volatile >"$work/load2.out" 2>&1 &
loader=$!
exec 9>"$work/pipe"
# When this returns, all but what fits into the pipe was put; the loader waits for more, the store open and being written.
head -n "$pairs" "$work/second" >&9
kill -9 "$loader"
wait "$loader" 2>/dev/null || true
exec 9>&-
say "process $loader is gone; nothing was closed, nothing synced"
loader=
begun=$(date +%s%N)
again=$("$kvdump" get "$store" /usr/bin/bazel 2>/dev/null || "$kvdump" get "$store" /usr/bin/env)
took=$((($(date +%s%N) - begun) / 1000000))
say "opened again and read a key in $took ms, the process's start included: '$again'"
"$kvdump" check "$store" >"$work/check.out" || { cat "$work/check.out" >&2; fail 'the store is damaged'; }
after=$("$kvdump" stat --json "$store" | grep -m1 -o '"keys": *[0-9]*' | grep -o '[0-9]*$')
[ "$after" -ge "$keys" ] || fail 'acknowledged keys are missing'
say "checked: sound. $(number "$after") keys: the first load whole, and $(number $((after - keys))) of the second"

begin 'A short benchmark beside maps that forget everything'
"$kvbench" --num=500000 --engines=sealkv,btree_map,std_map --benchmarks=fillrandom,readrandom,overwrite,seekrandom,open |
  sed 's/^/   /'

begin 'What kvdump info says'
"$kvdump" info "$store" | sed 's/^/   /'

begin 'What kvdump stat says'
"$kvdump" stat "$store" | sed 's/^/   /'

echo
bold 'Done.'
echo ' Next: ./dev kvdump --help, ./dev kvbench --help, README.md for ten lines that embed the store.'
