#!/usr/bin/env python3
"""Cuts the power as power_cut.py does, and drops what wasn't flushed: of the store, the kernel and the filesystem together.

  flush_cut.py --kernel=FILE --initramfs=FILE --plugin=FILE [--cuts=10] [--seed=N] ext4|xfs

The guest's QEMU runs with plugin/flush_plugin.c, which knows at each moment which lines are durable. By turns all others
are dropped, or each is dropped or was written back early by chance; and somebody else does or doesn't write, sync and
remove files on the filesystem meanwhile. Each fifth cut strikes the guest while it mounts, recovers or opens.

After each cut a second guest, without the plugin, looks at a copy: the filesystem must mount and be clean to fsck after that,
the store must pass its check and hold all that was acknowledged, and files that were synced must be whole. Then the
controls, which must lose something: a writer whose flushes do nothing; one that flushes each 16th line in vain; and, for the
filesystem, stores around the cache (non-temporal ones: the kernel's way) that stay in it, in each 512th line.
"""
import argparse
import collections
import os
import random
import subprocess
import sys
import tempfile

from power_cut import Expected, FirstLife, Guest, make_image, parse_look

FSCK = {"ext4": ["e2fsck", "-fn"], "xfs": ["xfs_repair", "-n"]}


def copy(source, target):
    subprocess.run(["cp", "--sparse=always", source, target], check=True)


class WatchedGuest(Guest):
    """A guest with the plugin; its memory becomes what was durable."""

    most_starts = 1  # the plugin watches from the first instruction, and slowly

    def __init__(self, options, image, task, arguments="", cut_after=0):
        self.image = image
        copy(image, image + ".durable")
        open(image + ".report", "w").close()  # not the last one's, if the plugin doesn't start
        self.synced = []
        self.ask_for_cut(cut_after)
        super().__init__(options, image, options.filesystem, task,
                         {"flush_plugin": f"{options.plugin},image={image}{arguments}", "guest_seconds": "900"})

    def ask_for_cut(self, stores):
        mode = "r+b" if os.path.exists(self.image + ".cut") else "w+b"
        with open(self.image + ".cut", mode) as file:
            file.write(stores.to_bytes(8, "little"))

    def end(self, stores):
        """Cuts the power that many stores from now. What the guest had said meanwhile; the plugin's report."""
        self.ask_for_cut(stores)
        rest = list(self)
        self.process.wait()
        self.synced = [line.split()[-1] for line in self.lines if "guest: synced" in line]
        with open(self.image + ".report") as file:
            report = dict(line.split(" ", 1) for line in file.read().splitlines())
        if "error" not in report and "stores" not in report:
            report["error"] = f"the guest ended by itself: {self.lines[-3:]}"
        os.replace(self.image + ".durable", self.image)
        return rest, report


def look(options, image, expected, synced=()):
    """What is wrong with what a cut left, as texts; and what the store holds."""
    looked_at = image + ".copy"
    copy(image, looked_at)
    guest = Guest(options, looked_at, options.filesystem, "look")
    for _ in guest:
        pass
    wrong = [line for line in guest.lines if "guest: can't" in line]
    code, found, words = parse_look(guest.lines)
    if code is None:
        wrong.append(f"no store: {words}")
    elif code != 0:
        wrong.append(f"check {code}: {words[:3]}")
    lost = expected.compare(found)
    if lost:
        wrong.append(f"{len(lost)} keys: {lost[:3]}")
    gone = [name for name in synced if f"guest: whole {name}" not in guest.lines]
    if gone:
        wrong.append(f"synced, and not whole: {gone}")
    fsck = subprocess.run([*FSCK[options.filesystem], looked_at], capture_output=True, text=True)
    if fsck.returncode != 0:
        wrong.append(f"fsck: {(fsck.stdout + fsck.stderr)[-2000:]}")
    return wrong, found


def live(options, image, task, before, rng, arguments="", early=False):
    """One life, up to the cut. What must be there then, files synced last, the plugin's report."""
    guest = WatchedGuest(options, image, task, arguments, cut_after=rng.randrange(1, 700) if early else 0)
    heard = Expected()
    if before is not None:
        heard.learn(before.values)
        heard.in_flight = before.in_flight
    moment = rng.randrange(1, 400)
    is_writing = False
    for line in guest:
        if "guest: writing" in line:
            is_writing = True
        elif is_writing:
            heard.hear(line)
        if heard.acknowledged >= moment or "guest: the writer failed" in line:
            break
    rest, report = guest.end(rng.randrange(1, 300))
    for line in rest:
        heard.hear(line)
    if not is_writing and not early:
        report.setdefault("error", f"the guest never wrote: {guest.lines[-5:]}")
    # Of sixteen files that are kept half may be on their way out: what was said isn't heard at once.
    return heard, guest.synced[-8:], report


def cut_store(options, work):
    image = f"{work}/store.image"
    make_image(image, options.filesystem)
    rng = random.Random(options.seed)
    state = None
    failures, acknowledged, files, total = 0, 0, 0, collections.Counter()
    for cut in range(options.cuts):
        arguments = f",evict={rng.randrange(1, 1 << 32)}" if cut % 2 else ""
        task = "store-busy" if cut // 2 % 2 else "store"
        heard, synced, report = live(options, image, task, state, rng, arguments, early=cut % 5 == 4)
        wrong = [report["error"]] if "error" in report else []
        state = FirstLife(heard) if cut == 0 else heard
        worse, found = look(options, image, state, synced)
        wrong += worse
        for name, number in report.items():
            if name != "error":
                total[name] += int(number)
        acknowledged += heard.acknowledged
        files += len(synced)
        if options.verbose:
            print(f"# cut {cut}, {task}{arguments}: {heard.acknowledged} acknowledged; {report}", flush=True)
        if wrong:
            failures += 1
            print(f"not ok - {options.filesystem}, cut {cut}{arguments}:", *wrong, sep="\n  ", flush=True)
            copy(image, f"{tempfile.gettempdir()}/flush_cut.{options.seed}.{cut}.image")
        state.learn(found)
    print("#", ", ".join(f"{name} {number}" for name, number in total.items()))
    if failures == 0:
        print(f"ok - {options.filesystem}: {options.cuts} cuts, {total['different']} lines that weren't durable, "
              f"{acknowledged} operations acknowledged and {files} files synced, all there", flush=True)
    return failures


def run_control(options, work, name, task, arguments):
    image = f"{work}/{name}.image"
    make_image(image, options.filesystem)
    rng = random.Random(options.seed)
    heard, synced, report = live(options, image, task, None, rng, arguments)
    wrong, _ = look(options, image, FirstLife(heard), synced)
    if "error" in report or not wrong:
        error = report.get("error", "nothing was lost; so the proof proves nothing")
        print(f"not ok - {options.filesystem}, {name}: {error}")
        return 1
    words = "; ".join(text.splitlines()[0][:200] for text in wrong)
    print(f"ok - {options.filesystem}, {name}: {heard.acknowledged} acknowledged; lost, as it must be: {words}", flush=True)
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kernel", required=True)
    parser.add_argument("--initramfs", required=True)
    parser.add_argument("--plugin", required=True)
    parser.add_argument("--cuts", type=int, default=10)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("filesystem", choices=["ext4", "xfs"])
    options = parser.parse_args()
    if options.seed is None:
        options.seed = random.randrange(1 << 32)
    print(f"# --seed={options.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="sealkv-flush.") as work:
        failures = cut_store(options, work)
        failures += run_control(options, work, "no flush", "store-unflushed", "")
        failures += run_control(options, work, "each 16th line flushed in vain", "store", ",ignore=16")
        failures += run_control(options, work, "each 512th line stays in the cache", "store-busy", ",ignore_around=512")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
