"""System calls that fail by name, in the master or in a worker, wherever in a library they are made (see
preload/notified.c): all of them are put before a judge, who lets them go on or has them fail.

    with Judge() as judge, Hellod(config, env=judge.environment) as daemon:
        with judge.fails("master", "timerfd_settime", errno.ENOMEM) as fault: ...
        assert fault.happened
        judge.seen                                  # {("worker", "accept4"), ...}

Every call waits for this program, so that the daemon is slow. This file must not know what the daemon makes of a failure.
"""

import array
import contextlib
import errno
import fcntl
import os
import re
import select
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest

from hellodtest import binary
from watch import SLOW
from workers import SANITIZED

SOURCE = Path(__file__).with_name("preload") / "notified.c"

# struct seccomp_notif and struct seccomp_notif_resp of seccomp_unotify(2), and the ioctls that take them.
NOTICE, VERDICT = struct.Struct("=QIIiIQ6Q"), struct.Struct("=QqiI")
RECEIVE, SEND = 0xC0502100, 0xC0182101
CONTINUE = 1


# What a C library calls on one processor or in one version, and elsewhere by another name.
ALIASES = {
    "fstat": "newfstatat",
    "stat": "newfstatat",
    "statx": "newfstatat",
    "open": "openat",
    "clone3": "clone",
    "epoll_pwait": "epoll_wait",
    "epoll_pwait2": "epoll_wait",
    "fchmodat": "chmod",
    "unlinkat": "unlink",
    "lchown": "fchown",
    "fchownat": "fchown",
    "sendmsg": "sendto",
}


def numbers():
    """Number of each system call to its name, as the compiler has them; one name for those that are the same."""
    words = [os.environ.get("CC", "cc"), "-E", "-dM", "-include", "sys/syscall.h", "-x", "c", os.devnull]
    text = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60).stdout
    found = re.findall(r"^#define __NR_(\w+) (\d+)$", text, re.M)
    return {int(number): ALIASES.get(name, name) for name, number in found}


class Fault:
    """One call that fails: the first of WHO ("master" or "worker") by NAME after SKIP others. .happened: it has."""

    def __init__(self, who, name, error, skip):
        self.who, self.name, self.error, self.skip, self.happened = who, name, error, skip, False

    def judge(self, who, name):
        """True if the call that is made now is the one."""
        if self.happened or (who, name) != (self.who, self.name):
            return False
        self.happened = self.skip == 0
        self.skip -= 1
        return self.happened


class Judge:
    """The judge of one daemon at a time, a context manager. .seen are the calls so far, as (who, name); .calls is
    how many there were."""

    def __enter__(self):
        if SANITIZED:
            pytest.skip("a sanitizer or valgrind makes calls of its own")
        self._names, self.seen, self.calls, self._faults = numbers(), set(), 0, []
        self._folder = Path(tempfile.mkdtemp(prefix="hellod-"))
        self._folder.chmod(0o755)
        library, path = self._folder / "notified.so", self._folder / "judge"
        build = [os.environ.get("CC", "cc"), "-std=gnu17", "-D_GNU_SOURCE", "-O1", "-shared", "-fPIC", "-w"]
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            subprocess.run([*build, "-o", library, SOURCE], check=True, timeout=60)
            self._socket.bind(str(path))
        except BaseException:
            self._socket.close()
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        self._socket.listen()
        self.environment = {"LD_PRELOAD": library, "HELLOD_JUDGE": path, "HELLOD_JUDGED": binary()}
        self._over, self._idle = os.pipe()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        os.close(self._idle)
        self._thread.join(5 * SLOW)
        os.close(self._over)
        self._socket.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    @contextlib.contextmanager
    def fails(self, who, name, error, skip=0):
        """Within the block, one call of WHO by NAME fails with ERROR: the first, or the one after SKIP others."""
        assert name in self._names.values(), name
        fault = Fault(who, name, error, skip)
        self._faults.append(fault)
        try:
            yield fault
        finally:
            self._faults.remove(fault)

    def _accept(self):
        while self._ready(self._socket):
            channel, _ = self._socket.accept()
            with channel:
                master = struct.unpack("3i", channel.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
                _, [(_, _, data)], *_ = channel.recvmsg(1, socket.CMSG_SPACE(4))
            (listener,) = array.array("i", data)
            try:
                while self._ready(listener) and self._judge(listener, master):
                    pass
            finally:
                os.close(listener)

    def _ready(self, what):
        """Waits for WHAT; False when the judge is to go."""
        poll = select.poll()
        poll.register(what, select.POLLIN)
        poll.register(self._over, select.POLLIN)
        fds = dict(poll.poll())
        return self._over not in fds

    def _judge(self, listener, master):
        """One call; False when nobody is left who could make one."""
        poll = select.poll()
        poll.register(listener, select.POLLIN)
        if any(events & select.POLLHUP for _, events in poll.poll(0)):
            return False
        notice = bytearray(NOTICE.size)
        try:
            fcntl.ioctl(listener, RECEIVE, notice, True)
            number, pid, _, call, *_ = NOTICE.unpack(notice)
            verdict = bytearray(VERDICT.pack(number, 0, *self._verdict("master" if pid == master else "worker", call)))
            fcntl.ioctl(listener, SEND, verdict, True)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.EINTR):  # it was killed, or interrupted by a signal
                raise
        return True

    def _verdict(self, who, call):
        name = self._names.get(call, str(call))
        self.seen.add((who, name))
        self.calls += 1
        for fault in self._faults:
            if fault.judge(who, name):
                return -int(fault.error), 0
        return 0, CONTINUE
