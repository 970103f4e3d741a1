"""What a service holds while nothing is asked of it: memory, descriptors, entries in its shared tables.

This file must not know what was asked of it before.
"""

import re
import struct
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "process"))
from watch import cpu_seconds, descriptors, private_bytes, wait_until  # noqa: E402  the folder had to be named first
from workers import closed  # noqa: E402

IDLE_SECONDS = 1.0  # for which the processor time of those who have nothing to do is measured

# What the last sample may have more of than the first: pages that were not needed yet, and entries that were not there.
MEMORY_SLACK = 128 * 1024
ENTRIES_SLACK = 16
IDLE_MOST = 0.10

COLUMNS = (
    ("at", "s"), ("conversations", ""), ("datagrams", ""), ("kills", ""), ("reloads", ""), ("master", "kB"),
    ("worker", "kB"), ("master", "fds"), ("worker", "fds"), ("tables", "kB"), ("entries", ""), ("idle", "%"),
)  # fmt: skip


class Sample:
    """.master and .worker (the greatest) bytes of private memory; .master_fds and .worker_fds, likewise; .tables, the
    bytes that the shared tables have room for; .entries, the words in them that are not 0; .idle, the share of a processor that all
    processes together use for nothing. .at and .did say when it was taken, and what was done until then."""

    def __init__(self, service, at, did):
        workers = service.workers()
        self.at, self.did = at, did
        self.idle = idle(service, workers)
        self.master, self.master_fds = private_bytes(service.pid), descriptors(service.pid)
        self.worker = max(private_bytes(pid) for pid in workers)
        self.worker_fds = max(descriptors(pid) for pid in workers)
        self.tables, self.entries = tables(service.pid)

    def row(self):
        return (
            f"{self.at:.0f}", self.did["conversations"], self.did["datagrams"], self.did["kills"], self.did["reloads"],
            self.master // 1024, self.worker // 1024, self.master_fds, self.worker_fds, self.tables // 1024,
            self.entries, f"{100 * self.idle:.1f}",
        )  # fmt: skip


def rest(service, did, seconds=30):
    """Waits until nobody is connected and the sums agree, but for what killed workers had in their hands."""

    def agreed():
        board = service.scoreboard()
        totals = board["totals"]
        judged = sum(n for name, n in totals.items() if name.startswith(("datagram_", "drop_")))
        # A killed worker was in the middle of one connection and of one batch of datagrams.
        open_sums = abs(totals["accepted"] - closed(totals)) <= did["kills"]
        return board["live"] == 0 and open_sums and abs(totals["datagrams"] - judged) <= 64 * did["kills"]

    wait_until(agreed, seconds, lambda: f"nobody to be connected, and sums that agree: {service.scoreboard()}")
    service.alone(seconds)


def idle(service, workers):
    """The share of a processor that the service uses while nobody asks for anything."""
    start, used = time.monotonic(), sum(map(cpu_seconds, [service.pid, *workers]))
    time.sleep(IDLE_SECONDS)  # nothing is waited for: this is the time that is measured
    return (sum(map(cpu_seconds, [service.pid, *workers])) - used) / (time.monotonic() - start)


def tables(pid):
    """The bytes of memory that PID shares with its children and nobody else can reach by a name, and how many words of
    them are not 0."""
    size = entries = 0
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text(encoding="utf-8").splitlines():
            if match := re.match(r"([0-9a-f]+)-([0-9a-f]+) rw-s .* /dev/zero \(deleted\)$", line):
                start, end = (int(text, 16) for text in match.groups())
                memory.seek(start)
                data = memory.read(end - start)
                size += len(data)
                entries += sum(1 for (word,) in struct.iter_unpack("=Q", data) if word)
    return size, entries


def differences(first, last):
    """What is worse in sample LAST than in FIRST, in words."""
    found = []
    slacks = {"master": MEMORY_SLACK, "worker": MEMORY_SLACK, "entries": ENTRIES_SLACK}
    for name in (*slacks, "master_fds", "worker_fds", "tables"):
        if getattr(last, name) > getattr(first, name) + slacks.get(name, 0):
            found.append(f"{name}: {getattr(first, name)}, at the end {getattr(last, name)}")
    if last.idle > IDLE_MOST:
        found.append(f"{100 * last.idle:.1f} % of a processor are used for nothing")
    return found


def table(samples):
    """SAMPLES as lines of text, with a head."""
    head = [f"{name} {unit}".strip() for name, unit in COLUMNS]
    rows = [head, *([str(cell) for cell in one.row()] for one in samples)]
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths)) for row in rows)
