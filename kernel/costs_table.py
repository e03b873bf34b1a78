#!/usr/bin/env python3
"""Makes tables of what the guests of costs.sh said.

  costs_table.py FOLDER    reads FOLDER/{ext4,xfs}.{counted,parallel}, writes Markdown

A figure in brackets is relative to the sealed file's median in the same group.
"""
import re
import statistics
import sys

FILESYSTEMS = ("ext4", "xfs")
FIELDS = ("samples", "p50", "p99", "p99.9", "max", "mean", "faults")


def read(path):
    """What one guest said: {(table, group, way): figures} and {(benchmark, tier): [ns per operation]}."""
    costs, kvbench, tier = {}, {}, None
    for line in open(path, errors="replace"):
        if found := re.search(r"cost\|(.*)", line):
            table, group, way, *figures = found.group(1).split("|")
            costs[table, group, way] = dict(zip(FIELDS, map(float, figures)), remark=figures[-1].strip())
        elif found := re.match(r"kvbench\|(\S+)", line):
            tier = found.group(1)
        elif (found := re.search(r"tier ([a-z-]+):", line)) and found.group(1) != tier:
            sys.exit(f"costs_table.py: {path}: kvbench was to run on the tier {tier} and ran on {found.group(1)}")
        elif found := re.search(r"(fillrandom|overwrite) +: +([0-9.]+) micros/op", line):
            kvbench.setdefault((found.group(1), tier), []).append(float(found.group(2)) * 1000)
    return costs, kvbench


def with_ratio(value, unit):
    ratio = value / unit
    return f"{value:,.0f} ({ratio:,.2f})" if ratio < 10 else f"{value:,.0f} ({ratio:,.0f})"


def multiple(value, unit):
    ratio = value / unit
    return f"{ratio:,.1f}" if ratio < 10 else f"{ratio:,.0f}"


def print_table(title, heads, rows):
    print(f"\n### {title}\n")
    print("| " + " | ".join(heads) + " |")
    print("|" + "---|" * len(heads))
    for row in rows:
        print("| " + " | ".join(row) + " |")


def groups_of(costs, table):
    """{group: [way, …]}, the sealed one first, in the guest's order."""
    groups = {}
    for of_table, group, way in costs:
        if of_table == table:
            groups.setdefault(group, []).append(way)
    return groups


def table_of(title, logs, table, columns, unit_group=None):
    """A row for each way; COLUMNS for each filesystem. `unit_group`: whose sealed median is 1, if not the row's own."""
    heads = ["", ""] + [f"{filesystem}: {column}" for filesystem in FILESYSTEMS for column in columns]
    rows = []
    for group, ways in groups_of(logs["ext4"], table).items():
        for way in ways:
            row = [group if way == ways[0] else "", way]
            for filesystem in FILESYSTEMS:
                costs = logs[filesystem]
                unit = costs[table, unit_group(group) if unit_group else group, ways[0]]["p50"]
                row += [format_of(column, costs[table, group, way], unit) for column in columns]
            remarks = {logs[filesystem][table, group, way]["remark"] for filesystem in FILESYSTEMS} - {""}
            row[1] += "".join(f"; {remark}" for remark in sorted(remarks))
            rows.append(row)
    print_table(title, heads, rows)


def format_of(column, figures, unit):
    if column == "median":
        return with_ratio(figures["p50"], unit)
    if column == "faults each":
        return f"{figures['faults']:.2f}"
    if column.startswith("× "):
        return multiple(figures[column[2:]], unit)
    return f"{figures[column]:,.0f}"


def print_setup(logs):
    rows = []
    for (table, _, way), _ in logs["ext4"].items():
        if table == "setup":
            medians = [logs[filesystem][table, "a file of 32 MiB", way]["p50"] for filesystem in FILESYSTEMS]
            rows.append([way] + [cell for median in medians for cell in (f"{median:,.0f}", f"{median / 8192:,.1f}")])
    heads = [""] + [f"{filesystem}: {what}" for filesystem in FILESYSTEMS for what in ("all", "a page")]
    print_table("Making a file of 32 MiB, and sealing it: instructions", heads, rows)


def print_huge(logs):
    heads = [""] + [f"{filesystem}: {what}" for filesystem in FILESYSTEMS for what in ("faults", "touching all", "a put")]
    ways = groups_of(logs["ext4"], "huge")["touching all"]
    rows = []
    for way in ways:
        row = [way + "".join("; " + remark for remark in {logs["ext4"]["huge", "touching all", way]["remark"]} - {""})]
        for filesystem in FILESYSTEMS:
            walk, put = (logs[filesystem]["huge", group, way] for group in ("touching all", "a put anywhere"))
            unit = logs[filesystem]["huge", "touching all", ways[0]]["p50"]
            row += [f"{walk['faults']:,.0f}", with_ratio(walk["p50"], unit), f"{put['p50']:,.0f}"]
        rows.append(row)
    print_table("All pages of 32 MiB touched, then puts anywhere there: faults and instructions", heads, rows)


def print_kvbench(logs):
    heads = ["", "tier"] + list(FILESYSTEMS)
    rows, last = [], None
    for benchmark, tier in logs["ext4"]:
        cells = []
        for filesystem in FILESYSTEMS:
            median = statistics.median(logs[filesystem][benchmark, tier])
            cells.append(with_ratio(median, statistics.median(logs[filesystem][benchmark, "static-dax"])))
        rows.append([benchmark, tier] + cells)
    rows.sort(key=lambda row: row[0])
    for row in rows:
        row[0], last = ("" if row[0] == last else row[0]), row[0]
    print_table("A put of the store (kvbench): instructions", heads, rows)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    said = {(fs, how): read(f"{sys.argv[1]}/{fs}.{how}") for fs in FILESYSTEMS for how in ("counted", "parallel")}
    counted = {fs: said[fs, "counted"][0] for fs in FILESYSTEMS}
    parallel = {fs: said[fs, "parallel"][0] for fs in FILESYSTEMS}
    quiet = lambda group: group.replace("journal busy", "quiet")

    print_setup(counted)
    table_of("The first store to a page: instructions", counted, "faults", ("median", "p99"))
    table_of("64 bytes made durable: instructions", counted, "puts", ("median", "p99.9", "faults each"))
    print_kvbench({fs: said[fs, "counted"][1] for fs in FILESYSTEMS})
    print_huge(counted)
    table_of("The tail on one CPU: instructions", counted, "tail", ("p50", "p99", "p99.9", "max"))
    table_of("The tail on two CPUs: time, in multiples of the sealed file's median in quiet", parallel, "tail",
             ("× p50", "× p99", "× p99.9", "× max"), unit_group=quiet)


main()
