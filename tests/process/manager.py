"""A service manager for one daemon: the socket of sd_notify(3), and what came in at it.

    with Manager() as manager, Hellod(config, env=manager.environment) as daemon:
        manager.wait_for("READY")

This file must not know what the daemon should say, nor when.
"""

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


class Message:
    """One datagram: .time (monotonic), .pid of the sender as the kernel says, .fields (name to value)."""

    def __init__(self, data, pid):
        self.time, self.pid = time.monotonic(), pid
        parts = [line.partition("=") for line in data.decode("utf-8").split("\n")]
        self.fields = {name: value for name, _, value in parts}

    def __repr__(self):
        return f"{self.pid}: {self.fields}"


class Manager:
    """A context manager. .environment is for the daemon, .messages is what came so far. abstract=True: the socket has
    no file."""

    def __init__(self, abstract=False):
        self.messages = []
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
        shutil.rmtree(self._folder, ignore_errors=True)

    def _read(self):
        while not self._over:
            try:
                data, extra, _, _ = self._socket.recvmsg(65536, socket.CMSG_SPACE(CREDENTIALS.size))
            except TimeoutError:
                continue
            self.messages.append(Message(data, CREDENTIALS.unpack(extra[0][2])[0]))

    def having(self, field, since=0):
        """The messages with FIELD, among those from number SINCE on."""
        return [message for message in self.messages[since:] if field in message.fields]

    def wait_for(self, field, seconds=5, since=0, fits=lambda value: True):
        """The first message with FIELD, of a value that FITS, among those from number SINCE on; waits for it."""

        def found():
            return [message for message in self.having(field, since) if fits(message.fields[field])]

        return wait_until(found, seconds, lambda: f"a message with {field}: {self.messages}")[0]
