"""A service manager for one daemon: the socket of sd_notify(3), what came in at it, and the descriptor store.

    with Manager() as manager, Hellod(config, env=manager.environment) as daemon:
        manager.wait_for("READY")
        daemon.stop()
        with Hellod(config, env=manager.environment, sockets=manager.stored):   # a restart

This file must not know what the daemon should say, nor when.
"""

import array
import os
import shutil
import socket
import struct
import tempfile
import threading
import time
import uuid
from pathlib import Path

from watch import SLOW, wait_until

CREDENTIALS = struct.Struct("3i")  # struct ucred: process, user, group
MOST_FDS = 253  # in one message: SCM_MAX_FD


def unpacked(extra):
    """Of the control messages of recvmsg(): the sender's process ID and the descriptors that came along."""
    pid, fds = None, array.array("i")
    for level, kind, data in extra:
        assert level == socket.SOL_SOCKET
        if kind == socket.SCM_CREDENTIALS:
            pid = CREDENTIALS.unpack(data)[0]
        elif kind == socket.SCM_RIGHTS:
            fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
    return pid, list(fds)


def identity(fd):
    """What tells the file behind FD from all others."""
    status = os.fstat(fd)
    return status.st_dev, status.st_ino


class Message:
    """One datagram: .time (monotonic), .pid of the sender as the kernel says, .fields (name to value)."""

    def __init__(self, data, pid):
        self.time, self.pid = time.monotonic(), pid
        parts = [line.partition("=") for line in data.decode("utf-8").split("\n")]
        self.fields = {name: value for name, _, value in parts}

    def __repr__(self):
        return f"{self.pid}: {self.fields}"


class Manager:
    """A context manager. .environment is for the daemon, .messages is what came so far, .store_messages what came about
    the store instead. abstract=True: the socket has no file.

    The store works as systemd's does: .stored is what is in it, (name, descriptor) in the order in which it came; what
    is there already is not taken twice, and what is removed goes by its name."""

    def __init__(self, abstract=False):
        self.messages = []
        self.store_messages = []
        self.stored = []
        self._folder = Path(tempfile.mkdtemp(prefix="hellod-"))
        self._folder.chmod(0o755)
        path = f"@hellod-{uuid.uuid4()}" if abstract else str(self._folder / "notify")
        self.environment = {"NOTIFY_SOCKET": path}
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.bind(path.replace("@", "\0", 1) if abstract else path)
        if not abstract:
            os.chmod(path, 0o777)  # the daemon gives root up
        self._socket.settimeout(0.05)
        self._over = False
        self._reader = threading.Thread(target=self._read, daemon=True)

    def __enter__(self):
        self._reader.start()
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Nobody listens any more."""
        self._over = True
        self._reader.join(5 * SLOW)
        self._socket.close()
        self._remove(lambda name: True)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _read(self):
        while not self._over:
            try:
                space = socket.CMSG_SPACE(CREDENTIALS.size) + socket.CMSG_SPACE(4 * MOST_FDS)
                data, extra, _, _ = self._socket.recvmsg(65536, space)
            except TimeoutError:
                continue
            pid, fds = unpacked(extra)
            message = Message(data, pid)
            about_store = [name for name in message.fields if name.startswith("FDSTORE")]
            # The store first: whoever waits for the message finds it up to date.
            self._keep_store(message.fields, fds)
            (self.store_messages if about_store else self.messages).append(message)

    def _keep_store(self, fields, fds):
        name = fields.get("FDNAME", "stored")
        if "FDSTOREREMOVE" in fields:
            self._remove(lambda known: known == name)
        for fd in fds:
            if "FDSTORE" in fields and identity(fd) not in [identity(known) for _, known in self.stored]:
                self.stored = [*self.stored, (name, fd)]
            else:
                os.close(fd)

    def _remove(self, goes):
        gone = [fd for name, fd in self.stored if goes(name)]
        self.stored = [(name, fd) for name, fd in self.stored if not goes(name)]
        for fd in gone:
            os.close(fd)

    def remove(self, name):
        """Takes what is called NAME out of the store."""
        self._remove(lambda known: known == name)

    def put(self, name, fd):
        """Puts FD, which is the store's from now on, into it."""
        self.stored = [*self.stored, (name, fd)]

    def having(self, field, since=0):
        """The messages with FIELD, among those from number SINCE on."""
        return [message for message in self.messages[since:] if field in message.fields]

    def wait_for(self, field, seconds=5, since=0, fits=lambda value: True):
        """The first message with FIELD, of a value that FITS, among those from number SINCE on; waits for it."""

        def found():
            return [message for message in self.having(field, since) if fits(message.fields[field])]

        return wait_until(found, seconds, lambda: f"a message with {field}: {self.messages}")[0]
