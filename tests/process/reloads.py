"""The daemon that is reloaded: asking for it, what is there before and after, and clients that must not notice.

    with Service({"listen": [GREETING]}) as service:
        service.reload({"listen": [GREETING, HELLO]})   # asserts that it worked
        errors = service.fails("workers = -1;")         # asserts that it did not

This file must not know what a reload changes.
"""

import os
import select
import shutil
import signal
import socket
import tempfile
import threading
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import clients
from clients import PROMPT, greeting
from configs import unprivileged, write_config
from control import Control, Status
from hellodtest import LISTENER_LINE, Hellod, Listener
from watch import SLOW, wait_until
from workers import stopped, targets

SILENCE = 1.0  # seconds without a word after which a draining worker takes a client for idle


class Service(Hellod):
    """A Hellod whose control socket is at .control_path. Its listeners are those of now, not of the start."""

    def __enter__(self):
        self._runtime = Path(tempfile.mkdtemp(prefix="hellod-"))
        self._runtime.chmod(0o755)
        if identity := unprivileged():
            shutil.chown(self._runtime, *identity)
        self.control_path = self._runtime / "control"
        self._config = self._controlled(self._config)
        try:
            return super().__enter__()
        except BaseException:
            shutil.rmtree(self._runtime, ignore_errors=True)
            raise

    def __exit__(self, *how):
        try:
            super().__exit__(*how)
        finally:
            shutil.rmtree(self._runtime, ignore_errors=True)

    def _controlled(self, config):
        """CONFIG with the control socket, unless it says itself where that is."""
        if isinstance(config, dict):
            return {"control": str(self.control_path), **config}
        return config if "control" in config else f'control = "{self.control_path}"; {config}'

    def control(self, **how):
        """A new client of the control socket."""
        return Control(self.control_path, **how)

    def status(self):
        with self.control() as control:
            return Status(control.done("status"))

    @property
    def listeners(self):
        """The sockets of now."""
        rows = self.status().listeners
        return [Listener(LISTENER_LINE.search(f"listener {row['name']}: {row['address']}")) for row in rows]

    def rewrite(self, config=None, conf_d=None):
        """CONFIG and its drop-ins are in the files from now on; None: as they were."""
        if config is not None:
            write_config(self.directory, self._controlled(config), conf_d)

    def reload(self, config=None, conf_d=None, seconds=10):
        """Asks for a reload with CONFIG over the control socket; asserts that it worked."""
        self.rewrite(config, conf_d)
        with self.control(seconds=seconds) as control:
            control.done("reload")

    def fails(self, config=None, conf_d=None, seconds=10):
        """Asks for a reload with CONFIG, asserts that it fails and is said to have failed; returns its errors."""
        self.rewrite(config, conf_d)
        with self.control(seconds=seconds) as control:
            reply = control.ask("reload")
        assert reply.last.startswith("failed "), reply
        return reply.errors

    def hang_up(self, config=None, conf_d=None, seconds=10):
        """Asks for a reload by HUP and waits for its end; returns the status then."""
        self.rewrite(config, conf_d)
        before = self.status().reload["number"]
        self.signal(signal.SIGHUP)

        def over():
            now = self.status()
            return now if now.reload["number"] > before and now.reload["result"] in ("ok", "failed") else None

        return wait_until(over, seconds, lambda: f"the end of a reload: {self.status()}; the log:\n{self.log()}")

    def alone(self, seconds=5):
        """Waits until the newest generation is the only one, and whole; returns the status then."""

        def whole():
            now = self.status()
            serving = [worker for worker in now.workers if worker["state"] == "ready"]
            pids = sorted(worker["pid"] for worker in now.workers)
            fits = len(serving) == len(now.workers) == now.service["workers"] and pids == self.workers()
            return now if fits and now.generations == [now.service["generation"]] else None

        return wait_until(whole, seconds, lambda: f"one whole generation: {self.status()}; the log:\n{self.log()}")

    def insist(self):
        """A second TERM, when all workers have gone that nobody keeps: a leak checker that is killed at its work is never
        reaped."""
        wait_until(lambda: len(self.workers()) == 1, 5, lambda: f"one worker: {self.workers()}")
        self.signal(signal.SIGTERM)

    def pids(self, generation):
        """The process IDs of the workers of GENERATION."""
        return [worker["pid"] for worker in self.status().workers if worker["generation"] == generation]


def converse(service, stream="greeting", datagram="hello"):
    """One conversation on TCP and one question on UDP."""
    with service.connect(stream) as client:
        client.greeted().ask(b"Bob\n", b"Hello, Bob!\n")
    with service.datagrams(datagram) as client:
        client.expect(b"Bob", b"Hello, Bob!")


def inodes(service, name):
    """The inodes of the sockets of listener NAME that the master holds: what a socket is known by."""
    held = set(targets(service.pid).values())
    there = {(one.kind, one.family, one.address) for one in service.listeners if one.name == name}
    found = {inode for place in there for inode in at_place(*place)}
    return {inode for inode in found if f"socket:[{inode}]" in held}


def at_place(kind, family, address):
    """The inodes of all bound sockets with a path, or of a kind with the port of ADDRESS; of TCP the listening ones."""
    if family == socket.AF_UNIX:
        rows = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:]]
        return [row[6] for row in rows if row[7:] == [address.replace("\0", "@", 1)] and row[5] == "01"]
    found, port = [], f":{address[1]:04X}"
    with open(f"/proc/net/{kind}{'6' if family == socket.AF_INET6 else ''}", encoding="ascii") as table:
        next(table)
        for line in table:
            row = line.split()
            if kind == "tcp" and row[3] != "0A":
                break  # those that listen come first; the others may be thousands
            if row[1].endswith(port):
                found.append(row[9])
    return found


def is_read(stream):
    """True when the server has taken all that the client STREAM (IPv4) has sent."""

    def ends(address):
        return f"{int.from_bytes(socket.inet_aton(address[0]), 'little'):08X}:{address[1]:04X}"

    near, far = ends(stream.socket.getsockname()), ends(stream.socket.getpeername())
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        row = line.split()
        if (row[1], row[2]) == (far, near):
            return row[4].endswith(":00000000")
    return False


def is_refused(address):
    """Whether a connection to ADDRESS (TCP) is refused."""
    try:
        socket.create_connection(address, 5 * SLOW).close()
    except ConnectionRefusedError:
        return True
    return False


def owed(service, name="slow", data=b"Bob\n"):
    """A client of listener NAME, which takes its time, that is owed the answer to DATA."""
    client = service.connect(name).greeted()
    client.send(data)
    wait_until(lambda: is_read(client), 5, "the worker to take what was said")
    return client


@contextmanager
def all_stopped(pids):
    """For the block, PIDS are stopped."""
    with ExitStack() as stack:
        for pid in pids:
            stack.enter_context(stopped(pid))
        yield


def signal_all(pids, number=signal.SIGKILL):
    """Sends NUMBER to those of PIDS that are still there."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


class Queue:
    """Clients of SERVICE whose workers are stopped: connections and datagrams that wait in the kernel."""

    def __init__(self, service, count=24, stream="greeting", datagram="hello"):
        to, other = service.address(stream) if stream else None, service.address(datagram) if datagram else None
        self._streams = [clients.Stream(to) for _ in range(count if stream else 0)]
        self._datagrams = [clients.Datagram(other) for _ in range(count if datagram else 0)]
        for i, client in enumerate(self._streams):
            client.send(b"Bob %d\n" % i)
        for i, client in enumerate(self._datagrams):
            client.send(b"Eve %d" % i)

    def check_answered(self):
        """Each has its answer, whole and once."""
        for i, client in enumerate(self._streams):
            client.expect(PROMPT + b"Hello, Bob %d!\n" % i)
            client.close()
        for i, client in enumerate(self._datagrams):
            assert client.receive()[0] == b"Hello, Eve %d!" % i
        for client in self._datagrams:
            assert client.quiet()
            client.close()


class Load:
    """Clients that come one after the other, and datagrams with numbers, in a context. Whoever is refused, reset, cut
    off or answered twice is an error at the end; .conversations and .answers count the others. cut: so many reloads are
    to come that a worker may have to end a conversation between two messages."""

    BURST = 8

    def __init__(self, stream, datagram, cut=False):
        self._addresses, self._cut = (stream, datagram), cut
        self._over, self._errors = threading.Event(), []
        self.conversations = self.answers = 0
        works = (self._talk, self._ask)
        self._threads = [threading.Thread(target=self._run, args=(work,), daemon=True) for work in works]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind, *_):
        self._over.set()
        for thread in self._threads:
            thread.join(20 * SLOW)
        if kind is None:
            assert not self._errors, self._errors
            assert self.conversations and self.answers, "nobody was served"
            print(f"{self.conversations} conversations, {self.answers} datagrams")

    def goes_on(self, seconds=10):
        """Waits until some more were served, whoever they were served by; fails at once when somebody was not."""
        before = (self.conversations, self.answers)

        def more():
            assert not self._errors, self._errors
            return self.conversations > before[0] + 2 and self.answers > before[1] + 2 * self.BURST

        wait_until(more, seconds, "the load to go on")

    def _run(self, work):
        try:
            work()
        except BaseException as error:  # for the test to see
            self._errors.append(error)

    def _talk(self):
        while not self._over.is_set():
            start, got = time.monotonic(), b""
            with clients.Stream(self._addresses[0]) as client:
                got = client.read(len(PROMPT))
                client.send(b"Bob\ndisconnect\n")
                got += client.rest()
            # Who was late himself, on a slow machine, may have been taken for idle by a worker that goes.
            cut = got == PROMPT and (self._cut or time.monotonic() - start > SILENCE * 0.9)
            assert cut or got == PROMPT + b"Hello, Bob!\n", got
            self.conversations += 1

    def _ask(self):
        number = 0
        with clients.Datagram(self._addresses[1]) as client:
            while not self._over.is_set():
                names = [b"%d" % (number + i) for i in range(self.BURST)]
                number += self.BURST
                for name in names:
                    client.send(name)
                due = {greeting(name) for name in names}
                while due:
                    due.remove(client.receive()[0])  # one that is not due was answered twice
                    self.answers += 1
            ready, _, _ = select.select([client.socket], [], [], 0.05)
            assert not ready, "one answer too many"


def zombies(pid):
    """The children of PID that are dead and were not waited for."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                fields = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(fields[1]) == pid and fields[0] == "Z":
                found.append(int(entry))
    return found


def wait_for_end_of(service, generation, seconds=5):
    """Waits until no worker of GENERATION is left and the log has said so."""
    wait_until(lambda: not service.pids(generation), seconds, lambda: f"the end of {generation}: {service.status()}")
    service.wait_for_line(rf"^generation {generation} has ended$")


def wait_for_error(service, text, since=0):
    """Waits until the log has the line TEXT at level error, from line number SINCE on."""
    wait_until(lambda: f"<3>{text}" in service.raw[since:], 5, lambda: f"{text!r} in the log:\n{service.log()}")
