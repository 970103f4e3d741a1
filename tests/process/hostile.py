"""Small servers that behave badly, each in its own manner: what a client of ours must live with.

    with Streams(greets_and_waits) as server:            # TCP on 127.0.0.1; see also Datagrams
        helloc("ping", *server.operands)

A manner of a stream server is a function of (client, server), called in a thread for each connection, which is closed
when it returns. A manner of a datagram server is a function of (data, source, server), called for each datagram in turn.
Manners with parameters are functions that return manners.

A manner that waits does so with server.pause(), or by reading: both end when the block ends.

This file must not know which client is tested, nor what it makes of all this.
"""

import os
import socket
import struct
import threading
from contextlib import ExitStack, suppress

from clients import PROMPT, greeting
from watch import SLOW

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: a close becomes a reset
ESCAPES = b"\x1b[2J\x1b]0;owned\x07\x9b31m\x00\x7f\xff%s%n"  # what must never reach a terminal, nor a printf


class Server:
    """What stream and datagram servers share. .address is what connect() takes, .operands the words for a command line,
    .asked all that was received, as (source, bytes)."""

    kind = None

    def __init__(self, manner, host="127.0.0.1", path=None, port=0, kind=None):
        self.manner, self.path = manner, path
        self.asked = []
        self._ended = threading.Event()
        self._where = str(path) if path else (host, port)
        self._kind = kind or self.kind

    def __enter__(self):
        family = socket.AF_UNIX if self.path else socket.AF_INET6 if ":" in self._where[0] else socket.AF_INET
        self.socket = socket.socket(family, self._kind)
        if family != socket.AF_UNIX:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self._where)
        self.address = self.socket.getsockname()
        if not self.path:
            self.address = self.address[:2]
        self.start()
        return self

    @property
    def operands(self):
        """HOST and PORT, or the path."""
        return [self.path] if self.path else list(self.address)

    def pause(self, seconds):
        """Waits, but not beyond the end of the block; True when it has ended."""
        return self._ended.wait(seconds * SLOW)

    def __exit__(self, *_):
        self._ended.set()
        self.stop()
        self.socket.close()
        if self.path:
            os.unlink(self.path)


class Streams(Server):
    """A stream server. .connections is how many there were."""

    kind = socket.SOCK_STREAM

    def start(self):
        self._clients = []
        self.connections = 0
        self.socket.listen(64)
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def _accept(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            if client.family != socket.AF_UNIX:
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            thread = threading.Thread(target=self._serve, args=(client,))
            self._clients.append((client, thread))
            thread.start()

    def _serve(self, client):
        # It may have gone, or was shut down here.
        with client, suppress(OSError):
            self.manner(client, self)

    def receive(self, client):
        """What one receive returns; b"" at the end."""
        data = client.recv(65536)
        if data:
            self.asked.append((client.getpeername(), data))
        return data

    def names(self, client):
        """Each message that comes, without its line ending."""
        while data := self.receive(client):
            yield from data.splitlines()

    def stop(self):
        # A thread that waits in accept() or recv() is not woken by close().
        self.socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        for client, thread in self._clients:
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
            thread.join()


class Datagrams(Server):
    """A datagram server. .held is for manners to keep things in."""

    kind = socket.SOCK_DGRAM

    def start(self):
        self.held = []
        self.socket.settimeout(0.05)  # shutdown() wakes nobody here
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self):
        while not self._ended.is_set():
            with suppress(socket.timeout, ConnectionError):
                data, source = self.socket.recvfrom(65536)
                self.asked.append((source, data))
                with suppress(OSError):  # the client may have gone
                    self.manner(data, source, self)

    def say(self, data, source):
        self.socket.sendto(data, source)

    def stop(self):
        self._thread.join()


class Deaf:
    """A TCP port where connections neither succeed nor fail: nobody accepts, and no more fit into the queue."""

    def __enter__(self):
        with ExitStack() as stack:
            self.socket = stack.enter_context(socket.socket())
            self.socket.bind(("127.0.0.1", 0))
            self.socket.listen(0)
            self.address = self.socket.getsockname()
            self.operands = list(self.address)
            for _ in range(4):
                client = stack.enter_context(socket.socket())
                client.setblocking(False)
                client.connect_ex(self.address)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self._stack.close()


def nobody(kind=socket.SOCK_STREAM, host="127.0.0.1"):
    """The address of a port that nobody has: connections are refused, datagrams bring an ICMP error."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind) as probe:
        probe.bind((host, 0))
        return probe.getsockname()[:2]


# ---- stream manners ----


def friendly(client, server):
    """As it should be; for comparison."""
    client.sendall(PROMPT)
    for name in server.names(client):
        if name == b"disconnect":
            return
        client.sendall(greeting(name) + b"\n")


def silent(client, server):
    """Accepts, reads, and never says a word, not even the greeting, nor an end of file when the client has ended."""
    for _ in server.names(client):
        pass
    server.pause(3600)


def greets_and_waits(client, server):
    """Greets, reads, and never answers."""
    client.sendall(PROMPT)
    silent(client, server)


def byte_by_byte(client, server):
    """Every word arrives in pieces of one byte."""

    def drip(data):
        for byte in data:
            client.sendall(bytes([byte]))
            server.pause(0.001)

    drip(PROMPT)
    for name in server.names(client):
        if name == b"disconnect":
            return
        drip(greeting(name) + b"\n")


def answers(make, prompt=PROMPT):
    """Each name gets the bytes that MAKE makes of it, after PROMPT."""

    def manner(client, server):
        client.sendall(prompt)
        for name in server.names(client):
            if name == b"disconnect":
                return
            client.sendall(make(name))

    return manner


wrong = answers(lambda name: b"Hello, Mallory!\n")
shouting = answers(lambda name: greeting(name).upper() + b"\n")
twice = answers(lambda name: (greeting(name) + b"\n") * 2)
escapes = answers(lambda name: greeting(ESCAPES + name) + b"\n", ESCAPES)
other_service = answers(lambda name: b"500 5.5.1 Command unrecognized\r\n", b"220 mail.example ESMTP\r\n")
blank = answers(lambda name: b"\n", b"\n")
upper = answers(lambda name: name.upper() + b"\n", b"")  # the tutorial's first server: it does not greet


def says(data, end="close"):
    """Says DATA at once; then closes, resets, half-closes ("half") or waits."""

    def manner(client, server):
        client.sendall(data)
        finish(client, server, end)

    return manner


def finish(client, server, end):
    if end == "reset":
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    elif end == "half":
        client.shutdown(socket.SHUT_WR)
    if end in ("half", "wait"):
        silent(client, server)
    elif end == "close":
        # What is unread when a socket is closed makes a reset of it; read what is there.
        client.shutdown(socket.SHUT_WR)
        with suppress(BlockingIOError):
            while client.recv(65536, socket.MSG_DONTWAIT):
                pass


closes = says(b"")  # at once, without a word
resets = says(b"", "reset")
cut_greeting = says(PROMPT[:6])
half_closes = says(PROMPT, "half")  # greets, says that it is done, but reads on
full = says(b"Sorry, the server is full.\n")
too_many = says(b"Sorry, too many connections from your address.\n")
greets_and_resets = says(PROMPT, "reset")


def after_name(make, end="close"):
    """Greets; the first name gets what MAKE makes of it; then as says()."""

    def manner(client, server):
        client.sendall(PROMPT)
        name = next(server.names(client), None)
        if name is not None:
            client.sendall(make(name))
            finish(client, server, end)

    return manner


cut_answer = after_name(lambda name: greeting(name)[: 7 + len(name) // 2])
closes_on_name = after_name(lambda name: b"")
resets_on_name = after_name(lambda name: b"", "reset")
half_closes_on_name = after_name(lambda name: b"", "half")
too_idle = after_name(lambda name: b"Sorry, you have been silent for too long.\n")


def floods(piece=b"Hello, " * 1000):
    """Never stops talking, as fast as it is read."""

    def manner(client, server):
        while not server.pause(0):
            client.sendall(piece)

    return manner


def greets_and_floods(client, server):
    """The greeting, then a flood as soon as a name comes."""
    client.sendall(PROMPT)
    if server.receive(client):
        floods()(client, server)


def slow(seconds):
    """Greets and answers, each after SECONDS."""

    def manner(client, server):
        server.pause(seconds)
        client.sendall(PROMPT)
        for name in server.names(client):
            if name == b"disconnect":
                return
            server.pause(seconds)
            client.sendall(greeting(name) + b"\n")

    return manner


def in_turn(*manners):
    """The first connection meets the first manner, and so on; the last one stays."""
    count = iter(range(len(manners) - 1))
    return lambda client, server: manners[next(count, -1)](client, server)


# ---- datagram manners ----


def ignores(_data, _source, _server):
    """Never answers."""


def replies(*makes):
    """Each datagram is answered with what each of MAKES makes of it, in order; None is not sent."""

    def manner(data, source, server):
        for make in makes:
            made = make(data)
            if made is not None:
                server.say(made, source)

    return manner


polite = replies(greeting)
replies_twice = replies(greeting, greeting)
replies_wrong = replies(lambda name: b"Hello, Mallory!")
replies_shouting = replies(lambda name: greeting(name).upper())
replies_cut = replies(lambda name: greeting(name)[:-2])
replies_escapes = replies(lambda name: ESCAPES + greeting(name))
replies_empty = replies(lambda name: b"")
replies_huge = replies(lambda name: greeting(name) * 1000)
echoes = replies(lambda name: name)
floods_datagrams = replies(*[greeting] * 500)


def replies_late(data, source, server):
    """Each answer comes when the next question has come."""
    if server.held:
        server.say(greeting(server.held.pop()), source)
    server.held.append(data)


def replies_reordered(data, source, server):
    """Answers come in pairs, the second first."""
    server.held.append(data)
    if len(server.held) == 2:
        while server.held:
            server.say(greeting(server.held.pop()), source)


def replies_to_the_first(data, source, server):
    """Every question gets the answer to the first one."""
    server.held = server.held or [data]
    server.say(greeting(server.held[0]), source)


def every(number, manner=ignores, otherwise=polite):
    """Of each NUMBER datagrams the last meets MANNER, the others OTHERWISE."""

    def choose(data, source, server):
        (otherwise if len(server.asked) % number else manner)(data, source, server)

    return choose


def from_elsewhere(data, source, server):
    """The answer comes from another port."""
    with socket.socket(server.socket.family, socket.SOCK_DGRAM) as other:
        if server.socket.family != socket.AF_UNIX:
            other.bind((server.address[0], 0))
        other.sendto(greeting(data), source)


def from_elsewhere_first(data, source, server):
    """A wrong answer from another port, then the right one."""
    with socket.socket(server.socket.family, socket.SOCK_DGRAM) as other:
        other.sendto(b"Hello, Mallory!", source)
    server.say(greeting(data), source)
