"""Waiting with a deadline, chance with a seed, and what a process looks like from outside.

Environment: HELLOD_SLOW       factor on all deadlines, for sanitizers and slow machines; default 1
             HELLOD_TEST_SEED  seed of the random tests; each prints the one it used
             HELLOD_WRAPPER, HELLOD_SANITIZED  one of them is set under a tool that looks into the process

This file must not know what is tested.
"""

import os
import random
import re
import time
from pathlib import Path

SLOW = float(os.environ.get("HELLOD_SLOW", "1"))

# Under a sanitizer or valgrind memory is theirs, not the daemon's, and time runs otherwise.
SANITIZED = bool(os.environ.get("HELLOD_WRAPPER") or os.environ.get("HELLOD_SANITIZED"))


def wait_until(condition, seconds, what):
    """Calls CONDITION until it returns something true and returns that; fails after SECONDS (times HELLOD_SLOW) with
    WHAT, which says what was waited for (a text, or a function that returns it). The one place where tests poll."""
    end = time.monotonic() + seconds * SLOW
    pause = 0.001
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds * SLOW:g} s: {what() if callable(what) else what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)


def seeded():
    """A random generator whose seed is printed and can be given in HELLOD_TEST_SEED."""
    seed = os.environ.get("HELLOD_TEST_SEED") or str(random.SystemRandom().randrange(2**32))
    print(f"HELLOD_TEST_SEED={seed}")
    return random.Random(seed)


def process_state(pid):
    """The state letter of process PID, or None when it is gone. A zombie counts as gone: whoever inherits orphans may
    take its time to reap them."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if state == "Z" else state


def wait_channel(pid):
    """The kernel function that process PID sleeps in (/proc/PID/wchan of proc(5)), or nothing."""
    try:
        return Path(f"/proc/{pid}/wchan").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def children(pid):
    """The process IDs of PID's living children, sorted."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            fields = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(entry))
    return sorted(found)


def descriptors(pid):
    """How many descriptors PID has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def private_bytes(pid):
    """Memory of PID that it shares with nobody, in bytes."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return 1024 * sum(int(kb) for kb in re.findall(r"^Private_\w+: +(\d+) kB", text, re.M))


def anonymous_bytes(pid):
    """Memory of PID that belongs to no file and no shared table, in bytes: what a leak adds to, whoever else still has a
    page of it from before a fork."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return 1024 * int(re.search(r"^Anonymous: +(\d+) kB", text, re.M)[1])


def cpu_seconds(pid):
    """CPU time that PID has used, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
