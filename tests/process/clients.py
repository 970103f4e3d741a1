"""Clients for tests: exact bytes, every wait with a deadline, and the two clients of the socket tutorial.

This file must not know how the daemon is started or built.
"""

import os
import select
import socket
import struct
import threading
import time

from watch import SLOW

PROMPT = b"What's your name?"


def greeting(name):
    """The built-in answer to NAME (bytes)."""
    return b"Hello, " + name + b"!"


def same(expected, got, then=""):
    """Asserts that GOT is EXPECTED; says where they part, and what came then."""
    if got == expected and not then:
        return
    at = next((i for i, pair in enumerate(zip(expected, got)) if pair[0] != pair[1]), min(len(expected), len(got)))
    near = slice(max(0, at - 60), at + 60)
    raise AssertionError(
        f"{len(got)} bytes instead of {len(expected)}{then}; from byte {at} on they differ: "
        f"got ...{got[near]!r}..., expected ...{expected[near]!r}..."
    )


class Stream:
    """A connection whose every operation has a deadline.

    address: what connect() takes; family is guessed from it when None. source: address to bind first. receive_buffer:
    SO_RCVBUF, set before connecting. A Stream is a context manager; leaving closes it."""

    def __init__(
        self, address, family=None, kind=socket.SOCK_STREAM, seconds=5, source=None, receive_buffer=None
    ):
        self.seconds = seconds * SLOW
        self.socket = socket.socket(family_of(address) if family is None else family, kind)
        try:
            self.socket.settimeout(self.seconds)
            if receive_buffer:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            if source:
                self.socket.bind(source)
            self.socket.connect(address)
        except BaseException:
            self.socket.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def reset(self):
        """Closes with a reset instead of an end of file."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def finish(self):
        """Half-close: nothing more will be sent, answers are still read."""
        self.socket.shutdown(socket.SHUT_WR)

    def send(self, data):
        """Sends all of DATA."""
        self.socket.sendall(data)

    def send_what_fits(self, data):
        """Sends of DATA until the connection takes no more for half a second; returns how many bytes went."""
        sent = 0
        while sent < len(data):
            if not select.select([], [self.socket], [], 0.5 * SLOW)[1]:
                break
            sent += self.socket.send(data[sent : sent + 65536], socket.MSG_DONTWAIT)
        return sent

    def receive(self, size=65536):
        """What one receive returns; b"" at end of file."""
        return self.socket.recv(size)

    def read(self, length):
        """Exactly LENGTH bytes, or fewer if the peer ends before."""
        got = b""
        while len(got) < length:
            piece = self.socket.recv(length - len(got))
            if not piece:
                break
            got += piece
        return got

    def expect(self, data):
        """Reads as many bytes as DATA has and asserts that they are DATA. What follows stays unread."""
        got = b""
        try:
            while len(got) < len(data) and data.startswith(got):
                piece = self.socket.recv(len(data) - len(got))
                if not piece:
                    break
                got += piece
        except socket.timeout:
            same(data, got, " and then nothing")
        same(data, got)

    def rest(self):
        """Everything up to the end of file."""
        got = b""
        try:
            while piece := self.socket.recv(65536):
                got += piece
        except socket.timeout:
            raise AssertionError(f"no end of file after {got[-200:]!r}") from None
        except ConnectionResetError:
            raise AssertionError(f"reset after {got[-200:]!r}") from None
        return got

    def expect_end(self, data=b""):
        """Asserts that DATA comes, and then an end of file, not a reset."""
        same(data, self.rest())

    def quiet(self):
        """True if nothing, not even an end of file, has arrived."""
        return not select.select([self.socket], [], [], 0)[0]

    def greeted(self, prompt=PROMPT):
        """Reads the prompt; returns the stream, so that it can stand behind the constructor."""
        self.expect(prompt)
        return self

    def ask(self, data, answer):
        """Sends DATA and reads ANSWER, byte for byte."""
        self.send(data)
        self.expect(answer)

    def exchange(self, data, pieces=None):
        """Sends DATA (or each of PIECES with a send of its own) and the end of file in a thread, while all that comes
        is read; returns it."""
        failures = []

        def feed():
            try:
                for piece in pieces or [data]:
                    self.socket.sendall(piece)
                self.finish()
            except OSError as error:
                failures.append(error)

        feeder = threading.Thread(target=feed)
        feeder.start()
        try:
            return self.rest()
        finally:
            feeder.join(self.seconds)
            assert not feeder.is_alive() and not failures, failures


class Datagram:
    """A datagram socket whose every operation has a deadline.

    address: where send() sends to. bind: own address; AF_UNIX sockets get one from the kernel when None, so that they
    can be answered."""

    def __init__(self, address, family=None, bind=None, seconds=5):
        self.seconds = seconds * SLOW
        self.address = address
        self.socket = socket.socket(family_of(address) if family is None else family, socket.SOCK_DGRAM)
        self.socket.settimeout(self.seconds)
        if bind is None and self.socket.family == socket.AF_UNIX:
            bind = ""  # the kernel chooses an abstract name
        if bind is not None:
            self.socket.bind(bind)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data, to=None):
        self.socket.sendto(data, to or self.address)

    def receive(self):
        """One datagram and its source."""
        try:
            data, source = self.socket.recvfrom(65536)
        except socket.timeout:
            raise AssertionError("no datagram came") from None
        return data, source

    def ask(self, data, to=None):
        """Sends DATA, returns the answer, and asserts that it came from where DATA was sent to."""
        self.send(data, to)
        answer, source = self.receive()
        asked = to or self.address
        # An IPv6 source has flow and scope behind host and port.
        came_from = source[:2] if isinstance(source, tuple) else source
        asked = asked[:2] if isinstance(asked, tuple) else asked
        if isinstance(came_from, bytes):
            came_from = os.fsdecode(came_from)
        assert came_from == asked, f"asked {asked}, answered by {came_from}"
        return answer

    def expect(self, data, answer):
        """Sends DATA and asserts that ANSWER comes, from where DATA was sent to."""
        same(answer, self.ask(data))

    def quiet(self):
        """True if no datagram is waiting."""
        return not select.select([self.socket], [], [], 0)[0]


def family_of(address):
    """The address family that ADDRESS, as connect() takes it, belongs to."""
    if isinstance(address, (str, bytes)):
        return socket.AF_UNIX
    return socket.AF_INET6 if ":" in address[0] else socket.AF_INET


def timed(function):
    """Runs FUNCTION and returns the seconds it took and its result."""
    start = time.monotonic()
    result = function()
    return time.monotonic() - start, result


# ---- the tutorial's clients: what they do with what a person types, returning what they print ----


def tutorial_tcp(address, typed, seconds=5):
    """Connects, prints what the server says first; each line is sent and its answer printed; an empty line or "quit"
    sends "disconnect" and ends."""
    printed = []
    connection = socket.socket(family_of(address), socket.SOCK_STREAM)
    connection.settimeout(seconds * SLOW)
    connection.connect(address)
    printed.append(connection.recv(1024).decode())
    for line in typed:
        if line in ("", "quit"):
            break
        connection.send(line.encode())
        printed.append("From server: " + connection.recv(1024).decode())
    connection.send(b"disconnect")
    # The person sees no more; the test wants to know that the server closed without another word.
    end = connection.recv(1024)
    connection.close()
    assert end == b"", end
    return printed


def tutorial_udp(address, typed, seconds=5):
    """Each line is sent as a datagram and the answer printed; an empty line or "quit" ends."""
    printed = []
    connection = socket.socket(family_of(address), socket.SOCK_DGRAM)
    connection.settimeout(seconds * SLOW)
    for line in typed:
        if line in ("", "quit"):
            break
        connection.sendto(line.encode(), address)
        printed.append("From server: " + connection.recv(1024).decode())
    connection.close()
    return printed
