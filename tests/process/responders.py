"""Services on UDP that answer whatever comes, as they stand on many a network: what a loop is made of.

    with Responder("echo", ("10.9.0.2", 7)) as echo:
        ...
        echo.heard, echo.said   # how many datagrams each

This file must not know the daemon.
"""

import itertools
import select
import socket
import string
import threading

from clients import family_of
from watch import SLOW

TURN = string.ascii_letters + string.digits  # what chargen turns round and round


def echo(data, _):
    """RFC 862."""
    return data


def chargen(_, number):
    """RFC 864: characters, whatever was sent."""
    start = number % len(TURN)
    return (TURN[start:] + TURN[:start]).encode() + b"\r\n"


def daytime(_, number):
    """RFC 867: the time, whatever was sent."""
    return b"Monday, February 22, 1982 17:37:%02d-PST\r\n" % (number % 60)


def dns_error(data, _):
    """A DNS server that tells everybody, other errors included, that it does not understand (FORMERR)."""
    return data[:2].ljust(2, b"\0") + b"\x80\x01" + bytes(8)


def tftp_error(_data, _number):
    """A TFTP server that tells everybody so (RFC 1350, error 4)."""
    return b"\0\5\0\4Illegal TFTP operation\0"


def remark(data, _):
    """A text reflector: what was said, and some words, so that it does not look like what it was."""
    return b"You said: " + data


def puzzled(_data, _number):
    """A text service that has one answer to everything."""
    return b"Pardon?"


SERVICES = {function.__name__: function for function in
            (echo, chargen, daytime, dns_error, tftp_error, remark, puzzled)}  # fmt: skip


class Responder:
    """The service NAME at ADDRESS, in a thread; a context manager. It answers COPIES times, DELAY seconds after it has
    heard, and if it is TRANSIENT from another port each time, as TFTP does. After LIMIT answers it says no more, so that
    no mistake of a test is without end."""

    def __init__(self, name, address, copies=1, delay=0, transient=False, limit=20000):
        self._serve, self._copies, self._delay, self._transient = SERVICES[name], copies, delay, transient
        self._limit = limit
        self.heard = self.said = 0
        self.longest = 0  # bytes that came at once
        self._socket = socket.socket(family_of(address), socket.SOCK_DGRAM)
        self._socket.bind(address)
        self.address = self._socket.getsockname()[:2]
        self._over = threading.Event()
        self._stop, self._stopped = socket.socketpair()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._stop.close()
        self._thread.join(5 * SLOW)
        self._socket.close()
        self._stopped.close()
        assert not self._thread.is_alive()

    def _run(self):
        while True:
            ready, _, _ = select.select([self._socket, self._stopped], [], [])
            if self._stopped in ready:
                return
            data, source = self._socket.recvfrom(65536)
            self.heard += 1
            self.longest = max(self.longest, len(data))
            if self._delay and self._over.wait(self._delay):
                return
            self._answer(data, source)
            # What came meanwhile is as old: a delay for each would be a rate of its own.
            while self._delay and select.select([self._socket], [], [], 0)[0]:
                data, source = self._socket.recvfrom(65536)
                self.heard += 1
                self._answer(data, source)

    def _answer(self, data, source):
        for _ in itertools.repeat(None, self._copies):
            if self.said == self._limit:
                return
            sender = self._socket
            if self._transient:
                sender = socket.socket(self._socket.family, socket.SOCK_DGRAM)
                sender.bind((self.address[0], 0))
            sender.sendto(self._serve(data, self.said), source)
            if self._transient:
                sender.close()
            self.said += 1
