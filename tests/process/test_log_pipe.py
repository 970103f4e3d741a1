"""The log's fault is nobody else's: a pipe or a journal that nobody reads, a reader that has gone, no standard error at
all. Lines that cannot be written are lost and counted; clients do not notice, and never get them.
"""

import os
import re
import shlex
import socket
from pathlib import Path

import pytest

from clients import PROMPT, Datagram, Stream, greeting
from configs import GREETING
from hellodtest import EXIT_OK, Hellod
from watch import wait_until
from workers import settled

SO_ACCEPTCON = 1 << 16  # in proc_net_unix: it listens
NO_ACTIVATION = {"LISTEN_FDS": None, "LISTEN_PID": None}
ACCESS = re.compile(
    r"^<6>(Accept new connection from local|Connection from local closed\.|Datagram from \S+ answered\.)$"
)


def redirected(how, wrapper=os.environ.get("HELLOD_WRAPPER", "")):
    """A wrapper for Hellod with standard streams redirected as sh(1) does it."""
    return ["sh", "-c", f'exec "$@" {how}', "sh", *shlex.split(wrapper)]


class Sink:
    """What a daemon logs to in place of the test library: .ours, the end to be read, and .theirs."""

    def __init__(self, kind):
        if kind == "pipe":
            self.ours, self.theirs = os.pipe()
        else:
            self._pair = socket.socketpair()  # what the journal gives to services
            self.ours, self.theirs = (one.detach() for one in self._pair)
        os.set_blocking(self.ours, False)
        self.how = {"sockets": [self.theirs], "env": NO_ACTIVATION, "wrapper": redirected("2>&3 3>&-")}

        self.written = b""

    def settled(self, daemon, lines):
        """Reads, until LINES access lines were written or lost in all: a line for each connection that came and went,
        and for each datagram. Returns how many of both."""

        def agreed():
            try:
                while piece := os.read(self.ours, 65536):
                    self.written += piece
            except BlockingIOError:
                pass
            found = sum(1 for line in self.written.decode().splitlines() if ACCESS.match(line))
            lost = daemon.counters()["log_lost"]
            return (found, lost) if found + lost == lines else None

        return wait_until(agreed, 10, lambda: f"{lines} lines: {len(self.written)} bytes, {daemon.counters()}")

    def close(self):
        for fd in (self.ours, self.theirs):
            if fd >= 0:
                os.close(fd)
        self.ours = self.theirs = -1


@pytest.fixture(params=("pipe", "socket"))
def sink(request):
    made = Sink(request.param)
    yield made
    made.close()


class Quiet(Hellod):
    """A daemon whose log the library does not see, with two local sockets at known places in FOLDER."""

    def __init__(self, folder, **how):
        self.stream, self.datagram = str(folder / "stream"), str(folder / "datagram")
        listeners = [
            {"name": "greeting", "protocol": "greeting", "path": self.stream, "framing": "line"},
            {"name": "hello", "protocol": "hello", "path": self.datagram, "type": "datagram"},
        ]
        super().__init__({"listen": listeners}, ready=False, options=["-v"], **how)

    def __enter__(self):
        super().__enter__()
        wait_until(lambda: self.popen.poll() is not None or self._listens(), 10, "the service to be there")
        return self

    def _listens(self):
        """True when both sockets are there, and the first one listens; connecting to it would be counted."""
        ends = [line.split() for line in Path("/proc/net/unix").read_text(encoding="utf-8").splitlines()[1:]]
        flags = {end[7]: int(end[3], 16) for end in ends if len(end) > 7}
        return self.datagram in flags and flags.get(self.stream, 0) & SO_ACCEPTCON

    def converse(self, lines=1):
        """One connection with LINES lines."""
        with Stream(self.stream) as client:
            assert client.exchange(b"Bob\n" * lines) == PROMPT + b"Hello, Bob!\n" * lines

    def ask(self, count):
        """COUNT datagrams."""
        with Datagram(self.datagram) as client:
            for i in range(count):
                client.expect(b"%d" % i, greeting(b"%d" % i))


def test_nobody_reads(sink, folder):
    with Quiet(folder, **sink.how) as daemon:
        for _ in range(100):
            daemon.converse(100)
        daemon.ask(10000)
        written, lost = sink.settled(daemon, 2 * 100 + 10000)
        print(f"{written} lines written, {lost} lost")
        assert lost > 1000
        # Now there is room again.
        daemon.converse()
        assert sink.settled(daemon, 2 * 101 + 10000) == (written + 2, lost)
        daemon.ask(5000)
        daemon.stop()


def test_reader_is_gone(sink, folder):
    with Quiet(folder, **sink.how) as daemon:
        daemon.converse()
        sink.settled(daemon, 2)
        sink.close()
        workers = daemon.workers()
        daemon.converse(10)
        daemon.ask(10)
        daemon.wait_for_counter("log_lost", 2 + 10)
        assert daemon.workers() == workers
        daemon.stop()


CLOSED = ("2>&-", "0<&- 1>&- 2>&-")  # without valgrind, which would take the descriptors itself


@pytest.mark.parametrize("closed", CLOSED)
def test_no_standard_error(closed, folder):
    with Quiet(folder, wrapper=redirected(closed, "")) as daemon:
        daemon.converse(10)
        daemon.ask(10)
        daemon.wait_for_counter("datagram_answers", 10)
        assert settled(daemon)["accepted"] == 1
        daemon.stop()


@pytest.mark.parametrize("closed", CLOSED)
@pytest.mark.parametrize("passed", (False, True), ids=("bound", "passed"))
def test_no_standard_error_and_a_port(closed, passed):
    # The first descriptor that is opened takes the free number: nothing that is meant for the log may go there.
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        config = {"listen": [{**GREETING, "port": address[1]}]}
        how = {"wrapper": redirected(closed, ""), "ready": False, "options": ["-v"]}
        if passed:
            how["sockets"] = [server]
        else:
            server.close()
        with Hellod(config, **how) as daemon:

            def there():
                try:
                    return daemon.popen.poll() is not None or Stream(address)
                except ConnectionRefusedError:
                    return False

            with wait_until(there, 10, "the service to be there") as client:
                client.greeted().ask(b"Bob\n", b"Hello, Bob!\n")
                daemon.wait_for_counter("answers", 1)
            daemon.stop()


def test_terminal_that_hangs_up(folder):
    ours, theirs = os.openpty()
    how = {"sockets": [theirs], "env": NO_ACTIVATION, "wrapper": redirected("2>&3 3>&-")}
    with Quiet(folder, **how) as daemon:
        daemon.converse()
        os.close(ours)
        os.close(theirs)
        daemon.converse(10)
        daemon.ask(10)
        daemon.signal(15)
        assert daemon.wait() == EXIT_OK
