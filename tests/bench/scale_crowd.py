"""Servers of several processes, and the crowds of connections that they have: what tests/bench/scale measures with.

A crowd is opened by several load generators (scale_load.c), since a process may have only so many descriptors."""

import contextlib
import os
import pathlib
import re
import signal
import socket
import threading
import time

from processes import PATIENCE_S, START_PATIENCE_S, Failure, Process, Server, stat_fields

LOADS = 3  # processes of a crowd
NETWORKS = 19000  # of a load generator: each connection has one
PROMPT, NAME, ANSWER = b"What's your name?", b"Alice", b"Hello, Alice!"
PAUSE_S = 0.001  # between two questions of an asker
ASKER_PATIENCE_S = 5


def children(pid):
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and int(stat_fields(entry.name)[1]) == pid:
                found.append(int(entry.name))
    return found


def now_ns(pids):
    """Processor time that each of the processes has spent; that of a running one lags behind by a tick."""
    return [int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for pid in pids]


def spent_ns(pids):
    """Processor time that all of them have spent, once nothing is left to do for any."""
    deadline = time.monotonic() + PATIENCE_S
    before = None
    while time.monotonic() < deadline:
        asleep = all(stat_fields(pid)[0] == "S" for pid in pids)
        now = now_ns(pids)
        if asleep and now == before:
            return sum(now)
        before = now
        time.sleep(0.003)
    raise Failure("the servers do not come to rest")


def wait_for_end(pids):
    """Returns when the processes have gone."""
    deadline = time.monotonic() + PATIENCE_S
    while any(pathlib.Path(f"/proc/{pid}").exists() for pid in pids):
        if time.monotonic() > deadline:
            raise Failure("the old workers do not go")
        time.sleep(0.003)


def memory(pid):
    """Bytes of every kind in smaps_rollup."""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return {kind: int(kb) * 1024 for kind, kb in re.findall(r"(\w+): +(\d+) kB", text)}


def kernel_bytes():
    """What the kernel has in its caches of objects, of the whole machine."""
    return int(re.search(r"^Slab: +(\d+) kB", pathlib.Path("/proc/meminfo").read_text(), re.M)[1]) * 1024


class Service(Process):
    """hellod with some workers; pids are theirs."""

    def __init__(self, argv, workers):
        started = time.monotonic()
        super().__init__(argv, "stderr")
        try:
            head = self.wait_for(rb"(?s).*ready: %d workers\n" % workers, START_PATIENCE_S)[0]
            self.ready_ms = (time.monotonic() - started) * 1000
            ports = dict(re.findall(rb"listener \S+: (tcp|udp) \S+:(\d+)", head))
            self.ports, self.udp_port = [int(ports[b"tcp"])], int(ports[b"udp"])
            self.find_workers()
        except BaseException:
            self.end(signal.SIGTERM)
            raise

    def find_workers(self):
        self.pids = children(self.pid)

    def memory(self, kind):
        """Of the master and all workers."""
        return sum(memory(pid)[kind] for pid in (self.pid, *self.pids))

    def dead_ns(self):
        """Processor time of the workers that have gone, to a tick."""
        return sum(int(ticks) for ticks in stat_fields(self.pid)[13:15]) * 1e9 / os.sysconf("SC_CLK_TCK")


class Leasts(contextlib.ExitStack):
    """As many of the least program, each with a port of its own, since it knows no siblings."""

    def __init__(self, argv, count):
        super().__init__()
        servers = [self.enter_context(Server(argv)) for _ in range(count)]
        self.pids, self.ports = [server.pid for server in servers], [server.ports["tcp"] for server in servers]


class Crowd(contextlib.ExitStack):
    """Connections to a server, silent but for those that are asked."""

    def __init__(self, program, ports):
        super().__init__()
        self.loads = [self.enter_context(Process([program, number * NETWORKS, *ports], "stdout"))
                      for number in range(LOADS)]

    def order(self, *orders):
        """Gives each load generator its order; None: it has nothing to do."""
        for load, words in zip(self.loads, orders):
            if words:
                load.child.stdin.write(words.encode() + b"\n")

    def hear(self, *orders):
        """Waits until the orders are carried out; returns how many requests were answered."""
        return sum(int(load.wait_for(rb"answered (\d+)\n")[1]) for load, words in zip(self.loads, orders) if words)

    def obey(self, *orders):
        self.order(*orders)
        return self.hear(*orders)

    def open(self, count):
        self.obey(*(f"open {part}" if part else None for part in shares(count)))

    def ask(self, active, flight, count):
        """Has COUNT requests asked of ACTIVE connections, FLIGHT at a time."""
        parts = zip(shares(active), shares(flight), shares(count))
        return self.obey(*(f"ask {a} {f} {n}" if a and n else None for a, f, n in parts))

    def finish(self):
        """Ends it; there was then no surplus answer."""
        for load in self.loads:
            if load.collect() != 0:
                raise Failure(f"{load.argv[0]} has failed")


def shares(count):
    return [count // LOADS + (number < count % LOADS) for number in range(LOADS)]


class Asker:
    """A client that asks all the time: on one connection that it keeps, by short conversations, and by datagrams."""

    def __init__(self, service):
        self.tcp, self.udp = ("127.0.0.1", service.ports[0]), ("127.0.0.1", service.udp_port)
        self.waits, self.failed = {"kept": [], "new": []}, []  # (when it was asked, seconds)
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    def run(self):
        try:
            with socket.socket(type=socket.SOCK_DGRAM) as datagrams, self.greeted() as kept:
                datagrams.settimeout(ASKER_PATIENCE_S)
                datagrams.connect(self.udp)
                while not self.over.wait(PAUSE_S):
                    self.time("kept", lambda: exchange(kept))
                    self.time("new", self.converse)
                    self.time("new", lambda: exchange(datagrams))
        except OSError as error:
            self.failed.append(error)

    def time(self, kind, ask):
        began = time.monotonic()
        try:
            ask()
        except OSError as error:
            self.failed.append(error)
        self.waits[kind].append((began, time.monotonic() - began))

    def greeted(self):
        talker = socket.create_connection(self.tcp, ASKER_PATIENCE_S)
        if talker.recv(len(PROMPT), socket.MSG_WAITALL) != PROMPT:
            raise OSError("no prompt")
        return talker

    def converse(self):
        with self.greeted() as talker:
            exchange(talker)

    def longest_ms(self, kind, since, until):
        """Of the questions that were on their way between the two moments."""
        return 1000 * max(wait for began, wait in self.waits[kind] if began <= until and began + wait >= since)


def exchange(talker):
    talker.send(NAME)
    if talker.recv(len(ANSWER) + 1) != ANSWER:
        raise OSError("no answer, or a wrong one")
