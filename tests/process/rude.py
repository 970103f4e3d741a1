"""Hundreds of clients with bad manners, driven by one epoll loop.

A manner is a generator: it does something rude with its client's socket and yields when it has to wait, for READABLE,
WRITABLE or a number of seconds. Each client remembers what it heard, so that afterwards every single one can
be asked whether it was served as protocol and limits say. The listener must have framing "line".

This file must not know how the daemon is started or what it counts.
"""

import heapq
import itertools
import random
import select
import socket
import struct
import time
from contextlib import suppress

from clients import PROMPT, greeting
from watch import SLOW

FULL = b"Sorry, the server is full."
SOURCE = b"Sorry, too many connections from your address."
IDLE = b"Sorry, you have been silent for too long."
TOO_LONG = b"Sorry, a name has at most 1024 bytes."
REFUSALS = (FULL, SOURCE)

READABLE, WRITABLE = select.EPOLLIN, select.EPOLLOUT

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: a close becomes a reset
FLOOD = 1500  # lines of a flooding client


class Client:
    """One client: .heard is all that it received; .fate is "end" (the server ended it in good order), "reset" (it
    broke), "own" (the client left by itself) or None (not over)."""

    def __init__(self, manner, address, source, seed):
        self.manner, self.address = manner, address
        self.noise = random.Random(seed).randbytes(1000)
        self.heard, self.fate = b"", None
        self.ended = False  # end of file was read
        self.socket = socket.socket()
        self.socket.setblocking(False)
        # So that one that does not read is soon stuck.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)
        if manner is never_reading:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.bind((source, 0))

    def life(self):
        """The client from connect to the end, a generator like its manner."""
        self.socket.connect_ex(self.address)
        yield WRITABLE
        error = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        assert error == 0, f"a rude client cannot even connect: error {error}"
        yield from self.manner(self)

    def hear(self):
        """Reads what is there."""
        piece = self.socket.recv(1 << 20)
        self.heard += piece
        self.ended = not piece

    def listen(self):
        """Hears the server out."""
        while not self.ended:
            yield READABLE
            self.hear()
        self.fate = "end"

    def say(self, data):
        """Sends all of DATA, and listens meanwhile."""
        while data:
            yield WRITABLE if self.ended else READABLE | WRITABLE
            with suppress(BlockingIOError):
                data = data[self.socket.send(data) :]
            with suppress(BlockingIOError):
                self.hear()

    @property
    def refused(self):
        """True if it heard that it is one too many."""
        return self.heard in REFUSALS

    @property
    def admitted(self):
        """True if it heard the prompt."""
        return self.heard.startswith(PROMPT)

    def wrong(self):
        """What is wrong with the way it was treated, or None."""
        if self.refused:
            return None
        expected = EXPECTED[self.manner]
        if callable(expected):
            expected = expected(self)
        heard, fate = expected
        if self.fate == fate and heard in (None, self.heard):
            return None
        return f"{self.manner.__name__}: heard {self.heard!r:.150} ({len(self.heard)} bytes), fate {self.fate!r}"


# ---- manners ----


def silent(client):
    """Says nothing."""
    yield from client.listen()


def byte_by_byte(client):
    """Speaks one byte at a time."""
    for byte in b"Bob\ndisconnect\n":
        yield from client.say(bytes([byte]))
        yield 0.005
    yield from client.listen()


def resetting(client):
    """Resets the connection in the middle of the conversation."""
    yield READABLE
    client.hear()
    client.socket.send(b"Bob\nAl")
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    client.fate = "own"


def half_closed(client):
    """Sends end of file in the middle of a line, and listens."""
    client.socket.send(b"Bob\nAl")
    client.socket.shutdown(socket.SHUT_WR)
    yield from client.listen()


def never_reading(client):
    """Sends for as long as anything fits, and reads only when it has been cut off."""
    while client.fate is None:
        yield WRITABLE
        try:
            while True:
                client.socket.send(b"Bob\n" * 4096)
        except BlockingIOError:
            pass
        except OSError:
            client.fate = "reset"
    client.hear()


def flooding(client):
    """Sends as fast as it can, and reads."""
    yield from client.say(b"Bob\n" * FLOOD)
    yield from client.say(b"disconnect\n")
    yield from client.listen()


def too_long(client):
    """Sends a line that does not end."""
    yield from client.say(b"Bob\n" + b"x" * 50000)
    yield from client.listen()


def leaving_at_once(client):
    """Disconnects in the prompt."""
    client.fate = "own"
    yield from ()


def garbage(client):
    """Sends random bytes, and end of file."""
    client.socket.send(client.noise)
    client.socket.shutdown(socket.SHUT_WR)
    yield from client.listen()


def talking_after_the_farewell(client):
    """Says goodbye and goes on."""
    yield from client.say(b"disconnect\n" + b"x" * 50000)
    yield from client.listen()


def vanishing(client):
    """Asks a lot and is gone before it is answered."""
    client.socket.send(b"Bob\n" * 200)
    client.fate = "own"
    yield from ()


def answers(data):
    """What is said to DATA and the end of file after it, with framing "line"."""
    said = b""
    lines = data.split(b"\n")
    for number, line in enumerate(lines):
        last = number == len(lines) - 1
        crlf = not last and line.endswith(b"\r")
        name, ending = (line[:-1], b"\r\n") if crlf else (line, b"" if last else b"\n")
        if last and not name:
            break
        said += (greeting(name) if name else PROMPT) + ending
    return said


# What a client of each manner hears when it is admitted (None: whatever it stayed for), and how it ends.
EXPECTED = {
    silent: (PROMPT + IDLE, "end"),
    byte_by_byte: (PROMPT + b"Hello, Bob!\n", "end"),
    resetting: (None, "own"),
    half_closed: (PROMPT + b"Hello, Bob!\nHello, Al!", "end"),
    never_reading: (None, "reset"),
    flooding: (PROMPT + b"Hello, Bob!\n" * FLOOD, "end"),
    too_long: (PROMPT + b"Hello, Bob!\n" + TOO_LONG + b"\n", "end"),
    leaving_at_once: (None, "own"),
    garbage: lambda client: (PROMPT + answers(client.noise), "end"),
    talking_after_the_farewell: (PROMPT, "end"),
    vanishing: (None, "own"),
}


# ---- the loop ----


class Crowd:
    """SIZE clients of ADDRESS, of all manners in turn, from the addresses SOURCES in turn, in an order that CHANCE (a
    random generator) gives. After run() .lag is the longest time in seconds for which the loop did not look at them: if
    it is about as long as the listener's timeouts, clients were silent that did not mean to be."""

    def __init__(self, address, size, sources, chance):
        manners = list(EXPECTED)
        self.clients = [
            Client(manners[i % len(manners)], address, sources[i % len(sources)], chance.random()) for i in range(size)
        ]
        chance.shuffle(self.clients)

    def run(self, arrive, seconds):
        """Lets the clients come one after the other within ARRIVE seconds and waits for the end of all; fails when that
        takes longer than SECONDS."""
        start = before = time.monotonic()
        self.lag = 0.0
        self._poll, self._count = select.epoll(), itertools.count()
        self._steps, self._active = {}, {}
        pause = arrive / len(self.clients)
        self._timers = [(start + i * pause, next(self._count), client) for i, client in enumerate(self.clients)]
        try:
            while self._active or self._timers:
                now = time.monotonic()
                self.lag, before = max(self.lag, now - before), now
                if now > start + seconds * SLOW:
                    left = sorted({client.manner.__name__ for client in self._active.values()})
                    raise AssertionError(f"{len(self._active)} rude clients are not done with: {', '.join(left)}")
                self._turn(now)
        finally:
            self._poll.close()
            for client in self.clients:
                client.socket.close()

    def _turn(self, now):
        while self._timers and self._timers[0][0] <= now:
            self._step(heapq.heappop(self._timers)[2])
        wait = self._timers[0][0] - now if self._timers else 0.1
        for fd, _ in self._poll.poll(max(0, min(wait, 0.1))):
            self._step(self._active[fd])

    def _step(self, client):
        """Lets CLIENT go on until it waits again."""
        fd = client.socket.fileno()
        if fd < 0:
            return  # its time came when it was gone already
        steps = self._steps.setdefault(client, client.life())
        try:
            wait = next(steps)
        except StopIteration:
            self._forget(client, fd)
            return
        except OSError:  # the connection broke
            client.fate = "reset"
            with suppress(OSError):
                client.hear()
            self._forget(client, fd)
            return
        events = wait
        if isinstance(wait, float):
            events = 0
            heapq.heappush(self._timers, (time.monotonic() + wait, next(self._count), client))
        if fd in self._active:
            self._poll.modify(fd, events)
        else:
            self._active[fd] = client
            self._poll.register(fd, events)

    def _forget(self, client, fd):
        if self._active.pop(fd, None):
            self._poll.unregister(fd)
        client.socket.close()
