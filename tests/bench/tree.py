"""A server with all its processes: started on one processor, asked until it answers, its processor time read, ended.

Knows nothing of the protocols but the bytes that it is told.
"""

import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import time

from processes import PATIENCE_S, START_PATIENCE_S, Failure, on_processor, stat_fields

PAUSE_S = 0.005
TICK_NS = 1e9 / os.sysconf("SC_CLK_TCK")
# Fields of /proc/PID/stat, counted from the state on.
PARENT, CHILDREN_USER, CHILDREN_SYSTEM, BORN = 1, 13, 14, 19


def processes():
    """The fields of every process there is, by number."""
    found = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                found[int(entry.name)] = stat_fields(entry.name)
    return found


def tree(root):
    """The fields of the process ROOT and of all that descend from it, by number."""
    everyone = processes()
    members, grown = {root}, True
    while grown:
        more = {pid for pid, fields in everyone.items() if int(fields[PARENT]) in members} - members
        members |= more
        grown = bool(more)
    return {pid: everyone[pid] for pid in members if pid in everyone}


def at_work(pid):
    """True if a thread of the process PID runs or waits for a processor."""
    return any(stat_fields(f"{pid}/task/{task}")[0] in "RD" for task in os.listdir(f"/proc/{pid}/task"))


def spent_ns(members):
    """Processor time of all MEMBERS, with their threads and children that have ended. The kernel has a clock for each
    process, counted to the nanosecond; of children that have been reaped it tells ticks."""
    total = 0
    for pid, fields in members.items():
        total += time.clock_gettime_ns(~pid << 3 | 2)  # the number of a process's clock, see clock_getcpuclockid(3)
        total += (int(fields[CHILDREN_USER]) + int(fields[CHILDREN_SYSTEM])) * TICK_NS
    return total


def free_port():
    """A port of 127.0.0.1 that is free for TCP and UDP."""
    while True:
        with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagram:
            stream.bind(("127.0.0.1", 0))
            with contextlib.suppress(OSError):
                datagram.bind(stream.getsockname())
                return stream.getsockname()[1]


def receive(client, length):
    """LENGTH bytes, or what comes before the end."""
    data = b""
    while len(data) < length and (piece := client.recv(length - len(data))):
        data += piece
    return data


def answers(kind, port, words):
    """True if a server on PORT says what it should to the WORDS: greeting, request, answer."""
    greeting, request, answer = words
    try:
        with socket.socket(type=kind) as client:
            client.settimeout(1)
            client.connect(("127.0.0.1", port))
            heard = receive(client, len(greeting))
            if request:
                client.sendall(request)
                heard += receive(client, len(answer))
    except OSError:
        return False
    if heard != greeting + answer:
        raise Failure(f"the server on port {port} says {heard!r}, not {greeting + answer!r}")
    return True


class Tree:
    """The server ARGV on PORT of 127.0.0.1. Its output goes to a file in the folder PLACE."""

    def __init__(self, argv, processor, port, place):
        self.argv, self.port = [str(word) for word in argv], port
        self.output = pathlib.Path(place) / "output"
        # In a session of its own: Apache's end is one for its whole process group.
        with on_processor(processor), open(self.output, "ab") as output:
            self.child = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=place,
                                          start_new_session=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        members = tree(self.child.pid)
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
        try:
            self.child.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        left = processes()
        for pid, fields in members.items():
            if pid in left and left[pid][BORN] == fields[BORN]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def failed(self, what):
        text = self.output.read_text(encoding="utf-8", errors="replace")
        return Failure(f"{self.argv[0]} {what}: {text[-2000:]}")

    def wait_until_it_answers(self, kind, words):
        deadline = time.monotonic() + START_PATIENCE_S
        while not answers(kind, self.port, words):
            if self.child.poll() is not None:
                raise self.failed("has ended")
            if time.monotonic() > deadline:
                raise self.failed(f"does not answer within {START_PATIENCE_S} s")
            time.sleep(PAUSE_S)

    def spent_ns(self):
        """Processor time of all of it so far, once nothing is left to do."""
        deadline = time.monotonic() + PATIENCE_S
        before = None
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):  # a process that ends meanwhile
                members = tree(self.child.pid)
                now = (sorted(members), spent_ns(members))
                if now == before and not any(at_work(pid) for pid in members):
                    return now[1]
                before = now
            time.sleep(PAUSE_S)
        raise self.failed("does not come to rest")
