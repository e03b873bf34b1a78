#!/usr/bin/env python3
"""Cuts the power of a guest that writes to a store, at random moments, and looks whether what was acknowledged is there.

  power_cut.py --kernel=FILE --initramfs=FILE [--cuts=20] [--seed=N] ext4|xfs

The guest (vm/init_power) runs kvbench on a sealed store, under a filter that kills it if it calls fsync or anything like it, and
tells on its serial console when each operation begins and ends. This script kills the guest's QEMU (SIGKILL: what was executed is
kept, what the guest's kernel hadn't committed is lost), boots the same persistent memory again, and compares. Then the
controls, which must fail: the same on files that look like a sealed one.
"""
import argparse
import atexit
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
MASK = (1 << 64) - 1
BEGIN = re.compile(r"begin (\d+) (put|delete|open) (\S+)")
END = re.compile(r"end (\d+) ([A-Z_]+)")
BOOT_SECONDS = 150


def scatter(index):
    """As in bench/data.h."""
    index = (index + 0x9E3779B97F4A7C15) & MASK
    index = ((index ^ (index >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    index = ((index ^ (index >> 27)) * 0x94D049BB133111EB) & MASK
    return index ^ (index >> 31)


def value_of(key, round_number):
    word = (scatter(~int(key, 16) & MASK) & ~0xFF) | round_number
    return word.to_bytes(8, "little").hex()


class Expected:
    """What the store must hold, by what the guest has said."""

    def __init__(self, first_round=0):
        self.values = {}  # key: value, or None where it was deleted
        self.in_flight = None
        self.first_round = self.round = first_round  # of a fill: one less, for its values are of round 0
        self.last = ""
        self.acknowledged = 0
        self.numbers = {}

    def hear(self, line):
        if begin := BEGIN.search(line):
            number, operation, key = begin.groups()
            if operation == "open":
                self.round, self.last = self.first_round, ""
            else:
                self.round += operation == "put" and self.last != "put"
                self.last = operation
                self.in_flight = (key, value_of(key, self.round) if operation == "put" else None)
            self.numbers[number] = operation
        elif end := END.search(line):
            number, code = end.groups()
            operation = self.numbers.pop(number, None)
            if operation in ("put", "delete") and code in ("OK", "NOT_FOUND"):
                key, value = self.in_flight
                self.values[key] = value
                self.in_flight = None
                self.acknowledged += 1

    def learn(self, found):
        """The state to go on from: all that is there."""
        self.values = dict(found)
        self.in_flight = None
        self.numbers = {}

    def compare(self, found):
        """What is missing or wrong, as text."""
        wrong = []
        for key in self.values.keys() | found.keys():
            allowed = {self.values.get(key)}
            if self.in_flight and self.in_flight[0] == key:
                allowed.add(self.in_flight[1])
            if found.get(key) not in allowed:
                wrong.append(f"{key}: {found.get(key)}, not {allowed}")
        return wrong


class Guest:
    """A machine that runs. One that freezes before its first program, which under emulation a loaded host sees now and
    then, has touched nothing: it is started once more."""

    most_starts = 2

    def __init__(self, options, image, filesystem, task, environment=None):
        command = f'. {HERE}/vm/guest.sh; boot "$@"'
        self.command = ["bash", "-c", command, "boot", options.kernel, options.initramfs, image,
                        f"guest_fs={filesystem}", f"guest_do={task}"]
        self.environment = {**os.environ, **(environment or {})}
        self.lines = []
        self.starts = 0
        self.start()
        atexit.register(self.kill)  # Ctrl-C doesn't reach it: the session is its own

    def start(self):
        self.starts += 1
        self.has_begun = False
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, start_new_session=True,
                                        env=self.environment)
        self.watch = threading.Timer(BOOT_SECONDS, self.kill)
        self.watch.daemon = True
        if self.most_starts > 1:
            self.watch.start()

    def kill(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)

    @staticmethod
    def text(line):
        return line.decode(errors="replace").rstrip("\r\n")

    def __iter__(self):
        while True:
            for line in self.process.stdout:
                self.lines.append(self.text(line))
                if not self.has_begun and "guest: begins" in self.lines[-1]:
                    self.has_begun = True
                    self.watch.cancel()
                yield self.lines[-1]
            self.watch.cancel()
            if self.has_begun or self.starts == self.most_starts:
                return
            self.process.wait()
            print("# a guest never came up:", *self.lines[-3:], sep="\n#   ", flush=True)
            self.start()

    def cut_power(self):
        """Returns what the guest had said and wasn't read yet."""
        self.watch.cancel()
        self.kill()
        rest = [self.text(line) for line in self.process.stdout]
        self.process.wait()
        self.lines += rest
        return rest


def parse_look(lines):
    """The check's exit code (None: it never looked) and the pairs that a scan showed."""
    begin = next((i for i, line in enumerate(lines) if "guest: look at" in line), None)
    ended = next((i for i, line in enumerate(lines) if "guest: check ended with" in line), None)
    if begin is None or ended is None:
        return None, {}, lines[-5:]
    end = next((i for i, line in enumerate(lines) if "guest: end of scan" in line), len(lines))
    code = int(lines[ended].rsplit(" ", 1)[1])
    pairs = dict(line.split("\t") for line in lines[ended + 1:end] if re.fullmatch(r"[0-9a-f]+\t[0-9a-f]*", line))
    return code, pairs, lines[begin + 1:ended]


def make_image(path, filesystem):
    subprocess.run(["bash", "-c", f'. {HERE}/vm/guest.sh; make_image "$1" "$2"', "make", path, filesystem], check=True)


def cut_store(options, work):
    """Cuts the power again and again; what is left of one life is what the next begins with."""
    image = f"{work}/store.image"
    make_image(image, options.filesystem)
    rng = random.Random(options.seed)
    expected = None
    failures = acknowledged = 0
    for cut in range(options.cuts + 1):
        guest = Guest(options, image, options.filesystem, "store")
        heard = Expected()
        moment = rng.randrange(1, 1500)
        is_writing = False
        for line in guest:
            if "guest: writing" in line:
                is_writing = True
                if expected is not None:
                    code, found, words = parse_look(guest.lines)
                    wrong = expected.compare(found)
                    if code != 0 or wrong:
                        failures += 1
                        print(f"not ok - {options.filesystem}, cut {cut}: check {code} {words}; {wrong[:5]}")
                    heard.learn(found)
                if cut == options.cuts:
                    break
            elif is_writing:
                heard.hear(line)
                if heard.acknowledged >= moment:
                    break
            if "guest: the writer failed" in line:
                failures += 1
                print("not ok - the writer failed:", *guest.lines[-12:], sep="\n  ")
                break
        for line in guest.cut_power():
            heard.hear(line)
        if not is_writing:
            print("not ok - the guest never wrote:", *guest.lines[-12:], sep="\n  ")
            return 1
        acknowledged += heard.acknowledged
        expected = FirstLife(heard) if cut == 0 else heard
    if failures == 0:
        print(f"ok - {options.filesystem}: {options.cuts} cuts, {acknowledged} operations acknowledged, all there")
    return failures


def cut_growing(options, work):
    """Cuts the power while a store grows, and looks whether its files still belong together. Each life has a new one."""
    image = f"{work}/growing.image"
    make_image(image, options.filesystem)
    rng = random.Random(options.seed)
    failures = acknowledged = parts = 0
    cuts = max(2, options.cuts // 4)
    for cut in range(cuts):
        guest = Guest(options, image, options.filesystem, "store-growing")
        heard = Expected(first_round=-1)
        moment = rng.randrange(1800, 6000)
        is_writing = False
        for line in guest:
            is_writing = is_writing or "guest: writing" in line
            if is_writing:
                heard.hear(line)
                if heard.acknowledged >= moment or "guest: the writer failed" in line:
                    break
        for line in guest.cut_power():
            heard.hear(line)
        look = Guest(options, image, options.filesystem, "look")
        for _ in look:
            pass
        code, found, words = parse_look(look.lines)
        wrong = heard.compare(found)
        said = next((line for line in look.lines if '"parts"' in line), "")
        parts += int(re.sub(r"\D", "", said) or 0)
        acknowledged += heard.acknowledged
        if code != 0 or wrong or heard.acknowledged < moment:
            failures += 1
            print(f"not ok - {options.filesystem}, growing, cut {cut}: check {code} {words}; {wrong[:5]}",
                  *guest.lines[-5:], sep="\n  ")
    if failures == 0 and parts == 0:
        failures = 1
        print(f"not ok - {options.filesystem}: no store has grown")
    if failures == 0:
        print(f"ok - {options.filesystem}: {cuts} cuts of growing stores, {parts} parts, {acknowledged} operations "
              "acknowledged, all there")
    return failures


class FirstLife(Expected):
    """Of the keys that the fill put, without marks, only those that were written since are known."""

    def __init__(self, heard):
        super().__init__()
        self.values, self.in_flight = heard.values, heard.in_flight

    def compare(self, found):
        known = dict(self.values)
        if self.in_flight:
            known.setdefault(self.in_flight[0], found.get(self.in_flight[0]))
        self.values = known
        return super().compare({key: value for key, value in found.items() if key in known})


def run_control(options, work, task):
    """What was acknowledged on a file that isn't sealed must be lost."""
    image = f"{work}/{task}.image"
    make_image(image, options.filesystem)
    guest = Guest(options, image, options.filesystem, task)
    is_acknowledged = False
    for line in guest:
        if "guest: acknowledged" in line:
            is_acknowledged = True
            break
    guest.cut_power()
    if not is_acknowledged:
        print(f"not ok - {task}:", *guest.lines[-12:], sep="\n  ")
        return 1
    look = Guest(options, image, options.filesystem, "look")
    for _ in look:
        pass
    code, found, words = parse_look(look.lines)
    if code is None:
        print(f"not ok - {options.filesystem}, {task}: the guest never looked:", *words, sep="\n  ")
        return 1
    lost = options.pairs - len(found)
    if code == 0 and lost == 0:
        print(f"not ok - {options.filesystem}, {task}: nothing was lost; so the proof proves nothing")
        return 1
    print(f"ok - {options.filesystem}, {task}: {lost} of {options.pairs} acknowledged pairs lost, as it must be: "
          f"{words[0] if words else code}")
    return 0


def run_refusal(options, work):
    """The seal is what refuses the reflink; and only stores are sealed."""
    image = f"{work}/refused.image"
    make_image(image, options.filesystem)
    guest = Guest(options, image, options.filesystem, "refused-clone")
    for _ in guest:
        pass
    for claim, line in (("a sealed store can't be reflinked: ETXTBSY", "lay_out: reflink: ETXTBSY"),
                        ("a file that is no store isn't taken for one", "/mnt/other: not a SealKV store"),
                        ("nor is it sealed", "guest: /mnt/other isn't sealed")):
        if not any(line in said for said in guest.lines):
            print(f"not ok - {options.filesystem}: {claim}:", *guest.lines[-8:], sep="\n  ")
            return 1
        print(f"ok - {options.filesystem}: {claim}")
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kernel", required=True)
    parser.add_argument("--initramfs", required=True)
    parser.add_argument("--cuts", type=int, default=20)
    parser.add_argument("--pairs", type=int, default=1000, help="of the controls, in the initramfs")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("filesystem", choices=["ext4", "xfs"])
    options = parser.parse_args()
    if options.seed is None:
        options.seed = random.randrange(1 << 32)
    print(f"# --seed={options.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="sealkv-power.") as work:
        failures = cut_store(options, work)
        failures += cut_growing(options, work)
        failures += run_control(options, work, "control-fallocated")
        if options.filesystem == "xfs":
            failures += run_control(options, work, "control-cloned")
            failures += run_refusal(options, work)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
