"""The books of one phase: runs the load, writes down what was done to the server and when, and judges.

    ledger = Ledger("kills", plan)
    with ledger.load():
        with ledger.doing("kill of worker 4711"):
            ...
    broken = ledger.broken()

A promise is broken by every incident but those that `Ledger.explained` says: what a killed worker had in its hands.
This file must not know how the server is started, nor how the load asks.
"""

import bisect
import collections
import json
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

LOAD = Path(__file__).with_name("load.py")
# What a worker receives in one go (src/worker/batch.h): as many datagrams can be gone with it.
BATCH = 64
HANDS_SECONDS = 1.0  # so long a datagram may have been on its way to a worker that is killed

# What the load itself is to blame for makes a phase worthless; the kernel's full queues are no fault of the server's
# making either, but what they lose is lost. "crossed" breaks no promise: see Ledger.crossed.
BREAKING = ("refused", "reset", "cut", "unmissed", "timeout", "altered", "lost", "doubled", "late", "overflow", "own")
MEANINGS = {
    "refused": "refused",
    "reset": "reset",
    "cut": "ended before the answer",
    "unmissed": "questions read after the end that nobody asked",
    "timeout": "connections that waited in vain",
    "altered": "wrong answers",
    "lost": "datagrams lost",
    "doubled": "answered twice",
    "late": "datagrams answered late",
    "overflow": "datagrams dropped by a full queue",
    "own": "troubles of the load itself",
}


class Killed:
    """A worker that was killed: .when it stood still, .ports of the clients whose connections it had."""

    def __init__(self, when, ports):
        self.when, self.ports, self.datagrams = when, set(ports), 0


class Ledger:
    """.incidents is a list of what load.py's note() says; .tally, .longest its totals at the end.

    A server that ends a connection looks for a question first. One that comes between this look and the end, or behind
    it, has met it on its way, and nobody can answer it. Who serves reads on until the client has closed too, and
    counts the connections on which something came: .crossed is what it has counted. As many clients must have found
    the end in place of an answer, not one more and not one less."""

    def __init__(self, name, plan):
        self.name, self.plan = name, plan
        self.incidents, self.tally, self.longest = [], {}, {}
        self.deeds = []  # (time, what): in order
        self.killed = []
        self.crossed = 0
        self.seconds = 0.0
        self._running = threading.Event()
        self._over = False

    # ---- while it runs ----

    @contextmanager
    def load(self, prefix=()):
        """The load runs for the block, started with the words PREFIX in front. It runs when the block begins, and has
        heard every answer that it will when the block has ended."""
        process = subprocess.Popen(
            [*prefix, sys.executable, "-I", "-S", str(LOAD), json.dumps(self.plan)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        reader = threading.Thread(target=self._read, args=(process.stdout,), daemon=True)
        reader.start()
        start = time.monotonic()
        try:
            if not self._running.wait(30) or process.poll() is not None:
                raise RuntimeError(f"the load does not run: {self.incidents[:5]}")
            yield
            process.stdin.close()
            reader.join(60)
            if not self._over:
                raise RuntimeError("the load did not come to its end")
        finally:
            process.kill()
            process.wait()
            self.seconds = time.monotonic() - start

    def _read(self, stream):
        for line in stream:
            self.take(json.loads(line))
        self._running.set()

    def take(self, said):
        """One line of the load's."""
        if said["what"] == "running":
            self._running.set()
        elif said["what"] == "end":
            self.tally, self.longest, self._over = said["tally"], said["longest"], True
        else:
            if said["what"] == "late":
                # It has been called lost before.
                same = (said["port"], said["asked"])
                self.incidents = [one for one in self.incidents if (one["port"], one["asked"]) != same]
            self.incidents.append(said)

    @contextmanager
    def doing(self, what):
        """What is done to the server in the block."""
        self.deeds.append((time.monotonic(), what))
        yield

    def kills(self, ports):
        """A worker that stands still is going to be killed; PORTS of the clients whose connections it has."""
        self.killed.append(Killed(time.monotonic(), ports))

    # ---- when it is over ----

    def deed_at(self, when):
        """What was the last thing done before WHEN, and how long before."""
        place = bisect.bisect(self.deeds, (when, chr(0x10FFFF))) - 1
        if place < 0:
            return "before anything was done"
        start, what = self.deeds[place]
        return f"{what} + {when - start:.3f} s"

    def _killer(self, incident):
        """The killed worker that had what INCIDENT is about, if there was one."""
        for killed in self.killed:
            if incident["what"] in ("reset", "cut"):
                if incident["port"] in killed.ports and incident["since"] <= killed.when <= incident["when"]:
                    return killed
            elif incident["what"] == "lost" and 0 <= killed.when - incident["asked"] <= HANDS_SECONDS:
                if killed.datagrams < BATCH:
                    killed.datagrams += 1
                    return killed
        return None

    def _crossings(self, ended):
        """The incidents ENDED, in which clients found the end of a long connection in place of an answer, called by
        what they are."""
        ended.sort(key=lambda incident: incident["when"] - incident["asked"])
        found = [{**one, "what": "crossed" if place < self.crossed else "cut"} for place, one in enumerate(ended)]
        if len(ended) < self.crossed:
            now = time.monotonic()
            found.append({"what": "unmissed", "kind": "long", "asked": now, "since": now, "when": now, "port": 0,
                          "text": "the server says so", "count": self.crossed - len(ended)})  # fmt: skip
        return found

    def explained(self):
        """How many incidents of each kind were in the hands of a killed worker, and the list of the others."""
        explained, others, ended = collections.Counter(), [], []
        for killed in self.killed:
            killed.datagrams = 0
        for incident in self.incidents:
            if self._killer(incident):
                explained[incident["what"]] += incident["count"]
            elif incident["kind"] == "long" and incident["what"] in ("cut", "crossed"):
                ended.append(incident)
            else:
                others.append(incident)
        return explained, others + self._crossings(ended)

    def broken(self):
        """The incidents that break a promise."""
        return [incident for incident in self.explained()[1] if incident["what"] in BREAKING]

    def figures(self):
        """Rows for a table: what, and how many."""
        explained, others = self.explained()
        counts = collections.Counter()
        for incident in others:
            counts[incident["what"]] += incident["count"]
        tally = collections.Counter(self.tally)
        rows = [
            ("seconds", f"{self.seconds:.0f}"),
            ("done to the server", len(self.deeds)),
            ("conversations", tally["conversations"]),
            ("questions in long connections", tally["long questions"]),
            ("long connections that ended by a clean close", tally["long connections ended by a clean close"]),
            ("questions that met such a close on their way", counts["crossed"]),
            ("datagrams", tally["datagrams"]),
        ]
        rows += [(MEANINGS[what], counts[what]) for what in BREAKING]
        rows += [
            ("of killed workers: connections", sum(len(killed.ports) for killed in self.killed)),
            ("of them, reset or ended before the answer", explained["cut"] + explained["reset"]),
            ("of killed workers: datagrams lost", explained["lost"]),
            ("handshakes put off by a full queue", tally["handshakes put off by a full queue"]),
            ("longest wait, conversation, ms", f"{1000 * self.longest_wait('short')[0]:.0f}"),
            ("longest wait, datagram, ms", f"{1000 * self.longest_wait('datagram')[0]:.0f}"),
        ]
        return rows

    def longest_wait(self, kind):
        """Seconds, and when the question was asked."""
        return self.longest.get(kind, (0, 0))

    def waits(self):
        """The longest of each kind, in words."""
        return [
            f"{self.name}: the longest wait ({kind}) was {1000 * seconds:.0f} ms, asked at {self.deed_at(asked)}"
            for kind, (seconds, asked) in sorted(self.longest.items())
        ]

    def story(self, most=20):
        """The first of the incidents that break a promise, in words."""
        broken = sorted(self.broken(), key=lambda incident: incident["when"])
        lines = [
            f"{self.name}: {one['what']} ({one['kind']}, {one['text']}), asked at {self.deed_at(one['asked'])},"
            f" seen {one['when'] - one['asked']:.3f} s later"
            for one in broken[:most]
        ]
        return lines + ([f"{self.name}: and {len(broken) - most} more"] if len(broken) > most else [])


def table(ledgers):
    """The figures of all phases side by side."""
    columns = [dict(ledger.figures()) for ledger in ledgers]
    names = list(columns[0])
    width = max(map(len, names))
    widths = [max(len(ledger.name), 8) for ledger in ledgers]
    lines = [" " * width + "".join(f"  {one.name:>{space}}" for one, space in zip(ledgers, widths))]
    for name in names:
        lines.append(name.ljust(width) + "".join(f"  {column[name]!s:>{space}}" for column, space in zip(columns, widths)))
    return "\n".join(lines)
