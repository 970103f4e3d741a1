"""The daemon's workers from outside: who has which connection, what they count, and what they hold.

This file must not know what is said on a connection.
"""

import os
import re
import resource
import signal
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from watch import SANITIZED, process_state, wait_until

measures = pytest.mark.skipif(SANITIZED, reason="measures what a sanitizer or valgrind changes")


def closed(counters):
    """The connections that are over, for whatever reason."""
    return sum(number for name, number in counters.items() if name.startswith("closed_"))


def refused_in_all(counters):
    """The connections that were refused, for whatever reason."""
    return sum(number for name, number in counters.items() if name.startswith("refused_"))


def grown_fates(before, after):
    """By how much the totals that tell of a client's fate have grown from BEFORE to AFTER, those that have."""
    others = ("received", "sent", "worker_restarts", "reloads_")
    return {name: after[name] - before[name] for name in after if after[name] != before[name] and not name.startswith(others)}


def settled(daemon, live=0, seconds=10):
    """Waits until LIVE connections are there and the sums agree; returns the service's totals."""

    def agreed():
        board = daemon.scoreboard()
        totals = board["totals"]
        dropped = sum(count for name, count in totals.items() if name.startswith("drop_"))
        judged = totals["datagram_answers"] + totals["datagram_unsent"] + dropped
        agree = totals["accepted"] == live + closed(totals) and totals["datagrams"] == judged
        return totals if board["live"] == live and agree else None

    return wait_until(agreed, seconds, lambda: f"{live} live connections and sums that agree: {daemon.scoreboard()}")


def slots(daemon):
    """Slot number to block of the scoreboard, for slots with a worker."""
    return {block["slot"]: block for block in daemon.scoreboard()["blocks"] if block["pid"]}


def spread(daemon):
    """Live connections of each worker, by slot."""
    return {slot: block["live"] for slot, block in slots(daemon).items()}


def worst(daemon):
    """The busiest worker's share, as a multiple of the mean."""
    live = list(spread(daemon).values())
    return max(live) * len(live) / sum(live)


def sleeps(daemon):
    """How often the workers have gone to sleep so far: each time but the last ones they were woken."""
    return sum(int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.M)[1])
               for pid in daemon.workers())


def opened(daemon, count, name="greeting", **how):
    """COUNT greeted connections, one after the other, each with the process ID of the worker that has it. Nobody else
    may connect meanwhile."""
    found = []
    for _ in range(count):
        before = spread(daemon)
        stream = daemon.connect(name, **how).greeted()

        def owner(before=before):
            return [block["pid"] for slot, block in slots(daemon).items() if block["live"] > before.get(slot, 0)]

        (pid,) = wait_until(owner, 5, "the new connection to be counted")
        found.append((stream, pid))
    return found


def replaced(daemon, slot, pid, seconds=5):
    """Waits until a worker other than PID serves in SLOT; returns its process ID."""

    def another():
        block = slots(daemon).get(slot)
        return block and block["pid"] != pid and block["ready"] and block["pid"]

    return wait_until(another, seconds, lambda: f"another worker than {pid} in slot {slot}; the log:\n{daemon.log()}")


def killed(pid, number=signal.SIGKILL):
    """Kills PID and waits until it is gone."""
    os.kill(pid, number)
    wait_until(lambda: not process_state(pid), 5, f"the end of {pid}")


@contextmanager
def stopped(pid):
    """For the block, PID is stopped."""
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: process_state(pid) in ("T", None), 5, f"{pid} to stop")
    try:
        yield
    finally:
        with suppress(ProcessLookupError):  # somebody may have killed it meanwhile
            os.kill(pid, signal.SIGCONT)


def targets(pid):
    """What PID has open: descriptor to what it leads to."""
    found = {}
    for entry in os.listdir(f"/proc/{pid}/fd"):
        try:
            found[int(entry)] = os.readlink(f"/proc/{pid}/fd/{entry}")
        except FileNotFoundError:  # closed meanwhile
            continue
    return found


def memory(pid, *fields):
    """Bytes of PID's memory, by the names of proc_pid_smaps_rollup, added up."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    return sum(1024 * int(re.search(rf"^{field}: +(\d+) kB", text, re.M)[1]) for field in fields)


def room_for(wanted, spare=200):
    """How many of WANTED descriptors this process, and a program it starts, may have beside SPARE others; the soft
    limit is raised for them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = hard if hard != resource.RLIM_INFINITY else wanted + spare
    number = min(wanted, most - spare)
    if soft != resource.RLIM_INFINITY and soft < number + spare:
        resource.setrlimit(resource.RLIMIT_NOFILE, (number + spare, hard))
    if number < wanted:
        print(f"only {number} of {wanted} connections: RLIMIT_NOFILE is {hard}")
    return number
