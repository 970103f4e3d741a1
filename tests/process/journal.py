"""A stand-in for the journal: what a daemon sends it, as entries and as lines, and a daemon that takes it for one.

It sits where journald does, in a mount namespace of the daemon's own. Nothing is read before somebody asks, so that it
is a journal that has been stopped for as long as nobody does.

This file must not know what is logged.
"""

import os
import re
import shlex
import shutil
import socket
import struct
import subprocess
import time

import pytest

from hellodtest import Hellod
from watch import wait_until

PLACE = "/run/systemd/journal"
NO_ACTIVATION = {"LISTEN_FDS": None, "LISTEN_PID": None}


def _enter():
    """The words that give a program a mount namespace in which it may mount; skips where that cannot be."""
    if not shutil.which("unshare"):
        pytest.skip("needs unshare (package util-linux)")
    words = ["unshare", "--mount"]
    if os.geteuid() != 0:
        words += ["--user", "--map-current-user", "--keep-caps"]
    tried = subprocess.run([*words, "mount", "-t", "tmpfs", "none", "/run"], capture_output=True, text=True)
    if tried.returncode != 0:
        pytest.skip(f"no mount namespace of our own: {' '.join(words)}: {tried.stderr.strip()}")
    return words


def parse(datagram):
    """An entry in the native protocol, as a dict; a value that has its length in front may be anything."""
    fields = {}
    while datagram:
        name, _, rest = datagram.partition(b"\n")
        if b"=" in name:
            name, value = name.split(b"=", 1)
        else:
            (length,) = struct.unpack_from("<Q", rest)
            value, rest = rest[8 : 8 + length], rest[9 + length :]
        assert name.decode() not in fields, f"{name} twice"
        fields[name.decode()] = value.decode()
        datagram = rest
    return fields


class Journal:
    """.entries and .lines: what was read so far. A context manager; .how is for
    Hellod."""

    def __init__(self, folder):
        self.entries, self.lines, self._rest = [], [], b""
        self.path = folder / "socket"
        self._listen()
        self._ours, self._theirs = socket.socketpair()
        self._ours.setblocking(False)
        status = os.fstat(self._theirs.fileno())
        mounts = f"mount -t tmpfs none /run && mkdir -p {PLACE} && mount --bind {folder} {PLACE}"
        words = shlex.split(os.environ.get("HELLOD_WRAPPER", ""))
        self.how = {
            "sockets": [self._theirs.fileno()],
            "env": {**NO_ACTIVATION, "JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"},
            "wrapper": [*_enter(), "sh", "-c", f'{mounts} && exec "$@" 2>&3 3>&-', "sh", *words],
            "ready": False,
        }

    def _listen(self):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(str(self.path))
        self.path.chmod(0o666)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for one in (self._socket, self._ours, self._theirs):
            one.close()

    def read(self):
        """Takes what is there."""
        try:
            while True:
                self.entries.append(parse(self._socket.recv(65536)))
        except BlockingIOError:
            pass
        try:
            while piece := self._ours.recv(65536):
                self._rest += piece
        except BlockingIOError:
            pass
        *lines, self._rest = self._rest.split(b"\n")
        self.lines += [line.decode() for line in lines]

    def begin_anew(self):
        """The same place, but another socket."""
        self.path.unlink()
        self._socket.close()
        self._listen()

    def die(self):
        """Nobody is there any more, neither for entries nor for lines."""
        self.path.unlink()
        self._socket.close()
        self._ours.close()

    def find(self, text, **fields):
        """The entries read so far whose MESSAGE the regular expression TEXT fits, with these FIELDS."""
        return [
            one for one in self.entries if re.search(text, one["MESSAGE"]) and fields.items() <= one.items()
        ]

    def wait(self, text, seconds=10, **fields):
        """The first entry that find() finds, waiting for it."""

        def found():
            self.read()
            return self.find(text, **fields)

        return wait_until(found, seconds, lambda: f"{text} {fields}: {self.entries} {self.lines}")[0]


class Journaled(Hellod):
    """A daemon whose standard error is JOURNAL's stream."""

    def __init__(self, journal, config, **how):
        super().__init__(config, **journal.how, **how)
        self._journal = journal

    def __enter__(self):
        super().__enter__()
        try:
            self._journal.wait("^ready: ")
        except BaseException as error:
            self.__exit__(type(error))
            raise
        # The library finds there where the listeners are.
        texts = [one["MESSAGE"] for one in self._journal.entries if "LISTENER" in one]
        self.lines += [(time.monotonic(), text) for text in texts]
        return self
